"""A schedule: a job, or a whole workflow, that is to be queued again and again, and the times at which. Pure; times are
ms since 1970.

    timetable = Timetable("daily-report", read_cron("30 2 * * *"), 0, ZoneInfo("Europe/Berlin"))
    timetable.first(now_ms)
    ->  ScheduleSlot(at_ms=1796002200000, due_ms=1796002200000, wall="2026-11-30T02:30")

A slot is one time at which the schedule is to run. Redis keeps the next slot; the process that takes a slot works out
the slot behind it. `at_ms` is the slot's time by the expression; `due_ms` is later by the slot's jitter, and never as
late as the slot behind. `wall` is what the clocks show at a slot of a cron that goes by the hands (cron.py), else "".
It tells whoever takes the slot whether the zone's rules are still those by which it was worked out (`moved`).

A slot is missed where no job was queued for it: nothing ran when its time came. `turn` says what becomes of missed
slots, by `catch_up`:

    one    one job, for the latest slot; the others are missed
    none   one job, for the latest slot, if it is no more than LATE_MS late: a restart is no miss
    all    a job for each of the latest MOST_CAUGHT_UP slots, the oldest first
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import islice, takewhile
from math import inf
from typing import Any, Final, NamedTuple

from lib.jobs.backoff import Backoff, longest_delay_s
from lib.jobs.cron import Cron
from lib.jobs.cron_text import read_cron
from lib.jobs.zones import find_zone

DAY_MS: Final = 86_400_000
OVERLAPS: Final = ("skip", "allow", "queue")
CATCH_UPS: Final = ("one", "none", "all")
LATE_MS: Final = 60_000
MOST_CAUGHT_UP: Final = 100
MOST_COUNTED: Final = 1_000
"""So many missed slots are counted one by one. More count as so many: years of them would take seconds to count."""
_HOUR_MS: Final = 3_600_000
_MEANWHILE: Final = {
    "skip": 'are skipped meanwhile: use overlap "allow" or "queue"',
    "queue": 'wait meanwhile, 100 at most: use overlap "allow" or "skip"',
}


class Schedule(NamedTuple):
    """A schedule as PUT resolved it. Its JSON is what Redis keeps: {"cron":"30 2 * * *","every_ms":0,"job":{…},…}.

    One of cron and every_ms is set. job: as POST /api/jobs takes it, with the defaults of its type filled in, and of
    those of the jobs of its `then`. workflow: as POST /api/workflows takes it, with the same defaults; it stands in the
    place of the job, which is {} then.
    starts_ms, ends_ms: no slot lies before the one or after the other; None for no bound. owner: any text by which
    somebody finds the schedules that are his; "" for none.
    """

    cron: str
    every_ms: int
    timezone: str
    job: dict[str, Any]
    overlap: str = "skip"
    catch_up: str = "one"
    jitter_ms: int = 0
    starts_ms: int | None = None
    ends_ms: int | None = None
    paused: bool = False
    owner: str = ""
    workflow: dict[str, Any] | None = None

    @property
    def queue(self) -> str:
        """The queue of its job, or of its workflow, in whose part of Redis the schedule lies."""
        return str((self.job if self.workflow is None else self.workflow)["queue"])

    @property
    def has_graph(self) -> bool:
        """Whether it queues several jobs at each slot: a job with `then`, or a workflow."""
        return self.workflow is not None or bool(self.job.get("then"))

    @property
    def times(self) -> tuple[Any, ...]:
        """What its slots depend on. Two schedules of equal times have the same slots."""
        return self.cron, self.every_ms, self.timezone, self.jitter_ms, self.starts_ms, self.ends_ms

    def timetable(self, name: str, anchor_ms: int) -> "Timetable":
        """anchor_ms: what every_ms counts from, if there is no starts_ms. Raises UnknownZone and CronError."""
        cron = read_cron(self.cron) if self.cron else None
        zone = find_zone(self.timezone)
        return Timetable(name, cron, self.every_ms, zone, self.jitter_ms, self.starts_ms, self.ends_ms, anchor_ms)


class ScheduleSlot(NamedTuple):
    """One time at which a schedule is to run; see the top."""

    at_ms: int
    due_ms: int
    wall: str = ""


class Turn(NamedTuple):
    """What becomes of a schedule whose time has come. run: the slot that gets a job now; None for none. missed: how
    many slots get none. follows: the next slot; None where the schedule has ended."""

    run: ScheduleSlot | None
    missed: int
    follows: ScheduleSlot | None


class Timetable(NamedTuple):
    """The slots of one schedule. name: the jitter of a slot depends on it, so that not all schedules have the same."""

    name: str
    cron: Cron | None
    every_ms: int
    zone: tzinfo
    jitter_ms: int = 0
    starts_ms: int | None = None
    ends_ms: int | None = None
    anchor_ms: int = 0

    def first(self, now_ms: int) -> ScheduleSlot | None:
        """The next slot after now_ms, for a schedule that begins now. None where there is none."""
        return next(self.after(now_ms), None)

    def after(self, after_ms: int, last_wall: str = "") -> Iterator[ScheduleSlot]:
        """The slots after a time, in their order. last_wall: the wall of the slot that was taken last, if one was."""
        bare = self._bare(after_ms, last_wall)
        if not self.jitter_ms:
            yield from bare
            return
        slot = next(bare, None)
        while slot is not None:
            behind = next(bare, None)
            yield slot._replace(due_ms=self._due_ms(slot, behind))
            slot = behind

    def behind(self, slot: ScheduleSlot) -> Iterator[ScheduleSlot]:
        """The slots behind one."""
        return self.after(slot.at_ms, slot.wall)

    def coming(self, slot: ScheduleSlot | None, count: int) -> list[ScheduleSlot]:
        """This slot, and those behind it: `count` at most."""
        return [] if slot is None else [slot, *islice(self.behind(slot), count - 1)]

    def spread(self, slot: ScheduleSlot | None, span_ms: int, now_ms: int, until_ms: int) -> list[ScheduleSlot]:
        """This slot, and the first one in each span from now on, of those that are due before until_ms. A span begins
        at each multiple of span_ms since 1970. What is drawn of a day needs no more, however often it runs."""
        found = []
        while slot is not None and slot.due_ms < until_ms:
            found.append(slot)
            span_end_ms = (slot.at_ms // span_ms + 1) * span_ms
            slot = next(self.after(max(span_end_ms - 1, now_ms), slot.wall), None)
        return found

    def moved(self, slot: ScheduleSlot, now_ms: int) -> ScheduleSlot | None:
        """Where this slot lies by the zone's rules as this host has them, if that is another time and still to come.

        Another host worked the slot out, perhaps by older rules. None: the slot is as good as this host's.
        """
        found = self._at_its_wall(slot)
        return found if found != slot and found.at_ms > now_ms else None

    def by_rules_now(self, slot: ScheduleSlot, since_ms: int) -> ScheduleSlot | None:
        """Where a slot that is not yet due lies by the zone's rules as this host has them: at another time, which may
        be over; or the slot as it is, where it was worked out by the same rules. None: by these rules the schedule has
        ended.

        since_ms: no slot up to that time is still to be taken. A slot without a wall (of `*/5 * * * *`, say) is looked
        for from there on: under other rules not even the day of a monthly one may be the same.
        """
        if self.cron is None or (not slot.wall and slot.at_ms <= since_ms):
            return slot
        found = self._at_its_wall(slot) if slot.wall else self.first(since_ms)
        if found is not None and not self._is_within_bounds(found.at_ms):
            found = next(self.behind(found), None)
        return slot if found is not None and found.at_ms == slot.at_ms else found

    def _at_its_wall(self, slot: ScheduleSlot) -> ScheduleSlot:
        """The slot at the time when the zone's clocks show its wall, by the rules of this host; with its jitter."""
        if self.cron is None or not slot.wall:
            return slot
        at_s = self.cron.instant_of(datetime.fromisoformat(slot.wall), self.zone)
        if at_s is None:
            return slot
        return ScheduleSlot(at_s * 1000, at_s * 1000 + slot.due_ms - slot.at_ms, slot.wall)

    def _is_within_bounds(self, at_ms: int) -> bool:
        is_early = self.starts_ms is not None and at_ms < self.starts_ms
        is_late = self.ends_ms is not None and at_ms > self.ends_ms
        return not (is_early or is_late)

    def turn(self, slot: ScheduleSlot, now_ms: int, catch_up: str) -> Turn:
        """What becomes of this slot, which is due at now_ms, and of those behind it that are due as well."""
        due, count, follows = self._due(slot, now_ms)
        if catch_up == "all":
            return Turn(due[0], count - len(due), due[1] if len(due) > 1 else follows)
        latest = due[-1]
        if catch_up == "none" and now_ms - latest.due_ms > LATE_MS:
            return Turn(None, count, follows)
        return Turn(latest, count - 1, follows)

    def _due(self, slot: ScheduleSlot, now_ms: int) -> tuple[list[ScheduleSlot], int, ScheduleSlot | None]:
        """The latest MOST_CAUGHT_UP slots from this one on that are due, how many there are, and the first that is
        not due."""
        latest = deque([slot], MOST_CAUGHT_UP)
        count = 1
        for one in self.behind(slot):
            if one.due_ms > now_ms:
                return [*latest], count, one
            if count == MOST_COUNTED:
                return self._latest(slot.at_ms, now_ms)
            latest.append(one)
            count += 1
        return [*latest], count, None

    def _latest(self, after_ms: int, now_ms: int) -> tuple[list[ScheduleSlot], int, ScheduleSlot | None]:
        """As `_due` for more slots than are counted: looked for backwards from now, in ever longer spans."""
        span_ms = _HOUR_MS
        while True:
            begin_ms = max(after_ms, now_ms - span_ms)
            slots = self.after(begin_ms)
            latest = deque(takewhile(lambda slot: slot.due_ms <= now_ms, slots), MOST_CAUGHT_UP)
            if len(latest) == MOST_CAUGHT_UP or begin_ms == after_ms:
                return [*latest], MOST_COUNTED, next(self.behind(latest[-1]), None)
            span_ms *= 8

    def _bare(self, after_ms: int, last_wall: str) -> Iterator[ScheduleSlot]:
        """The slots after a time, without jitter."""
        if self.starts_ms is not None:
            after_ms = max(after_ms, self.starts_ms - 1)
        for at_ms, wall in self._of_cron(self.cron, after_ms, last_wall) if self.cron else self._of_interval(after_ms):
            if self.ends_ms is not None and at_ms > self.ends_ms:
                return
            yield ScheduleSlot(at_ms, at_ms, wall)

    def _of_cron(self, cron: Cron, after_ms: int, last_wall: str) -> Iterator[tuple[int, str]]:
        last = datetime.fromisoformat(last_wall) if last_wall else None
        for found in cron.slots(after_ms // 1000, self.zone, last):
            yield found.at_s * 1000, "" if cron.is_by_interval else found.wall.isoformat(timespec="minutes")

    def _of_interval(self, after_ms: int) -> Iterator[tuple[int, str]]:
        begin_ms = self.anchor_ms if self.starts_ms is None else self.starts_ms
        at_ms = begin_ms + max(0, (after_ms - begin_ms) // self.every_ms + 1) * self.every_ms
        while True:
            yield at_ms, ""
            at_ms += self.every_ms

    def _due_ms(self, slot: ScheduleSlot, behind: ScheduleSlot | None) -> int:
        """The slot's time and its jitter, which every host works out alike, and which ends before the slot behind.

        WHY the gap bounds the range and not the jitter itself: schedules of one minute with a jitter of an hour would
        nearly all run in the last millisecond of the minute."""
        most_ms = self.jitter_ms if behind is None else min(self.jitter_ms, behind.at_ms - slot.at_ms - 1)
        digest = hashlib.sha256(f"{self.name} {slot.at_ms}".encode()).digest()
        return slot.at_ms + int.from_bytes(digest[:8], "big") % (most_ms + 1)


def doubts(schedule: Schedule, timetable: Timetable, coming: Sequence[ScheduleSlot]) -> list[str]:
    """Sentences about what its author may not have meant. coming: its next slots, two at least if there are so many."""
    found = []
    if timetable.cron is not None and timetable.cron.has_two_kinds_of_days:
        found.append(
            "day of month and weekday are both given, so that it runs on each day that fits either: write * in one of"
            " them, or 1#1 in the weekday for the first Monday of a month"
        )
    if schedule.every_ms and schedule.every_ms % DAY_MS == 0 and schedule.timezone != "UTC":
        found.append(
            "every_s counts seconds, whatever the timezone: where clocks are changed it runs at another hour from then"
            ' on; a cron, "0 3 * * *" say, does not'
        )
    if schedule.catch_up == "all" and schedule.overlap == "skip":
        found.append('with overlap "skip" a missed run is skipped while the one before waits or runs: use "queue"')
    patience_s, gap_ms = _patience_s(schedule.job), _gap_ms(coming)
    if schedule.overlap in _MEANWHILE and gap_ms and patience_s * 1000 > gap_ms:
        found.append(
            f"its job may be tried for {patience_s:g} s, longer than the {gap_ms / 1000:g} s between two runs, which"
            f" {_MEANWHILE[schedule.overlap]}, or a shorter give_up_after_s"
        )
    return found


def _patience_s(job: dict[str, Any]) -> float:
    """For how long a job whose attempts all fail is tried, without the time that the attempts themselves take."""
    backoff = Backoff(**job.get("backoff", {}))
    waits_s = (longest_delay_s(attempt, *backoff) for attempt in range(1, job.get("max_attempts", 1)))
    return float(min(sum(waits_s), job.get("give_up_after_s", inf)))


def _gap_ms(coming: Sequence[ScheduleSlot]) -> int:
    """The time between the next two slots; 0 where there are not two."""
    return coming[1].at_ms - coming[0].at_ms if len(coming) > 1 else 0
