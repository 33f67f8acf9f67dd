"""Answers of redrive, purge and actions: a dry run shows some of the jobs, and counts those that others wait for."""

import json
import unittest

from lib.api.actions.answers import MOST_SAMPLED, Sample, answer
from lib.jobs.job import JobRecord


def a_job(number: int, *then: str) -> JobRecord:
    return JobRecord(f"q-{number:032x}", "q", "dead", None, then=then)


class Answers(unittest.TestCase):
    def test_a_dry_run_counts_the_followed_among_all_and_shows_the_first(self) -> None:
        sample = Sample()
        sample.add([a_job(number) for number in range(MOST_SAMPLED + 5)])
        sample.add([a_job(98, "q-2", "q-3"), a_job(99, "q-2")])

        shown = json.loads(answer({"matched": 27}, None, sample))

        self.assertEqual((True, 27, 2, False), tuple(shown[n] for n in ("dry_run", "matched", "followed", "more")))
        self.assertEqual(
            [a_job(number).job_id for number in range(MOST_SAMPLED)], [one["id"] for one in shown["sample"]]
        )

    def test_what_was_done_has_neither(self) -> None:
        shown = json.loads(answer({"matched": 1}, "abc", None))

        self.assertEqual({"dry_run": False, "matched": 1, "more": True, "next_cursor": "abc"}, shown)


if __name__ == "__main__":
    unittest.main()
