"""The jobs of one queue that this runner has claimed and whose ends Redis does not have yet.

A job comes here with its claim. When its attempt has ended, `end` frees the slot at once, logs `job.finished` (or
`job.retried`, `job.died`, …) and sends the record of the end to Redis with the next commit. The job stays here until
Redis has the record, however long Redis is away: until then its id stands in the runner's active list in Redis, and the
consumer would run it again as a stray (strays.py) if it were unknown here.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from lib.jobs.exported_spans import Ended, is_exported
from lib.jobs.job import ClaimedJob
from lib.jobs.spec import JobSpec
from lib.logs.forms import JOB_FINISHED
from lib.logs.log import NOTHING, Log
from lib.queue.job_spans import JobSpans
from lib.queue.lease import Lease
from lib.queue.outcome_log import log_fields
from lib.work.runner.attempt import NOT_BEGUN, AttemptEnd
from lib.work.runner.context import Context
from lib.work.runner.forks import Forks
from lib.work.runner.prefetch.prefetch import Prefetch
from lib.work.runner.timings import Timings

MOST_UNRECORDED = 2000
"""With more ended jobs than this that Redis does not have, none is claimed: their results take memory."""


class ActiveJob:
    """One claimed job. lease: the registration under which it was claimed."""

    __slots__ = (
        *("context", "end", "is_forced", "job", "lease", "loses_programs"),
        *("spec", "started_s", "stop_reason", "task", "timer"),
    )

    def __init__(self, job: ClaimedJob, lease: Lease, now_s: float) -> None:
        self.job = job
        self.lease = lease
        self.spec: JobSpec | None = None
        """None until the lane has read it."""
        self.context: Context | None = None
        """None until the handler begins."""
        self.task: asyncio.Task[None] | None = None
        """The lane that runs the job."""
        self.timer: asyncio.TimerHandle | None = None
        """Fires at the job's timeout, or later when the time of a handler that was told to stop is over."""
        self.started_s = now_s
        """When the job was claimed, and once its handler has begun, when that was; by the monotonic clock."""
        self.stop_reason: Exception | None = None
        """Why the handler was told to stop (TimedOut, Cancelled, Released), if it was."""
        self.is_forced = False
        """Whether it was cancelled with `force`, and has FORCED_S left."""
        self.loses_programs = False
        """Whether programs or processes ran when the runner was to exit. They are killed, the job may have waited for
        them, and so its return is no success."""
        self.end: AttemptEnd | None = None
        """How the attempt ended; None while it waits or runs."""


