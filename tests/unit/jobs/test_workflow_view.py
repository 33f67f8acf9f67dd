"""The members of a workflow as they are seen: states where a record is gone, counts, and what a retry can't run."""

import unittest

from lib.jobs.state import STATES
from lib.jobs.workflow_view import WorkflowMember, counts_of, progress_of


def a_member(mark: str = ".", state: str = "", rule: str = "m") -> WorkflowMember:
    return WorkflowMember("fetch", "default-" + "1" * 32, rule, mark, state, "fetch" if state else "")


class WorkflowMembers(unittest.TestCase):
    def test_a_record_says_the_state_and_a_mark_where_there_is_no_record(self) -> None:
        for state in STATES:
            self.assertEqual(state, a_member("d", state).shown_state)

        told = {mark: a_member(mark).shown_state for mark in "cdxks.g"}

        self.assertEqual(
            {
                "c": "completed",
                "d": "dead",
                "x": "cancelled",
                "k": "cancelled",
                "s": "skipped",
                ".": "gone",
                "g": "gone",
            },
            told,
        )

    def test_one_that_was_not_needed_is_skipped_and_runs_again_like_others(self) -> None:
        states = [a_member("s", state).shown_state for state in ("cancelled", "blocked", "active", "completed")]

        self.assertEqual(["skipped", "blocked", "active", "completed"], states)

    def test_what_must_run_again_and_is_gone_is_lost(self) -> None:
        lost = {rule: "".join(mark for mark in ".cdxksg" if a_member(mark, rule=rule).is_lost) for rule in "mn"}

        self.assertEqual({"m": ".dxkg", "n": ".dxkg"}, lost)
        self.assertFalse(a_member("d", "dead").is_lost)

    def test_each_is_counted_once_and_progress_is_the_share_that_has_ended(self) -> None:
        members = [
            a_member("c", "completed"),
            a_member("c"),
            a_member("s", "cancelled"),
            a_member("g"),
            a_member(".", "active"),
            a_member(".", "blocked"),
        ]

        counts = counts_of(members)

        self.assertEqual(6, counts.pop("jobs"))
        self.assertEqual(6, sum(counts.values()))
        self.assertEqual(
            (2, 1, 1, 1, 1), tuple(counts[s] for s in ("completed", "skipped", "gone", "active", "blocked"))
        )
        self.assertEqual(0.6667, progress_of(counts_of(members)))
        self.assertEqual((0.0, 1.0), (progress_of(counts_of(members[4:])), progress_of(counts_of(members[:4]))))


if __name__ == "__main__":
    unittest.main()
