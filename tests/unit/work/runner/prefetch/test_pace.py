"""How many jobs may be prefetched, by how long jobs took."""

import unittest

from lib.work.runner.prefetch.pace import MOST_PREFETCHED, PREFETCH_S, QUICK_S, SAMPLES, Pace


class Ahead(unittest.TestCase):
    def setUp(self) -> None:
        self.pace = Pace()

    def ran(self, times: int, duration_s: float = 0.0, type_name: str = "a") -> None:
        for _ in range(times):
            self.pace.note_run(type_name, duration_s)

    def test_none_until_a_type_was_quick_often_enough(self) -> None:
        self.ran(SAMPLES)
        self.assertEqual((0, False), (self.pace.prefetch_count, self.pace.is_quick("a")))

        self.ran(1)
        self.assertEqual((MOST_PREFETCHED, True), (self.pace.prefetch_count, self.pace.is_quick("a")))

    def test_as_many_as_are_begun_in_time(self) -> None:
        self.ran(SAMPLES + 1, PREFETCH_S / 10)

        self.assertIn(self.pace.prefetch_count, (9, 10))

    def test_one_that_is_late_for_once_changes_little(self) -> None:
        self.ran(SAMPLES + 1)

        self.ran(1, 5 * QUICK_S)
        self.assertEqual((20, True), (self.pace.prefetch_count, self.pace.is_quick("a")))

    def test_none_once_one_took_long_until_many_did_not(self) -> None:
        self.ran(SAMPLES + 1)

        self.ran(1, 100 * QUICK_S)
        self.assertEqual((0, False), (self.pace.prefetch_count, self.pace.is_quick("a")))

        self.ran(SAMPLES)
        self.assertEqual(0, self.pace.prefetch_count)
        self.ran(SAMPLES)
        self.assertTrue(self.pace.is_quick("a"))

    def test_each_type_has_to_show_it(self) -> None:
        self.ran(SAMPLES + 1)

        self.ran(1, type_name="b")

        self.assertEqual((0, True, False), (self.pace.prefetch_count, self.pace.is_quick("a"), self.pace.is_quick("b")))

    def test_in_doubt_nothing_is_quick(self) -> None:
        self.ran(SAMPLES + 1)

        self.pace.reset()

        self.assertEqual((0, False), (self.pace.prefetch_count, self.pace.is_quick("a")))


if __name__ == "__main__":
    unittest.main()
