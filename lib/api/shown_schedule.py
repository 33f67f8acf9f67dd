"""A schedule as the API shows it: the fields of openapi.yaml's Schedule, with secrets of its job masked. Pure but for
the zones, which are the host's.

    {"name": "daily-report", "cron": "30 2 * * *", "next_run_at": "2026-11-30T01:30:00.000Z", "outcomes": […], …}
"""

from collections.abc import Sequence
from typing import Any, Final

from lib.jobs.clock_notes import clock_notes
from lib.jobs.cron_text import CronError, read_cron
from lib.jobs.cron_words import interval_words, words_of
from lib.jobs.schedule import DAY_MS, Schedule, ScheduleSlot, Timetable, doubts
from lib.jobs.schedule_tree import with_masks
from lib.jobs.shown import seconds_of
from lib.jobs.timestamps import LAST_MS, timestamp
from lib.jobs.zones import UnknownZone
from lib.queue.schedule_seen import ScheduleRun, ScheduleSeen, SlotOutcome

NEXT_RUNS: Final = 5
SPAN_MS: Final = 900_000
"""Of the runs of a day, the first in each quarter of an hour is shown."""
ORPHANED: Final = (
    "code has declared it, and the job modules of no worker that runs do: delete it if the code is gone, or start that"
    " worker"
)
REASONS: Final = {"full": "queue_full", "group_full": "group_full", "graph_full": "queue_full"}


def present_schedule(seen: ScheduleSeen) -> dict[str, Any]:
    """A schedule in the words of the API."""
    schedule, slot = seen.schedule, seen.slot
    next_runs, warnings = _coming(seen)
    if seen.is_orphaned:
        warnings = [*warnings, ORPHANED]
    overdue_ms = max(0, seen.now_ms - slot.due_ms) if slot else 0
    return {
        "name": seen.name,
        **_times(schedule),
        "words": _words(schedule),
        "job": with_masks(schedule.job) if schedule.workflow is None else None,
        "workflow": with_masks(schedule.workflow),
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "paused": schedule.paused,
        "owner": schedule.owner or None,
        "orphaned": seen.is_orphaned,
        "queue": schedule.queue,
        "version": seen.version,
        "created_at": _time(seen.created_ms),
        "changed_at": _time(seen.changed_ms),
        "next_run_at": _time(slot.due_ms) if slot else None,
        "next_runs": next_runs,
        "last_runs": [_run(one) for one in seen.runs],
        "outcomes": [_outcome(outcome) for outcome in seen.outcomes],
        "counts": {"fired": seen.fired, "skipped": seen.skipped, "missed": seen.missed},
        "overdue_s": seconds_of(overdue_ms),
        "reason": REASONS.get(seen.reason),
        "warnings": warnings,
    }


def present_preview(schedule: Schedule, now_ms: int, count: int) -> dict[str, Any]:
    """The next runs that these times would have, and what changes of the clocks make of them. Raises UnknownZone."""
    timetable = schedule.timetable("preview", now_ms)
    coming = timetable.coming(timetable.first(now_ms), max(count, 2))
    cron, zone = timetable.cron, timetable.zone
    return {
        "words": _words(schedule),
        "next_runs": _runs(coming[:count]),
        "notes": clock_notes(cron, zone, schedule.timezone, now_ms // 1000) if cron is not None else [],
        "warnings": _doubts(schedule, timetable, coming),
    }


def present_day(seen: ScheduleSeen) -> list[str | None]:
    """When it runs in the next 24 hours: the first run of each quarter of an hour, and one that is overdue: 98 at
    most. It is empty where this host can't work them out."""
    try:
        timetable = seen.schedule.timetable(seen.name, seen.anchor_ms)
    except (UnknownZone, CronError):
        return []
    return _runs(timetable.spread(seen.slot, SPAN_MS, seen.now_ms, seen.now_ms + DAY_MS))


def _words(schedule: Schedule) -> str:
    """Its times in words; a cron that can't be read is shown as it is."""
    if schedule.every_ms:
        return interval_words(schedule.every_ms)
    try:
        return words_of(read_cron(schedule.cron))
    except CronError:
        return schedule.cron


def _coming(seen: ScheduleSeen) -> tuple[list[str | None], list[str]]:
    """The next runs, and warnings."""
    try:
        timetable = seen.schedule.timetable(seen.name, seen.anchor_ms)
    except (UnknownZone, CronError) as fault:
        return _runs([seen.slot] if seen.slot else []), [f"this server can't work out its times: {fault}"]
    coming = timetable.coming(seen.slot, NEXT_RUNS)
    # What is wrong with a schedule that is paused is wanted before it is resumed.
    looked_at = coming or timetable.coming(timetable.first(seen.now_ms), 2)
    return _runs(coming), _doubts(seen.schedule, timetable, looked_at)


def _doubts(schedule: Schedule, timetable: Timetable, coming: Sequence[ScheduleSlot]) -> list[str]:
    ended = [] if coming or schedule.paused else ["it has ended: no run lies between now and ends_at"]
    return [*ended, *doubts(schedule, timetable, coming)]


def _times(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron or None,
        "every_s": seconds_of(schedule.every_ms or None),
        "timezone": schedule.timezone,
        "jitter_s": seconds_of(schedule.jitter_ms),
        "starts_at": _time(schedule.starts_ms),
        "ends_at": _time(schedule.ends_ms),
    }


def _run(one: ScheduleRun) -> dict[str, Any]:
    return {"at": _time(one.at_ms), "job_id": one.job_id, "state": one.state}


def _outcome(one: SlotOutcome) -> dict[str, Any]:
    is_missed, is_crowded = one.outcome == "missed", one.outcome == "crowded"
    reason = f"{one.about} had not ended" if one.outcome == "skipped" else None
    if is_crowded:
        reason = f"100 of its jobs waited already, {one.about} the last of them"
    return {
        "at": _time(one.at_ms),
        "scheduled_for": _time(one.slot_ms),
        "outcome": "skipped" if is_crowded else one.outcome,
        "job_id": None if is_missed else one.about,
        "missed": int(one.about) if is_missed and one.about.isdecimal() else 0,
        "reason": "nothing ran when they were due" if is_missed else reason,
    }


def _runs(slots: Sequence[ScheduleSlot]) -> list[str | None]:
    return [_time(slot.due_ms) for slot in slots if slot.due_ms <= LAST_MS]


def _time(ms: int | None) -> str | None:
    return None if ms is None or not 0 <= ms <= LAST_MS else timestamp(ms)
