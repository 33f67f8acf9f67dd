"""What a cron makes of the next changes of the clocks, in words, held against the times at which it fires."""

import unittest
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from lib.jobs.clock_notes import clock_notes
from lib.jobs.cron import clock_changes
from lib.jobs.cron_text import read_cron

BERLIN = ZoneInfo("Europe/Berlin")
NOW_S = 1_795_953_600  # 2026-11-29T12:00:00Z
YEAR_S = 366 * 86_400


def notes(text: str, zone: str = "Europe/Berlin") -> list[str]:
    return clock_notes(read_cron(text), ZoneInfo(zone), zone, NOW_S)


def fired_on(text: str, day: str) -> list[str]:
    """The times of one day at which the expression fires in Berlin, as its clocks show them."""
    slots = takewhile(lambda slot: slot.at_s < NOW_S + YEAR_S, read_cron(text).slots(NOW_S, BERLIN))
    times = (datetime.fromtimestamp(slot.at_s, BERLIN) for slot in slots)
    return [f"{one:%H:%M}" for one in times if f"{one:%Y-%m-%d}" == day]


class Notes(unittest.TestCase):
    def test_by_the_hands_the_skipped_time_runs_later_and_the_repeated_one_once(self) -> None:
        self.assertEqual(
            [
                "on 2027-03-28 the clocks of Europe/Berlin skip 02:30: it runs at 03:00 instead",
                "on 2027-10-31 the clocks of Europe/Berlin show 02:30 twice: it runs the first time",
            ],
            notes("30 2 * * *"),
        )
        self.assertEqual(
            (["03:00"], ["02:30"]), (fired_on("30 2 * * *", "2027-03-28"), fired_on("30 2 * * *", "2027-10-31"))
        )

    def test_several_skipped_times_run_as_one(self) -> None:
        self.assertIn("skip 02:00 to 02:45: it runs at 03:00 instead, once", notes("0,15,30,45 2 * * *")[0])
        self.assertEqual(["03:00"], fired_on("0,15,30,45 2 * * *", "2027-03-28"))

    def test_by_the_interval_nothing_runs_in_a_gap_and_all_twice_in_a_repeated_hour(self) -> None:
        forward, back = notes("*/30 2 * * *")

        self.assertEqual("on 2027-03-28 the clocks of Europe/Berlin skip 02:00 to 02:30: it does not run then", forward)
        self.assertEqual(
            "on 2027-10-31 the clocks of Europe/Berlin show 02:00 to 02:30 twice: it runs both times", back
        )
        self.assertEqual([], fired_on("*/30 2 * * *", "2027-03-28"))
        self.assertEqual(["02:00", "02:30"] * 2, fired_on("*/30 2 * * *", "2027-10-31"))

    def test_what_no_change_touches_has_no_note(self) -> None:
        for text in ("0 3 * * *", "0 12 * * *", "30 2 1 * *", "*/5 * * * *", "0 * * * *"):
            self.assertEqual([], notes(text), text)
        self.assertEqual([], notes("30 2 * * *", "UTC"))

    def test_of_a_weekday_that_is_never_the_day_of_the_change(self) -> None:
        self.assertEqual([], notes("30 2 * * mon-fri"))
        self.assertEqual(2, len(notes("30 2 * * sun")))

    def test_a_change_by_half_an_hour(self) -> None:
        zone = "Australia/Lord_Howe"

        self.assertEqual(
            [f"on 2027-04-04 the clocks of {zone} show 01:45 twice: it runs the first time"], notes("45 1 * * *", zone)
        )
        self.assertEqual(
            [f"on 2027-10-03 the clocks of {zone} skip 02:15: it runs at 02:30 instead"], notes("15 2 * * *", zone)
        )
        self.assertEqual([], notes("15 1 * * *", zone))


class Changes(unittest.TestCase):
    def test_the_two_of_a_year_with_the_walls_on_both_sides(self) -> None:
        forward, back = clock_changes(BERLIN, NOW_S, NOW_S + YEAR_S)

        self.assertEqual(datetime(2027, 3, 28, 1, tzinfo=UTC).timestamp(), forward.at_s)
        self.assertEqual((datetime(2027, 3, 28, 2), datetime(2027, 3, 28, 3), True), (*forward[1:], forward.is_forward))
        self.assertEqual((datetime(2027, 10, 31, 3), datetime(2027, 10, 31, 2), False), (*back[1:], back.is_forward))

    def test_a_zone_that_never_changes_its_clocks(self) -> None:
        self.assertEqual([], [*clock_changes(ZoneInfo("Asia/Tokyo"), NOW_S, NOW_S + YEAR_S)])
