"""Log lines for the jobs that no handler ended.

Five things end or return a job without its handler: a runner dies, a job runs past its timeout on a runner that is
stuck, a job waits past its expires_in_s, a callback does not come in time, or a job or workflow ends by what became of
other jobs. The supervisor, its upkeep, a runner's claim and whoever tells (notices.py) learn of these jobs by id and
call `OutcomeLog`. It reads each job's state from Redis and writes the line that a runner would have written
(`job.died`, `job.retried`, `job.cancelled`), or `job.taken_back` or `workflow.ended`. Each line carries the request_id
and trace_id of the POST that the job came from. The ends that handlers bring about are logged by
`runner/active_jobs.py`.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.exported_spans import OTHERWISE
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec
from lib.jobs.state import FINISHED
from lib.jobs.workflow import WORKFLOW_TYPE
from lib.logs.log import Bound, Log
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore

MOST_LOGGED = 1000
"""How many jobs one call logs: each of them is read from Redis for its line."""


class OutcomeLog:
    """Reads the state that jobs have reached, and logs it. spans: exports what has ended of them; None: nobody does."""

    def __init__(self, job_store: JobStore, log: Log, spans: JobSpans | None = None) -> None:
        self._job_store = job_store
        self._spans = spans
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def log_soon(self, job_ids: Sequence[str]) -> None:
        """`log_each` beside the caller."""
        task = asyncio.get_running_loop().create_task(self.log_each(job_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def log_each(self, job_ids: Sequence[str]) -> None:
        """Write a line for each of the jobs that Redis still has. Writes nothing if Redis is away: each job's record
        there tells the same."""
        with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
            records = await self._job_store.read_many(list(job_ids[:MOST_LOGGED]))
            for record in records:
                self._log_one(record)
            if self._spans is not None:
                await self._spans.export(records, OTHERWISE)
                for job_id in job_ids[MOST_LOGGED:]:
                    self._spans.note(job_id, OTHERWISE)

    def _log_one(self, record: JobRecord) -> None:
        about = log_fields(self._log, record.job_id, record.queue, record.spec, record.attempts or None)
        if record.spec is not None and record.spec.type == WORKFLOW_TYPE and record.state in FINISHED:
            level = self._log.info if record.state == "completed" else self._log.warning
            error = "" if record.error is None else f" | {_in_words(record.error)}"
            level("workflow.ended", f"Workflow {record.state}: {record.job_id}{error}", about, state=record.state)
        elif record.state == "dead":
            self._log.error("job.died", f"Job dead: {record.job_id} | {_in_words(record.error)}", about)
        elif record.state == "cancelled":
            error = "" if record.error is None else f" | {_in_words(record.error)}"
            # An alarm that is skipped is good news: a workflow in which all went well has no warning in the log.
            level = self._log.info if record.error and record.error["type"] == "skipped" else self._log.warning
            level("job.cancelled", f"Job cancelled: {record.job_id}{error}", about)
        elif record.history and (last := record.history[-1]).outcome == "retried":
            # The next attempt may have begun meanwhile: `last` is the one that failed.
            most = f"/{record.spec.max_attempts}" if record.spec is not None else ""
            msg = f"Job retry {(last.attempt or 0) + 1}{most}: {record.job_id} | {_in_words(last.error)}"
            self._log.warning("job.retried", msg, about)
        else:
            msg = f"Job taken back: {record.job_id} | its runner is gone; it runs again"
            self._log.warning("job.taken_back", msg, about)


def log_fields(log: Log, job_id: str, queue: str, spec: JobSpec | None, attempt: int | None = None) -> Bound:
    """The fields of a log line about a job that has no Context here. spec: None if it can't be read."""
    if spec is None:
        return log.bind(job_id=job_id, queue=queue)
    ids = {"request_id": spec.request_id, "trace_id": spec.trace[0], "job_id": job_id}
    return log.bind(**ids, queue=queue, type=spec.type, attempt=attempt)


def _in_words(error: dict[str, object] | None) -> str:
    return f"{error.get('type')}: {error.get('message')}" if error else "no error is kept with it"
