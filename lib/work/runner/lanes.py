"""One queue's jobs in this runner: begun as slots become free, and ended.

Called by consumer.py with what it has claimed, and by the runner when it stops. A job's way:

    start(jobs)   -> waiting, in the order of the claim
    a lane        -> reads its spec and calls its handler (attempt.py); lanes are tasks, see lane_pool.py
    end           -> its slot is free, and Redis is sent the record of its end (active_jobs.py)

A job may be stopped on its way (stops.py), or go back to Redis before it is begun (`release_unstarted`).
"""

import asyncio
import contextlib
import contextvars
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence

from lib.jobs.job import ClaimedJob
from lib.logs.forms import JOB_STARTED
from lib.logs.log import NOTHING
from lib.queue.lease import Lease
from lib.work.runner import attempt, job_programs
from lib.work.runner.active_jobs import MOST_UNRECORDED, ActiveJob, ActiveJobs
from lib.work.runner.attempt import NotNow, Prepared, Raised
from lib.work.runner.context import Context, Services
from lib.work.runner.lane_pool import LanePool
from lib.work.runner.loop_parts import LoopParts
from lib.work.runner.prefetch.prefetch import Prefetch
from lib.work.runner.stops import Stops

FORCED = "!"
"""A cancel that was forced stands twice among a runner's cancels: `default-…1` and `!default-…1`."""


