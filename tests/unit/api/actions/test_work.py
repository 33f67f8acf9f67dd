"""What a dry run says of a job, and what counts as done by a try that was never answered."""

import unittest

from lib.api.actions.asked import FITTING, Kind
from lib.api.actions.work import was_done, would_be
from lib.errors import JobNotFound, WrongState
from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec
from lib.jobs.state import STATES
from lib.tracing import NO_TRACE

KINDS: tuple[Kind, ...] = ("retry", "cancel", "delete")


def job(state: str, finished_ms: int | None = None) -> JobRecord:
    return JobRecord("q-1", "q", state, None, finished_ms=finished_ms)


class DryRuns(unittest.TestCase):
    def test_a_job_is_done_in_the_states_that_the_action_is_for_and_refused_in_the_others(self) -> None:
        for kind in KINDS:
            for state in STATES:
                outcome = would_be(kind, "q-1", job(state))

                self.assertEqual(state in FITTING[kind], outcome.refusal is None, (kind, state))
                self.assertTrue(outcome.refusal is None or isinstance(outcome.refusal, WrongState))
            self.assertIsInstance(would_be(kind, "q-1", None).refusal, JobNotFound)
        self.assertEqual("requested", would_be("cancel", "q-1", job("active")).word)

    def test_a_workflow_is_asked_to_stop_and_another_blocked_job_is_cancelled_at_once(self) -> None:
        workflow = job("blocked")._replace(spec=JobSpec("workflow", {}, "r", NO_TRACE, 1, 60.0, Backoff()))

        words = [would_be("cancel", "q-1", one).word for one in (workflow, job("blocked"))]

        self.assertEqual(["requested", "done"], words)

    def test_a_workflow_that_has_completed_is_not_run_again(self) -> None:
        workflow = job("completed")._replace(spec=JobSpec("workflow", {}, "r", NO_TRACE, 1, 60.0, Backoff()))

        self.assertIsInstance(would_be("retry", "q-1", workflow).refusal, WrongState)


class Again(unittest.TestCase):
    def test_a_job_that_is_as_the_action_leaves_it_counts_as_done(self) -> None:
        self.assertTrue(was_done("delete", None, 100))
        self.assertTrue(was_done("cancel", job("cancelled", 100), 100))
        self.assertTrue(was_done("cancel", job("active")._replace(cancel_requested_ms=100), 100))
        self.assertTrue(was_done("retry", job("ready"), 100))
        self.assertTrue(was_done("retry", job("dead", 100), 100))

    def test_one_that_is_as_before_does_not(self) -> None:
        self.assertFalse(was_done("delete", job("dead", 50), 100))
        self.assertFalse(was_done("cancel", job("ready"), 100))
        self.assertFalse(was_done("cancel", None, 100))
        self.assertFalse(was_done("retry", job("dead", 99), 100))
        self.assertFalse(was_done("retry", None, 100))


if __name__ == "__main__":
    unittest.main()
