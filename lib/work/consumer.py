"""One queue, one runner: claim as many jobs as there are free slots, run them, say how they ended.

Called by runner.py. How it goes round:
1. Free slots? Claim that many. A claim promotes what is due and takes high before normal before low.
2. Nothing there? Block in BRPOPLPUSH until an id or a bell comes, or 2 s have passed; a timer promotes what falls due.
3. What was claimed is run by lanes: tasks that live as long as the consumer. A slot is free when its handler has ended;
   that Redis has yet to hear of it holds up nobody.

It is worse to lose a job than to run it twice: whatever goes wrong between here and Redis, the own list there and the
jobs in hand here are compared, and what the one holds and the other does not know is taken up.
"""

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from lib.errors import RedisUnavailable
from lib.jobs.job import ClaimedJob, JobSpec
from lib.queue.lease import Claim, Lease, NotRegistered
from lib.queue.queues import Queues
from lib.work import attempt
from lib.work.attempt import Cancelled, Ending, NotNow, Released, TimedOut
from lib.work.context import Context, Shared

BLOCK_S = 2.0
STRAYS_EVERY_S = 5.0
UNWILLING_S = 2.0  # A handler that was told to stop and has not ended after this never will.
LAST_PAUSE_S = 2.0


class InHand:
    """A job between its claim and the moment when Redis has heard how it ended."""

    __slots__ = ("context", "ending", "job", "lease", "spec", "started_s", "stop_reason", "task", "timer")

    def __init__(self, job: ClaimedJob, lease: Lease) -> None:
        self.job = job
        self.lease = lease
        self.spec: JobSpec | None = None
        self.context: Context | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.started_s = time.monotonic()
        self.stop_reason: Exception | None = None
        self.ending: Ending | None = None


