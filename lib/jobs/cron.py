"""A cron expression as a value: what is wrong with a text, and at which instants the expression fires in a zone. Pure.

    cron = read("30 2 * * mon-fri")
    next(cron.slots(after_s, ZoneInfo("Europe/Berlin")))
    ->  CronSlot(at_s=1796002200, wall=datetime(2026, 11, 30, 2, 30))

Five fields: minute hour day month weekday. Where clocks are set forward or back, one of two rules holds:

by the hands      neither minute nor hour begins with `*`: each wall time fires once. A wall time that comes twice fires
                  at its first pass; all those that the clocks skip fire together, as one, where the gap ends.
by the interval   minute or hour begins with `*`: every real instant whose wall time fits. Nothing fires in a gap, and a
                  repeated hour fires in both passes.

Instants are whole seconds since 1970, walls are naive datetimes. Two aware datetimes are never compared: Python leaves
`fold` out of account there. In a weekday, 0 and 7 are Sunday. Where neither day nor weekday begins with `*`, the
expression fires on days that fit either of them (as Vixie's cron has it); else on days that fit both.
"""

import calendar
import functools
import re
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

LONGEST = 255
YEARS: Final = 40
"""How far an expression is looked ahead. The 29th of February falls on a Sunday once in 28 years, or in 40."""
MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {name: at for at, name in enumerate(re.findall("...", "janfebmaraprmayjunjulaugsepoctnovdec"), 1)}
_WEEKDAYS = {name: at for at, name in enumerate(re.findall("...", "sunmontuewedthufrisat"))}
_ITEM = re.compile(r"([*?]|[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?)(?:/([0-9]+))?")
_OF_MONTH = re.compile(r"([A-Za-z0-9]{1,3})(?:#([0-9]+)|[Ll])")
_EXTENSION = re.compile(r"[0-9]*W|LW|L-[0-9]+", re.IGNORECASE)  # What Quartz and others know of days.
_EVERY = re.compile(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,7})s)?")
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S*)")
_FORM = 'five fields, minute hour day month weekday, such as "0 3 * * *" for every night at three'


class CronError(ValueError):
    """A text that is no cron expression. The message follows the word "cron" and says what to write instead."""


class CronSlot(NamedTuple):
    """One time at which an expression fires: seconds since 1970, and the wall time that the clocks show by the
    expression, 02:30 say, even on the day on which they skip it."""

    at_s: int
    wall: datetime


class _Part(NamedTuple):
    """One of the five fields. `limit`: the last value of `*`, which for a weekday is 6, though 7 may be written."""

    name: str
    low: int
    high: int
    limit: int
    names: dict[str, int]


_MINUTE = _Part("minute", 0, 59, 59, {})
_HOUR = _Part("hour", 0, 23, 23, {})
_DAY = _Part("day", 1, 31, 31, {})
_MONTH = _Part("month", 1, 12, 12, _MONTHS)
_WEEKDAY = _Part("weekday", 0, 7, 6, _WEEKDAYS)


class Cron(NamedTuple):
    """A cron expression that `read` has read.

    days: of the month, has_last_day: and the last one. weekdays: 0 is Sunday. nth: (5, 2) is the second Friday of a
    month, (5, -1) the last one. meets_both: a day fits only if both the day and the weekday do.
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

        last_wall: the wall time that fired last. By the hands, none that is not later than it fires again, even where
        the zone's rules have changed since.
        """
        seconds: deque[CronSlot] = deque()  # Second passes of walls whose first pass has been yielded.
        least = None if self.is_by_interval else last_wall
        last_s = after_s
        for wall in self.walls(_start(after_s, zone)):
            if least is not None and wall <= least:
                continue
            at_s, again_s = self._instants(wall, zone)
            while seconds and at_s is not None and seconds[0].at_s < at_s:
                yield seconds.popleft()
            if at_s is not None and at_s > last_s:
                yield CronSlot(at_s, wall)
                last_s = at_s
            if again_s is not None and again_s > after_s:
                seconds.append(CronSlot(again_s, wall))
        yield from seconds

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
        """When this wall time fires, and when it fires once more; None for never."""
        first_s, second_s = _second_of(wall, zone, fold=0), _second_of(wall, zone, fold=1)
        if first_s == second_s:
            return first_s, None
        if first_s < second_s:
            return first_s, second_s if self.is_by_interval else None
        # No clock shows it. With fold 0 Python reads it by the offset before the gap, with fold 1 by the one behind.
        return None if self.is_by_interval else _transition(second_s, first_s, zone), None


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


# How a text is read.


@functools.lru_cache(maxsize=1024)  # Whoever fires a schedule reads its expression each time.
def read(text: str) -> Cron:
    """The expression in a text. Raises CronError."""
    if len(text) > LONGEST:
        raise CronError(f"has {len(text)} characters; write {LONGEST} at most")
    words = text.strip(" \t")
    _refuse_what_is_no_cron(words)
    fields = re.split(r"[ \t]+", MACROS.get(words.lower(), words))
    if len(fields) != 5:
        raise CronError(_wrong_count(len(fields)))
    cron = _read_fields(text, *fields)
    if next(cron.dates(date(2001, 1, 1)), None) is None:
        raise CronError(f"never fires: no month that it names has such a day; write a day that there is: {text!r}")
    return cron


