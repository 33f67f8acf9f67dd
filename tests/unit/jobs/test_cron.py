"""Cron expressions: which are taken, what is said of the others, and when they fire where clocks are changed."""

import time
import unittest
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

from lib.jobs.cron import Cron, CronError, read
from lib.jobs.zones import known_zones
from tests.unit.jobs import cron_walk

BERLIN = "Europe/Berlin"
HAS_ZONES = BERLIN in known_zones()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def nexts(expression: str, after: str, count: int = 3, zone: str = "") -> list[str]:
    """The next times of an expression, in UTC."""
    slots = read(expression).slots(at(after), ZoneInfo(zone) if zone else UTC)
    return [f"{datetime.fromtimestamp(slot.at_s, UTC):%Y-%m-%dT%H:%M}" for slot in islice(slots, count)]


class Reading(unittest.TestCase):
    def test_ranges_steps_lists_and_names_are_taken(self) -> None:
        cron = read("*/20,5 9-17/4 1,15 jan-mar/2 MON-fri")

        self.assertEqual((0, 5, 20, 40), cron.minutes)
        self.assertEqual((9, 13, 17), cron.hours)
        self.assertEqual({1, 15}, cron.days)
        self.assertEqual({1, 3}, cron.months)
        self.assertEqual({1, 2, 3, 4, 5}, cron.weekdays)

    def test_a_step_behind_a_value_goes_on_to_the_end(self) -> None:
        self.assertEqual((10, 30, 50), read("10/20 * * * *").minutes)

    def test_sunday_is_0_and_7_and_ends_a_range(self) -> None:
        for weekday in ("0", "7", "sun"):
            self.assertEqual({0}, read(f"0 0 * * {weekday}").weekdays, weekday)
        for weekday in ("fri-sun", "5-7"):
            self.assertEqual({5, 6, 0}, read(f"0 0 * * {weekday}").weekdays, weekday)
        self.assertEqual(set(range(7)), read("0 0 * * *").weekdays)

    def test_blanks_and_tabs_around_and_between_do_not_matter(self) -> None:
        self.assertEqual(read("0 3 * * *")._replace(text=""), read(" 0\t3  * * * ")._replace(text=""))

    def test_a_macro_stands_for_five_fields(self) -> None:
        for macro, fields in (("@daily", "0 0 * * *"), ("@Weekly", "0 0 * * 0"), ("@hourly", "0 * * * *")):
            self.assertEqual(read(fields)._replace(text=""), read(macro)._replace(text=""))

    def test_a_question_mark_is_a_star(self) -> None:
        self.assertTrue(read("0 0 ? * mon").meets_both)

    def test_days_and_weekdays_that_are_both_given_are_told_apart(self) -> None:
        self.assertTrue(read("0 0 1 * mon").has_two_kinds_of_days)
        self.assertFalse(read("0 0 */2 * mon").has_two_kinds_of_days)

    def test_each_wrong_text_is_refused_with_what_to_write_instead(self) -> None:
        cases = {
            "": "is empty; write five fields, minute hour day month weekday",
            "* * * *": "has 4 fields; write five fields",
            "* * * * * *": "has 6 fields; .* use every_s for less than a minute",
            "* * * * * * *": "has 7 fields; .* no seconds and no years",
            "60 * * * *": "has the minute '60'; write 0 to 59",
            "0 24 * * *": "has the hour '24'; write 0 to 23",
            "0 0 0 * *": "has the day '0'; write 1 to 31",
            "0 0 1 13 *": "has the month '13'; write 1 to 12, or jan to dec",
            "0 0 * * 8": "has the weekday '8'; write 0 to 7, or sun to sat",
            "0 0 * * funday": "has the weekday 'funday'; write 0 to 7",
            "jan * * * *": "has the minute 'jan'; write 0 to 59",
            "*/0 * * * *": "write a step from 1 to 59",
            "*/99 * * * *": "write a step from 1 to 59",
            "0 22-6 * * *": "runs backwards; write 22-23,0-6",
            "0 0 * * sat-mon": "runs backwards; write sat-sun,mon",
            "1,,2 * * * *": "nothing before or behind a comma",
            "0 0 L-3 * *": "write L for the last day",
            "0 0 15W * *": "W and L-3 are not known",
            "0 0 LW * *": "W and L-3 are not known",
            "0 0 * * L": "write 6 for each Saturday, or 6L for the last one",
            "0 0 * * mon#6": "write #1 to #5",
            "0 0 * * mon#0": "write #1 to #5",
            "0 0 * * 1-3#2": "write a value",
            "0 0 31 2 *": "never fires",
            "0 0 30 2 *": "never fires",
            "0 0 31 4,6,9,11 *": "never fires",
            "@reboot": "names no time; write a time, or send a job that is to run now to POST /api/jobs",
            "@every 1h30m": 'write the seconds, "every_s": 5400, in place of cron',
            "@every soon": 'write the seconds, "every_s": 300, in place of cron',
            "@noon": "'@noon' is not known; known: @yearly",
            "@daily 5": "has something behind @daily; write @daily alone",
            "@weekly\n": r"'@weekly\\n' is not known",
            "*/1000 * * * *": "write a step from 1 to 59",
            "TZ=Europe/Berlin 0 3 * * *": '"timezone": "Europe/Berlin"',
            "CRON_TZ=UTC 0 3 * * *": '"timezone": "UTC"',
            "* * * * *\n": "has the weekday",
            "٣ * * * *": "write a value",
            "a" * 300: "has 300 characters; write 255 at most",
            "H * * * *": "has the minute 'H'",
            "* * * * *; rm": "has 6 fields",
            "-1 * * * *": "write a value",
        }
        for text, words in cases.items():
            with self.subTest(text), self.assertRaisesRegex(CronError, words):
                read(text)

    def test_an_expression_that_fires_in_leap_years_alone_is_taken(self) -> None:
        self.assertEqual(["2028-02-29T00:00", "2032-02-29T00:00"], nexts("0 0 29 2 *", "2026-11-29T00:00+00:00", 2))
        # The 29th of February is a Sunday once in 28 years.
        self.assertEqual(["2032-02-29T00:00"], nexts("0 0 29 2 */7", "2026-11-29T00:00+00:00", 1))


class Days(unittest.TestCase):
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
        cron, before, behind = read("30 2 * * *"), timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
        fired = next(cron.slots(at("2026-06-01T00:00+00:00"), before))

        follows = next(cron.slots(fired.at_s, behind, fired.wall))

        self.assertEqual(at("2026-06-02T01:30+00:00"), follows.at_s)


class Pace(unittest.TestCase):
    def test_the_next_slot_is_found_within_a_millisecond(self) -> None:
        for text in ("*/5 8-18 * * 1-5", "0 0 29 2 *", "59 23 31 12 *"):
            cron = read(text)

            self.assertLess(min(self.spent_s(cron) for _ in range(5)), 0.005, text)

    def spent_s(self, cron: Cron) -> float:
        began_s = time.perf_counter()
        next(cron.slots(1_790_000_000, UTC))
        return time.perf_counter() - began_s


if __name__ == "__main__":
    unittest.main()
