"""The wait before a retry: its floor, its ceiling, its jitter."""

import unittest
from random import Random

from lib.jobs.backoff import delay_s


class Delay(unittest.TestCase):
    def test_it_lies_between_half_the_base_and_the_doubled_base(self) -> None:
        rng = Random(1)
        for attempt in range(1, 12):
            for _ in range(200):
                wait_s = delay_s(attempt, base_s=2.0, cap_s=60.0, rng=rng)
                self.assertGreaterEqual(wait_s, 1.0)
                self.assertLessEqual(wait_s, min(60.0, 2.0 * 2 ** (attempt - 1)))

    def test_it_differs_from_job_to_job(self) -> None:
        rng = Random(1)

        self.assertGreater(len({delay_s(5, base_s=2.0, cap_s=3600.0, rng=rng) for _ in range(100)}), 90)

    def test_it_grows_on_the_average(self) -> None:
        rng = Random(1)
        means = [sum(delay_s(n, base_s=1.0, cap_s=10**6, rng=rng) for _ in range(2000)) / 2000 for n in (2, 4, 6, 8)]

        self.assertEqual(sorted(means), means)

    def test_no_attempt_is_too_late_to_be_reckoned(self) -> None:
        for attempt in (1025, 10**6):
            self.assertLessEqual(delay_s(attempt, base_s=2.0, cap_s=3600.0, rng=Random(1)), 3600.0)

    def test_a_cap_below_half_the_base_is_kept(self) -> None:
        self.assertEqual(0.5, delay_s(1, base_s=10.0, cap_s=0.5, rng=Random(1)))

    def test_attempts_are_counted_from_one(self) -> None:
        for attempt in (0, -1):
            with self.assertRaises(ValueError):
                delay_s(attempt, base_s=2.0, cap_s=60.0, rng=Random(1))


if __name__ == "__main__":
    unittest.main()
