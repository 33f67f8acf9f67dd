"""What a cron makes of the next changes of its zone's clocks, in sentences for whoever writes a schedule. Pure.

    clock_notes(read_cron("30 2 * * *"), find_zone("Europe/Berlin"), "Europe/Berlin", now_s)
    ->  ["on 2027-03-28 the clocks of Europe/Berlin skip 02:30: it runs at 03:00 instead",
         "on 2027-10-31 the clocks of Europe/Berlin show 02:30 twice: it runs the first time"]

cron.py has the rules. A cron of all hours is told of nothing: it runs as often as before, whatever the clocks show.
"""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from itertools import takewhile
from typing import Final

from lib.jobs.cron import ClockChange, Cron, clock_changes

LOOKED_AHEAD_S: Final = 366 * 86_400
ALL_HOURS: Final = 24


def clock_notes(cron: Cron, zone: tzinfo, zone_name: str, now_s: int) -> list[str]:
    """A sentence for the next time that the clocks are set forward, and for the next time that they are set back, if
    either is within a year and touches the cron."""
    if len(cron.hours) == ALL_HOURS:
        return []
    notes: dict[bool, str] = {}
    for change in clock_changes(zone, now_s, now_s + LOOKED_AHEAD_S):
        told = _note(cron, change, zone_name)
        if told and change.is_forward not in notes:
            notes[change.is_forward] = told
    return [*notes.values()]


def _note(cron: Cron, change: ClockChange, zone_name: str) -> str:
    """ "" for a change that does not touch the cron."""
    walls = list(_walls_between(cron, *sorted((change.wall_before, change.wall_behind))))
    if not walls:
        return ""
    about = f"on {walls[0]:%Y-%m-%d} the clocks of {zone_name}"
    times = f"{walls[0]:%H:%M}" if len(walls) == 1 else f"{walls[0]:%H:%M} to {walls[-1]:%H:%M}"
    if change.is_forward:
        instead = "it does not run then" if cron.is_by_interval else f"it runs at {change.wall_behind:%H:%M} instead"
        return f"{about} skip {times}: {instead}{', once' if len(walls) > 1 and not cron.is_by_interval else ''}"
    return f"{about} show {times} twice: it runs {'both times' if cron.is_by_interval else 'the first time'}"


def _walls_between(cron: Cron, first: datetime, end: datetime) -> Iterator[datetime]:
    """The wall times of the cron from `first` to before `end`."""
    return takewhile(lambda wall: wall < end, cron.walls(first))
