"""The times of a schedule in words, for people who don't read cron. Pure.

    words_of(read_cron("30 2 * * mon-fri"))   ->  "Monday to Friday at 02:30"
    words_of(read_cron("*/15 9-17 * * *"))    ->  "Every 15 minutes from 09:00 to 17:45"
    interval_words(300_000)                   ->  "Every 5 minutes"

The words come from what `read_cron` has made of the text, and not from the text: `0,30 * * * *` and `*/30 * * * *` are
the same words. The zone is left out; it stands beside them.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from lib.jobs.cron import Cron

WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MOST_TIMES: Final = 4
"""So many times of a day are named one by one."""
LEAST_SPAN: Final = 3
"""So many values in a row are a span: Monday to Wednesday."""
EVERY_OTHER: Final = ([*range(1, 32, 2)], [*range(2, 32, 2)])
_UNITS: Final = ((3_600_000, "hour"), (60_000, "minute"), (1000, "second"))
_NTH: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_ENDINGS: Final = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}


def interval_words(every_ms: int) -> str:
    """What `every_s` says."""
    for unit_ms, unit in _UNITS:
        if every_ms % unit_ms == 0:
            return _every(every_ms // unit_ms, unit)
    return f"Every {every_ms / 1000:g} seconds"


def words_of(cron: Cron) -> str:
    """What a cron says."""
    days, times, is_often = _days(cron), *_times(cron)
    if is_often:
        return f"{times}, {days}" if days else times
    words = f"{days or 'every day'} {times}"
    return words[0].upper() + words[1:]


def _every(count: int, unit: str) -> str:
    return f"Every {unit}" if count == 1 else f"Every {count} {unit}s"


def _times(cron: Cron) -> tuple[str, bool]:
    """The times of a day, and whether they are so many that they stand before the days and not behind them."""
    clock = [f"{hour:02}:{minute:02}" for hour in cron.hours for minute in cron.minutes]
    if len(clock) <= MOST_TIMES:
        return f"at {_listed(clock)}", False
    return _often(cron) or f"At {_named('minute', cron.minutes)} of {_all_hours(cron)}", True


def _often(cron: Cron) -> str:
    """The times of a day that lie evenly; "" where they do not."""
    minutes, hours = cron.minutes, cron.hours
    step = _even_step(minutes, 60)
    if step and len(minutes) > 1:
        return f"{_every(step, 'minute')}{_hours_of(cron)}"
    step = _even_step(hours, 24)
    if step and len(minutes) == 1:
        past = f", at minute {minutes[0]}" if minutes[0] else ""
        return f"{_every(step, 'hour')}{past}"
    return f"Every hour{_hours_of(cron)}" if _is_span(hours) and len(minutes) == 1 else ""


def _even_step(values: Sequence[int], whole: int) -> int:
    """n, where the values are 0, n, 2n and so on up to `whole`, of which n is a part; else 0."""
    step = values[1] - values[0] if len(values) > 1 else whole
    return step if whole % step == 0 and tuple(values) == tuple(range(0, whole, step)) else 0


def _hours_of(cron: Cron) -> str:
    """Between which hours, behind "Every 15 minutes"; "" for all day long."""
    hours, minutes = cron.hours, cron.minutes
    if len(hours) == 24:
        return ""
    if len(hours) == 1 or _is_span(hours):
        return f" from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[-1]:02}"
    return f" of {_named('hour', hours)}"


def _all_hours(cron: Cron) -> str:
    return "every hour" if len(cron.hours) == 24 else _named("hour", cron.hours)


def _named(unit: str, values: Sequence[int]) -> str:
    """ "minute 5", "hours 9 and 12 to 15"."""
    return f"{unit}{'s' if len(values) > 1 else ''} {_listed(_spans(values, str))}"


def _days(cron: Cron) -> str:
    """On which days; "" for all."""
    months = _listed(_spans(sorted(cron.months), lambda month: MONTHS[month - 1]))
    has_all_months = len(cron.months) == 12
    of_month, inside = ("the month", "") if has_all_months else (months, f" in {months}")
    days, weekdays = _days_of_month(cron), _weekdays(cron)
    if days and weekdays:
        both = f"{weekdays} among {days} of {of_month}"
        return both if cron.meets_both else f"on {days} of {of_month} and {weekdays}{inside}"
    if days:
        return f"on {days} of {of_month}"
    if cron.nth and not cron.weekdays:
        return f"{weekdays} of {of_month}"
    return f"{weekdays or 'every day'}{inside}" if inside else weekdays


def _days_of_month(cron: Cron) -> str:
    """ "the 1st and 15th"; "" for all."""
    days = sorted(cron.days)
    if len(days) == 31:
        return ""
    if days in EVERY_OTHER and not cron.has_last_day:
        return f"the {'odd' if days[0] == 1 else 'even'} days"
    return "the " + _listed([*_spans(days, _ordinal), *(["last day"] if cron.has_last_day else [])])


def _weekdays(cron: Cron) -> str:
    """ "on Mondays and Fridays", "Monday to Friday", "on the last Friday"; "" for all."""
    if len(cron.weekdays) == 7:
        return ""
    nth = [f"the {_NTH[number]} {WEEKDAYS[day]}" for day, number in sorted(cron.nth)]
    week = sorted(cron.weekdays, key=lambda day: (day - 1) % 7)  # From Monday to Sunday.
    places = [(day - 1) % 7 for day in week]
    if _is_span(places) and not nth:
        return f"{WEEKDAYS[week[0]]} to {WEEKDAYS[week[-1]]}"
    return "on " + _listed([*(f"{WEEKDAYS[day]}s" for day in week), *nth])


def _ordinal(day: int) -> str:
    return f"{day}{_ENDINGS.get(day, 'th')}"


def _is_span(values: Sequence[int]) -> bool:
    return len(values) >= LEAST_SPAN and values[-1] - values[0] == len(values) - 1


def _spans(values: Collection[int], word: Callable[[int], str]) -> list[str]:
    """The words of ascending values, those of each span as one: 1, 2, 3, 7 -> "1 to 3", "7"."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    found = []
    for run in runs:
        found += [f"{word(run[0])} to {word(run[-1])}"] if _is_span(run) else [word(value) for value in run]
    return found


def _listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
