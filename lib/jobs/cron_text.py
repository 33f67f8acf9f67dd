"""Reads the text of a cron expression, or says what is wrong with the text.

    read_cron("30 2 * * mon-fri")   ->  Cron(minutes=(30,), hours=(2,), weekdays=frozenset({1, 2, 3, 4, 5}), …)
    read_cron("* * * * * *")        ->  CronError: has 6 fields; write five fields, minute hour day month weekday, …

Five fields, minute hour day month weekday, or a macro, `@daily` say. A field is a list of items; an item is a value
(5), a range (1-5), `*`, or one of these with a step (*/5). In the day there is also L, the last one of the month; in
the weekday 5L, the last Friday of a month, and 5#2, the second one. What other programs take beside that is refused
with a sentence that says what to write instead.
"""

import functools
import re
from datetime import date
from typing import Final, NamedTuple

from lib.jobs.cron import Cron

LONGEST = 255
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


@functools.lru_cache(maxsize=1024)  # Whoever fires a schedule reads its expression each time.
def read_cron(text: str) -> Cron:
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
