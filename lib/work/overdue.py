"""Jobs of a runner whose loop no longer turns: which of them have run out of time, and how they are failed.

A handler that blocks the loop, or holds the GIL, keeps its own runner from timing it out. The supervisor asks Redis
what that runner holds and since when; what is overdue is failed on its behalf after the runner has been killed.
"""

from dataclasses import dataclass
from random import Random

from lib.jobs.backoff import delay_s
from lib.jobs.job import JobRecord
from lib.queue.lease import Ended, Lease, failed
from lib.queue.queue import Queue

LATE_S = 1.0  # What a runner that still turns would take at most to time a job out itself.


@dataclass(frozen=True, slots=True)
class Overdue:
    """A job to be failed as `timeout`."""

    lease: Lease
    record: JobRecord

    async def fail(self, rng: Random) -> bool:
        """False where it was no longer the runner's."""
        return await self.lease.ended("fail", _timeout(self.record, rng))


async def overdue(lease: Lease, queue: Queue, now_ms: int) -> list[Overdue]:
    """What the runner of `lease` holds past its deadline, by Redis' clock."""
    records = await queue.read_many(await lease.held())
    return [Overdue(lease, record) for record in records if _is_overdue(record, lease.worker_id, now_ms)]


def _is_overdue(record: JobRecord, worker_id: str, now_ms: int) -> bool:
    if record.state != "active" or record.worker_id != worker_id or record.spec is None or record.started_ms is None:
        return False
    return now_ms > record.started_ms + (record.spec.timeout_s + LATE_S) * 1000


def _timeout(record: JobRecord, rng: Random) -> Ended:
    spec = record.spec
    assert spec is not None  # _is_overdue has looked
    error = {
        "type": "TimedOut",
        "message": f"it ran longer than its timeout_s, {spec.timeout_s:g}, and blocked its runner",
    }
    wait_s = None
    if record.attempts < spec.max_attempts:
        wait_s = delay_s(max(1, record.attempts), base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=rng)
    return failed(record.job_id, record.token, error, wait_s)