def _refuse_what_is_no_cron(words: str) -> None:
    """Raises CronError for what other programs take, and for an empty text."""
    if not words:
        raise CronError(f"is empty; write {_FORM}")
    if zone := _ZONE.match(words):
        raise CronError(f'begins with a time zone; leave that out, and write "timezone": "{zone[1]}" beside cron')
    if not words.startswith("@") or words.lower() in MACROS:
        return
    macro, _, rest = words.lower().partition(" ")
    if macro == "@reboot":
        raise CronError("@reboot names no time; write a time, or send a job that is to run now to POST /api/jobs")
    if macro == "@every":
        example = _every_s(rest.strip()) or 300
        raise CronError(f'@every is not known; write the seconds, "every_s": {example}, in place of cron')
    if macro in MACROS:
        raise CronError(f"has something behind {macro}; write {macro} alone")
    raise CronError(f"{macro!r} is not known; known: {', '.join(MACROS)}")


def _every_s(text: str) -> int:
    """The seconds of `1h30m`; 0 for a text of another form."""
    found = _EVERY.fullmatch(text)
    hours, minutes, seconds = [int(part or 0) for part in found.groups()] if found else [0, 0, 0]
    return hours * 3600 + minutes * 60 + seconds


def _wrong_count(count: int) -> str:
    if count == 6:
        return f"has 6 fields; write {_FORM}. There are no seconds: use every_s for less than a minute"
    if count == 7:
        return f"has 7 fields; write {_FORM}. There are no seconds and no years"
    return f"has {count} field{'s' if count > 1 else ''}; write {_FORM}"


def _read_fields(text: str, minute: str, hour: str, day: str, month: str, weekday: str) -> Cron:
    weekdays, nth = _read_weekdays(weekday)
    day_items = day.split(",")
    plain_days = [item for item in day_items if item.upper() != "L"]
    return Cron(
        text=text,
        minutes=tuple(sorted(_values(minute.split(","), _MINUTE))),
        hours=tuple(sorted(_values(hour.split(","), _HOUR))),
        days=_values(plain_days, _DAY),
        has_last_day=len(plain_days) < len(day_items),
        months=_values(month.split(","), _MONTH),
        weekdays=frozenset(value % 7 for value in weekdays),
        nth=nth,
        meets_both=day[0] in "*?" or weekday[0] in "*?",
        is_by_interval=minute[0] in "*?" or hour[0] in "*?",
    )


def _read_weekdays(field: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    """`mon,5L,5#2` -> {1} and {(5, -1), (5, 2)}."""
    plain: list[str] = []
    nth: set[tuple[int, int]] = set()
    for item in field.split(","):
        found = _OF_MONTH.fullmatch(item)
        if item.upper() == "L":
            raise CronError("has the weekday 'L'; write 6 for each Saturday, or 6L for the last one of a month")
        if found is None or item.lower() in _WEEKDAYS:
            plain.append(item)
            continue
        number = -1 if found[2] is None else int(found[2])
        if number not in (-1, 1, 2, 3, 4, 5):
            raise CronError(f"has the weekday {item!r}; write #1 to #5: a month has five of a weekday at most")
        nth.add((_number(found[1], _WEEKDAY) % 7, number))
    return _values(plain, _WEEKDAY), frozenset(nth)


def _values(items: list[str], part: _Part) -> frozenset[int]:
    """The values of a field's items: 1-5/2 of the minutes is {1, 3, 5}."""
    return frozenset(value for item in items for value in _range(item, part))


def _range(item: str, part: _Part) -> range:
    found = _ITEM.fullmatch(item)
    if found is None or (part is _DAY and _EXTENSION.fullmatch(item)):
        raise CronError(_not_an_item(item, part))
    span, step = found[1], found[2]
    if step is not None and not 1 <= int(step) <= part.high:
        raise CronError(f"has the {part.name} {item!r}; write a step from 1 to {part.high}")
    if span in "*?":
        return range(part.low, part.limit + 1, int(step or 1))
    first, dash, last = span.partition("-")
    low = _number(first, part)
    high = _number(last, part) if dash else part.high if step else low
    if part is _WEEKDAY and dash and high == 0 and low > 0:
        high = 7
    if low > high:
        raise CronError(f"has the {part.name} {item!r}, which runs backwards; write {_forwards(first, last, part)}")
    return range(low, high + 1, int(step or 1))


def _forwards(first: str, last: str, part: _Part) -> str:
    """What somebody means who writes 22-6: `22-23,0-6`; with sat-mon `sat-sun,mon`."""
    end, begin = ("sun", "mon") if part is _WEEKDAY else (str(part.limit), str(part.low))
    return ",".join(low if low == high else f"{low}-{high}" for low, high in ((first, end), (begin, last)))


def _not_an_item(item: str, part: _Part) -> str:
    where = f"has the {part.name} {item!r}"
    if not item:
        return f"has a {part.name} with nothing before or behind a comma; write a value there, or leave the comma out"
    if _EXTENSION.fullmatch(item):
        return f"{where}; write L for the last day, or the days themselves: W and L-3 are not known"
    return f"{where}; write a value (5), a range (1-5), a step (*/5, 1-30/5) or a list of these (1,3,5)"


def _number(text: str, part: _Part) -> int:
    if text.lower() in part.names:
        return part.names[text.lower()]
    if re.fullmatch(r"[0-9]{1,2}", text) and part.low <= int(text) <= part.high:
        return int(text)
    names = f", or {next(iter(part.names))} to {list(part.names)[-1]}" if part.names else ""
    raise CronError(f"has the {part.name} {text!r}; write {part.low} to {part.high}{names}")