class Lanes:
    """limit: how many jobs run at once. on_change: called when a slot has become free, when every job is begun, and
    when the limit has changed."""

    def __init__(
        self, queue: str, limit: int, services: Services, parts: LoopParts, on_change: Callable[[], None]
    ) -> None:
        self._queue = queue
        self._services = services
        self._parts = parts
        self._on_change = on_change
        self.prefetch = Prefetch(limit, self._release_last, parts.busy)
        self.jobs = ActiveJobs(queue, services.log, parts.timings, self.prefetch, on_change, parts.spans)
        self.jobs.most = limit + MOST_UNRECORDED
        self._pool = LanePool(limit, parts, self._lane, self._replace_lane)
        self._stops = Stops(self.jobs, services.log, parts, self._pool.drop)
        self._waiting: deque[ActiveJob] = deque()
        self._is_closed = False
        self._loop = asyncio.get_running_loop()

    @property
    def limit(self) -> int:
        """How many jobs may run at once."""
        return self._pool.limit

    @limit.setter
    def limit(self, limit: int) -> None:
        """More jobs begin at once if it is raised; jobs above a lowered limit run to their end."""
        self.prefetch.limit = limit
        self.jobs.most = limit + MOST_UNRECORDED
        self._pool.set_limit(limit)
        self._on_change()
        if self._waiting:
            self._pool.wake()

    @property
    def occupied(self) -> int:
        """How many slots may be in use. Once nothing is begun any more: those of the jobs that run, and of handlers
        that were given up and still run."""
        if self._is_closed:
            return self.unended + sum(context.still_runs for context in self.jobs.unstoppable)
        return max(self._pool.limit, len(self._pool.lanes))

    @property
    def unended(self) -> int:
        """How many jobs run, or wait here to be begun."""
        return self.prefetch.unended

    @property
    def has_free_slot(self) -> bool:
        return self.prefetch.unended < self._pool.limit

    @property
    def free(self) -> int:
        """How many more jobs may be claimed, for free slots or ahead of them; below 1 means none."""
        return 0 if len(self.jobs.by_id) > self.jobs.most else self.prefetch.room - self.prefetch.unended

    def claim_size(self) -> int:
        """How many jobs to claim now; below 1 means none."""
        return 0 if len(self.jobs.by_id) > self.jobs.most else self.prefetch.claim_size()

    def start(self, jobs: Sequence[ClaimedJob], lease: Lease, *, asked: int = 0) -> bool:
        """Run jobs that were claimed under `lease`, in a following turn of the loop.

        asked: how many the claim asked for; 0 for jobs of which there are no more to come at once (a pop's). Returns
        whether the consumer is to wait for a free slot, or until all are begun, before it claims again.
        """
        has_room = asked > 0 and len(jobs) < self.free
        claims_first = self.prefetch.note_claimed(len(jobs), asked, has_room=has_room)
        now_s = time.monotonic()
        for job in jobs:
            active = self.jobs.by_id[job.job_id] = ActiveJob(job, lease, now_s)
            self._waiting.append(active)
        if self._is_closed:
            self._release_last(len(jobs))  # Their claim was in flight when the lanes were closed.
        elif claims_first and self._waiting:
            self._loop.call_soon(self._pool.wake)  # A turn later: the next claim is to leave before the jobs begin.
        elif self._waiting:
            self._pool.wake()
        return has_room and bool(jobs) and not claims_first

    def cancel(self, job_ids: Collection[str]) -> None:
        """Stop the running jobs among job_ids. Called once a second with the ids of all this runner's cancelled jobs:
        some wait here, some have ended or were told before, and a forced cancel has its second entry (FORCED)."""
        for job_id in job_ids:
            active = self.jobs.by_id.get(job_id)
            if active is not None:
                self._stops.cancel(active, is_forced=f"{FORCED}{job_id}" in job_ids)

    def close(self) -> None:
        """Begin no job any more. The waiting jobs go back, and those of a claim in flight will."""
        self._is_closed = True
        self._release_last(len(self._waiting))

    def disown(self) -> None:
        """The jobs here are another runner's by now: tell their handlers to stop, and let them end as they like."""
        for active in self.jobs.by_id.values():
            if active.context is not None:
                active.context.is_cancelled = True

    async def wait_until_idle(self) -> None:
        """Wait until every job that was started here has ended."""
        await self.jobs.wait_until_all_ended()

    async def release(self) -> None:
        """Stop the running jobs, and give back all jobs: each goes to the front, and its attempt does not count."""
        self._is_closed = True
        has_processes = job_programs.has_processes()  # Nothing tells which job started a multiprocessing process.
        # The last job first, as each goes to the front. Waiting jobs too: the next free lane would begin them.
        for active in reversed(list(self.jobs.by_id.values())):
            if active.context is None:
                self.jobs.end(active, attempt.release_unstarted(active.job))
            elif active.end is None and active.stop_reason is None:
                self._stops.release(active, loses_programs=has_processes or active.context.has_programs)
        # Time for the handlers' `finally`, or a job might run elsewhere while its `finally` works here.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wait_until_idle(), self._parts.settings.unwind_s)
        for active in list(self.jobs.by_id.values()):
            if active.end is None:
                self.jobs.end(active, self._stops.end_without_handler(active))

    async def _lane(self, variables: contextvars.Context) -> None:
        """Run one job after another, until a job leaves something behind that the next would find. variables: the
        context that this task runs in."""
        task = asyncio.current_task()
        assert task is not None
        waiting, pool, jobs, prefetch, parts = self._waiting, self._pool, self.jobs, self.prefetch, self._parts
        while True:
            pool.is_waking = False
            while waiting:
                active = waiting.popleft()
                if not waiting:
                    self._on_change()
                elif not pool.is_waking:
                    pool.wake()
                active.task = task
                prepared = self._prepare(active)
                if prepared is not None and prefetch.must_give_back_before(prepared.spec.type):
                    await self._give_back_before(active)
                if prepared is None or active.end is not None:
                    continue
                # WHY inline: a coroutine of its own would cost every job one more.
                context = self._begin(active, prepared)
                try:
                    result = await attempt.run(prepared, context, parts)
                    stop = active.stop_reason
                    if stop and type(result) is not Raised and (context.has_seen_cancel or active.loses_programs):
                        raise stop  # The handler returned because it was told to stop: its work is not done.
                    end = attempt.complete(active.job, prepared.spec, result, self._services.log)
                except BaseException as fault:  # noqa: BLE001  SystemExit too: a job that calls exit() has failed, not the runner.
                    end = self._stops.end_after(active, prepared.spec, fault)
                if active.stop_reason is not None and context.is_on_loop:
                    task.uncancel()  # The cancellation was meant for the job; the lane goes on.
                jobs.end(active, end)
                is_needed = task in pool.lanes and len(pool.lanes) <= pool.limit
                if task.cancelling() or not is_needed or not parts.blank.is_unchanged(variables):
                    # A job that cancelled its own task, maybe for a later moment; a job that was given up long ago; a
                    # limit that was lowered; a context variable that the job has set.
                    context.still_runs = False
                    return
            await pool.idle()

    def _prepare(self, active: ActiveJob) -> Prepared | None:
        """Read the job's spec and payload; None if the attempt has ended before its handler could begin."""
        if active.end is not None:
            return None  # It was given back.
        if time.monotonic() - active.started_s > self._parts.settings.lease_s / 2:
            # This process or its loop stood still. The job may be another runner's by now, and must not run twice.
            self.jobs.end(active, attempt.release_unstarted(active.job))
            return None
        try:
            spec = active.spec = attempt.read(active.job)
            return attempt.prepare(spec, self._services.registry)
        except NotNow as fault:
            self.jobs.end(active, attempt.put_off(active.job, fault))
        except BaseException as fault:  # noqa: BLE001  The spec can't be read, or a bug of ours, which must not cost the lane.
            end = attempt.kill(active.job, fault, keeps_traceback=self._parts.keeps_tracebacks)
            self.jobs.end(active, end)
        return None

    async def _give_back_before(self, active: ActiveJob) -> None:
        """This job may take long, or block the loop. Before it begins, prefetched jobs that would wait behind it go
        back to Redis, and the ends of earlier jobs are recorded there. If the runner is told to stop meanwhile, the job
        has an end then."""
        await self.prefetch.give_back()
        await active.lease.wait_until_idle()

    def _begin(self, active: ActiveJob, prepared: Prepared) -> Context:
        """Make the handler's context, log `job.started`, and count the job's wait and its timeout from now on."""
        job, spec = active.job, prepared.spec
        context = active.context = Context(
            job, spec, self._queue, self._services, active.lease.note, self._loop, is_on_loop=prepared.type.is_async
        )
        self._services.log.write(JOB_STARTED, NOTHING, *context.log_values)
        claimed_s, active.started_s = active.started_s, time.monotonic()
        wait_s = (job.now_ms - job.ready_ms) / 1000 + active.started_s - claimed_s
        self._parts.timings.note_wait(self._queue, spec.type, wait_s)
        self._stops.arm_later(active)
        return context

    def _release_last(self, count: int) -> None:
        """Give back as many of the jobs that wait, the last first."""
        for _ in range(min(count, len(self._waiting))):
            active = self._waiting.pop()
            self.jobs.end(active, attempt.release_unstarted(active.job))

    def _replace_lane(self, lane: "asyncio.Task[None]") -> None:
        """A lane has ended. Give back the job that the lane was about to begin, and wake another for waiting jobs."""
        if not lane.cancelled() and (fault := lane.exception()) is not None:
            self._services.log.exception("lane.failed", "A lane ended by a fault of its own", fault, queue=self._queue)
        for active in [one for one in self.jobs.by_id.values() if one.task is lane and one.end is None]:
            self.jobs.end(active, attempt.release_unstarted(active.job))
        if self._waiting:
            self._pool.wake()
