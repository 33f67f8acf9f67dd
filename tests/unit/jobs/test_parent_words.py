"""lib/jobs/parent_words.py: what an explanation says of the jobs that a job waits for, and of those that ended it."""

import unittest
from typing import Any

from lib.jobs.edges import KnownEdge, edges_from
from lib.jobs.explanation import REASONS, explain
from lib.jobs.job import JobRecord
from lib.jobs.job_facts import FullLimit, GroupHold, JobFacts, ParentFacts, SpentRate
from lib.jobs.parent_words import BRIEF, edges_to_show
from lib.jobs.start_limits import Rate
from tests.unit.jobs.test_explanation import ERROR, NOW, NOW_MS, delayed, ended, record

IN_40_S = NOW_MS + 40_000


def parent(edge: KnownEdge, state: str, *, facts: dict[str, Any] | None = None, **fields: Any) -> ParentFacts:
    """facts: those that differ from a queue with two runners."""
    found: dict[str, Any] = {"runners": 2, "slots": 40, "beat_ms": NOW_MS, **(facts or {})}
    return ParentFacts(edge, JobFacts(record(state, **fields), NOW_MS, **found))


def detail(state: str, edges: str, *parents: ParentFacts, **facts: Any) -> str:
    """What is said of a job with these edges. facts: beside a queue with two runners."""
    fields = {name: facts.pop(name) for name in ("error", "finished_ms") if name in facts}
    one = record(state, edges=edges_from(edges), **fields)
    known: dict[str, Any] = {"runners": 2, **facts}
    return explain(JobFacts(one, NOW_MS, parents=parents, **known)).detail


def edge(text: str) -> KnownEdge:
    (found,) = edges_from(text)
    return found


class Waiting(unittest.TestCase):
    def test_it_names_the_jobs_that_have_not_ended_and_how_they_are(self) -> None:
        a, b = edge("c.email-7 fetch"), edge("e.email-8 ")
        runs = parent(a, "active", started_ms=NOW_MS - 12_000, runner_id="vm.1.a")
        retried = parent(b, "delayed", history=(ended("retried", ERROR),), **delayed(attempts=2))

        said = detail("blocked", "c.email-7 fetch,e.email-8 ,ccemail-9 ,fdemail-10 ,ooemail-11 ", runs, retried)

        self.assertEqual(
            "2 of 4 jobs have not ended: fetch (active for 12 s on vm.1.a), email-8 (retry 3/5 in 40 s)", said
        )

    def test_of_many_the_first_are_named(self) -> None:
        edges = ",".join(f"c.email-{n} j{n}" for n in range(9))
        parents = [parent(one, "ready") for one in edges_from(edges)[:2]]

        said = detail("blocked", edges, *parents)

        self.assertEqual("9 of 9 jobs have not ended: j0 (ready for 12 s), j1 (ready for 12 s) and 7 more", said)

    def test_of_one(self) -> None:
        said = detail("blocked", "c.email-7 fetch", parent(edge("c.email-7 fetch"), "ready"))

        self.assertEqual("1 of 1 job has not ended: fetch (ready for 12 s)", said)

    def test_a_workflow_that_runs_on_though_jobs_failed_says_that_it_fails(self) -> None:
        waits = parent(edge("m.email-1 9/a"), "ready")

        said = detail("blocked", "m.email-1 9/a,mxemail-2 8/sum,mdemail-3 10/charge,ndemail-4 2/extra", waits)

        self.assertIn("1 of 4 jobs has not ended: a (ready", said)
        self.assertIn("; it fails already: charge (dead) and 1 more", said)

    def test_a_workflow_waits_for_its_own_parents_and_then_for_its_members(self) -> None:
        members = "m.email-2 10/b,m.email-1 9/a,ncemail-3 2/c"
        first, then = f"c.email-9 load,{members}", f"ccemail-9 load,{members}"

        found = [edges_to_show(record("blocked", edges=edges_from(text))) for text in (first, then)]

        self.assertEqual([["load"], ["a", "b"]], [[one.shown_name for one in edges] for edges in found])
        self.assertTrue(
            detail("blocked", then, *[parent(one, "ready") for one in found[1]]).startswith("2 of 3 jobs have not")
        )

    def test_a_member_whose_workflow_has_not_begun(self) -> None:
        workflow = parent(edge("o.email-1 "), "blocked", facts={"blocked_since_ms": NOW_MS - 180_000})

        said = detail("blocked", "o.email-1 ", workflow)

        self.assertEqual("the job by which it begins has not begun itself: email-1 (blocked for 3 min)", said)

    def test_a_job_deep_in_a_then_whose_anchor_is_not_there_yet(self) -> None:
        said = detail("blocked", "a.email-1 ", ParentFacts(edge("a.email-1 ")))

        self.assertEqual("the job by which it begins has not begun itself: email-1 (there is no such job)", said)

    def test_what_keeps_it_waiting_then(self) -> None:
        one = parent(edge("c.email-7 "), "ready")
        for facts, words in (
            ({"is_paused": True}, "the queue email is paused"),
            ({"is_group_paused": True, "group": "a"}, "its group a is paused"),
            ({"runners": 0}, "no live worker serves email"),
        ):
            said = detail("blocked", "c.email-7 ", one, **facts)
            with self.subTest(words):
                self.assertTrue(said.endswith(f"; then it waits on, for {words}"), said)

    def test_a_parent_whose_record_is_gone_and_one_that_cannot_be_read(self) -> None:
        a, b = edge("c.email-7 a"), edge("c.email-8 b")

        said = detail("blocked", "c.email-7 a,c.email-8 b", ParentFacts(a), ParentFacts(b, trouble="keys are broken"))

        self.assertEqual("2 of 2 jobs have not ended: a (there is no such job), b (keys are broken)", said)

    def test_a_blocked_job_without_edges_waits_for_a_call(self) -> None:
        self.assertIn("it waits for a call from outside", detail("blocked", ""))


