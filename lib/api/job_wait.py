"""A request that waits for a job's end: for `?wait=`, and for `Prefer: wait`.

waits = JobWait(job_store, endings, drain)
record = await waits.until_ended("email-0192…", 10.0, call.request)      # record.state == "completed"
"""

import asyncio
import time

from lib.http1.message import Request
from lib.ids import queue_of
from lib.jobs.job import JobRecord
from lib.jobs.state import FINISHED
from lib.queue.end_waiters import EndWaiters
from lib.queue.job_store import JobStore
from lib.web.drain import Drain

WAIT_POLL_S = 5.0  # A request that waits for a job's end reads the job so often, in case the wake-up is lost.


class JobWait:
    """Waits for the ends of jobs. A drain ends every wait, with the job as it is."""

    def __init__(self, job_store: JobStore, endings: EndWaiters, drain: Drain) -> None:
        self._job_store = job_store
        self._endings = endings
        self._drain = drain
        drain.on_begin(endings.wake_all)

    async def until_ended(self, job_id: str, wait_s: float, request: Request) -> JobRecord:
        """The job when it has ended; earlier after wait_s, at a drain, or when the client has gone. Raises
        JobNotFound."""
        until_s = time.monotonic() + wait_s
        with self._endings.of(queue_of(job_id) or "", job_id) as ended:
            request.on_gone = ended.set
            while True:
                ended.clear()
                record = await self._job_store.read(job_id)
                left_s = until_s - time.monotonic()
                if record.state in FINISHED or left_s <= 0 or self._drain.has_begun or request.is_gone:
                    return record
                try:
                    await asyncio.wait_for(ended.wait(), min(left_s, WAIT_POLL_S))
                except TimeoutError:
                    continue
