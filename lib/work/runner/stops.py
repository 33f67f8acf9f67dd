"""Stopping a job that runs: its timeout has passed, somebody cancels it, or the runner exits.

1. The handler is told: a coroutine is cancelled, and a thread finds ctx.cancelled True. The reason (TimedOut,
   Cancelled, Released) is kept in ActiveJob.stop_reason.
2. The handler has UNWIND_S to return or raise, and `end_after` decides how the attempt counts then. (A cancelled thread
   has until its timeout; a job that was cancelled with `force` has FORCED_S.)
3. After that the handler is given up: the attempt ends without it, and the runner retires. Only the end of the process
   stops a thread, or a coroutine that swallows its cancellation.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from lib.jobs.failure import traceback_of
from lib.jobs.registry import Discard, Retry
from lib.jobs.spec import JobSpec
from lib.logs.log import Log
from lib.work.runner import attempt
from lib.work.runner.active_jobs import ActiveJob, ActiveJobs
from lib.work.runner.attempt import AttemptEnd, Cancelled, Released, TimedOut
from lib.work.runner.loop_parts import LoopParts

FORCED_S = 0.2
ARM_S = 0.01
"""A timeout's timer is set this long after the handler began: most jobs have ended by then, and need none."""
OUTWEIGHS: Mapping[type[BaseException], tuple[type[BaseException], ...]] = {
    TimedOut: (Discard, Retry),
    Released: (Discard,),
}
"""Stop reason -> the exceptions of a stopped handler that count more than the reason. A Discard, for one, says that the
work must not be done again. A cancelled job is cancelled, whatever its handler raises."""


class Stops:
    """One queue's. drop_lane: called with the task of a handler that was given up; other jobs need a new lane."""

    def __init__(
        self, jobs: ActiveJobs, log: Log, parts: LoopParts, drop_lane: Callable[["asyncio.Task[None]"], None]
    ) -> None:
        self._log = log
        self._warned: set[str] = set()
        """The types of which `job.hold_ignored` was logged."""
        self._jobs = jobs
        self._parts = parts
        self._drop_lane = drop_lane
        self._without_timer: list[ActiveJob] = []
        self._loop = asyncio.get_running_loop()

    def arm_later(self, active: ActiveJob) -> None:
        """Set the timer of the job's timeout, ARM_S from now."""
        if not self._without_timer:
            self._loop.call_later(ARM_S, self._arm)
        self._without_timer.append(active)

    def cancel(self, active: ActiveJob, *, is_forced: bool) -> None:
        """Somebody asked for a cancel. Called again and again while the job runs. is_forced: give it up soon."""
        if active.context is None or active.end is not None:
            return
        if active.stop_reason is None:
            self._tell_to_stop(active, Cancelled("somebody asked for the job to be cancelled"))
            # A thread has until its timeout: it may read ctx.cancelled late.
            if active.context.is_on_loop:
                self._give_up_in(active, self._parts.settings.unwind_s)
        if is_forced and not active.is_forced:
            active.is_forced = True
            self._give_up_in(active, FORCED_S)

    def release(self, active: ActiveJob, *, loses_programs: bool) -> None:
        """Stop a job because the runner exits. The caller gives it up when the time is over."""
        active.loses_programs = loses_programs
        self._tell_to_stop(active, Released())

    def end_after(self, active: ActiveJob, spec: JobSpec, fault: BaseException) -> AttemptEnd:
        """Turn the handler's exception into an AttemptEnd. If the job had been told to stop, the stop reason is the one
        recorded, unless OUTWEIGHS lets the exception win."""
        reason = active.stop_reason
        if reason is None or issubclass(type(fault), OUTWEIGHS.get(type(reason), ())):
            return self._fail(active, spec, fault)
        if type(reason) is Released:
            return attempt.release(active.job)
        if fault is not reason:
            reason.__traceback__ = traceback_of(fault)  # It shows where the handler was when it was stopped.
        return self._fail(active, spec, reason)

    def end_without_handler(self, active: ActiveJob) -> AttemptEnd:
        """The end of a job whose handler was told to stop, and still runs."""
        reason = active.stop_reason
        if reason is None or active.spec is None or type(reason) is Released:
            return attempt.release(active.job)
        return self._fail(active, active.spec, reason)

    def _fail(self, active: ActiveJob, spec: JobSpec, fault: BaseException) -> AttemptEnd:
        if not spec.group and spec.type not in self._warned and attempt.holds_group(fault):
            self._warned.add(spec.type)
            msg = f"hold=True of type {spec.type} rests no other job: give its jobs a `group`, or @job a group_by"
            self._log.warning("job.hold_ignored", f"{msg} | {active.job.job_id}")
        ran_s = time.monotonic() - active.started_s
        keeps_traceback = self._parts.keeps_tracebacks
        return attempt.fail(active.job, spec, fault, self._parts.rng, ran_s, keeps_traceback=keeps_traceback)

    def _arm(self) -> None:
        for active in self._without_timer:
            if active.end is None and active.timer is None and active.spec is not None:
                due_s = active.started_s + active.spec.timeout_s
                active.timer = self._loop.call_at(due_s, self._time_out, active)
        self._without_timer.clear()

    def _time_out(self, active: ActiveJob) -> None:
        if type(active.stop_reason) is Released or active.spec is None:
            return  # The runner exits, and Lanes.release gives the job up.
        if active.stop_reason is not None:
            self._give_up(active)  # A thread that was cancelled, and has not stopped by now.
            return
        self._tell_to_stop(active, TimedOut(f"it ran longer than its timeout_s, {active.spec.timeout_s:g}"))
        self._give_up_in(active, self._parts.settings.unwind_s)

    def _tell_to_stop(self, active: ActiveJob, reason: Exception) -> None:
        context = active.context
        if context is None or active.task is None:
            return
        active.stop_reason = reason
        context.is_cancelled = True
        if context.is_on_loop:
            active.task.cancel()

    def _give_up_in(self, active: ActiveJob, within_s: float) -> None:
        """Give the job up in as many seconds, whenever that was due before."""
        if active.timer is not None:
            active.timer.cancel()
        active.timer = self._loop.call_later(within_s, self._give_up, active)

    def _give_up(self, active: ActiveJob) -> None:
        """End the job without its handler, and have the runner replaced."""
        if active.end is not None or active.stop_reason is None or active.context is None:
            return
        active.context.still_runs = True
        self._jobs.end(active, self.end_without_handler(active))
        if active.task is not None:
            self._drop_lane(active.task)
        kind = "handler" if active.context.is_on_loop else "thread"
        self._parts.retire(f"the {kind} of {active.job.job_id} does not stop")
