"""A cron expression as a value: at which instants it fires in a zone. Pure. cron_text.py reads the text.

    cron = read_cron("30 2 * * mon-fri")
    next(cron.slots(after_s, ZoneInfo("Europe/Berlin")))
    ->  CronSlot(at_s=1796002200, wall=datetime(2026, 11, 30, 2, 30))

A wall time (or wall) is what a clock on the wall shows, 02:30 say: a naive datetime. An instant is a number of whole
seconds since 1970. Most walls are one instant. Where clocks are set back by an hour, each wall of that hour comes
twice; where they are set forward, the walls of the hour that they skip, the gap, do not come at all. Then one of two
rules holds:

by the hands      neither minute nor hour begins with `*`: each wall time fires once. One that comes twice fires at its
                  first pass; all those that the clocks skip fire together, as one, where the gap ends.
by the interval   minute or hour begins with `*`: every real instant whose wall time fits. Nothing fires in a gap, and a
                  repeated hour fires in both passes.

In Berlin 02:00 to 03:00 comes twice on 31 October 2027: `30 2 * * *` fires at 00:30 UTC alone, `*/30 * * * *` at
00:00, 00:30, 01:00 and 01:30. On 28 March it is skipped: `30 2 * * *` fires at 01:00 UTC, when the clocks show 03:00.

Two aware datetimes are never compared: Python leaves `fold` out of account there. In a weekday, 0 and 7 are Sunday.
Where neither day nor weekday begins with `*`, the expression fires on days that fit either of them (as Vixie's cron has
it); else on days that fit both.
"""

import calendar
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

DAY_S: Final = 86_400
NO_TIME: Final = timedelta()
YEARS: Final = 40
"""How far an expression is looked ahead. The 29th of February falls on a Sunday once in 28 years, or in 40."""


class CronSlot(NamedTuple):
    """One time at which an expression fires: seconds since 1970, and the wall time that the clocks show by the
    expression, 02:30 say, even on the day on which they skip it."""

    at_s: int
    wall: datetime


