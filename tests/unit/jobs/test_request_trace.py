"""The story of a request as spans: made of records, it is a tree in time, whatever the records hold."""

import random
import unittest
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.edges import KnownEdge
from lib.jobs.job import HISTORY_KEPT, Attempt, JobRecord
from lib.jobs.request_trace import Link, Span, links_of, rooted, spans_of
from lib.jobs.spec import JobSpec
from lib.tracing import Trace, attempt_span_id, job_span_id

CALL = Trace("a" * 32, "b" * 16, "01")
T0 = 1_795_438_188_000
"""When the call came, in ms."""


def job_id(number: int, made_ms: int = T0) -> str:
    return f"q-{made_ms:012x}8000{number:016x}"


def record(
    number: int = 1,
    state: str = "completed",
    history: tuple[Attempt, ...] = (),
    *,
    type_name: str = "t",
    trace: Trace = CALL,
    by: str = "",
    payload: dict[str, Any] | None = None,
    made_ms: int = T0,
    **fields: Any,
) -> JobRecord:
    """A job that was taken in 2 ms after its call."""
    spec = JobSpec(type_name, payload or {}, "r", trace, 5, 60, Backoff(1, 2), by=by)
    return JobRecord(job_id(number, made_ms), "q", state, spec, created_ms=T0 + 2, history=history, **fields)


def attempt(token: int, start: int, end: int, outcome: str, error: Any = None, due: int | None = None) -> Attempt:
    """One that began `start` and ended `end` ms after the call."""
    return Attempt(token, T0 + start, T0 + end, "w", outcome, error, None if due is None else T0 + due, token)


def drawn(spans: Sequence[Span]) -> list[tuple[str, int, int | None, str]]:
    """Name, beginning and end in ms after the call, and outcome."""
    return [
        (span.name, span.start_ms - T0, None if span.end_ms is None else span.end_ms - T0, span.outcome)
        for span in spans
    ]


