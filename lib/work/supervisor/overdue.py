"""Jobs of a runner whose loop no longer turns: which of them have run out of time, and how they are failed.

A handler that blocks the loop, or holds the GIL, keeps its own runner from timing it out. The supervisor asks Redis
what that runner holds and since when; which job blocks it, `watchdog.py` may have told. What is overdue is failed on
the runner's behalf after that has been killed.

Since when is a time of Redis' clock, which may be set an hour ahead at any moment. So no job is overdue by that alone:
what the clock leapt, as far as the supervisor's own monotonic clock has not seen it pass, is no time that a job ran.
"""

from collections import deque
from random import Random
from typing import NamedTuple

from lib.jobs.backoff import delay_s
from lib.jobs.job import JobRecord
from lib.queue.end_record import EndRecord, fail_record
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease

LATE_S = 1.0  # What a runner that still turns would take at most to time a job out itself.


LEAP_MS = 1000  # Replies come late, and clocks are slewed: less than that in one look is none.
LEAPS_KEPT = 1000


class Leaps:
    """By how much Redis' clock has leapt ahead of this process' own while that looked. Pure.

    What goes back makes no job late. A supervisor is older than its runners, so it has seen every leap since any of
    their jobs was begun.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, float] | None = None
        self._leaps: deque[tuple[float, float]] = deque(maxlen=LEAPS_KEPT)

    def look(self, now_ms: int, now_s: float) -> None:
        """Compare the two: Redis' time in ms, and our own monotonic one in s."""
        if self._seen is not None:
            seen_ms, seen_s = self._seen
            expected_ms = seen_ms + (now_s - seen_s) * 1000
            if now_ms - expected_ms > LEAP_MS:
                self._leaps.append((expected_ms, now_ms - expected_ms))
        self._seen = now_ms, now_s

    def since_ms(self, ms: int) -> float:
        """The leaps that came after this time of Redis' clock, all together."""
        return sum(leap_ms for at_ms, leap_ms in self._leaps if at_ms >= ms)


class Held(NamedTuple):
    """A job in the hands of a runner whose loop is stuck."""

    lease: Lease
    record: JobRecord

    async def fail(self, rng: Random) -> bool:
        """As `TimedOut`. False where it was no longer the runner's."""
        return await self.lease.end_and_wait("fail", _timeout(self.record, rng))


async def held_by(lease: Lease, queue: JobStore) -> list[Held]:
    """What the runner of `lease` holds."""
    records = await queue.read_many(await lease.active_ids())
    active = (record for record in records if record.state == "active" and record.runner_id == lease.runner_id)
    return [Held(lease, record) for record in active]


def overdue(held: list[Held], blocker: str | None, now_ms: int, leaps: Leaps, unheard_s: float) -> list[Held]:
    """Which of these jobs are to be failed, and the runner killed with them. unheard_s: for so long it did not turn.

    Where it is known which job blocks the loop, that one alone counts. While it is in time the others wait for it: to
    kill it for their sake would be to have it block the next runner, and the next one.
    """
    judged = [item for item in held if item.record.job_id == blocker] or held
    return [item for item in judged if is_overdue(item.record, now_ms, leaps, unheard_s)]


def is_overdue(record: JobRecord, now_ms: int, leaps: Leaps, unheard_s: float) -> bool:
    """Whether a job that is held has run for longer than its timeout_s: by Redis' clock less what that has leapt, or
    by the silence alone, for a loop that does not turn begins no job."""
    if record.spec is None or record.started_ms is None:
        return False
    ran_s = (now_ms - record.started_ms - leaps.since_ms(record.started_ms)) / 1000
    return max(ran_s, unheard_s) > record.spec.timeout_s + LATE_S


def _timeout(record: JobRecord, rng: Random) -> EndRecord:
    spec = record.spec
    assert spec is not None  # is_overdue has looked
    error = {
        "type": "TimedOut",
        "message": f"it ran longer than its timeout_s, {spec.timeout_s:g}, and blocked its runner",
    }
    wait_s = None
    if record.attempts < spec.max_attempts:
        wait_s = delay_s(max(1, record.attempts), base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=rng)
    return fail_record(record.job_id, record.token, error, wait_s)
