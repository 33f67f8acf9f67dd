"""A schedule's slots: the next ones, what becomes of missed ones, jitter, bounds, and other rules of a zone."""

import unittest
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise, takewhile
from typing import Any

from lib.jobs.cron_text import read_cron
from lib.jobs.schedule import LATE_MS, MOST_CAUGHT_UP, MOST_COUNTED, Schedule, ScheduleSlot, Timetable, doubts
from lib.jobs.zones import find_zone, known_zones

MINUTE_MS, QUARTER_MS, HOUR_MS, DAY_MS = 60_000, 900_000, 3_600_000, 86_400_000


def at(text: str) -> int:
    """Ms since 1970; a time without a zone is UTC's."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = at("2026-11-29T12:00")


def every(every_ms: int, **fields: Any) -> Timetable:
    return Timetable("s", None, every_ms, UTC, **{"anchor_ms": NOON, **fields})


def cron(text: str, **fields: Any) -> Timetable:
    return Timetable("s", read_cron(text), 0, **{"zone": UTC, **fields})


def slot(at_ms: int) -> ScheduleSlot:
    return ScheduleSlot(at_ms, at_ms)


class Slots(unittest.TestCase):
    def times(self, timetable: Timetable, now_ms: int, count: int = 3) -> list[int]:
        return [one.at_ms for one in timetable.coming(timetable.first(now_ms), count)]

    def test_an_interval_counts_from_its_anchor(self) -> None:
        self.assertEqual([NOON + 300_000, NOON + 600_000], self.times(every(300_000), NOON, 2))
        self.assertEqual([NOON + 600_000], self.times(every(300_000), NOON + 300_000, 1))

    def test_an_interval_counts_from_its_start_and_runs_at_the_start(self) -> None:
        start = NOON + 7 * HOUR_MS

        self.assertEqual([start, start + 1000], self.times(every(1000, starts_ms=start), NOON, 2))
        self.assertEqual([start + 2000], self.times(every(1000, starts_ms=start), start + 1500, 1))

    def test_a_cron_runs_from_its_start_on_and_until_its_end(self) -> None:
        timetable = cron("0 3 * * *", starts_ms=at("2026-12-02T03:00"), ends_ms=at("2026-12-03T03:00"))

        self.assertEqual([at("2026-12-02T03:00"), at("2026-12-03T03:00")], self.times(timetable, NOON, 9))
        self.assertIsNone(timetable.first(at("2026-12-03T03:00")))

    def test_a_slot_by_the_hands_keeps_its_wall_time(self) -> None:
        first = cron("30 2 * * *", zone=timezone(timedelta(hours=1))).first(NOON)

        self.assertEqual(ScheduleSlot(at("2026-11-30T01:30"), at("2026-11-30T01:30"), "2026-11-30T02:30"), first)

    def test_a_slot_by_the_interval_has_none(self) -> None:
        found = cron("*/5 * * * *").first(NOON)

        self.assertEqual("", found and found.wall)


class Jitter(unittest.TestCase):
    def test_it_is_the_same_each_time_it_is_worked_out_and_another_for_each_slot_and_name(self) -> None:
        timetable = cron("0 * * * *", jitter_ms=600_000)
        first, again = (timetable.coming(timetable.first(NOON), 20) for _ in range(2))
        other = timetable._replace(name="t").coming(timetable.first(NOON), 20)

        self.assertEqual(first, again)
        self.assertGreater(len({one.due_ms - one.at_ms for one in first}), 15)
        self.assertNotEqual([one.due_ms for one in first], [one.due_ms for one in other])

    def test_it_is_never_more_than_was_asked_for(self) -> None:
        for one in cron("0 * * * *", jitter_ms=5000).coming(cron("0 * * * *", jitter_ms=5000).first(NOON), 200):
            self.assertTrue(0 <= one.due_ms - one.at_ms <= 5000)

    def test_it_ends_before_the_slot_behind(self) -> None:
        timetable = every(1000, jitter_ms=DAY_MS)
        slots = timetable.coming(timetable.first(NOON), 200)

        for one, behind in pairwise(slots):
            self.assertLess(one.due_ms, behind.at_ms)

    def test_a_jitter_of_more_than_the_interval_is_spread_over_the_interval(self) -> None:
        timetable = every(MINUTE_MS, jitter_ms=DAY_MS)
        slots = timetable.coming(timetable.first(NOON), 100)

        self.assertGreater(len({one.due_ms - one.at_ms for one in slots}), 90)

    def test_the_last_slot_has_jitter_too(self) -> None:
        timetable = cron("0 * * * *", jitter_ms=600_000, ends_ms=NOON + HOUR_MS)

        (last,) = timetable.coming(timetable.first(NOON), 9)

        self.assertGreater(last.due_ms, last.at_ms)


class Spread(unittest.TestCase):
    def test_of_each_quarter_of_an_hour_it_has_the_first_slot(self) -> None:
        timetable = cron("*/5,7 12-13 * * *")

        found = timetable.spread(timetable.first(NOON), QUARTER_MS, NOON, NOON + DAY_MS)

        quarters = [NOON + 5 * MINUTE_MS, *(NOON + at * QUARTER_MS for at in range(1, 8))]
        self.assertEqual(quarters, [one.due_ms for one in found])

    def test_a_slot_that_was_due_a_year_ago_stands_before_those_that_come(self) -> None:
        timetable, late = every(MINUTE_MS), slot(NOON - 365 * DAY_MS)

        found = timetable.spread(late, QUARTER_MS, NOON + 1, NOON + DAY_MS)

        self.assertEqual([late, slot(NOON + MINUTE_MS), slot(NOON + QUARTER_MS)], found[:3])
        self.assertEqual(97, len(found))

    def test_of_a_paused_one_there_is_none_and_none_is_later(self) -> None:
        timetable = every(HOUR_MS)

        self.assertEqual([], timetable.spread(None, QUARTER_MS, NOON, NOON + DAY_MS))
        self.assertEqual([], timetable.spread(slot(NOON + DAY_MS), QUARTER_MS, NOON, NOON + DAY_MS))

    def test_a_time_that_comes_twice_comes_once(self) -> None:
        night = at("2027-10-30T22:00")  # Three hours later the clocks of Berlin go back from 3 to 2.
        timetable = cron("30 2 * * *", zone=find_zone("Europe/Berlin"))

        found = timetable.spread(timetable.first(night), QUARTER_MS, night, night + DAY_MS)

        self.assertEqual([night + 150 * MINUTE_MS], [one.due_ms for one in found])


class Turns(unittest.TestCase):
    def test_a_slot_in_its_time_runs_and_the_next_one_follows(self) -> None:
        for catch_up in ("one", "none", "all"):
            turn = every(MINUTE_MS).turn(slot(NOON), NOON + 20, catch_up)

            self.assertEqual((slot(NOON), 0, slot(NOON + MINUTE_MS)), turn, catch_up)

    def test_one_job_is_made_of_however_many_missed_slots_for_the_latest(self) -> None:
        turn = every(MINUTE_MS).turn(slot(NOON), NOON + HOUR_MS + 1, "one")

        self.assertEqual((slot(NOON + HOUR_MS), 60, slot(NOON + HOUR_MS + MINUTE_MS)), turn)

    def test_none_is_made_of_a_slot_that_is_over_a_minute_late(self) -> None:
        timetable = every(HOUR_MS)

        self.assertEqual((slot(NOON), 0, slot(NOON + HOUR_MS)), timetable.turn(slot(NOON), NOON + LATE_MS, "none"))
        self.assertEqual((None, 1, slot(NOON + HOUR_MS)), timetable.turn(slot(NOON), NOON + LATE_MS + 1, "none"))
        self.assertEqual(
            (slot(NOON + 3 * HOUR_MS), 3, slot(NOON + 4 * HOUR_MS)),
            timetable.turn(slot(NOON), NOON + 3 * HOUR_MS + 1000, "none"),
        )

    def test_all_are_made_one_after_the_other(self) -> None:
        timetable, now_ms = every(MINUTE_MS), NOON + HOUR_MS + 1
        turn = timetable.turn(slot(NOON), now_ms, "all")
        runs = []
        while turn.follows is not None and turn.run is not None:
            self.assertEqual(0, turn.missed)
            runs.append(turn.run.at_ms)
            if turn.follows.due_ms > now_ms:
                break
            turn = timetable.turn(turn.follows, now_ms, "all")

        self.assertEqual([NOON + minute * MINUTE_MS for minute in range(61)], runs)

    def test_of_more_than_a_hundred_the_latest_are_made(self) -> None:
        turn = every(MINUTE_MS).turn(slot(NOON), NOON + 500 * MINUTE_MS, "all")

        self.assertEqual(501 - MOST_CAUGHT_UP, turn.missed)
        self.assertEqual(slot(NOON + (501 - MOST_CAUGHT_UP) * MINUTE_MS), turn.run)
        self.assertEqual(slot(NOON + (502 - MOST_CAUGHT_UP) * MINUTE_MS), turn.follows)

    def test_years_of_missed_slots_are_counted_as_a_thousand(self) -> None:
        years = 5 * 366 * DAY_MS
        for timetable in (every(1000), cron("* * * * *"), cron("* 3 * * *")):
            first = timetable.first(NOON)
            assert first is not None

            turn = timetable.turn(first, NOON + years + 30_500, "one")

            self.assertEqual(MOST_COUNTED - 1, turn.missed)
            assert turn.run is not None and turn.follows is not None
            self.assertLessEqual(turn.run.at_ms, NOON + years + 30_500)
            self.assertGreater(turn.follows.at_ms, NOON + years + 30_500)

    def test_a_slot_whose_jitter_is_not_over_is_the_next(self) -> None:
        timetable = every(HOUR_MS, jitter_ms=HOUR_MS)
        first, second = timetable.coming(timetable.first(NOON), 2)

        turn = timetable.turn(first, second.due_ms - 1, "one")

        self.assertEqual((first, 0, second), turn)

    def test_the_last_slot_before_the_end_has_none_behind(self) -> None:
        turn = every(HOUR_MS, ends_ms=NOON + HOUR_MS).turn(slot(NOON), NOON + DAY_MS, "one")

        self.assertEqual((slot(NOON + HOUR_MS), 1, None), turn)


class Doubts(unittest.TestCase):
    def doubts(self, **fields: Any) -> list[str]:
        schedule = Schedule(**{"cron": "", "every_ms": 0, "timezone": "UTC", "job": {"queue": "q"}, **fields})
        timetable = schedule.timetable("s", NOON)
        return doubts(schedule, timetable, timetable.coming(timetable.first(NOON), 5))

    def test_a_plain_schedule_raises_none(self) -> None:
        self.assertEqual([], self.doubts(cron="0 3 * * *"))
        self.assertEqual([], self.doubts(every_ms=DAY_MS))

    def test_days_of_both_kinds_are_doubted(self) -> None:
        (found,) = self.doubts(cron="0 3 1 * mon")

        self.assertIn("write * in one of them", found)

    def test_missed_runs_that_would_skip_each_other_are_doubted(self) -> None:
        (found,) = self.doubts(cron="0 3 * * *", catch_up="all")

        self.assertIn('use "queue"', found)
        self.assertEqual([], self.doubts(cron="0 3 * * *", catch_up="all", overlap="allow"))

    def test_a_job_that_is_tried_for_longer_than_the_interval_is_doubted(self) -> None:
        mail = {"queue": "q", "max_attempts": 150, "backoff": {"base_s": 30, "cap_s": 3600}}

        (found,) = self.doubts(cron="0 3 * * *", job={**mail, "give_up_after_s": 259_200})

        self.assertIn("259200 s, longer than the 86400 s", found)
        self.assertEqual([], self.doubts(cron="0 3 * * *", job={**mail, "give_up_after_s": 3600}))

    def test_so_is_one_whose_attempts_take_longer_than_the_interval(self) -> None:
        tried = {"queue": "q", "max_attempts": 5, "backoff": {"base_s": 2, "cap_s": 3600}}  # 2 + 4 + 8 + 16 s

        (found,) = self.doubts(every_ms=20_000, job=tried)

        self.assertIn("tried for 30 s, longer than the 20 s", found)
        self.assertEqual([], self.doubts(every_ms=30_000, job=tried))
        self.assertEqual([], self.doubts(every_ms=20_000, job={**tried, "give_up_after_s": 10}))
        self.assertEqual([], self.doubts(every_ms=20_000, job=tried, overlap="allow"))
        (found,) = self.doubts(every_ms=20_000, job=tried, overlap="queue")
        self.assertIn("wait meanwhile, 100 at most", found)


class NewRules(unittest.TestCase):
    def setUp(self) -> None:
        self.old = cron("30 2 * * *", zone=timezone(timedelta(hours=1)))
        self.new = self.old._replace(zone=timezone(timedelta(hours=0)))
        found = self.old.first(NOON)
        assert found is not None
        self.slot = found

    def test_a_slot_that_is_to_come_moves_to_where_the_clocks_will_show_it(self) -> None:
        moved = self.new.moved(self.slot, self.slot.due_ms)

        self.assertEqual(ScheduleSlot(at("2026-11-30T02:30"), at("2026-11-30T02:30"), "2026-11-30T02:30"), moved)

    def test_a_slot_that_would_be_over_stays(self) -> None:
        self.assertIsNone(self.new.moved(self.slot, at("2026-11-30T02:30")))

    def test_under_the_same_rules_nothing_moves(self) -> None:
        self.assertIsNone(self.old.moved(self.slot, NOON))
        self.assertIsNone(every(1000).moved(slot(NOON), 0))
        self.assertEqual(self.slot, self.old.by_rules_now(self.slot, NOON))
        self.assertEqual(slot(NOON + 7), every(1000).by_rules_now(slot(NOON + 7), 0))

    def test_a_slot_that_lies_earlier_by_the_rules_now_moves_there_even_if_that_is_over(self) -> None:
        ahead = self.old._replace(zone=timezone(timedelta(hours=3)))
        wanted = ScheduleSlot(at("2026-11-29T23:30"), at("2026-11-29T23:30"), "2026-11-30T02:30")

        for since_ms in (NOON, wanted.at_ms, wanted.at_ms + 1000):
            self.assertEqual(wanted, ahead.by_rules_now(self.slot, since_ms))

    def test_a_moved_slot_keeps_its_jitter(self) -> None:
        slot = self.slot._replace(due_ms=self.slot.at_ms + 417)

        moved = self.new.by_rules_now(slot, NOON)

        assert moved is not None
        self.assertEqual(417, moved.due_ms - moved.at_ms)

    def test_a_slot_by_the_interval_is_looked_for_anew(self) -> None:
        old = cron("*/10 8-17 * * *", zone=timezone(timedelta(hours=1)))
        first, fired = old.first(at("2026-11-30T00:00")), at("2026-11-30T07:20")
        assert first is not None
        ahead = old._replace(zone=timezone(timedelta(hours=2)))

        # At 07:00 by UTC it is 9 by the clocks now, where it was 8: the runs since 8 that are still to come are made.
        self.assertEqual(slot(at("2026-11-30T06:30")), ahead.by_rules_now(first, at("2026-11-30T06:20")))
        # A slot whose jitter is not yet over has a time that is: it stays.
        self.assertEqual(slot(fired), ahead.by_rules_now(slot(fired), fired))

    def test_a_moved_slot_keeps_within_the_bounds(self) -> None:
        ahead = self.old._replace(zone=timezone(timedelta(hours=2)))

        begun = ahead._replace(starts_ms=self.slot.at_ms).by_rules_now(self.slot, NOON)
        ended = self.new._replace(ends_ms=self.slot.at_ms).by_rules_now(self.slot, NOON)

        self.assertEqual("2026-12-01T02:30", begun.wall if begun else "")
        self.assertIsNone(ended)

    @unittest.skipUnless("Europe/Berlin" in known_zones(), "this host has no tzdata")
    def test_no_slot_of_a_year_moves_under_the_rules_by_which_it_was_worked_out(self) -> None:
        for text in ("30 2 * * *", "15,45 2,3 * * *", "0 0 1 * *", "*/20 0-4 * * 0", "0 */2 * * *", "30 * * 3,10 0"):
            for zone in ("Europe/Berlin", "Australia/Lord_Howe", "America/New_York"):
                timetable = cron(text, zone=find_zone(zone), jitter_ms=60_000)
                since_ms = NOON
                for found in takewhile(lambda one: one.at_ms < NOON + 366 * DAY_MS, timetable.after(NOON)):
                    self.assertEqual(found, timetable.by_rules_now(found, since_ms), (text, zone))
                    since_ms = found.at_ms


if __name__ == "__main__":
    unittest.main()
