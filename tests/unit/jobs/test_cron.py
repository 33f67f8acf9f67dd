"""Cron expressions: on which days they fire, and when where clocks are changed."""

import time
import unittest
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

from lib.jobs.cron import Cron
from lib.jobs.cron_text import read_cron
from lib.jobs.zones import known_zones
from tests.unit.jobs import cron_walk

BERLIN = "Europe/Berlin"
HAS_ZONES = BERLIN in known_zones()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def nexts(expression: str, after: str, count: int = 3, zone: str = "") -> list[str]:
    """The next times of an expression, in UTC."""
    slots = read_cron(expression).slots(at(after), ZoneInfo(zone) if zone else UTC)
    return [f"{datetime.fromtimestamp(slot.at_s, UTC):%Y-%m-%dT%H:%M}" for slot in islice(slots, count)]


class Days(unittest.TestCase):
    def test_an_expression_that_fires_in_leap_years_alone_is_taken(self) -> None:
        self.assertEqual(["2028-02-29T00:00", "2032-02-29T00:00"], nexts("0 0 29 2 *", "2026-11-29T00:00+00:00", 2))
        # The 29th of February is a Sunday once in 28 years.
        self.assertEqual(["2032-02-29T00:00"], nexts("0 0 29 2 */7", "2026-11-29T00:00+00:00", 1))

    def test_day_and_weekday_are_either_or(self) -> None:
        self.assertEqual(
            ["2026-12-01T00:00", "2026-12-04T00:00", "2026-12-11T00:00"],
            nexts("0 0 1 * fri", "2026-11-29T00:00+00:00"),
        )

    def test_a_star_with_a_step_in_the_day_makes_it_both(self) -> None:
        self.assertEqual(["2026-12-07T00:00", "2026-12-21T00:00"], nexts("0 0 */2 * 1", "2026-12-01T00:00+00:00", 2))

    def test_the_last_day_and_the_last_and_the_second_of_a_weekday(self) -> None:
        after = "2026-01-15T00:00+00:00"

        self.assertEqual(["2026-01-31T09:00", "2026-02-28T09:00"], nexts("0 9 L * *", after, 2))
        self.assertEqual(["2026-01-30T09:00", "2026-02-27T09:00"], nexts("0 9 * * 5L", after, 2))
        self.assertEqual(["2026-02-13T09:00", "2026-03-13T09:00"], nexts("0 9 * * fri#2", after, 2))

    def test_a_fifth_weekday_that_a_month_does_not_have_is_no_run(self) -> None:
        self.assertEqual(["2026-01-30T00:00", "2026-05-29T00:00"], nexts("0 0 * * 5#5", "2026-01-01T00:00+00:00", 2))


@unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
class Clocks(unittest.TestCase):
    """Berlin: 02:00 becomes 03:00 on 2026-03-29; 03:00 becomes 02:00 on 2026-10-25."""

    def test_a_wall_time_that_is_skipped_fires_where_the_gap_ends(self) -> None:
        self.assertEqual(
            ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"],
            nexts("30 2 * * *", "2026-03-27T12:00+00:00", zone=BERLIN),
        )

    def test_all_that_a_gap_skips_and_what_stands_at_its_end_are_one(self) -> None:
        self.assertEqual(
            ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"],
            nexts("0,30 2,3 * * *", "2026-03-29T00:00+00:00", 3, BERLIN),
        )

    def test_a_wall_time_that_comes_twice_fires_in_the_first_pass(self) -> None:
        self.assertEqual(
            ["2026-10-25T00:30", "2026-10-26T01:30"], nexts("30 2 * * *", "2026-10-24T12:00+00:00", 2, BERLIN)
        )

    def test_by_the_interval_a_gap_has_none_and_a_repeated_hour_both(self) -> None:
        self.assertEqual(
            ["2026-03-29T00:30", "2026-03-29T01:30"], nexts("30 * * * *", "2026-03-29T00:00+00:00", 2, BERLIN)
        )
        self.assertEqual(
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"],
            nexts("30 * * * *", "2026-10-25T00:00+00:00", 3, BERLIN),
        )

    def test_behind_the_first_pass_the_second_is_seen_whole(self) -> None:
        self.assertEqual(
            ["2026-10-25T00:40", "2026-10-25T01:00", "2026-10-25T01:20", "2026-10-25T01:40", "2026-10-25T02:00"],
            nexts("*/20 * * * *", "2026-10-25T00:30+00:00", 5, BERLIN),
        )

    def test_a_day_that_a_country_skipped_fires_at_its_end(self) -> None:
        # Samoa went from the 29th to the 31st of December 2011.
        self.assertEqual(
            ["2011-12-29T12:00", "2011-12-30T10:00"],
            nexts("0 2 * * *", "2011-12-28T13:00+00:00", 2, "Pacific/Apia"),
        )

    def test_slots_are_those_that_a_walk_through_the_minutes_finds(self) -> None:
        zones = ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia")
        count, found = cron_walk.differences(zones, cron_walk.EXPRESSIONS[::2], most_changes=2)

        self.assertEqual(50, count)
        self.assertEqual([], found)


class NewRules(unittest.TestCase):
    """A zone's rules change between two runs."""

    def test_no_wall_time_fires_twice_by_the_hands(self) -> None:
        cron, before, behind = read_cron("30 2 * * *"), timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
        fired = next(cron.slots(at("2026-06-01T00:00+00:00"), before))

        follows = next(cron.slots(fired.at_s, behind, fired.wall))

        self.assertEqual(at("2026-06-02T01:30+00:00"), follows.at_s)


class Pace(unittest.TestCase):
    def test_the_next_slot_is_found_within_a_millisecond(self) -> None:
        for text in ("*/5 8-18 * * 1-5", "0 0 29 2 *", "59 23 31 12 *"):
            cron = read_cron(text)

            self.assertLess(min(self.spent_s(cron) for _ in range(5)), 0.005, text)

    def spent_s(self, cron: Cron) -> float:
        began_s = time.perf_counter()
        next(cron.slots(1_790_000_000, UTC))
        return time.perf_counter() - began_s


if __name__ == "__main__":
    unittest.main()
