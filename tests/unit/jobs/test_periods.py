"""Periods of five minutes, as Redis' texts tell of them, and what a window shows of them."""

import random
import unittest
from statistics import quantiles

from lib.jobs.period_stats import WINDOWS, lately_of, percentile, stats_of
from lib.jobs.periods import BOUNDS_S, EVENTS, PERIOD_MS, Period, Periods, add_periods, add_texts
from lib.prometheus import Histogram

NOW_MS = 1_760_000_123_456
NOW = NOW_MS // PERIOD_MS


def periods(*texts: dict[str, str]) -> Periods:
    found = Periods()
    add_texts(found, texts)
    return found


class Texts(unittest.TestCase):
    def test_a_text_is_read_by_its_names(self) -> None:
        text = {"period": str(NOW), "completed": "1o,1n,0,0,c", "dead": "", "wait": "4:c,0,3", "run": "", "new": "7"}

        found = periods(text)[NOW]

        self.assertEqual([60, 59, 0, 0, 12], found.counts["completed"])
        self.assertEqual([0] * 5, found.counts["dead"])
        self.assertEqual([0, 0, 0, 0, 12, 0, 3], found.wait[:7])
        self.assertEqual((15, 0), (sum(found.wait), sum(found.run)))

    def test_what_tells_of_one_period_is_added_up(self) -> None:
        first = periods({"period": "7", "dead": "1,0,0,0,0"}, {"period": "7", "dead": "0,0,0,0,z"}, {"period": "8"})

        add_periods(first, periods({"period": "7", "dead": "1,1,0,0,0", "run": "0:1"}, {"period": "9"}))

        self.assertEqual([2, 1, 0, 0, 35], first[7].counts["dead"])
        self.assertEqual({7, 8, 9}, set(first))
        self.assertEqual(1, first[7].run[0])

    def test_a_text_that_no_script_wrote_is_an_error(self) -> None:
        for text in ({"period": "x"}, {"period": "7", "dead": "1;2"}, {"period": "7", "wait": "4"}):
            with self.subTest(text), self.assertRaises(ValueError):
                periods(text)


class Windows(unittest.TestCase):
    def test_an_hour_ends_with_this_minute(self) -> None:
        minute = NOW_MS // 60_000
        text = {"period": str(NOW), "enqueued": ",".join("1" if 5 * NOW + at == minute else "0" for at in range(5))}
        before = {"period": str(NOW - 12), "enqueued": "1,1,1,1,1"}

        found = stats_of(periods(text, before), WINDOWS["1h"], NOW_MS)

        self.assertEqual(60, len(found.series["enqueued"]))
        self.assertEqual(1, found.series["enqueued"][-1])
        self.assertEqual((minute - 59) * 60_000, found.from_ms)
        in_window = 5 * (NOW - 12) + 5 - (minute - 59)
        self.assertEqual(1 + in_window, found.totals["enqueued"])

    def test_a_day_has_quarters_of_an_hour_and_loses_no_job(self) -> None:
        rng = random.Random(7)
        of_day = periods(
            *({"period": str(NOW - at), "completed": f"{rng.randrange(9)},0,1,0,2"} for at in range(95 * 3 - 2))
        )

        found = stats_of(of_day, WINDOWS["24h"], NOW_MS)

        self.assertEqual(96, len(found.series["completed"]))
        self.assertEqual(sum(sum(one.counts["completed"]) for one in of_day.values()), found.totals["completed"])
        self.assertEqual(0, found.from_ms % 900_000)
        self.assertLess(found.from_ms + 95 * 900_000, NOW_MS)
        self.assertGreater(found.from_ms + 96 * 900_000, NOW_MS)

    def test_without_numbers_there_are_zeros_and_no_percentiles(self) -> None:
        found = stats_of({}, WINDOWS["1h"], NOW_MS)

        self.assertEqual(dict.fromkeys(EVENTS, [0] * 60), found.series)
        self.assertEqual((0, None, None, None), found.wait)
        self.assertEqual(12, len(found.run_series))

    def test_lately_is_this_period_and_the_one_before(self) -> None:
        found = stats_of(
            periods(*({"period": str(NOW - at), "wait": f"{at}:1"} for at in range(3))), WINDOWS["1h"], NOW_MS
        )

        self.assertEqual((2, 3), (found.wait_lately.jobs, found.wait.jobs))
        self.assertEqual([None] * 9, [step.p50 for step in found.wait_series[:9]])
        self.assertEqual((NOW - 1) * PERIOD_MS, found.lately_ms)

    def test_a_line_ends_with_this_minute(self) -> None:
        minute = NOW_MS // 60_000
        of = {minute: "7", minute - 29: "3", minute - 30: "9"}
        found = lately_of(
            periods(
                *(
                    {"period": str(NOW - at), "completed": ",".join(of.get(5 * (NOW - at) + m, "0") for m in range(5))}
                    for at in range(8)
                ),
                {"period": str(NOW - 1), "wait": "4:1"},
            ),
            NOW_MS,
        )

        self.assertEqual([3, *[0] * 28, 7], found.completed)
        assert found.wait_p95_s is not None
        self.assertTrue(0.008 < found.wait_p95_s <= 0.016)
        self.assertIsNone(found.run_p95_s)


class Percentile(unittest.TestCase):
    def test_it_lies_within_a_factor_of_two_of_the_true_one(self) -> None:
        rng = random.Random(11)
        for of in ("lognormal", "even", "one"):
            values = [self.value(rng, of) for _ in range(5000)]
            counted = Histogram(BOUNDS_S)
            counted.observe_all(values)
            true = quantiles(values, n=100)
            for share, at in ((0.5, 49), (0.95, 94), (0.99, 98)):
                with self.subTest(of, share=share):
                    found = percentile(counted.counts, share)
                    assert found is not None
                    self.assertLess(true[at] / 2, found)
                    self.assertGreater(max(2 * true[at], 0.001), found)

    @staticmethod
    def value(rng: random.Random, of: str) -> float:
        return {"lognormal": rng.lognormvariate(-3, 1.5), "even": rng.uniform(0, 0.4), "one": 0.3}[of]

    def test_the_ends_of_the_scale(self) -> None:
        below, above = Period(1).wait, Period(1).wait
        below[0], above[-1] = 10, 10

        self.assertEqual(0.0005, percentile(below, 0.5))
        self.assertEqual(BOUNDS_S[-1], percentile(above, 0.5))
        self.assertIsNone(percentile(Period(1).wait, 0.5))
