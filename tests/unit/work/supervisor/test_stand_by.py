"""When an isolation runner is kept ready, and when it goes."""

import unittest

from lib.work.supervisor.stand_by import STAND_BY_S, StandBy


class Ready(unittest.TestCase):
    def setUp(self) -> None:
        self.stand_by = StandBy()

    def test_without_a_crash_there_is_none(self) -> None:
        self.assertFalse(self.stand_by.is_wanted(1000.0))

    def test_after_a_crash_it_is_kept_for_a_while(self) -> None:
        self.stand_by.crash_seen(1000.0, has_served=True, was_alone=False)

        wanted = [self.stand_by.is_wanted(at_s) for at_s in (1000.0, 999.0 + STAND_BY_S, 1000.0 + STAND_BY_S)]
        self.assertEqual([True, True, False], wanted)

    def test_every_suspect_prolongs_its_time(self) -> None:
        self.stand_by.crash_seen(1000.0, has_served=True, was_alone=False)
        self.stand_by.suspects_seen(1050.0)

        self.assertTrue(self.stand_by.is_wanted(1049.0 + STAND_BY_S))

    def test_a_runner_that_dies_at_its_start_asks_for_none(self) -> None:
        self.stand_by.crash_seen(1000.0, has_served=False, was_alone=False)

        self.assertFalse(self.stand_by.is_wanted(1000.0))

    def test_an_isolation_runner_that_dies_at_its_start_is_not_tried_again(self) -> None:
        self.stand_by.crash_seen(1000.0, has_served=True, was_alone=False)
        self.stand_by.crash_seen(1001.0, has_served=False, was_alone=True)

        self.assertFalse(self.stand_by.is_wanted(1001.0))


if __name__ == "__main__":
    unittest.main()
