"""Cron's slots against a walk through real time, minute by minute, in which the rules are said a second time.

    python -m tests.unit.jobs.cron_walk        every zone, expression and change of clocks: some 500 comparisons

test_cron.py compares a part of them.
"""

import random
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile

from lib.jobs.cron import Cron
from lib.jobs.cron_text import read_cron
from lib.jobs.zones import find_zone

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"),
    *("Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo", "Asia/Gaza", "Antarctica/Troll"),
)
EXPRESSIONS = (
    *("*/7 * * * *", "30 2 * * *", "0,30 2 * * *", "0 3 * * *", "15 1-3 * * *", "0 */2 * * *", "30 * * * *"),
    *("*/20 1-2 * * *", "0 0 * * *", "5 0 1 * *", "0 9 * * 1#1", "0 9 L * *", "0 9 * * 5L", "30 6 1-7 * 1"),
    *("0 12 */2 * 1", "0 2 * * 0", "59 23 31 12 *", "@hourly", "1-59/3 0-4 * * *", "*/30 2 * 10,3 0L"),
)
MONTHS = ((2011, 12), (2025, 3), (2025, 4), (2026, 2), (2026, 3), (2026, 10), (2026, 11))
"""Months with a change of clocks in some zone. In December 2011 Samoa had no 30th."""
DAY_S = 86_400


def changes(zone: tzinfo) -> Iterator[int]:
    """A second in each of the days of MONTHS in which the zone's offset changes."""
    for year, month in MONTHS:
        begin_s = int(datetime(year, month, 1, 0, 0, 13, tzinfo=UTC).timestamp())
        for day_s in range(begin_s, begin_s + 33 * DAY_S, DAY_S):
            if _offset(day_s, zone) != _offset(day_s + DAY_S, zone):
                yield day_s


def by_slots(cron: Cron, after_s: int, end_s: int, zone: tzinfo) -> list[int]:
    """What `slots` gives in one go."""
    return [slot.at_s for slot in takewhile(lambda slot: slot.at_s < end_s, cron.slots(after_s, zone))]


def one_by_one(cron: Cron, after_s: int, end_s: int, zone: tzinfo) -> list[int]:
    """What `slots` gives where it is asked anew behind each slot, with the wall that fired last."""
    found: list[int] = []
    slot = next(cron.slots(after_s, zone), None)
    while slot is not None and slot.at_s < end_s:
        found.append(slot.at_s)
        slot = next(cron.slots(slot.at_s, zone, slot.wall), None)
    return found


def by_walk(cron: Cron, after_s: int, end_s: int, zone: tzinfo) -> list[int]:
    """Every minute of real time is looked at."""
    found = []
    before: timedelta | None = None
    for at_s in range(after_s // 60 * 60, end_s, 60):
        moment = datetime.fromtimestamp(at_s, zone)
        wall, offset = moment.replace(tzinfo=None, fold=0), moment.utcoffset()
        skipped = offset - before if before is not None and offset is not None and offset > before else timedelta()
        is_hit = _fits(cron, wall) and (cron.is_by_interval or not moment.fold)
        if not cron.is_by_interval and any(_fits(cron, one) for one in _minutes(wall - skipped, wall)):
            is_hit = True
        if is_hit and at_s > after_s:
            found.append(at_s)
        before = offset
    return found


def _minutes(first: datetime, end: datetime) -> Iterator[datetime]:
    while first < end:
        yield first
        first += timedelta(minutes=1)


def _fits(cron: Cron, wall: datetime) -> bool:
    if wall.minute not in cron.minutes or wall.hour not in cron.hours or wall.month not in cron.months:
        return False
    weekday, is_last = wall.isoweekday() % 7, (wall + timedelta(days=1)).month != wall.month
    is_nth = (weekday, (wall.day - 1) // 7 + 1) in cron.nth
    is_last_of_its_kind = (weekday, -1) in cron.nth and (wall + timedelta(days=7)).month != wall.month
    is_day = wall.day in cron.days or (cron.has_last_day and is_last)
    is_weekday = weekday in cron.weekdays or is_nth or is_last_of_its_kind
    return (is_day and is_weekday) if cron.meets_both else (is_day or is_weekday)


def _offset(at_s: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at_s, zone).utcoffset()


def differences(zones: Iterable[str], expressions: Iterable[str], most_changes: int = 1000) -> tuple[int, list[str]]:
    """How many windows were compared, and a line for each in which the walk found other instants."""
    count, found = 0, []
    expressions = list(expressions)
    for name in zones:
        zone = find_zone(name)
        for day_s in [*changes(zone)][:most_changes] or [1_795_000_013]:
            for text in expressions:
                count += 1
                window = (read_cron(text), day_s - 90_000, day_s + 3 * DAY_S, zone)
                walked = by_walk(*window)
                if not walked == by_slots(*window) == one_by_one(*window):
                    found.append(f"{name} {text!r} around {datetime.fromtimestamp(day_s, zone)}")
    return count, found


def random_expressions(count: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    for _ in range(count):
        yield " ".join(_random_field(rng, *bounds) for bounds in ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6)))


def _random_field(rng: random.Random, low: int, high: int) -> str:
    first, last = sorted((rng.randint(low, high), rng.randint(low, high)))
    items = sorted(rng.sample(range(low, high + 1), rng.randint(1, 3)))
    return rng.choice(
        ("*", "*", f"*/{rng.randint(1, high // 2)}", ",".join(map(str, items)), f"{first}-{last}", f"{first}-{last}/2")
    )


def main() -> int:
    count, found = differences(ZONES, [*EXPRESSIONS, *random_expressions(60, 5)])
    print(f"{count} windows compared, {len(found)} differ", *found[:20], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