class Cron(NamedTuple):
    """A cron expression that `read_cron` has read.

    minutes, hours: ascending. days: of the month; has_last_day: the last day fits as well, whichever it is. weekdays:
    0 is Sunday. nth: (5, 2) is the second Friday of a month, (5, -1) the last one. meets_both: a date fits only if both
    its day and its weekday do. is_by_interval: see the top.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    has_last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    meets_both: bool
    is_by_interval: bool

    @property
    def has_two_kinds_of_days(self) -> bool:
        """Whether day and weekday are both given, so that it fires on either. Most who write that mean both."""
        return not self.meets_both

    def slots(self, after_s: int, zone: tzinfo, last_wall: datetime | None = None) -> Iterator[CronSlot]:
        """The times after `after_s` at which it fires, in their order, for the next YEARS.

        last_wall: the wall time that fired last. By the hands only later ones fire, so that none fires twice where the
        zone's rules have changed since.
        """
        again: deque[CronSlot] = deque()  # The second passes of walls whose first pass has been yielded.
        least = None if self.is_by_interval else last_wall
        last_s = after_s
        for wall in self.walls(_start(after_s, zone)):
            if least is not None and wall <= least:
                continue
            at_s, again_s = self._instants(wall, zone)
            while again and at_s is not None and again[0].at_s < at_s:
                yield again.popleft()
            if at_s is not None and at_s > last_s:
                yield CronSlot(at_s, wall)
                last_s = at_s
            if again_s is not None and again_s > after_s:
                again.append(CronSlot(again_s, wall))
        yield from again

    def instant_of(self, wall: datetime, zone: tzinfo) -> int | None:
        """When a wall time of `slots` fires by the zone's rules as they are now: its first pass; by the hands also
        where the clocks skip it."""
        return self._instants(wall, zone)[0]

    def walls(self, first: datetime) -> Iterator[datetime]:
        """The wall times at which it fires from `first` on, ascending, for YEARS."""
        for day in self.dates(first.date()):
            for hour in self.hours:
                if day == first.date() and hour < first.hour:
                    continue
                for minute in self.minutes:
                    wall = datetime(day.year, day.month, day.day, hour, minute)
                    if wall >= first:
                        yield wall

    def dates(self, first: date) -> Iterator[date]:
        """The days on which it fires from `first` on, for YEARS."""
        for year in range(first.year, min(first.year + YEARS, 9998) + 1):
            for month in range(first.month if year == first.year else 1, 13):
                if month in self.months:
                    begin = first.day if (year, month) == (first.year, first.month) else 1
                    yield from self._days_of(year, month, begin)

    def _days_of(self, year: int, month: int, begin: int) -> Iterator[date]:
        weekday, last = calendar.monthrange(year, month)  # Of the first day; there Monday is 0.
        for day in range(begin, last + 1):
            if self._fits(day, last, (weekday + day) % 7):
                yield date(year, month, day)

    def _fits(self, day: int, last: int, weekday: int) -> bool:
        is_day = day in self.days or (self.has_last_day and day == last)
        is_weekday = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth
            or (day + 7 > last and (weekday, -1) in self.nth)
        )
        return (is_day and is_weekday) if self.meets_both else (is_day or is_weekday)

    def _instants(self, wall: datetime, zone: tzinfo) -> tuple[int | None, int | None]:
        """When this wall time fires, and when it fires once more, by the rule of this expression. None for never.

        In Berlin, on 31 October 2027: 01:30 -> (23:30 UTC, None); 02:30 -> (00:30 UTC, 01:30 UTC), or by the hands
        (00:30 UTC, None)."""
        first_s, second_s = _second_of(wall, zone, fold=0), _second_of(wall, zone, fold=1)
        if first_s == second_s:
            return first_s, None
        if first_s < second_s:
            return first_s, second_s if self.is_by_interval else None
        # No clock shows it. With fold 0 Python reads it by the offset before the gap, with fold 1 by the one behind.
        return None if self.is_by_interval else _transition(second_s, first_s, zone), None


class ClockChange(NamedTuple):
    """The clocks of a zone are set at this instant, from one wall time to another: at 01:00 UTC from 02:00 to 03:00."""

    at_s: int
    wall_before: datetime
    wall_behind: datetime

    @property
    def is_forward(self) -> bool:
        return self.wall_behind > self.wall_before


def clock_changes(zone: tzinfo, after_s: int, until_s: int) -> Iterator[ClockChange]:
    """The changes of the zone's clocks in (after_s, until_s]; of two on one day, a zone whose rules were mended say,
    perhaps neither."""
    for low_s in range(after_s, until_s, DAY_S):
        high_s = min(low_s + DAY_S, until_s)
        if _offset(low_s, zone) != _offset(high_s, zone):
            at_s = _transition(low_s, high_s, zone)
            step = (_offset(at_s, zone) or NO_TIME) - (_offset(at_s - 1, zone) or NO_TIME)
            behind = wall_of(at_s, zone)
            yield ClockChange(at_s, behind - step, behind)


def wall_of(at_s: int, zone: tzinfo) -> datetime:
    """What the clocks of a zone show at an instant."""
    return datetime.fromtimestamp(at_s, zone).replace(tzinfo=None, fold=0)


def _start(after_s: int, zone: tzinfo) -> datetime:
    """The wall time to begin at, so that no slot after `after_s` is left out. In a repeated hour that is the hour's
    beginning: what was passed in the first pass comes again."""
    wall = wall_of(after_s, zone).replace(second=0)
    first_s, second_s = _second_of(wall, zone, fold=0), _second_of(wall, zone, fold=1)
    return wall if first_s >= second_s else wall_of(_transition(first_s, second_s, zone), zone)


def _second_of(wall: datetime, zone: tzinfo, *, fold: int) -> int:
    return int(wall.replace(tzinfo=zone, fold=fold).timestamp())


def _transition(low_s: int, high_s: int, zone: tzinfo) -> int:
    """The first second in (low_s, high_s] with another offset from UTC than low_s has."""
    offset = _offset(low_s, zone)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset(middle_s, zone) == offset:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _offset(at_s: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at_s, zone).utcoffset()
