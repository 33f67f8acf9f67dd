"""Limits of starts: the forms that they have in requests, in Redis and in answers."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.jobs.start_limits import (
    MAX_CONCURRENCY,
    MAX_RATE,
    OwnLimits,
    Rate,
    concurrency_from,
    concurrency_in,
    group_changes_in,
    own_limits_from,
    rate_from,
    rate_in,
)


class Rates(unittest.TestCase):
    def test_a_rate_is_kept_in_ms_and_shown_as_it_was_given(self) -> None:
        for per_s, text in ((60, "100/60000"), (0.001, "100/1"), (86_400, "100/86400000"), (1.5, "100/1500")):
            rate = rate_in({"limit": 100, "per_s": per_s})

            self.assertEqual(Rate(100, round(per_s * 1000)), rate)
            self.assertEqual(text, rate.text if rate else None)
            self.assertEqual({"limit": 100, "per_s": per_s}, rate.shown if rate else None)
            self.assertEqual(rate, rate_from(text))

    def test_a_whole_number_of_seconds_is_shown_without_a_point(self) -> None:
        self.assertEqual('{"limit": 5, "per_s": 60}', str(Rate(5, 60_000).shown).replace("'", '"'))

    def test_the_bounds_themselves_are_allowed(self) -> None:
        for limit, per_s in ((1, 0.001), (MAX_RATE, 86_400)):
            self.assertEqual(Rate(limit, round(per_s * 1000)), rate_in({"limit": limit, "per_s": per_s}))
        for number in (1, MAX_CONCURRENCY):
            self.assertEqual(number, concurrency_in(number))
        self.assertIsNone(concurrency_in(None))
        self.assertIsNone(rate_in(None))

    def test_what_somebody_wrote_by_hand_is_no_limit(self) -> None:
        for text in ("", "5", "5/", "/5", "0/5", "5/0", "5/6/7", "-5/6", "5.0/6", "x", None):
            self.assertIsNone(rate_from(text), text)
        for text in ("", "0", "-1", "x", "1.5", "²", None):
            self.assertIsNone(concurrency_from(text), text)


class OfOneGroup(unittest.TestCase):
    def test_what_redis_keeps_is_read_as_it_was_written(self) -> None:
        for own, text in (
            (OwnLimits(), ""),
            (OwnLimits(2), "2||"),
            (OwnLimits(None, Rate(5, 1000)), "|5/1000|"),
            (OwnLimits(2, Rate(5, 1000), is_paused=True), "2|5/1000|1"),
            (OwnLimits(is_paused=True), "||1"),
        ):
            self.assertEqual(text, own.text)
            self.assertEqual(own, own_limits_from(text))

    def test_what_somebody_wrote_by_hand_counts_as_far_as_it_makes_sense(self) -> None:
        for text, own in (
            ("x|y|z", OwnLimits()),
            ("2", OwnLimits(2)),
            ("2|x|1|more", OwnLimits(2, None, is_paused=True)),
        ):
            self.assertEqual(own, own_limits_from(text))

    def test_a_change_names_fields_of_the_limits(self) -> None:
        for body, changes in (
            ({"concurrency": 5}, {"concurrency": 5}),
            ({"paused": True, "rate": None}, {"is_paused": True, "rate": None}),
            ({"rate": {"limit": 5, "per_s": 1}, "paused": None}, {"rate": Rate(5, 1000)}),
        ):
            self.assertEqual(changes, group_changes_in(body))
            OwnLimits()._replace(**group_changes_in(body))

    def test_every_fault_is_found_at_once(self) -> None:
        cases: tuple[tuple[Any, list[str]], ...] = (
            ({}, [""]),
            ([], [""]),
            ({"concurrency": 0, "rate": 5, "paused": "yes"}, ["/concurrency", "/rate", "/paused"]),
            ({"rate": {"limit": 5}}, ["/rate/per_s"]),
            ({"max_depth": 5}, ["/max_depth"]),
        )
        for body, pointers in cases:
            with self.subTest(body), self.assertRaises(InvalidFields) as refused:
                group_changes_in(body)
            self.assertEqual(pointers, [error.pointer for error in refused.exception.errors])


if __name__ == "__main__":
    unittest.main()