class Consumer:
    """make_lease: a new registration of this runner in the queue; called again when it was taken for dead."""

    def __init__(
        self,
        limit: int,
        make_lease: Callable[[], Lease],
        about: dict[str, object],
        queues: Queues,
        shared: Shared,
    ) -> None:
        self._limit = limit
        self._make_lease = make_lease
        self._about = about
        self._queues = queues
        self._shared = shared
        self._log = shared.log
        self._lease = make_lease()
        self._former: list[Lease] = []
        self._is_registered = False
        self._is_stopping = False
        self._is_released = False
        self._in_hand: dict[str, InHand] = {}
        self._running = 0
        self._slot_free = asyncio.Event()
        self._all_ended = asyncio.Event()
        self._todo: deque[InHand] = deque()
        self._idle_lanes: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_waking = False
        self._unarmed: list[InHand] = []
        self._popped: list[str] = []
        self._is_list_known = False
        self._strays_at_s = 0.0
        self._promotion: asyncio.TimerHandle | None = None
        self._promoter: asyncio.Task[None] | None = None
        self._away_since_s: float | None = None
        self._heard_at_s = time.monotonic()

    @property
    def queue(self) -> str:
        return self._lease.queue

    @property
    def worker_id(self) -> str:
        return self._lease.worker_id

    @property
    def running(self) -> int:
        """How many handlers run."""
        return self._running

    @property
    def silent_s(self) -> float:
        """Since Redis last answered a claim; 0 while there is no slot to claim for, or Redis is known to be away."""
        is_waiting = self._running >= self._limit or self._is_stopping or self._away_since_s is not None
        return 0.0 if is_waiting else time.monotonic() - self._heard_at_s

    async def run(self) -> None:
        """Take jobs until `stop`."""
        pause_s = 0.05
        while not self._is_stopping:
            try:
                await self._ensure_registered()
                await self._take_in()
                pause_s = 0.05
                self._is_back()
            except NotRegistered:
                self._come_back()
            except RedisUnavailable as fault:
                self._is_away(fault)
                await self._pause(pause_s)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)
            except Exception as fault:  # noqa: BLE001  One queue's broken keys must not stop the runner's other queues.
                self._log.exception("consumer.failed", f"Round failed in {self.queue}; trying again", fault)
                await self._pause(LAST_PAUSE_S)

    async def run_suspects(self) -> bool:
        """Run one job that is suspected of taking runners down, alone. False where there is none."""
        try:
            await self._ensure_registered()
            claim = await self._claim(1, "suspects")
        except NotRegistered:
            self._come_back()
            return True
        for job in claim.jobs:
            self._start(job)
        await self.ended()
        await self._lease.settled()
        return bool(claim.jobs)

    def stop(self) -> None:
        """Claim no more."""
        self._is_stopping = True
        self._slot_free.set()
        self._background(self._lease.end_pop())

    async def ended(self) -> None:
        """Wait until every handler that was started has ended."""
        while self._running:
            self._all_ended.clear()
            await self._all_ended.wait()

    async def release(self) -> None:
        """Stop what still runs and give it back: it goes to the front, its attempt does not count."""
        self._is_released = True
        for in_hand in list(self._in_hand.values()):
            if in_hand.ending is None:
                self._stop_handler(in_hand, Released())
        # A moment to unwind in, so that a job is not run elsewhere while its `finally` still works here.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended(), 1.0)
        for in_hand in list(self._in_hand.values()):
            if in_hand.ending is None:
                self._end(in_hand, attempt.given_back(in_hand.job))

    async def leave(self) -> None:
        """Sign off, once Redis has heard of everything; a job that was popped and not claimed goes back."""
        for lease in (*self._former, self._lease):
            await lease.settled()
            await self._sign_off(lease)

    async def look_for_cancels(self) -> None:
        """Once a second: stop the handlers of jobs that somebody asked to cancel, and settle what former ids left."""
        await self._wind_up()
        if not self._running:
            return
        for job_id in await self._lease.cancels():
            in_hand = self._in_hand.get(job_id)
            if in_hand is not None and in_hand.ending is None and in_hand.stop_reason is None:
                self._ask_to_stop(in_hand, Cancelled("somebody asked for the job to be cancelled"))

    # Taking jobs in.

    async def _ensure_registered(self) -> None:
        if not self._is_registered:
            await self._lease.register(self._about)
            self._is_registered = True
            self._log.info("worker.registered", f"Worker {self.worker_id} serves {self.queue}, {self._limit} at a time")

    def _come_back(self) -> None:
        """This runner was taken for dead: what it runs belongs to others, and it begins again under a new id."""
        self._log.warning("worker.reaped", f"Worker {self.worker_id} was taken for dead in {self.queue}; coming back")
        for in_hand in self._in_hand.values():
            if in_hand.context is not None:
                in_hand.context.is_cancelled = True
        self._former.append(self._lease)
        self._lease = self._make_lease()
        self._is_registered = False
        self._is_list_known = False
        self._popped = []

    async def _wind_up(self) -> None:
        """Give back what still lies in the lists of former ids, once nothing runs under them any more."""
        in_use = {in_hand.lease.worker_id for in_hand in self._in_hand.values()}
        for lease in [lease for lease in self._former if lease.worker_id not in in_use]:
            await self._sign_off(lease)
            self._former.remove(lease)

    async def _sign_off(self, lease: Lease) -> None:
        crash_limit = self._shared.settings.crash_limit
        await self._queues.reap(lease.queue, lease.worker_id, is_crash=False, crash_limit=crash_limit)

    async def _take_in(self) -> None:
        """One round: claim for the free slots; where nothing is there, wait for an id, a bell or a free slot."""
        free = self._limit - self._running
        if free <= 0:
            self._slot_free.clear()
            await self._slot_free.wait()
            return
        # Half of the slots at a time: Redis hands out the one half while the other is run here.
        claim = await self._claim(min(free, (self._limit + 1) // 2))
        for job in claim.jobs:
            self._start(job)
        if not claim.jobs and not claim.is_more and not self._is_stopping:
            self._promote_in(claim.next_due_s)
            await self._wait_for_id()

    async def _claim(self, limit: int, source: str = "ready") -> Claim:
        found = [*self._popped, *await self._strays()]
        # Until the reply is here nobody knows what the own list holds; where none comes, it is looked at.
        self._is_list_known = False
        claim = await self._lease.claim(limit, found, source)
        self._is_list_known = True
        self._popped = []
        self._heard_at_s = time.monotonic()
        return claim

    async def _wait_for_id(self) -> None:
        self._is_list_known = False
        try:
            popped = await self._lease.pop(BLOCK_S)
        except RedisUnavailable:
            # At maxmemory Redis refuses BRPOPLPUSH itself but not `claim`, which asks for no memory: poll.
            await self._pause(0.25)
            return
        self._is_list_known = True
        if popped is not None:
            self._popped = [popped]

    async def _strays(self) -> list[str]:
        """Ids in the own list that are not in hand: of a pop or claim whose reply was lost."""
        now_s = time.monotonic()
        if self._is_list_known and now_s < self._strays_at_s:
            return []
        held = await self._lease.held()
        self._strays_at_s = now_s + STRAYS_EVERY_S
        return [job_id for job_id in held if job_id not in self._in_hand and job_id not in self._popped]

    def _promote_in(self, wait_s: float | None) -> None:
        """Wake up for the next delayed job. The promotion itself ends the pop: it pushes the id, or a bell."""
        if self._promotion is not None:
            self._promotion.cancel()
            self._promotion = None
        if wait_s is not None and wait_s < BLOCK_S:
            self._promotion = asyncio.get_running_loop().call_later(wait_s, self._promote_now)

    def _promote_now(self) -> None:
        self._promotion = None
        self._background(self._promote())

    async def _promote(self) -> None:
        self._promote_in(await self._lease.promote())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the rounds that may fail with Redis and then does not matter."""

        async def quietly() -> None:
            with contextlib.suppress(RedisUnavailable):
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pause(self, about_s: float) -> None:
        """Sleep, but not past `stop`."""
        with contextlib.suppress(TimeoutError):
            self._slot_free.clear()
            await asyncio.wait_for(self._slot_free.wait(), self._shared.rng.uniform(about_s / 2, about_s))

    def _is_away(self, fault: RedisUnavailable) -> None:
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
            self._log.warning("redis.lost", f"Database away: {fault.detail}", queue=self.queue)

    def _is_back(self) -> None:
        if self._away_since_s is not None:
            away_s = time.monotonic() - self._away_since_s
            self._away_since_s = None
            self._heard_at_s = time.monotonic()
            self._log.info("redis.found", f"Database back after {away_s:.1f} s", queue=self.queue)

    # Running them.

    def _start(self, job: ClaimedJob) -> None:
        in_hand = InHand(job, self._lease)
        self._in_hand[job.job_id] = in_hand
        self._running += 1
        if self._is_released:
            return self._end(in_hand, attempt.given_back(job))  # Its claim was in flight when time was up.
        self._todo.append(in_hand)
        self._wake_lane()
        return None

    def _wake_lane(self) -> None:
        """See that a lane will look at `_todo`. One at a time: a lane that finds more than one job wakes the next."""
        if self._is_waking:
            return
        self._is_waking = True
        if self._idle_lanes:
            self._idle_lanes.pop().set_result(None)
        else:
            self._tasks.add(asyncio.get_running_loop().create_task(self._lane()))

    async def _lane(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        while True:
            self._is_waking = False
            while self._todo:
                in_hand = self._todo.popleft()
                if self._todo:
                    self._wake_lane()
                in_hand.task = task
                await self._run(in_hand)
            idle = loop.create_future()
            self._idle_lanes.append(idle)
            await idle

    async def _run(self, in_hand: InHand) -> None:
        """One attempt, from the spec to its ending. Nothing that a job does may end the lane."""
        job, shared = in_hand.job, self._shared
        if in_hand.ending is not None:
            return None  # Given back before it was begun.
        try:
            prepared = attempt.prepare(job, shared)
        except NotNow as fault:
            return self._end(in_hand, attempt.put_off(job, fault))
        except Exception as fault:  # noqa: BLE001  A payload's own checks may fail in any way.
            return self._end(in_hand, attempt.dead(job, fault))
        spec = in_hand.spec = prepared.spec
        loop = asyncio.get_running_loop()
        context = Context(job, spec, shared, in_hand.lease.note, None if prepared.type.is_async else loop)
        in_hand.context = context
        shared.log.info("job.started", f"Job started: {job.job_id}", context.about)
        in_hand.started_s = time.monotonic()
        self._arm_later(in_hand)
        try:
            ending = attempt.completed(job, await attempt.run(prepared, context, shared), shared)
        except BaseException as fault:  # noqa: BLE001  SystemExit too: a job that calls exit() has failed, not the runner.
            ending = self._stopped(in_hand, spec, fault)
        if in_hand.stop_reason is not None and in_hand.task is not None:
            in_hand.task.uncancel()  # The cancellation was the job's; the lane goes on.
        self._end(in_hand, ending)
        return None

    def _stopped(self, in_hand: InHand, spec: JobSpec, fault: BaseException) -> Ending:
        """The handler raised. If it did because it was told to stop, that is why it ended, whatever it raised."""
        reason = in_hand.stop_reason or fault
        if isinstance(reason, Released):
            return attempt.given_back(in_hand.job)
        return attempt.went_wrong(in_hand.job, spec, reason, self._shared)

    def _arm_later(self, in_hand: InHand) -> None:
        """Set the deadlines at the end of this turn: a handler that has ended by then needs none."""
        if not self._unarmed:
            asyncio.get_running_loop().call_soon(self._arm)
        self._unarmed.append(in_hand)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        for in_hand in self._unarmed:
            if in_hand.ending is None and in_hand.spec is not None:
                in_hand.timer = loop.call_later(in_hand.spec.timeout_s, self._time_out, in_hand)
        self._unarmed.clear()

    def _time_out(self, in_hand: InHand) -> None:
        timeout_s = in_hand.spec.timeout_s if in_hand.spec else 0.0
        self._stop_handler(in_hand, TimedOut(f"it ran longer than its timeout_s, {timeout_s:g}"))

    def _ask_to_stop(self, in_hand: InHand, reason: Exception) -> None:
        """A thread is told by ctx.cancelled and may go on; a coroutine is cancelled."""
        if in_hand.context is None:
            return
        in_hand.context.is_cancelled = True
        if in_hand.context.is_on_loop:
            self._stop_handler(in_hand, reason)

    def _stop_handler(self, in_hand: InHand, reason: Exception) -> None:
        """Cancel a handler. A thread goes on behind our back; so may a coroutine that swallows the cancellation."""
        if in_hand.ending is not None or in_hand.task is None or in_hand.context is None:
            return
        in_hand.stop_reason = reason
        in_hand.context.is_cancelled = True
        in_hand.task.cancel()
        if in_hand.context.is_on_loop and not isinstance(reason, Released):
            in_hand.timer = asyncio.get_running_loop().call_later(UNWILLING_S, self._give_up, in_hand)
        elif isinstance(reason, TimedOut):
            self._shared.retire(f"the thread of {in_hand.job.job_id} does not end")

    def _give_up(self, in_hand: InHand) -> None:
        """The handler does not end although it was cancelled: fail the job without it, and have the runner replaced."""
        if in_hand.ending is None and in_hand.stop_reason is not None and in_hand.spec is not None:
            self._end(in_hand, attempt.went_wrong(in_hand.job, in_hand.spec, in_hand.stop_reason, self._shared))
            self._shared.retire(f"the handler of {in_hand.job.job_id} does not stop")

    def _end(self, in_hand: InHand, ending: Ending) -> None:
        """Free the slot, say how it ended, and send it to Redis with the next commit."""
        if in_hand.ending is not None:
            return
        in_hand.ending = ending
        if in_hand.timer is not None:
            in_hand.timer.cancel()
        self._running -= 1
        self._slot_free.set()
        if not self._running:
            self._all_ended.set()
        self._say(in_hand, ending)
        in_hand.lease.end(ending.script, ending.words, functools.partial(self._heard, in_hand))

    def _say(self, in_hand: InHand, ending: Ending) -> None:
        about = (
            in_hand.context.about if in_hand.context else self._log.bind(job_id=in_hand.job.job_id, queue=self.queue)
        )
        duration_ms = round((time.monotonic() - in_hand.started_s) * 1000, 1)
        if ending.script == "finish":
            self._log.info(ending.event, ending.note, about, duration_ms=duration_ms)
        elif ending.event == "job.died" and ending.error is not None:
            self._log.exception(ending.event, ending.note, ending.error, about, duration_ms=duration_ms)
        else:
            self._log.warning(ending.event, ending.note, about, duration_ms=duration_ms)

    def _heard(self, in_hand: InHand, is_ours: bool | Exception) -> None:
        """Redis knows. Only now is the job out of hand: until then its id in the own list is no stray."""
        job_id = in_hand.job.job_id
        if self._in_hand.get(job_id) is in_hand:
            del self._in_hand[job_id]
        if isinstance(is_ours, Exception):
            # Not Redis' doing, whose failures are sat out; a bug. The job is a stray now, and taken up again.
            self._log.exception("job.unended", f"Job's end could not be told: {job_id}", is_ours, job_id=job_id)
        elif not is_ours:
            msg = f"Job was no longer ours when it ended: {job_id}; it was given to another worker"
            self._log.warning("job.stale", msg, job_id=job_id, queue=self.queue)
