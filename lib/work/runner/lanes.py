"""The jobs in a runner's hands: run, stopped in time, and their ends handed to Redis.

Called by consumer.py with what it has claimed. A lane is a task that runs one job after another and lives as long as
the runner: no task is made for a job. A slot is free when its handler has ended; that Redis has yet to hear of it
holds up nobody, but until then the job stays in hand.
"""

import asyncio
import contextlib
import contextvars
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from lib.jobs.failure import traceback_of
from lib.jobs.job import ClaimedJob
from lib.jobs.registry import Discard, Retry
from lib.jobs.spec import JobSpec
from lib.logs.log import NOTHING
from lib.logs.log_lines import INFO, Form
from lib.queue.lease import Lease
from lib.work.fates import named
from lib.work.runner import attempt, programs
from lib.work.runner.attempt import NOT_BEGUN, Cancelled, Ending, NotNow, Prepared, Raised, Released, TimedOut
from lib.work.runner.context import NAMED, Context, Shared
from lib.work.runner.forks import Forks
from lib.work.runner.prefetch.surplus import Surplus

MOST_UNTOLD = 2000  # Ends that Redis has yet to hear of: their results take memory.
FORCED_S = 0.2  # What a handler gets to end where a cancel was forced.
FORCED = "!"
"""In the set of cancels, before an id that stands there as well: it was forced."""
ARM_S = 0.01  # Most jobs have ended by then, and need no timer.
# What a coroutine may raise on its cancellation and be heard: that its work must not be done again, for one. A job
# that somebody cancelled is cancelled whatever it says.
OUTWEIGHS: Mapping[type[BaseException], tuple[type[BaseException], ...]] = {
    TimedOut: (Discard, Retry),
    Released: (Discard,),
}

STARTED = Form(INFO, "job.started", "Job started: {job_id}", NAMED, numbers=("attempt",))
FINISHED = Form(
    INFO, "job.finished", "Job finished: {job_id}", (*NAMED, "duration_ms"), numbers=("attempt", "duration_ms")
)


class InHand:
    """A job between its claim and the moment when Redis has heard how it ended."""

    __slots__ = (
        *("context", "ending", "is_forced", "job", "lease", "loses_programs"),
        *("spec", "started_s", "stop_reason", "task", "timer"),
    )

    def __init__(self, job: ClaimedJob, lease: Lease, now_s: float) -> None:
        self.job = job
        self.lease = lease
        self.spec: JobSpec | None = None
        self.context: Context | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.started_s = now_s
        self.stop_reason: Exception | None = None
        """Why the handler was told to stop, if it was."""
        self.is_forced = False
        self.loses_programs = False
        """Whether programs or processes whose work it may be waiting for were running when the runner was to leave."""
        self.ending: Ending | None = None


