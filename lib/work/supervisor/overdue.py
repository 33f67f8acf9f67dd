"""The jobs of a runner whose loop no longer turns: which of them have run out of time, and how they are failed.

A handler that blocks the loop, or holds the GIL, keeps its own runner from timing it out. So the supervisor asks Redis
which jobs the runner holds and when each was started; which job blocks the loop, the runner's watchdog.py may have
told. The supervisor kills the runner (stuck.py), and then fails the overdue jobs in its name (exit_collector.py).

When a job was started is a time of Redis' clock, and that clock may be set an hour ahead at any moment. So no job is
overdue by that time alone: a leap of Redis' clock, time that the supervisor's own monotonic clock has not seen pass,
is not counted as running time.
"""

from collections import deque
from random import Random
from typing import NamedTuple

from lib.jobs.backoff import delay_s
from lib.jobs.job import JobRecord
from lib.queue.end_record import EndRecord, fail_record
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease

LATE_S = 1.0  # A runner whose loop turns would have timed the job out itself by then.
LEAP_MS = 1000  # A smaller difference between two comparisons is none: replies come late, and clocks are slewed.
LEAPS_KEPT = 1000


class ClockLeaps:
    """When and by how much Redis' clock has leapt ahead of this process' monotonic clock.

    A clock that is set back makes no job late, so such leaps are left out. A supervisor is older than its runners: it
    has seen every leap since any of their jobs was started.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, float] | None = None
        self._leaps: deque[tuple[float, float]] = deque(maxlen=LEAPS_KEPT)

    def compare(self, now_ms: int, now_s: float) -> None:
        """Note a leap since the last comparison. now_ms: Redis' time. now_s: the monotonic time of this process."""
        if self._seen is not None:
            seen_ms, seen_s = self._seen
            expected_ms = seen_ms + (now_s - seen_s) * 1000
            if now_ms - expected_ms > LEAP_MS:
                self._leaps.append((expected_ms, now_ms - expected_ms))
        self._seen = now_ms, now_s

    def since_ms(self, ms: int) -> float:
        """By how many ms Redis' clock has leapt since it showed `ms`."""
        return sum(leap_ms for at_ms, leap_ms in self._leaps if at_ms >= ms)


class Held(NamedTuple):
    """A job that a stuck runner holds. lease: the runner's, in the job's queue."""

    lease: Lease
    record: JobRecord

    async def fail(self, rng: Random) -> bool:
        """Fail the job with the error TimedOut. Returns False where the runner no longer held it."""
        return await self.lease.end_and_wait("fail", _timeout(self.record, rng))


async def held_by(lease: Lease, job_store: JobStore) -> list[Held]:
    """The jobs that the runner of `lease` runs in the lease's queue."""
    records = await job_store.read_many(await lease.active_ids())
    active = (record for record in records if record.state == "active" and record.runner_id == lease.runner_id)
    return [Held(lease, record) for record in active]


def overdue(held: list[Held], blocker: str | None, now_ms: int, leaps: ClockLeaps, silent_s: float) -> list[Held]:
    """The jobs of `held` that are to be failed. Where there is one, the runner is to be killed.

    blocker: the id of the job that blocks the loop, where it is known. now_ms: Redis' time. silent_s: for how long the
    runner's loop has not turned. Where the blocker is known, that job alone counts. While it is in time the other jobs
    wait for it: killed for their sake, it would run again and block the next runner, and the next one.
    """
    judged = [item for item in held if item.record.job_id == blocker] or held
    return [item for item in judged if is_overdue(item.record, now_ms, leaps, silent_s)]


def is_overdue(record: JobRecord, now_ms: int, leaps: ClockLeaps, silent_s: float) -> bool:
    """Whether a job has run for over its timeout_s, LATE_S included: by Redis' clock without its leaps, or by the
    runner's silence alone, since a loop that does not turn has started no job meanwhile."""
    if record.spec is None or record.started_ms is None:
        return False
    ran_s = (now_ms - record.started_ms - leaps.since_ms(record.started_ms)) / 1000
    return max(ran_s, silent_s) > record.spec.timeout_s + LATE_S


def _timeout(record: JobRecord, rng: Random) -> EndRecord:
    spec = record.spec
    assert spec is not None  # is_overdue is False without a spec.
    error = {
        "type": "TimedOut",
        "message": f"it ran longer than its timeout_s, {spec.timeout_s:g}, and blocked its runner",
    }
    wait_s = None
    if record.attempts < spec.max_attempts:
        wait_s = delay_s(max(1, record.attempts), base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=rng)
    return fail_record(record.job_id, record.token, error, wait_s)
