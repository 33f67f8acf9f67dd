"""When a runner is worn: RUNNER_MAX_JOBS and RUNNER_MAX_MB."""

import unittest

from lib.memory import MIB
from lib.work.supervisor.wear import MIN_LIFE_S, Usage, WearLimits


def usage(jobs: int, mb: int, first_mb: int = 40) -> Usage:
    return Usage(jobs, mb * MIB, first_mb * MIB)


class Wear(unittest.TestCase):
    def reason(self, limits: WearLimits, of: Usage, lived_s: float = MIN_LIFE_S) -> str | None:
        return limits.reason(of, lived_s)

    def test_without_limits_none_is_worn(self) -> None:
        self.assertIsNone(self.reason(WearLimits(0, 0), usage(10**9, 10**6)))

    def test_by_its_jobs_from_the_last_one_on(self) -> None:
        found = [self.reason(WearLimits(10, 0), usage(jobs, 10**6)) for jobs in (0, 9, 10, 11)]

        self.assertEqual([None, None, "jobs", "jobs"], found)

    def test_by_its_memory_whatever_it_has_run(self) -> None:
        found = [self.reason(WearLimits(0, 100), usage(1, mb)) for mb in (99, 100, 101)]

        self.assertEqual([None, "memory", "memory"], found)

    def test_by_both_it_is_its_memory(self) -> None:
        self.assertEqual("memory", self.reason(WearLimits(10, 100), usage(10, 100)))

    def test_one_that_is_over_the_limit_without_a_job_is_replaced_for_its_jobs_alone(self) -> None:
        """The next one would be over it as well: runners would be started again and again."""
        too_low = WearLimits(10, 30)

        self.assertTrue(too_low.is_too_low(usage(0, 40)))
        self.assertIsNone(self.reason(too_low, usage(9, 500)))
        self.assertEqual("jobs", self.reason(too_low, usage(10, 500)))

    def test_a_limit_is_not_too_low_where_there_is_none_or_nothing_is_known(self) -> None:
        idle = usage(0, 40)

        for limits, of in ((WearLimits(0, 0), idle), (WearLimits(0, 30), Usage()), (WearLimits(0, 41), idle)):
            self.assertFalse(limits.is_too_low(of))

    def test_a_young_one_is_not(self) -> None:
        self.assertIsNone(self.reason(WearLimits(1, 50), usage(9, 99), MIN_LIFE_S - 0.1))


if __name__ == "__main__":
    unittest.main()
