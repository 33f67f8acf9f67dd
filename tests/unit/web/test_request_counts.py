"""Requests counted in memory that several processes share."""

import unittest

from lib.prometheus import REQUEST_BOUNDS_S
from lib.web.request_counts import METHODS, SLOT_BYTES, STATUSES, Answered, RequestCounts

ROUTES = ("/api/jobs", "/api/jobs/{job_id}", "/api/jobs")


def counting(memory: bytearray, number: int = 0) -> RequestCounts:
    counts = RequestCounts(memory, number)
    counts.lay_out(ROUTES)
    return counts


class Counts(unittest.TestCase):
    def test_each_combination_is_counted_for_itself(self) -> None:
        counts = counting(bytearray(SLOT_BYTES))
        expected = {
            Answered(method, route, status, 1 + (status == 200))
            for method in METHODS
            for route in (*ROUTES, "unknown")
            for status in STATUSES
        }

        for method, route, status, requests in expected:
            for _ in range(requests):
                counts.count(method, route, status, 0.1)

        self.assertEqual(expected, set(counts.answered()))
        self.assertEqual(
            {route: sum(row.requests for row in expected if row.route == route) for _, route, _, _ in expected},
            {route: sum(histogram.counts) for route, histogram in counts.durations()},
        )

    def test_a_method_that_nobody_knows_is_other(self) -> None:
        counts = counting(bytearray(SLOT_BYTES))

        counts.count("BREW", "unknown", 501, 0.0)

        self.assertEqual([Answered("other", "unknown", 501, 1)], list(counts.answered()))

    def test_durations_fall_into_their_buckets(self) -> None:
        counts = counting(bytearray(SLOT_BYTES))
        for duration_s in (0.0, 0.001, 0.0011, 60.0, 61.0):
            counts.count("GET", "/api/jobs", 200, duration_s)

        ((route, histogram),) = counts.durations()

        self.assertEqual("/api/jobs", route)
        self.assertEqual([2, 1, *[0] * (len(REQUEST_BOUNDS_S) - 3), 1, 1], histogram.counts)
        self.assertEqual(121_002_100, histogram.sum_us)

    def test_whoever_is_asked_tells_of_all_processes(self) -> None:
        memory = bytearray(3 * SLOT_BYTES)
        processes = [counting(memory, number) for number in range(3)]
        for number, counts in enumerate(processes):
            counts.report(open_connections=number, lines_dropped=10 * number)
            for _ in range(number + 1):
                counts.count("GET", "/api/jobs", 200, 0.5)

        for counts in processes:
            self.assertEqual([Answered("GET", "/api/jobs", 200, 6)], list(counts.answered()))
            self.assertEqual((3, 30), (counts.open_connections, counts.lines_dropped))

    def test_a_successor_counts_on_and_has_no_connections_at_first(self) -> None:
        memory = bytearray(SLOT_BYTES)
        before = counting(memory)
        before.count("GET", "/api/jobs", 200, 0.5)
        before.report(open_connections=7, lines_dropped=5)

        after = counting(memory)
        after.count("GET", "/api/jobs", 200, 0.5)
        self.assertEqual((0, 5), (after.open_connections, after.lines_dropped))
        after.report(open_connections=1, lines_dropped=2)

        self.assertEqual([Answered("GET", "/api/jobs", 200, 2)], list(after.answered()))
        self.assertEqual((1, 7), (after.open_connections, after.lines_dropped))

    def test_a_table_too_large_for_the_memory_is_refused_at_the_start(self) -> None:
        counts = RequestCounts(bytearray(SLOT_BYTES))

        with self.assertRaises(ValueError):
            counts.lay_out(f"/{number}" for number in range(1000))


if __name__ == "__main__":
    unittest.main()