class Ended(unittest.TestCase):
    def because(self, error: str, edges: str, *parents: ParentFacts) -> str:
        said = detail("cancelled", edges, *parents, error={"type": error, "message": "m"}, finished_ms=NOW_MS)
        begin = f"cancelled at {NOW}; {error}: m"
        self.assertTrue(said.startswith(begin), said)
        return said.removeprefix(begin)

    def test_it_names_the_parent_that_failed_and_with_what(self) -> None:
        bad = parent(edge("cdemail-7 fetch"), "dead", error=ERROR, finished_ms=NOW_MS)

        self.assertEqual(
            "; because of fetch (dead: SMTPError: 421 try later)",
            self.because("parent_failed", "ccemail-6 ,cdemail-7 fetch,cgemail-8 ", bad),
        )

    def test_a_parent_whose_record_is_gone_is_known_by_its_mark(self) -> None:
        for error, text, words in (
            ("parent_gone", "cgemail-7 a", "a (gone)"),
            ("parent_failed", "cxemail-7 a", "a (cancelled, because a job before it failed)"),
            ("parent_cancelled", "ckemail-7 a", "a (cancelled)"),
            ("skipped", "fcemail-7 a", "a (completed)"),
        ):
            with self.subTest(error):
                self.assertEqual(f"; because of {words}", self.because(error, text, ParentFacts(edge(text))))

    def test_a_parent_that_runs_again_says_both(self) -> None:
        again = parent(edge("cdemail-7 a"), "active", started_ms=NOW_MS - 2000, runner_id="vm.1.a")

        self.assertEqual(
            "; because of a (dead then, and now active for 2.0 s on vm.1.a)",
            self.because("parent_failed", "cdemail-7 a", again),
        )

    def test_a_job_that_ended_otherwise_has_no_culprit(self) -> None:
        self.assertEqual("", self.because("SMTPError", "cdemail-7 a", parent(edge("cdemail-7 a"), "dead")))
        self.assertEqual((), edges_to_show(record("cancelled", edges=edges_from("cdemail-7 a"))))

    def test_a_workflow_names_the_members_that_failed(self) -> None:
        edges = "mcemail-1 0/a,mdemail-2 1/b,ndemail-3 2/c,mkemail-4 3/d"
        record_of = record("dead", edges=edges_from(edges), error={"type": "jobs_failed", "message": "2 of 4"})

        self.assertEqual(["b", "d"], [one.shown_name for one in edges_to_show(record_of)])


class Brief(unittest.TestCase):
    def test_each_reason_has_its_words(self) -> None:
        self.assertEqual(list(REASONS), list(BRIEF))

    def test_a_parent_is_told_of_in_a_few_words(self) -> None:
        a = edge("c.email-7 a")
        group = {"group": "t"}
        for words, found in (
            ("completed", parent(a, "completed", finished_ms=NOW_MS, error=None)),
            ("cancelled", parent(a, "cancelled", finished_ms=NOW_MS)),
            ("due in 40 s", parent(a, "delayed", **delayed())),
            ("ready, and the queue email is paused", parent(a, "ready", facts={"is_paused": True})),
            ("ready, and its group t is paused", parent(a, "ready", facts={"is_group_paused": True, **group})),
            ("ready, and no live worker serves email", parent(a, "ready", facts={"runners": 0})),
            ("ready, and it is to run alone", parent(a, "ready", facts={"is_suspect": True})),
            (
                "ready, and its group t rests for 40 s",
                parent(a, "ready", facts={"hold": GroupHold(IN_40_S, "email-9"), **group}),
            ),
            (
                "ready, and 2 of 2 of its queue run",
                parent(a, "ready", facts={"full_queue": FullLimit(2, 2, ("email-9",))}),
            ),
            (
                "ready, and the rate of its group t is used up for 40 s",
                parent(a, "ready", facts={"spent_group": SpentRate(Rate(1, 1), IN_40_S), **group}),
            ),
            (
                "no worker can run it; tried again in 40 s",
                parent(
                    a,
                    "delayed",
                    facts={"unknown_since_ms": NOW_MS},
                    history=(ended("snoozed", ERROR),),
                    **delayed(),
                ),
            ),
        ):
            with self.subTest(words):
                self.assertEqual(f"1 of 1 job has not ended: a ({words})", detail("blocked", "c.email-7 a", found))

    def test_a_parent_without_a_spec_and_times_is_told_of_in_every_state(self) -> None:
        a = edge("c.email-7 a")
        for state in ("ready", "active", "delayed", "blocked", "completed", "dead", "cancelled", "odd"):
            bare = ParentFacts(a, JobFacts(JobRecord("email-7", "email", state, None), NOW_MS))
            self.assertTrue(detail("blocked", "c.email-7 a", bare), state)


if __name__ == "__main__":
    unittest.main()