class Lanes:
    """One queue's jobs in this runner, `limit` at a time; what else is in hand waits for a slot, see surplus.py.

    on_change is called whenever a handler has ended and its slot is free, and when all that was in hand is begun.
    """

    def __init__(self, queue: str, limit: int, shared: Shared, on_change: Callable[[], None]) -> None:
        self._queue = queue
        self._limit = limit
        self._most_in_hand = limit + MOST_UNTOLD
        self._surplus = Surplus(limit, self._give_back, shared.busy)
        self._shared = shared
        self._log = shared.log
        self._on_change = on_change
        self._in_hand: dict[str, InHand] = {}
        self._waiting: deque[InHand] = deque()
        self._idle_lanes: list[asyncio.Future[None]] = []
        self._lanes: set[asyncio.Task[None]] = set()
        self._is_waking = False
        self._is_closed = False
        self._left_behind: list[Context] = []
        self._unarmed: list[InHand] = []
        self._going_back = 0
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()
        self._all_ended = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many jobs may run at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        """More may begin at once; what runs above it comes to its end."""
        self._limit = self._surplus.limit = limit
        self._most_in_hand = limit + MOST_UNTOLD
        for _ in range(min(len(self._lanes) - limit, len(self._idle_lanes))):
            self._idle_lanes.pop().cancel()
        self._on_change()
        if self._waiting:
            self._wake_lane()

    @property
    def occupied(self) -> int:
        """How many slots may be in use. Once nothing is begun any more: those of the jobs that run, and of handlers
        that were given up and go on."""
        if self._is_closed:
            return self.unended + sum(context.goes_on for context in self._left_behind)
        return max(self._limit, len(self._lanes))

    @property
    def unended(self) -> int:
        """How many jobs run, or wait here to be begun."""
        return self._surplus.unended

    @property
    def room(self) -> int:
        """How many of these there may be; none while Redis does not take the ends of the others."""
        return 0 if len(self._in_hand) > self._most_in_hand else self._surplus.room

    @property
    def bite(self) -> int:
        """How many of them to claim at once."""
        return self._surplus.bite

    @property
    def is_among_others(self) -> bool:
        """Whether jobs of other queues are there to be run while Redis hands out some of this one."""
        return self._surplus.is_among_others

    @property
    def is_giving_back(self) -> bool:
        """Whether jobs are on their way back to the front of their queue; what was claimed now would be begun first."""
        return self._going_back > 0

    def expect(self, jobs: int) -> None:
        """Called before a claim that may bring so many jobs, and with 0 when it has come back."""
        self._surplus.expect(jobs)

    def holds(self, job_id: str) -> bool:
        """Whether the job is in hand: it runs, or Redis has yet to hear how it ended."""
        return job_id in self._in_hand

    def job_in(self, task: "asyncio.Task[Any]") -> str | None:
        """The job that a task of ours runs. To be called from any thread."""
        # A list of its own, made in one step of the interpreter: the loop may go on any moment.
        found = (one.job.job_id for one in list(self._in_hand.values()) if one.task is task and one.ending is None)
        return next(found, None)

    @property
    def runner_ids(self) -> set[str]:
        """The ids under which the jobs in hand were claimed."""
        return {in_hand.lease.runner_id for in_hand in self._in_hand.values()}

    def start(self, jobs: Sequence[ClaimedJob], lease: Lease, *, is_full: bool = False, behind: bool = False) -> None:
        """Run jobs that were claimed under `lease`, in the next turn of the loop.

        is_full: they are as many as were asked for, and there may be more.
        behind: one turn later, for what the caller says to Redis at once is to be on its way first.
        """
        self._surplus.took(len(jobs), is_full=is_full)
        now_s = time.monotonic()
        for job in jobs:
            in_hand = self._in_hand[job.job_id] = InHand(job, lease, now_s)
            self._waiting.append(in_hand)
        if self._is_closed:
            self._give_back(len(jobs))  # Their claim was in flight when time was up.
        elif behind and self._waiting:
            self._loop.call_soon(self._wake_lane)
        elif self._waiting:
            self._wake_lane()

    def cancel(self, job_ids: Collection[str]) -> None:
        """Stop those of the jobs that run here: somebody asked for it. Called again and again with the same ids."""
        for job_id in job_ids:
            in_hand = self._in_hand.get(job_id)
            if in_hand is None or in_hand.context is None or in_hand.ending is not None:
                continue
            if in_hand.stop_reason is None:
                self._tell_to_stop(in_hand, Cancelled("somebody asked for the job to be cancelled"))
                # A thread has until its timeout: it may look at ctx.cancelled late, and can't be stopped.
                if in_hand.context.is_on_loop:
                    self._give_up_in(in_hand, self._shared.settings.unwind_s)
            if f"{FORCED}{job_id}" in job_ids and not in_hand.is_forced:
                in_hand.is_forced = True
                self._give_up_in(in_hand, FORCED_S)

    def close(self) -> None:
        """Begin nothing more: what waits goes back, and so does what a claim in flight brings."""
        self._is_closed = True
        self._give_back(len(self._waiting))

    def disown(self) -> None:
        """What runs here is somebody else's by now: tell the handlers, and let them end as they like."""
        for in_hand in self._in_hand.values():
            if in_hand.context is not None:
                in_hand.context.is_cancelled = True

    async def ended(self) -> None:
        """Wait until every handler that was started has ended."""
        while self.unended:
            self._all_ended.clear()
            await self._all_ended.wait()

    async def release(self) -> None:
        """Stop what still runs and give it back: it goes to the front, its attempt does not count."""
        self._is_closed = True
        has_processes = programs.are_processes_there()  # Of multiprocessing's nobody tells whose they are.
        # The last first, as each goes to the front. What is not begun too: a free lane would begin it.
        for in_hand in reversed(list(self._in_hand.values())):
            if in_hand.context is None:
                self._end(in_hand, attempt.not_begun(in_hand.job))
            elif in_hand.ending is None and in_hand.stop_reason is None:
                in_hand.loses_programs = has_processes or in_hand.context.has_programs
                self._tell_to_stop(in_hand, Released())
        # Time to unwind in, so that a job is not run elsewhere while its `finally` still works here.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended(), self._shared.settings.unwind_s)
        for in_hand in list(self._in_hand.values()):
            if in_hand.ending is None:
                self._end(in_hand, self._ending_of_the_deaf(in_hand))

    def _wake_lane(self) -> None:
        """See that a lane will look at `_waiting`. One at a time: a lane that finds more than one wakes the next."""
        if self._is_waking:
            return
        self._is_waking = True
        self._shared.turns.ask(self._wake_now)

    def _wake_now(self) -> None:
        while self._idle_lanes:
            idle = self._idle_lanes.pop()
            if not idle.done():  # What a job left running may have cancelled the lane while it was idle.
                idle.set_result(None)
                return
        if len(self._lanes) < self._limit:
            context = self._shared.blank.context()
            lane = self._loop.create_task(self._lane(context), context=context)
            self._lanes.add(lane)
            lane.add_done_callback(self._lane_ended)
        else:
            self._is_waking = False  # Every lane runs a job; the first that ends it comes to the next one.

    def _lane_ended(self, lane: "asyncio.Task[None]") -> None:
        """Another one takes its place when there is a job for it. It may have been about to look at `_waiting`."""
        self._lanes.discard(lane)
        self._idle_lanes = [idle for idle in self._idle_lanes if not idle.done()]
        self._is_waking = False
        if not lane.cancelled() and (fault := lane.exception()) is not None:
            self._log.exception("lane.failed", "A lane ended by a fault of its own", fault, queue=self._queue)
        for in_hand in [one for one in self._in_hand.values() if one.task is lane and one.ending is None]:
            self._end(in_hand, attempt.not_begun(in_hand.job))  # It was about to be begun.
        if self._waiting:
            self._wake_lane()

    async def _lane(self, variables: contextvars.Context) -> None:
        """One job after another, until one leaves something behind that the next would find. variables: the context
        that the lane runs in."""
        task = asyncio.current_task()
        assert task is not None
        while True:
            self._is_waking = False
            while self._waiting:
                in_hand = self._waiting.popleft()
                if not self._waiting:
                    self._on_change()
                elif not self._is_waking:
                    self._wake_lane()
                in_hand.task = task
                prepared = self._prepared(in_hand)
                if prepared is not None and self._surplus.is_in_the_way_of(prepared.spec.type):
                    await self._clear_the_way(in_hand)
                if prepared is None or in_hand.ending is not None:
                    continue
                # Here and not in a coroutine of its own, which would be one more for every job.
                context = self._begin(in_hand, prepared)
                try:
                    result = await attempt.run(prepared, context, self._shared)
                    stopped = in_hand.stop_reason
                    if stopped and type(result) is not Raised and (context.has_heard or in_hand.loses_programs):
                        raise stopped  # The handler returned because it was told to stop: its work is not done.
                    ending = attempt.completed(in_hand.job, prepared.spec, result, self._shared)
                except BaseException as fault:  # noqa: BLE001  SystemExit too: a job that calls exit() has failed, not the runner.
                    ending = self._stopped(in_hand, prepared.spec, fault)
                if in_hand.stop_reason is not None and context.is_on_loop:
                    task.uncancel()  # The cancellation was the job's; the lane goes on.
                self._end(in_hand, ending)
                is_one_of_us = task in self._lanes and len(self._lanes) <= self._limit
                if task.cancelling() or not self._shared.blank.is_still(variables) or not is_one_of_us:
                    # A cancellation that nobody ordered and that may be yet to come; a context variable; or the job was
                    # given up long ago; or fewer may run by now.
                    context.goes_on = False
                    return
            idle = self._loop.create_future()
            self._idle_lanes.append(idle)
            await idle

    def _prepared(self, in_hand: InHand) -> Prepared | None:
        """What is to be run; None where the attempt has ended before it began."""
        job, shared = in_hand.job, self._shared
        if in_hand.ending is not None:
            return None  # Given back.
        if time.monotonic() - in_hand.started_s > shared.settings.lease_s / 2:
            # This process was stopped, or its loop was: by now it may be somebody else's, and is not to run twice.
            self._end(in_hand, attempt.not_begun(job))
            return None
        try:
            spec = in_hand.spec = attempt.read(job)
            return attempt.prepare(spec, shared)
        except NotNow as fault:
            self._end(in_hand, attempt.put_off(job, fault))
        except BaseException as fault:  # noqa: BLE001  It can't be read; or a bug of ours, which must not cost the lane.
            self._end(in_hand, attempt.dead(job, fault))
        return None

    async def _clear_the_way(self, in_hand: InHand) -> None:
        """It may take long, or block the loop: before it begins Redis has what would wait behind it, and has heard of
        what ended before it. Meanwhile the runner may be told to leave; then it has an ending."""
        await self._surplus.clear()
        await in_hand.lease.settled()

    def _begin(self, in_hand: InHand, prepared: Prepared) -> Context:
        """From here on the job runs."""
        job, spec, shared = in_hand.job, prepared.spec, self._shared
        context = in_hand.context = Context(
            job, spec, self._queue, shared, in_hand.lease.note, self._loop, is_on_loop=prepared.type.is_async
        )
        self._log.write(STARTED, NOTHING, *context.named)
        in_hand.started_s = time.monotonic()
        shared.timings.waited(self._queue, spec.type, (job.now_ms - job.ready_ms) / 1000)
        self._arm_later(in_hand)
        return context

    def _stopped(self, in_hand: InHand, spec: JobSpec, fault: BaseException) -> Ending:
        """The handler raised. If it did because it was told to stop, that is why it ended, save what outweighs it."""
        told = in_hand.stop_reason
        reason = fault if told is None or issubclass(type(fault), OUTWEIGHS.get(type(told), ())) else told
        if told is not None and reason is told:
            if type(told) is Released:
                return attempt.given_back(in_hand.job)
            if fault is not told:
                told.__traceback__ = traceback_of(fault)  # It tells where the handler was when it was stopped.
        return self._went_wrong(in_hand, spec, reason)

    def _went_wrong(self, in_hand: InHand, spec: JobSpec, fault: BaseException) -> Ending:
        return attempt.went_wrong(in_hand.job, spec, fault, self._shared, time.monotonic() - in_hand.started_s)

    def _arm_later(self, in_hand: InHand) -> None:
        """Set its deadline in a moment: a handler that has ended by then needs none."""
        if not self._unarmed:
            self._loop.call_later(ARM_S, self._arm)
        self._unarmed.append(in_hand)

    def _arm(self) -> None:
        for in_hand in self._unarmed:
            if in_hand.ending is None and in_hand.timer is None and in_hand.spec is not None:
                due_s = in_hand.started_s + in_hand.spec.timeout_s
                in_hand.timer = self._loop.call_at(due_s, self._time_out, in_hand)
        self._unarmed.clear()

    def _give_back(self, jobs: int) -> None:
        """The last of those that wait to be begun."""
        for _ in range(min(jobs, len(self._waiting))):
            in_hand = self._waiting.pop()
            self._end(in_hand, attempt.not_begun(in_hand.job))

    def _time_out(self, in_hand: InHand) -> None:
        if type(in_hand.stop_reason) is Released or in_hand.spec is None:
            return  # `release` waits for it.
        if in_hand.stop_reason is not None:
            self._give_up(in_hand)  # A thread that was told to stop, and has not by now.
            return
        self._tell_to_stop(in_hand, TimedOut(f"it ran longer than its timeout_s, {in_hand.spec.timeout_s:g}"))
        self._give_up_in(in_hand, self._shared.settings.unwind_s)

    def _tell_to_stop(self, in_hand: InHand, reason: Exception) -> None:
        """A coroutine is cancelled; a thread is told by ctx.cancelled. Either may go on all the same."""
        context = in_hand.context
        if context is None or in_hand.task is None:
            return
        in_hand.stop_reason = reason
        context.is_cancelled = True
        if context.is_on_loop:
            in_hand.task.cancel()

    def _give_up_in(self, in_hand: InHand, within_s: float) -> None:
        """Its time is over in so many seconds, whatever it was before."""
        if in_hand.timer is not None:
            in_hand.timer.cancel()
        in_hand.timer = self._loop.call_later(within_s, self._give_up, in_hand)

    def _give_up(self, in_hand: InHand) -> None:
        """The handler was told to stop and does not end: end the job without it, and have the runner replaced."""
        if in_hand.ending is not None or in_hand.stop_reason is None or in_hand.context is None:
            return
        in_hand.context.goes_on = True
        self._end(in_hand, self._ending_of_the_deaf(in_hand))
        if in_hand.task is not None:
            self._lanes.discard(in_hand.task)  # It is stuck; what waits gets another one.
        kind = "handler" if in_hand.context.is_on_loop else "thread"
        self._shared.retire(f"the {kind} of {in_hand.job.job_id} does not stop")

    def _ending_of_the_deaf(self, in_hand: InHand) -> Ending:
        """Of a job whose handler was told to stop and still runs."""
        reason = in_hand.stop_reason
        if reason is None or in_hand.spec is None or type(reason) is Released:
            return attempt.given_back(in_hand.job)
        return self._went_wrong(in_hand, in_hand.spec, reason)

    def _end(self, in_hand: InHand, ending: Ending) -> None:
        """Free the slot, say how it ended, and send it to Redis with the next commit."""
        if in_hand.ending is not None:
            return
        Forks.end_child(ending.error)
        in_hand.ending = ending
        if ending.script in ("fail", "release") and in_hand.context is not None:
            in_hand.context.end_programs()
            if in_hand.context.goes_on:
                self._left_behind.append(in_hand.context)
        self._going_back += ending.event == NOT_BEGUN
        if in_hand.timer is not None:
            in_hand.timer.cancel()
        self._surplus.ended()
        self._on_change()
        if not self._surplus.unended:
            self._all_ended.set()
        self._say(in_hand, ending)
        ending.error = None  # It holds the handler's frames, and Redis may be away for long.
        if in_hand.context is not None and (
            last_words := in_hand.context.last_words(is_done=ending.script == "finish")
        ):
            ending.words = ending.words.saying(last_words)
        in_hand.lease.end(ending.script, ending.words, lambda is_ours: self._heard(in_hand, is_ours))

    def _say(self, in_hand: InHand, ending: Ending) -> None:
        duration_s = time.monotonic() - in_hand.started_s
        if in_hand.context is not None and in_hand.spec is not None and ending.script != "release":
            self._surplus.pace.ran(in_hand.spec.type, duration_s)
            self._shared.timings.ran(self._queue, in_hand.spec.type, duration_s)
        if ending.script == "finish" and in_hand.context is not None:
            self._log.write(FINISHED, NOTHING, *in_hand.context.named, f"{duration_s * 1000:.1f}")
            return
        job_id, context = in_hand.job.job_id, in_hand.context
        about = context.about if context is not None else named(self._log, job_id, self._queue, in_hand.spec)
        duration_ms = round(duration_s * 1000, 1)
        if ending.event == NOT_BEGUN:
            self._log.debug(ending.event, ending.note, about)
        elif ending.event == "job.died" and ending.error is not None:
            self._log.exception(ending.event, ending.note, ending.error, about, duration_ms=duration_ms)
        else:
            self._log.warning(ending.event, ending.note, about, duration_ms=duration_ms)

    def _heard(self, in_hand: InHand, is_ours: bool | Exception) -> None:
        """Redis knows. Only now is the job out of hand: until then its id in the own list is no stray."""
        job_id, ending = in_hand.job.job_id, in_hand.ending
        self._going_back -= ending is not None and ending.event == NOT_BEGUN
        if self._in_hand.get(job_id) is in_hand:
            del self._in_hand[job_id]
            if len(self._in_hand) == self._most_in_hand:
                self._on_change()  # There is room again.
        if isinstance(is_ours, Exception):
            # Not Redis' doing, whose failures are sat out; a bug. The job is a stray now, and taken up again.
            self._log.exception("job.unended", f"Job's end could not be told: {job_id}", is_ours, job_id=job_id)
        elif not is_ours:
            msg = f"Job was no longer ours when it ended: {job_id}; it was given to another worker"
            self._log.warning("job.stale", msg, job_id=job_id, queue=self._queue)