class OneJob(unittest.TestCase):
    def test_a_job_that_failed_once_and_sent_a_mail(self) -> None:
        story = (
            attempt(1, 5, 9, "retried", {"type": "E", "message": "421 later", "traceback": "…"}, due=100),
            attempt(2, 103, 150, "completed"),
        )
        mail = record(1, history=story, type_name="email", finished_ms=T0 + 150, result={"message_id": "<1@x>"})

        spans = spans_of([mail])

        self.assertEqual(
            [
                ("request", 0, 2, ""),
                ("email", 2, 150, "completed"),
                ("wait", 2, 5, ""),
                ("attempt 1", 5, 9, "retried"),
                ("backoff", 9, 100, ""),
                ("wait", 100, 103, ""),
                ("attempt 2", 103, 150, "completed"),
                ("mail", 103, 150, ""),
            ],
            drawn(spans),
        )
        named = {span.name: span for span in spans}
        self.assertEqual(CALL.span_id, named["email"].parent_id)
        self.assertEqual((job_span_id(mail.job_id), ""), (named["email"].span_id, named["request"].parent_id))
        self.assertEqual(attempt_span_id(mail.job_id, 2), named["mail"].parent_id)
        self.assertEqual({"message_id": "<1@x>"}, named["mail"].attributes)
        error = {"type": "E", "message": "421 later"}
        self.assertEqual({"attempt": 1, "worker_id": "w", "error": error}, named["attempt 1"].attributes)

    def test_secrets_of_the_payload_are_masked_in_errors(self) -> None:
        failed = (attempt(1, 5, 9, "dead", {"type": "E", "message": "no: correcthorse"}),)
        spans = spans_of([record(1, "dead", failed, payload={"password": "correcthorse"}, finished_ms=T0 + 9)])

        self.assertNotIn("correcthorse", str(spans))

    def test_what_goes_on_has_no_end(self) -> None:
        failed = (attempt(1, 5, 9, "retried", due=100),)
        running = {"attempts": 2, "token": 2, "started_ms": T0 + 101, "runner_id": "w"}
        for state, fields, last in (
            ("ready", {"run_at_ms": T0 + 100}, ("wait", 100, None, "")),
            ("delayed", {"run_at_ms": T0 + 100}, ("backoff", 9, None, "")),
            ("active", running, ("attempt 2", 101, None, "")),
            ("blocked", running, ("attempt 2", 101, None, "")),
        ):
            with self.subTest(state):
                found = drawn(spans_of([record(1, state, failed, **fields)]))

                self.assertEqual(last, found[-1])
                self.assertEqual(("t", 2, None, state), found[1])

    def test_when_the_next_attempt_is_due_says_nothing_of_what_was_before_the_first(self) -> None:
        failed = (attempt(1, 5, 9, "retried", due=100),)
        for state, ended_ms in (("ready", None), ("delayed", None), ("cancelled", T0 + 200), ("dead", T0 + 200)):
            found = drawn(spans_of([record(1, state, failed, run_at_ms=T0 + 100, token=1, finished_ms=ended_ms)]))

            self.assertEqual(("wait", 2, 5, ""), found[2], state)

    def test_why_a_job_was_not_ready_is_the_name_of_its_pause(self) -> None:
        edge = (KnownEdge("c", "c", job_id(9), ""),)
        for story, fields, name, kind in (
            ((), {"run_at_ms": T0 + 50}, "delay", "wait"),
            ((), {"run_at_ms": T0 + 50, "edges": edge}, "blocked", "wait"),
            ((attempt(1, 5, 9, "snoozed", due=50),), {}, "snooze", "wait"),
            ((attempt(1, 5, 9, "retried", due=50),), {}, "backoff", "backoff"),
            ((attempt(1, 5, 9, "dead"),), {"run_at_ms": T0 + 50}, "ended", "wait"),
        ):
            with self.subTest(name):
                spans = spans_of([record(1, "ready", story, **fields)])

                pause = next(span for span in spans if span.name == name)
                self.assertEqual((kind, T0 + 50), (pause.kind, pause.end_ms))
                self.assertEqual(("wait", T0 + 50, None), (spans[-1].name, spans[-1].start_ms, spans[-1].end_ms))

    def test_an_attempt_that_says_since_when_it_was_ready_is_believed(self) -> None:
        """Somebody had the job run before its time, and ran it again when it was dead."""
        story = (
            attempt(1, 5, 9, "retried", due=3000),
            attempt(2, 52, 60, "dead")._replace(ready_ms=T0 + 50),
            attempt(3, 93, 99, "dead")._replace(ready_ms=T0 + 90),
        )

        spans = spans_of([record(1, "dead", story, finished_ms=T0 + 99)])

        pauses = [(name, begin, end) for name, begin, end, _ in drawn(spans) if name in ("backoff", "ended", "wait")]
        self.assertEqual(
            [("wait", 2, 5), ("backoff", 9, 50), ("wait", 50, 52), ("ended", 60, 90), ("wait", 90, 93)], pauses
        )

    def test_a_job_of_a_workflow_was_blocked_until_that_was_open(self) -> None:
        member = record(1, "ready", run_at_ms=T0 + 50)
        assert member.spec is not None

        spans = spans_of([member._replace(spec=member.spec._replace(workflow=job_id(9)))])

        self.assertEqual(["request", "t", "blocked", "wait"], [span.name for span in spans])

    def test_of_attempts_that_were_not_kept_the_job_says_how_many(self) -> None:
        story = tuple(attempt(7 + n, 50 + 2 * n, 51 + 2 * n, "crashed") for n in range(HISTORY_KEPT))
        spans = spans_of([record(1, "dead", story, finished_ms=T0 + 90)])

        self.assertEqual({"attempts_not_kept": 6}, spans[1].attributes)
        self.assertEqual(["request", "t", "attempt 7", "wait", "attempt 8"], [span.name for span in spans[:5]])

    def test_a_claim_that_was_given_back_before_the_handler_began_was_no_attempt(self) -> None:
        spans = spans_of([record(1, history=(attempt(2, 50, 60, "completed"),), finished_ms=T0 + 60)])

        self.assertEqual({}, spans[1].attributes)
        self.assertEqual(["request", "t", "wait", "attempt 2"], [span.name for span in spans])

    def test_an_attempt_that_an_older_version_ended_has_a_span_of_its_own(self) -> None:
        story = tuple(attempt(n, 5 * n, 5 * n + 2, "retried")._replace(token=None) for n in (1, 2))
        spans = spans_of([record(1, "ready", story)])

        self.assertEqual(len(spans), len({span.span_id for span in spans}))


