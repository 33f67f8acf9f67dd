"""The text that Prometheus reads, by the letter of its format. promtool's word is in tests/system/test_metrics.py."""

import unittest

from lib.prometheus import Family, Histogram, exposition


class Text(unittest.TestCase):
    def test_a_counter_has_its_help_type_and_a_line_for_each_combination(self) -> None:
        family = Family("jobs_total", "counter", "Jobs.")
        family.add(3, queue="a", type="b")
        family.add(0.25, queue="c", type="d")

        self.assertEqual(
            "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n"
            'jobs_total{queue="a",type="b"} 3\njobs_total{queue="c",type="d"} 0.25\n',
            str(family),
        )

    def test_a_value_without_labels_has_no_braces(self) -> None:
        family = Family("up", "gauge", "Up.")
        family.add(1)

        self.assertEqual("up 1", str(family).split("\n")[2])

    def test_labels_and_help_can_not_begin_a_line_of_their_own(self) -> None:
        family = Family("a", "gauge", "one\ntwo \\ three")
        family.add(1, type='quote " backslash \\ line\nend')

        lines = str(family).split("\n")

        self.assertEqual("# HELP a one\\ntwo \\\\ three", lines[0])
        self.assertEqual('a{type="quote \\" backslash \\\\ line\\nend"} 1', lines[2])

    def test_buckets_hold_all_that_is_below_them_a_bound_included(self) -> None:
        histogram = Histogram((0.1, 1.0))
        for value_s in (0.05, 0.1, 0.5, 1.0, 7.0):
            histogram.observe(value_s)
        family = Family("wait_seconds", "histogram", "Waits.")
        family.add_histogram(histogram, queue="q")

        self.assertEqual(
            [
                'wait_seconds_bucket{queue="q",le="0.1"} 2',
                'wait_seconds_bucket{queue="q",le="1"} 4',
                'wait_seconds_bucket{queue="q",le="+Inf"} 5',
                'wait_seconds_sum{queue="q"} 8.65',
                'wait_seconds_count{queue="q"} 5',
            ],
            str(family).split("\n")[2:-1],
        )

    def test_many_at_once_are_counted_as_one_by_one(self) -> None:
        values_s = [0.05, 0.1, 0.5, 1.0, 7.0, 0.05, -1.0]
        one_by_one, at_once = Histogram((0.1, 1.0)), Histogram((0.1, 1.0))

        for value_s in values_s:
            one_by_one.observe(value_s)
        at_once.observe_all(values_s)

        self.assertEqual((one_by_one.counts, one_by_one.sum_us), (at_once.counts, at_once.sum_us))

    def test_a_metric_of_which_nothing_is_known_is_left_out(self) -> None:
        self.assertEqual(b"", exposition([Family("a", "gauge", "A."), Family("b", "counter", "B.")]))


if __name__ == "__main__":
    unittest.main()
