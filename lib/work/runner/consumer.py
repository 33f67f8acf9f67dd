"""One queue, one runner: claim as many jobs as there are free slots.

Called by runner.py. How it goes round:
1. Free slots? Claim that many, or a few more where jobs take next to no time (`pace.py`). A claim promotes what is due
   and takes high before normal before low.
2. Nothing there? Block in BRPOPLPUSH until an id or a bell comes, or 2 s have passed; a timer promotes what falls due.
   A claim waits in Redis right behind the pop. Where it says that there is nothing else, block again.
   Or is the queue paused? Ask again in a moment.
3. What was claimed is run by `lanes.py`; a slot is free when its handler has ended.

It is worse to lose a job than to run it twice: whatever goes wrong between here and Redis, the own list there and the
jobs in hand here are compared, and what the one holds and the other does not know is taken up.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

from lib.errors import RedisUnavailable
from lib.queue.bulkheads import ALL
from lib.queue.claim_reply import Claim
from lib.queue.end_record import release_record
from lib.queue.lease import Lease, NotRegistered
from lib.queue.queue_store import QueueStore
from lib.work.fates import Fates
from lib.work.runner.context import Shared
from lib.work.runner.lanes import Lanes

BLOCK_S = 2.0
STRAYS_EVERY_S = 5.0
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 2.0
PAUSED_S = 0.25  # So much later a runner may notice that its queue goes on.


class Consumer:
    """limit: as it is registered; `lanes.limit` is that of the moment.

    make_lease: a new registration of this runner in the queue; called again when it was taken for dead."""

    def __init__(
        self,
        limit: int,
        make_lease: Callable[[], Lease],
        about: dict[str, object],
        queues: QueueStore,
        shared: Shared,
        *,
        is_waiting: bool = False,
    ) -> None:
        """is_waiting: it has no slot until `lanes.limit` is set."""
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
        self._slot_free = asyncio.Event()
        self._lanes = Lanes(self.queue, 0 if is_waiting else limit, shared, self._slot_free.set)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_list_known = False
        self._is_empty = False
        self._strays_at_s = 0.0
        self._promotion: asyncio.TimerHandle | None = None
        self._away_since_s: float | None = None
        self._heard_at_s = time.monotonic()

    @property
    def queue(self) -> str:
        return self._lease.queue

    @property
    def lanes(self) -> Lanes:
        return self._lanes

    @property
    def runner_id(self) -> str:
        return self._lease.runner_id

    @property
    def running(self) -> int:
        """How many jobs run, or wait here to be begun."""
        return self._lanes.unended

    @property
    def silent_s(self) -> float:
        """Since Redis last answered a claim; 0 while there is no slot to claim for, or Redis is known to be away."""
        is_waiting = self._lanes.unended >= self._lanes.room or self._is_stopping or self._away_since_s is not None
        return 0.0 if is_waiting else time.monotonic() - self._heard_at_s

    async def run(self) -> None:
        """Take jobs until `stop`."""
        pause_s = FIRST_PAUSE_S
        while not self._is_stopping:
            try:
                await self._ensure_registered()
                await self._take_in()
                pause_s = FIRST_PAUSE_S
                self._is_back()
                self._shared.bulkheads.log_mended(self.queue, "consumer")
            except NotRegistered as fault:
                self._come_back(fault)
            except RedisUnavailable as fault:
                self._is_away(fault)
                await self._pause(pause_s)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)
            except Exception as fault:  # noqa: BLE001  One queue's broken keys must not stop the runner's other queues.
                self._shared.bulkheads.log_failed(self.queue, "consumer", fault)
                self._heard_at_s = time.monotonic()  # Redis has answered: no reason to have this runner killed.
                await self._pause(LAST_PAUSE_S)

    async def get_ready_for_suspects(self) -> None:
        """Say that this runner is there. What a claim of its own left behind, its reply lost, goes back unbegun: no
        slot is set apart for it any more."""
        await self._ensure_registered()
        self._is_list_known = False
        for record in await self._shared.queue.read_many(await self._strays()):
            if record.state == "active" and record.runner_id == self.runner_id:
                await self._lease.end_and_wait("release", release_record(record.job_id, record.token, is_begun=False))

    async def run_suspect(self) -> bool:
        """Run one job that is suspected of taking runners down, alone. False where there is none left, or where the
        runner is to leave before Redis has answered."""
        self._heard_at_s = time.monotonic()
        self._lanes.limit = 1
        try:
            claim = await self._claim_suspect()
            self._lanes.start(claim.jobs, self._lease)
            await self.ended()
            await self._lease.wait_until_idle()
            return bool(claim.jobs) or claim.is_more
        finally:
            self._lanes.limit = 0

    async def _claim_suspect(self) -> Claim:
        """WHY again and again where Redis is away: the claim may have brought one, and only its reply be lost."""
        pause_s = FIRST_PAUSE_S
        while not self._shared.is_draining():
            try:
                await self._ensure_registered()
                claim = await self._claim(1, "suspects")
                self._is_back()
                return claim
            except NotRegistered as fault:
                self._come_back(fault)
            except RedisUnavailable as fault:
                self._is_away(fault)
                await self._pause(pause_s)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)
        return Claim([], False, None)

    def stop(self) -> None:
        """Claim no more."""
        self._is_stopping = True
        self._slot_free.set()
        self._background("waking", self._lease.end_pop())

    async def ended(self) -> None:
        """Wait until every handler that was started has ended."""
        await self._lanes.ended()

    async def release(self) -> None:
        """Stop what still runs and give it back."""
        await self._lanes.release()

    async def leave(self) -> None:
        """Sign off, once Redis has heard of everything; a job that was popped and not claimed goes back."""
        for lease in (*self._former, self._lease):
            await lease.wait_until_idle()
            await self._sign_off(lease)

    async def look_for_cancels(self) -> None:
        """Once a second: stop the handlers of jobs that somebody asked to cancel, and settle what former ids left."""
        await self._wind_up()
        if self._lanes.unended:
            self._lanes.cancel(await self._lease.cancel_requests())

    # Taking jobs in.

    async def _ensure_registered(self) -> None:
        if not self._is_registered:
            await self._lease.register(self._about)
            with self._shared.bulkheads.around(ALL, "count"):
                await self._queues.runners.show([self.runner_id], self._shared.settings.lease_s)
            self._is_registered = True
            self._log.info("worker.registered", f"Worker {self.runner_id} serves {self.queue}, {self._limit} at a time")

    def _come_back(self, fault: NotRegistered) -> None:
        """What this runner runs is not its own any more; it begins again under a new id."""
        if fault.is_forgotten:
            why = "it was emptied, or the queue removed while the worker was not heard of"
            msg = f"Redis knows nothing of worker {self.runner_id} in {self.queue}: {why}; coming back"
            self._log.error("worker.forgotten", msg, queue=self.queue)
        else:
            msg = f"Worker {self.runner_id} was taken for dead in {self.queue}; coming back"
            self._log.warning("worker.reaped", msg, queue=self.queue)
        self._lanes.disown()
        self._former.append(self._lease)
        self._lease = self._make_lease()
        self._is_registered = False
        self._is_list_known = False

    async def _wind_up(self) -> None:
        """Give back what still lies in the lists of former ids, once nothing runs under them any more."""
        in_use = self._lanes.runner_ids
        for lease in [lease for lease in self._former if lease.runner_id not in in_use]:
            await self._sign_off(lease)
            self._former.remove(lease)

    async def _sign_off(self, lease: Lease) -> None:
        crash_limit = self._shared.settings.crash_limit
        await self._queues.runners.reap(lease.queue, lease.runner_id, is_crash=False, crash_limit=crash_limit)
        with self._shared.bulkheads.around(ALL, "count"):
            await self._queues.runners.hide([lease.runner_id])

    async def _take_in(self) -> None:
        """One round: claim for the free slots; where nothing is there, wait for an id, a bell or a free slot."""
        was_empty, self._is_empty = self._is_empty, False  # It holds for the next moment only.
        free = self._lanes.room - self._lanes.unended
        if free <= 0:
            await self._wait_for_slot()
            return
        if was_empty and self._lanes.unended < self._lanes.limit and time.monotonic() < self._strays_at_s:
            await self._wait_for_id()
            return
        asked = min(free, self._lanes.bite)
        claim = await self._claim(asked)
        # The next claim leaves before these begin: it takes as long as Redis does. Where other queues' jobs are there
        # to be run meanwhile, it leaves after: quick ones have ended by then, and it is for all of their slots at once.
        goes_on = self._lanes.unended + len(claim.jobs) < self._lanes.room
        is_first = goes_on and not self._lanes.is_among_others
        self._lanes.start(claim.jobs, self._lease, is_full=len(claim.jobs) >= asked, behind=is_first)
        if goes_on and claim.jobs and not is_first:
            await self._wait_for_slot()
        if claim.is_paused:
            await self._pause(PAUSED_S)
        elif not claim.jobs and not claim.is_more and not self._is_stopping:
            self._promote_in(claim.next_due_s)
            # To block is for a free slot: what a pop brings ahead of one could not be given back.
            await (self._wait_for_id() if self._lanes.unended < self._lanes.limit else self._wait_for_slot())

    async def _claim(self, limit: int, source: str = "ready") -> Claim:
        if self._lanes.is_giving_back:
            await self._lease.wait_until_idle()
        found = await self._strays()
        # Until the reply is here nobody knows what the own list holds; where none comes, it is looked at.
        self._is_list_known = False
        self._lanes.expect(max(limit, len(found)))
        try:
            claim = await self._lease.claim(limit, found, source)
        finally:
            self._lanes.expect(0)
        # Strays that are too much for one claim are looked for again at once.
        self._is_list_known = len(claim.jobs) >= len(found)
        self._heard_at_s = time.monotonic()
        self._tell_of(claim)
        return claim

    def _tell_of(self, claim: Claim) -> None:
        """What it ended: nobody else would say so."""
        if claim.dead_ids:
            self._background("telling", Fates(self._shared.queue, self._log).tell(claim.dead_ids))

    async def _wait_for_id(self) -> None:
        self._is_list_known = False
        try:
            await self._lease.pop(BLOCK_S, self._take_popped)
        except RedisUnavailable:
            # At maxmemory Redis refuses BRPOPLPUSH itself but not `claim`, which asks for no memory: poll.
            await self._pause(0.25)

    def _take_popped(self, claim: Claim) -> None:
        self._is_list_known = True
        self._heard_at_s = time.monotonic()
        self._is_empty = claim.is_empty
        if claim.is_empty:
            self._promote_in(claim.next_due_s)
        self._lanes.start(claim.jobs, self._lease)
        self._tell_of(claim)

    async def _strays(self) -> list[str]:
        """Ids in the own list that are not in hand, the oldest first: of a pop or claim whose reply was lost."""
        now_s = time.monotonic()
        if self._is_list_known and now_s < self._strays_at_s:
            return []
        held = await self._lease.active_ids()
        self._strays_at_s = now_s + STRAYS_EVERY_S
        # The list's left end is the newest.
        return [job_id for job_id in reversed(held) if not self._lanes.holds(job_id)]

    def _promote_in(self, wait_s: float | None) -> None:
        """Wake up for the next delayed job. The promotion itself ends the pop: it pushes the id, or a bell."""
        if self._promotion is not None:
            self._promotion.cancel()
            self._promotion = None
        if wait_s is not None and wait_s < BLOCK_S:
            self._promotion = asyncio.get_running_loop().call_later(wait_s, self._promote_now)

    def _promote_now(self) -> None:
        self._promotion = None
        self._background("promotion", self._promote())

    async def _promote(self) -> None:
        self._promote_in(await self._lease.promote())

    def _background(self, step: str, work: Coroutine[Any, Any, None]) -> None:
        """Do what may fail with Redis, and then does not matter, beside the rounds. step: as Bulkheads have it."""

        async def quietly() -> None:
            with contextlib.suppress(RedisUnavailable), self._shared.bulkheads.around(self.queue, step):
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait_for_slot(self) -> None:
        """Until a handler has ended, or all are begun, or `stop`."""
        if not self._is_stopping:
            self._slot_free.clear()
            await self._slot_free.wait()

    async def _pause(self, about_s: float) -> None:
        """Sleep, until a handler has ended at most, or until `stop`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_for_slot(), self._shared.rng.uniform(about_s / 2, about_s))

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
