"""What is exported of a job when something of it ends: each span once, with what the record says of it."""

import unittest
from typing import Any

from lib.jobs.edges import KnownEdge
from lib.jobs.exported_spans import FIRED, IN_PLACE, OTHERWISE, Ended, exported, is_exported, parents_of
from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK
from lib.jobs.request_trace import spans_of
from lib.otlp_text import CLIENT, CONSUMER, INTERNAL
from lib.tracing import attempt_span_id, job_span_id
from tests.unit.jobs.test_request_trace import CALL, T0, attempt, job_id, record

ERROR = {"type": "ValueError", "message": "no such tenant"}
FAILED = attempt(1, 5, 9, "retried", ERROR, due=100)
SENT = attempt(2, 103, 150, "completed")


def done(**fields: Any) -> JobRecord:
    """A mail that failed once and was sent."""
    fields = {"type_name": "email", "result": {"message_id": "<a@b>"}, "token": 2, "attempts": 2, **fields}
    return record(1, "completed", (FAILED, SENT), finished_ms=T0 + 150, **fields)


def names(one: JobRecord, ended: Ended) -> list[str]:
    return [span.name for span in exported(one, ended, {})]


class ByAttempts(unittest.TestCase):
    def test_each_span_of_the_story_is_exported_once_with_its_id_its_parent_and_its_times(self) -> None:
        before = record(1, "delayed", (FAILED,), type_name="email", token=1, run_at_ms=T0 + 100)

        found = [*exported(before, Ended.of_attempt(1), {}), *exported(done(), Ended.of_attempt(2), {})]

        story = [span for span in spans_of([done()]) if span.kind != "server"]
        self.assertEqual(
            sorted((span.span_id, span.parent_id, span.name, span.start_ms, span.end_ms) for span in story),
            sorted((s.span_id, s.parent_id, s.name, s.start_ns // 10**6, s.end_ns // 10**6) for s in found),
        )
        self.assertEqual(
            ["wait", "attempt 1", "backoff", "wait", "attempt 2", "mail", "email"], [s.name for s in found]
        )
        self.assertEqual([INTERNAL, CONSUMER, INTERNAL, INTERNAL, CONSUMER, CLIENT, INTERNAL], [s.kind for s in found])
        self.assertEqual({CALL.trace_id}, {span.trace_id for span in found})

    def test_what_a_span_says(self) -> None:
        wait, failed = exported(record(1, "delayed", (FAILED,), token=1), Ended.of_attempt(1), {})
        _backoff, _wait, _sent, mail, job = exported(done(), Ended.of_attempt(2), {})

        self.assertIsNone(wait.error)
        self.assertEqual("no such tenant", failed.error)
        expected = {
            "messaging.system": "waybill",
            "messaging.destination.name": "q",
            "messaging.message.id": job_id(1),
            "waybill.span": "attempt",
            "waybill.type": "t",
            "waybill.request_id": "r",
            "waybill.outcome": "retried",
            "waybill.attempt": 1,
            "waybill.worker_id": "w",
            "error.type": "ValueError",
        }
        self.assertEqual(expected, failed.attributes)
        self.assertEqual("<a@b>", mail.attributes["waybill.message_id"])
        self.assertEqual(("completed", 2), (job.attributes["waybill.outcome"], job.attributes["waybill.attempts"]))

    def test_a_dead_job_says_why_without_its_secrets(self) -> None:
        last = attempt(1, 5, 9, "dead", {"type": "E", "message": "bad key hush-hush-hush"})
        dead = record(
            1, "dead", (last,), token=1, finished_ms=T0 + 9, error=last.error, payload={"api_key": "hush-hush-hush"}
        )

        spans = exported(dead, Ended.of_attempt(1), {})

        self.assertEqual([None, f"bad key {MASK}", f"bad key {MASK}"], [span.error for span in spans])
        self.assertNotIn("hush", str(spans))

    def test_a_webhook_that_was_refused_is_an_error(self) -> None:
        refused = attempt(1, 5, 9, "retried", {"type": "E", "message": "…", "status": 503}, due=99)

        *_, call = exported(record(1, "delayed", (refused,), type_name="webhook", token=1), Ended.of_attempt(1), {})

        self.assertEqual(("status 503", 503), (call.error, call.attributes["http.response.status_code"]))

    def test_an_attempt_that_goes_on_or_is_not_kept_is_not_exported(self) -> None:
        self.assertEqual([], names(record(1, "active", (), token=1, started_ms=T0 + 5), Ended.of_attempt(1)))
        self.assertEqual([], names(done(), Ended.of_attempt(7)))

    def test_a_job_that_was_run_again_meanwhile_has_not_ended(self) -> None:
        again = record(1, "ready", (attempt(1, 5, 9, "dead", ERROR),), token=1)

        self.assertEqual(["wait", "attempt 1"], names(again, Ended.of_attempt(1)))

    def test_what_is_not_sampled_or_not_readable_is_not_exported(self) -> None:
        for one in (done(trace=CALL._replace(flags="00")), done()._replace(spec=None)):
            self.assertFalse(is_exported(one.spec))
            self.assertEqual([], names(one, Ended.of_attempt(2)))


class Otherwise(unittest.TestCase):
    def test_a_crashed_attempt_and_not_the_ones_before_it(self) -> None:
        crashed = attempt(2, 103, 150, "crashed", {"type": "worker_lost", "message": "gone"})
        for state, token in (("ready", 2), ("active", 3)):
            spans = exported(record(1, state, (FAILED, crashed), token=token, started_ms=T0 + 160), OTHERWISE, {})

            self.assertEqual(["backoff", "wait", "attempt 2"], [span.name for span in spans])
            self.assertEqual(("gone", attempt_span_id(job_id(1), 2)), (spans[-1].error, spans[-1].span_id))

    def test_a_job_that_was_claimed_and_taken_back_before_it_began_again(self) -> None:
        self.assertEqual([], names(record(1, "ready", (FAILED,), token=2), OTHERWISE))

    def test_a_job_that_ended_with_its_last_attempt_and_one_that_ended_behind_it(self) -> None:
        dead = record(1, "dead", (attempt(1, 5, 9, "dead", ERROR),), token=1, finished_ms=T0 + 9)
        expired = record(1, "dead", (FAILED,), token=1, finished_ms=T0 + 500)

        self.assertEqual(["wait", "attempt 1", "t"], names(dead, OTHERWISE))
        self.assertEqual(["t"], names(expired, OTHERWISE))

    def test_a_workflow_has_its_own_span_alone(self) -> None:
        self.assertEqual(
            ["workflow"], names(record(1, "completed", type_name="workflow", finished_ms=T0 + 9), OTHERWISE)
        )


class InPlace(unittest.TestCase):
    def test_a_job_that_was_cancelled_before_it_began(self) -> None:
        self.assertEqual(["t"], names(record(1, "cancelled", finished_ms=T0 + 9), IN_PLACE))

    def test_one_that_runs_is_its_runners_to_export_and_so_is_one_that_was_asked_to_stop(self) -> None:
        ended = (attempt(1, 5, 9, "cancelled"),)

        self.assertEqual([], names(record(1, "active", token=1, started_ms=T0 + 5), IN_PLACE))
        asked = record(1, "cancelled", ended, token=1, finished_ms=T0 + 9, cancel_requested_ms=T0 + 7)
        self.assertEqual([], names(asked, IN_PLACE))
        self.assertEqual(["wait", "attempt 1", "t"], names(asked, Ended.of_attempt(1)))

    def test_one_that_waited_for_a_callback_ends_its_attempt_as_well(self) -> None:
        outside = record(1, "cancelled", (attempt(1, 5, 9, "cancelled"),), token=1, finished_ms=T0 + 9)

        self.assertEqual(["wait", "attempt 1", "t"], names(outside, IN_PLACE))


class Links(unittest.TestCase):
    def test_to_the_jobs_it_waited_for_in_their_own_traces_as_far_as_these_are_known(self) -> None:
        edges = tuple(KnownEdge(rule, "c", job_id(n), "") for n, rule in ((7, "c"), (8, "e"), (9, "o"), (10, "f")))
        joined = record(1, "completed", (attempt(1, 5, 9, "completed"),), token=1, finished_ms=T0 + 9, edges=edges)

        *_, job = exported(joined, Ended.of_attempt(1), {job_id(7): CALL.trace_id, job_id(8): "e" * 32})

        self.assertEqual([job_id(7), job_id(8), job_id(10)], parents_of(joined, Ended.of_attempt(1)))
        expected = [(CALL.trace_id, job_span_id(job_id(7)), "completed"), ("e" * 32, job_span_id(job_id(8)), "ended")]
        self.assertEqual(expected, [(one[0], one[1], one[2]["waybill.on"]) for one in job.links])
        self.assertEqual([], parents_of(joined._replace(state="active"), Ended.of_attempt(1)))

    def test_a_slot_that_fired_is_the_root_of_its_trace(self) -> None:
        slot = record(1, "ready")
        assert slot.spec is not None
        slot = slot._replace(spec=slot.spec._replace(schedule="nightly", scheduled_for=T0))

        (span,) = exported(slot, FIRED, {})

        self.assertEqual(("schedule nightly", "", CALL.span_id), (span.name, span.parent_id, span.span_id))


if __name__ == "__main__":
    unittest.main()