class Calls(unittest.TestCase):
    def test_the_jobs_of_a_call_hang_on_it_and_what_a_job_queued_on_its_attempt(self) -> None:
        first = record(1, history=(attempt(1, 5, 9, "completed"),), finished_ms=T0 + 9)
        child_trace = CALL._replace(span_id=attempt_span_id(first.job_id, 1))
        child = record(3, "ready", trace=child_trace, by=first.job_id)

        spans = spans_of([first, record(2, "ready"), child])

        jobs = {span.job_id: span.parent_id for span in spans if span.kind == "job"}
        self.assertEqual({first.job_id: CALL.span_id, job_id(2): CALL.span_id, child.job_id: child_trace.span_id}, jobs)
        self.assertEqual(1, sum(span.kind == "server" for span in spans))

    def test_two_calls_under_one_request_id_have_a_span_each(self) -> None:
        other = Trace("c" * 32, "d" * 16, "01")

        spans = spans_of([record(1), record(2, trace=other)])

        traces = [(span.attributes or {})["trace_id"] for span in spans if span.kind == "server"]
        self.assertEqual([CALL.trace_id, other.trace_id], traces)

    def test_a_server_whose_clock_is_an_hour_off_puts_no_call_behind_its_job(self) -> None:
        for made_ms, begun_ms in ((T0 + 3_600_000, T0 + 2), (T0 - 3_600_000, T0 - 3_600_000)):
            call = spans_of([record(1, made_ms=made_ms)])[0]

            self.assertEqual(("server", begun_ms, T0 + 2), (call.kind, call.start_ms, call.end_ms))

    def test_a_job_whose_parent_is_gone_has_none(self) -> None:
        gone = CALL._replace(span_id="e" * 16)
        spans = spans_of([record(1, trace=gone, by=job_id(8))])

        self.assertEqual("e" * 16, spans[0].parent_id)
        self.assertEqual("", rooted(spans)[0].parent_id)

    def test_a_link_for_each_job_that_another_one_waits_for(self) -> None:
        edges = (KnownEdge("c", ".", job_id(1), "fetch"), KnownEdge("f", "d", job_id(2), ""))
        member = KnownEdge("m", ".", job_id(4), "0/a")

        links = links_of([record(3, "blocked", edges=(*edges, member))])

        self.assertEqual(
            [
                Link(job_span_id(job_id(3)), job_span_id(job_id(1)), "completed"),
                Link(job_span_id(job_id(3)), job_span_id(job_id(2)), "failed"),
            ],
            links,
        )


class AnyRecords(unittest.TestCase):
    def test_the_spans_are_a_tree_in_time(self) -> None:
        rng = random.Random(25)
        for _ in range(400):
            records = self.any_records(rng)
            spans = rooted(spans_of(records))

            self.assertEqual(len(spans), len({span.span_id for span in spans}), records)
            seen = set[str]()
            for span in spans:
                self.assertTrue(span.end_ms is None or span.end_ms >= span.start_ms, span)
                if span.parent_id:
                    self.assertIn(span.parent_id, seen, "a parent stands before what it holds")
                seen.add(span.span_id)
            self.assertEqual(Counter(record.job_id for record in records).keys(), {s.job_id for s in spans} - {""})
            for one in records:
                self.one_behind_the_other([s for s in spans if s.parent_id == job_span_id(one.job_id)])

    def one_behind_the_other(self, parts: list[Span]) -> None:
        """The waits, pauses and attempts of a job leave no time out, and share none."""
        for before, after in pairwise(parts):
            self.assertEqual(before.end_ms, after.start_ms, parts)

    def any_records(self, rng: random.Random) -> list[JobRecord]:
        records: list[JobRecord] = []
        for number in range(rng.randint(1, 6)):
            at, story = rng.randint(2, 9), list[Attempt]()
            for token in range(1, rng.randint(1, 5)):
                start = at + rng.choice((-40, 0, 0, 7))  # A clock that was set back, too.
                end = start + rng.choice((-3, 0, 5))
                outcome = rng.choice(("retried", "snoozed", "released", "crashed", "dead"))
                due = rng.choice((None, end + rng.choice((-5, 0, 20))))
                story.append(attempt(token, start, end, outcome, due=due))
                at = end + rng.choice((0, 30))
            state = rng.choice(("ready", "delayed", "blocked", "active", "completed", "dead", "cancelled"))
            fields: dict[str, Any] = {}
            if state == "active":
                fields = {"started_ms": T0 + at, "token": len(story) + 1, "attempts": len(story) + 1}
            elif state in ("completed", "dead", "cancelled"):
                fields = {"finished_ms": T0 + at}
            else:
                fields = {"run_at_ms": rng.choice((None, T0 + at + 10, T0 - 10))}
            queued_by = rng.choice([None, *[one for one in records if one.history]])
            where: dict[str, Any] = {}
            if queued_by is not None:
                span = attempt_span_id(queued_by.job_id, queued_by.history[-1].token or 0)
                where = {"trace": CALL._replace(span_id=span), "by": queued_by.job_id}
            one = record(number, state, tuple(story), **where, **fields)
            if queued_by is not None:
                one = one._replace(created_ms=max(T0 + 2, (queued_by.history[-1].started_ms or 0) + 1))
            records.append(one)
        return records


if __name__ == "__main__":
    unittest.main()
