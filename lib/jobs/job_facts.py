"""What is known of a job that is to be explained, as a value: explanation_facts.py reads it from Redis, and
explanation.py says what it means. Pure.
"""

from typing import Literal, NamedTuple

from lib.jobs.edges import KnownEdge
from lib.jobs.group_strikes import GroupStrikes
from lib.jobs.job import JobRecord
from lib.jobs.start_limits import Rate
from lib.jobs.state import BLOCKED, FINISHED

Precision = Literal["exact", "most", "least", "taken", "none"]
"""How exactly it is known how many jobs are before one: explain.lua has the meaning of each word."""


class FullLimit(NamedTuple):
    """A concurrency that is used up. running: how many jobs run; job_ids: up to five of these."""

    limit: int
    running: int
    job_ids: tuple[str, ...]


class SpentRate(NamedTuple):
    """A rate that is used up: no job starts before until_ms. rate: None where somebody has just taken the rate away."""

    rate: Rate | None
    until_ms: int


class GroupHold(NamedTuple):
    """A group rests until then, because its job `job_id` has asked for it (`Retry(…, hold=True)`)."""

    until_ms: int
    job_id: str


class ParentFacts(NamedTuple):
    """A job that another one waits for, or was ended by. facts: what is known of the job itself; None where its record
    is gone, or where it can't be read, and then `trouble` says why."""

    edge: KnownEdge
    facts: "JobFacts | None" = None
    trouble: str = ""


class JobFacts(NamedTuple):
    """What is known of a job at the moment `now_ms`.

    is_suspect: the job was aboard two runners that crashed, and waits to run alone. unknown_since_ms: since when no
    runner knows its type. expires_ms: when it is dead if its handler has not started; None where that is no danger.
    due_by_ms: until when further requests may put it off (unique mode debounce). superseded_by: the later job that took
    its unique key while it ran; "" for none.
    runners, slots, busy: how many living runners may take the job, how many jobs they run at once, and how many of
    these places are taken.
    served: queues that living runners serve, asked only where none serves the job's; None where no runner lives at all.
    beat_ms: when the runner that claimed the job last was heard of. ended_a_minute: how many jobs of the queue ended
    lately. ahead: how many jobs are claimed before this one, as exactly as `precision` says; of a job of a group, how
    many jobs of that group. group: "" for none. hold, strikes, full_…, spent_…: what keeps the jobs of the group, or of
    the queue, from starting now. parents: of the jobs that a blocked job waits for, or by which a job was ended, the
    first. has_schedule: whether the queue still has the schedule that queued the job. next_slot_ms: when that queues
    the next one; None where it is paused or has ended.
    """

    record: JobRecord
    now_ms: int
    is_suspect: bool = False
    is_paused: bool = False
    unknown_since_ms: int | None = None
    blocked_since_ms: int | None = None
    callback_by_ms: int | None = None
    expires_ms: int | None = None
    due_by_ms: int | None = None
    superseded_by: str = ""
    runners: int = 0
    slots: int = 0
    busy: int = 0
    served: tuple[str, ...] | None = ()
    beat_ms: int | None = None
    ended_a_minute: int = 0
    ahead: int | None = None
    precision: Precision = "none"
    group: str = ""
    is_group_paused: bool = False
    hold: GroupHold | None = None
    strikes: GroupStrikes | None = None
    full_group: FullLimit | None = None
    full_queue: FullLimit | None = None
    spent_group: SpentRate | None = None
    spent_queue: SpentRate | None = None
    parents: tuple[ParentFacts, ...] = ()
    has_schedule: bool = False
    next_slot_ms: int | None = None

    @property
    def due_ms(self) -> int | None:
        """When a delayed job is due; None where that has come, and for any other job."""
        due_ms = self.record.run_at_ms if self.record.state == "delayed" else None
        return due_ms if due_ms is not None and due_ms > self.now_ms else None

    @property
    def last_outcome(self) -> str:
        """How the newest attempt ended: `retried` or `snoozed`, say; "" where none has ended."""
        return self.record.history[-1].outcome if self.record.history else ""

    @property
    def since_ms(self) -> int | None:
        """Since when the job is as it is."""
        record = self.record
        if record.state in FINISHED:
            return record.finished_ms
        if record.state == "active":
            return record.started_ms
        if record.state == BLOCKED:
            return self.blocked_since_ms
        is_due = record.state == "delayed" and record.run_at_ms is not None and record.run_at_ms <= self.now_ms
        if record.state == "ready" or is_due:
            return record.run_at_ms or record.created_ms
        return record.history[-1].finished_ms if self.last_outcome in ("retried", "snoozed") else record.created_ms