class ActiveJobs:
    """on_change: called when a slot has become free, or when Redis has caught up with the ends.

    most: while there are more jobs than this here, the consumer claims none."""

    def __init__(
        self,
        queue: str,
        log: Log,
        timings: Timings,
        prefetch: Prefetch,
        on_change: Callable[[], None],
        spans: JobSpans | None = None,
    ) -> None:
        """spans: exports the spans of the attempts that end in this runner; None: no collector is set."""
        self._queue = queue
        self._spans = spans
        self._log = log
        self._timings = timings
        self._prefetch = prefetch
        self._on_change = on_change
        self.by_id: dict[str, ActiveJob] = {}
        self.most = MOST_UNRECORDED
        self.unstoppable: list[Context] = []
        """The handlers that were given up and still ran then."""
        self._going_back = 0
        self._all_ended = asyncio.Event()

    @property
    def is_giving_back(self) -> bool:
        """Whether unstarted jobs are on their way back to the front of their queue. A claim now would overtake them."""
        return self._going_back > 0

    @property
    def runner_ids(self) -> set[str]:
        """The runner ids under which the jobs here were claimed."""
        return {active.lease.runner_id for active in self.by_id.values()}

    def job_in(self, task: "asyncio.Task[Any]") -> str | None:
        """The id of the job that a lane's task runs. To be called from any thread."""
        # list() copies in one step of the interpreter; the loop may add and delete jobs at any moment.
        found = (one.job.job_id for one in list(self.by_id.values()) if one.task is task and one.end is None)
        return next(found, None)

    async def wait_until_all_ended(self) -> None:
        """Until no job runs or waits here, be it claimed before this call or after."""
        while self._prefetch.unended:
            self._all_ended.clear()
            await self._all_ended.wait()

    def end(self, active: ActiveJob, end: AttemptEnd) -> None:
        """Free the job's slot, log how it ended, and send the record to Redis. Does nothing if it has ended before."""
        if active.end is not None:
            return
        Forks.end_child(end.error)
        active.end = end
        context = active.context
        if end.script in ("fail", "release") and context is not None:
            context.kill_programs()
            if context.still_runs:
                self.unstoppable.append(context)
        self._going_back += end.event == NOT_BEGUN
        if active.timer is not None:
            active.timer.cancel()
        self._note_end(active, end)
        end.error = None  # It holds the handler's frames, and Redis may be away for long.
        if context is not None and (notes := context.closing_notes(is_done=end.script == "finish")):
            end.record = end.record.with_notes(notes)
        active.lease.send_end(end.script, end.record, lambda is_ours: self._on_recorded(active, is_ours))

    def _note_end(self, active: ActiveJob, end: AttemptEnd) -> None:
        """Log the end, measure the job, and wake whoever waits for a free slot or for the last end."""
        duration_s = time.monotonic() - active.started_s
        if active.context is not None and active.spec is not None and end.script != "release":
            self._prefetch.note_end(active.spec.type, duration_s)
            self._timings.note_run(self._queue, active.spec.type, duration_s)
        else:
            self._prefetch.note_end(None, duration_s)
        self._on_change()
        if not self._prefetch.unended:
            self._all_ended.set()
        if end.script == "finish" and active.context is not None:
            self._log.write(JOB_FINISHED, NOTHING, *active.context.log_values, f"{duration_s * 1000:.1f}")
        else:
            self._log_other_end(active, end, round(duration_s * 1000, 1))

    def _log_other_end(self, active: ActiveJob, end: AttemptEnd, duration_ms: float) -> None:
        if active.context is not None:
            about = active.context.about
        else:
            about = log_fields(self._log, active.job.job_id, self._queue, active.spec)
        if end.event == NOT_BEGUN:
            self._log.debug(end.event, end.msg, about)
        elif end.script == "hand_over":
            self._log.info(end.event, end.msg, about, duration_ms=duration_ms)
        elif end.event == "job.died" and end.error is not None:
            self._log.exception(end.event, end.msg, end.error, about, duration_ms=duration_ms)
        else:
            self._log.warning(end.event, end.msg, about, duration_ms=duration_ms)

    def _export(self, spans: JobSpans, active: ActiveJob) -> None:
        """Export the spans of the attempt, unless it goes on elsewhere or never began."""
        end = active.end
        is_over = end is not None and end.script != "hand_over" and end.event != NOT_BEGUN
        if is_over and is_exported(active.spec):
            spans.note(active.job.job_id, Ended.of_attempt(active.job.token))

    def _on_recorded(self, active: ActiveJob, is_ours: bool | Exception) -> None:
        """Redis has the record. is_ours: False if the job was another runner's by then, and nothing was changed."""
        job_id = active.job.job_id
        self._going_back -= active.end is not None and active.end.event == NOT_BEGUN
        if self.by_id.get(job_id) is active:
            del self.by_id[job_id]
            if len(self.by_id) == self.most:
                self._on_change()  # Claims may go on.
        if self._spans is not None and is_ours is True:
            self._export(self._spans, active)
        if isinstance(is_ours, Exception):
            # A bug: while Redis is away the commit is repeated. The job is a stray now, and will be run again.
            self._log.exception("job.unended", f"Job's end could not be told: {job_id}", is_ours, job_id=job_id)
        elif not is_ours:
            msg = f"Job was no longer ours when it ended: {job_id}; it was given to another worker"
            self._log.warning("job.stale", msg, job_id=job_id, queue=self._queue)
