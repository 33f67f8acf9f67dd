"""lib/jobs/explanation.py: what is said beside the reason, whichever holds."""

import unittest
from typing import Any

from lib.jobs.explanation import explain
from lib.jobs.job_facts import JobFacts
from tests.unit.jobs.test_explanation import IN_40_S, NOW, NOW_MS, explained, record


class Beside(unittest.TestCase):
    def test_how_long_it_may_wait(self) -> None:
        limits = {"expires_ms": NOW_MS + 40_000, "due_by_ms": NOW_MS + 40_000}
        for state in ("ready", "delayed", "blocked", "active", "dead"):
            found = explained(state, facts=limits, run_at_ms=NOW_MS + 1, gives_up_ms=NOW_MS + 40_000)
            with self.subTest(state):
                is_waiting = state not in ("active", "dead")
                begun, given_up = (
                    f"has not begun by {IN_40_S}, in 40 s (expires_in_s)",
                    f"begins after {IN_40_S} (give_up",
                )
                self.assertEqual([is_waiting] * 2, [words in found.detail for words in (begun, given_up)])
                self.assertEqual(state == "delayed", f"puts it off, until {IN_40_S}" in found.detail)

        late = explained("delayed", facts={"due_by_ms": NOW_MS}, run_at_ms=NOW_MS + 1)
        self.assertTrue(late.detail.endswith("under its unique key puts it off, no more"), late.detail)

    def test_what_was_decided_about_a_job_that_has_not_ended(self) -> None:
        for state in ("active", "blocked", "cancelled"):
            found = explained(state, facts={"superseded_by": "email-2"}, cancel_requested_ms=NOW_MS)
            with self.subTest(state):
                last = "no attempt comes after this one, because email-2 has taken its unique key"
                self.assertEqual(state != "cancelled", last in found.detail)
                self.assertEqual(
                    state == "blocked", f"stop at {NOW}, and ends when its jobs have ended" in found.detail
                )

    def test_the_schedule_that_queued_it_and_when_that_queues_the_next_one(self) -> None:
        job = record("ready")
        assert job.spec is not None
        for scheduled_for, facts, words in (
            (
                NOW_MS,
                {"has_schedule": True, "next_slot_ms": NOW_MS + 40_000},
                f"which queues the next one at {IN_40_S}, in",
            ),
            (
                NOW_MS,
                {"has_schedule": True},
                f"the schedule nightly, which is paused or has ended, queued it for {NOW}",
            ),
            (NOW_MS, {}, f"the schedule nightly, which this queue has no more, queued it for {NOW}"),
            (0, {"has_schedule": True}, "queued it, because somebody ran it by hand"),
        ):
            spec = job.spec._replace(schedule="nightly", scheduled_for=scheduled_for)
            found: Any = {"runners": 1, **facts}
            for state in ("ready", "completed"):
                self.assertIn(words, explain(JobFacts(job._replace(spec=spec, state=state), NOW_MS, **found)).detail)


if __name__ == "__main__":
    unittest.main()
