"""What became of jobs that no handler ended: said in the log, under the ids of the request that each belongs to.

Called by the supervisor and its upkeep, with jobs that a lost runner held, that were timed out for it, or that have
expired. What a handler ends, lanes.py says. The words are the same.
"""

import contextlib
from collections.abc import Sequence

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec
from lib.logs.log import Bound, Log
from lib.queue.job_store import JobStore

MOST_TOLD = 1000  # of one call: they are read for it


class Fates:
    """Reads what jobs have become, and says so."""

    def __init__(self, queue: JobStore, log: Log) -> None:
        self._queue = queue
        self._log = log

    async def tell(self, job_ids: Sequence[str]) -> None:
        """A line for each that is there. Nothing where Redis is away: it has the record of each."""
        with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
            for record in await self._queue.read_many(list(job_ids[:MOST_TOLD])):
                self._tell(record)

    def _tell(self, record: JobRecord) -> None:
        about = named(self._log, record.job_id, record.queue, record.spec, record.attempts or None)
        if record.state == "dead":
            self._log.error("job.died", f"Job dead: {record.job_id} | {_said(record.error)}", about)
        elif record.state == "cancelled":
            self._log.warning("job.cancelled", f"Job cancelled: {record.job_id}", about)
        elif record.state == "delayed" and record.history:
            error = _said(record.history[-1].error)
            self._log.warning("job.retried", f"Job retry {record.attempts + 1}: {record.job_id} | {error}", about)
        else:
            msg = f"Job taken back: {record.job_id} | its runner is gone; it runs again"
            self._log.warning("job.taken_back", msg, about)


def named(log: Log, job_id: str, queue: str, spec: JobSpec | None, attempt: int | None = None) -> Bound:
    """What a line about a job bears where there is no Context of it. spec: None where it can't be read."""
    if spec is None:
        return log.bind(job_id=job_id, queue=queue)
    ids = {"request_id": spec.request_id, "trace_id": spec.trace[0], "job_id": job_id}
    return log.bind(**ids, queue=queue, type=spec.type, attempt=attempt)


def _said(error: dict[str, object] | None) -> str:
    return f"{error.get('type')}: {error.get('message')}" if error else "no error is kept with it"
