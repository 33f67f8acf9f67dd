"""A schedule as Redis holds it, read from the reply of read_schedules.lua.

schedules_seen(now_ms, [b"daily-report", b"1796002200000", b"8", …])
->  [ScheduleSeen("daily-report", Schedule(cron="30 2 * * *", …), version=8, …)]
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.jobs.schedule_request import schedule_from
from lib.queue.framing import FIELD, RECORD, shown_text, texts

_FIELDS_OF_ONE = 18  # name, due and the fields, as read_schedules.lua gives them.


class SlotOutcome(NamedTuple):
    """What became of a slot: `fired`, `skipped`, `crowded`, `missed`, or `run` for a job that somebody asked for.

    slot_ms: None for a run. about: the id of the job that was queued, or that still lived; how many slots were missed.
    """

    at_ms: int
    slot_ms: int | None
    outcome: str
    about: str


class ScheduleRun(NamedTuple):
    """A job that the schedule has queued. state: None where there is no record of it any more."""

    at_ms: int
    job_id: str
    state: str | None


class ScheduleSeen(NamedTuple):
    """A schedule as Redis holds it, its next slot and what became of earlier ones.

    anchor_ms     what every_ms counts from: when it was made, or was last given other times
    slot          the next one; None while it is paused or has ended
    now_ms        Redis' clock when it was read
    last_job      the id of the last job that it queued; "" for none
    reason        why its slot is still due though its time is over: `full`, `group_full` or `graph_full`, of the queue,
                  of the job's group, or of a queue of the jobs of its graph; or ""
    runs          the last ten jobs that it has queued, the newest first
    outcomes      the last ten, the newest first
    digests       of the declarations in code by which workers wrote it, the newest first; none where a PUT made it
    declared      those of the digests that workers which run now declare; None where that is not known
    """

    name: str
    schedule: Schedule
    version: int
    anchor_ms: int
    slot: ScheduleSlot | None
    now_ms: int
    created_ms: int = 0
    changed_ms: int = 0
    last_job: str = ""
    fired: int = 0
    skipped: int = 0
    missed: int = 0
    reason: str = ""
    runs: tuple[ScheduleRun, ...] = ()
    outcomes: tuple[SlotOutcome, ...] = ()
    digests: tuple[str, ...] = ()
    declared: frozenset[str] | None = None

    @property
    def is_orphaned(self) -> bool:
        """Whether code has written it, and no worker that runs declares it any more."""
        return bool(self.digests) and self.declared is not None and not self.declared


def schedules_seen(now_ms: int, flat: Sequence[bytes]) -> list[ScheduleSeen]:
    """The schedules of a reply. Raises ValueError for a schedule that no script of Waybill wrote."""
    rows = (flat[at : at + _FIELDS_OF_ONE] for at in range(0, len(flat), _FIELDS_OF_ONE))
    return [_seen(now_ms, row) for row in rows]


def _seen(now: int, row: Sequence[bytes]) -> ScheduleSeen:
    name, due, version, slot, wall, anchor, created, changed, last, *counts, reason = row[:13]
    runs, outcomes, code, text, states = row[13:]
    fired, skipped, missed = (int(count or 0) for count in counts)
    next_slot = None if due == b"inf" else ScheduleSlot(int(slot), int(float(due)), wall.decode())
    return ScheduleSeen(
        shown_text(name),
        schedule_from(text),
        int(version),
        int(anchor or 0),
        next_slot,
        now,
        int(created or 0),
        int(changed or 0),
        shown_text(last),
        fired,
        skipped,
        missed,
        shown_text(reason),
        tuple(_runs(shown_text(runs).split(RECORD)[:-1], texts(states))),
        tuple(_outcomes(shown_text(outcomes).split(RECORD)[:-1])),
        tuple(shown_text(code).split()),
    )


def _outcomes(rows: Iterable[str]) -> Iterable[SlotOutcome]:
    for at, slot, outcome, about in (row.split(FIELD) for row in rows):
        yield SlotOutcome(int(at), int(slot) if slot else None, outcome, about)


def _runs(rows: Iterable[str], states: Mapping[str, str]) -> Iterable[ScheduleRun]:
    for row in rows:
        at, job_id = row.split(FIELD)
        yield ScheduleRun(int(at), job_id, states.get(job_id))
