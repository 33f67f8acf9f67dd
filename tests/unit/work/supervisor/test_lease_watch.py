"""The stopwatches that show whose lease has run out, and spare runners that merely could not be seen."""

import unittest

from lib.work.supervisor.lease_watch import LeaseWatch


class Watch(unittest.TestCase):
    def test_a_runner_that_beats_is_never_reaped(self) -> None:
        watch = LeaseWatch(15, 1)

        for second in range(100):
            self.assertEqual({}, watch.check({"a": f"{second // 3}:0"}, float(second)))

    def test_one_that_stands_still_is_reaped_after_its_lease_with_the_beat_it_showed(self) -> None:
        watch = LeaseWatch(15, 1)

        found = [bool(watch.check({"a": "7:0"}, float(second))) for second in range(17)]

        self.assertEqual([False] * 15 + [True] * 2, found)
        self.assertEqual({"a": "7:0"}, watch.check({"a": "7:0"}, 17.0))

    def test_a_beat_at_the_last_moment_starts_the_lease_anew(self) -> None:
        watch = LeaseWatch(15, 1)
        for second in range(15):
            watch.check({"a": "7:0"}, float(second))

        self.assertEqual({}, watch.check({"a": "8:0"}, 15.0))
        self.assertEqual({}, watch.check({"a": "8:0"}, 29.0))

    def test_an_outage_reaps_nobody_however_long_it_was(self) -> None:
        """What stood still was the reaper or its Redis; the runners get time to beat again."""
        for lease_s in (2.0, 3.0, 15.0):
            watch = LeaseWatch(lease_s, 1)
            for second in range(3):
                watch.check({"a": f"{second}:0"}, float(second))

            self.assertEqual({}, watch.check({"a": "2:0"}, 10_000.0), lease_s)
            self.assertEqual({}, watch.check({"a": "3:0"}, 10_001.0), lease_s)

    def test_one_seen_for_the_first_time_has_its_whole_lease(self) -> None:
        watch = LeaseWatch(15, 1)
        for second in range(100):
            watch.check({}, float(second))

        self.assertEqual({}, watch.check({"new": "0:0"}, 100.0))

    def test_one_that_went_and_came_again_is_seen_for_the_first_time(self) -> None:
        watch = LeaseWatch(15, 1)
        for second in range(15):
            watch.check({"a": "7:0"}, float(second))
        watch.check({}, 15.0)

        self.assertEqual({}, watch.check({"a": "7:0"}, 16.0))

    def test_each_runner_has_a_watch_of_its_own(self) -> None:
        watch = LeaseWatch(15, 1)

        for second in range(16):
            found = watch.check({"dead": "1:0", "alive": f"{second}:0"}, float(second))

        self.assertEqual({"dead": "1:0"}, found)


if __name__ == "__main__":
    unittest.main()
