"""One queue in one runner: claim as many jobs as there are free slots, and hand them to the lanes.

Called by runner.py. A round goes like this:
1. There are free slots: claim as many jobs. (Jobs that take next to no time are claimed ahead of a slot, too: see
   prefetch/.) A claim promotes delayed jobs that are due, and takes high before normal before low priority.
2. The claim brought nothing: block in BRPOPLPUSH until a job's id or a bell comes, for BLOCK_S at most. A claim for
   that one job is sent right behind the pop. Meanwhile the timer of one idle runner, the keeper of the clock, promotes
   delayed jobs that become due (promotion_timer.py).
   The queue has a limit of its own: block for a bell, for LIMITED_BLOCK_S at most.
   The queue is paused: claim again in a moment.
3. `lanes.py` runs the claimed jobs. A slot is free when its handler has ended; Redis may get the record of it later.

Whatever is lost between here and Redis, no job is: the ids in the runner's active list there are compared with the jobs
that are known here, and a job that only Redis knows of is run (strays.py).
"""

import asyncio
import contextlib
from collections.abc import Callable

from lib.errors import RedisUnavailable
from lib.queue.claim_reply import Claim
from lib.queue.end_record import release_record
from lib.queue.lease import FIRST_PAUSE_S, LAST_PAUSE_S, Lease, NotRegistered
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_store import QueueStore
from lib.work.runner.background_calls import BackgroundCalls
from lib.work.runner.context import Services
from lib.work.runner.lanes import Lanes
from lib.work.runner.loop_parts import LoopParts
from lib.work.runner.promotion_timer import PromotionTimer
from lib.work.runner.redis_contact import RedisContact
from lib.work.runner.registration import Registration
from lib.work.runner.strays import Strays

BLOCK_S = 2.0
LIMITED_BLOCK_S = 20.0
"""Long, for 100 idle runners of a queue with a rate of one start a second are to make few claims a second. Less than
stuck.py's SILENT_S, after which a runner whose claims get no answer is killed."""
PAUSED_S = 0.25
"""A runner may notice this late that its paused queue goes on."""
FULL_REDIS_PAUSE_S = 0.25
NOTHING = Claim([], False, None)


class Consumer:
    """limit: the slots to begin with; `lanes.limit` changes them. make_lease, about: see Registration."""

    def __init__(
        self,
        limit: int,
        make_lease: Callable[[], Lease],
        about: dict[str, object],
        queues: QueueStore,
        services: Services,
        parts: LoopParts,
    ) -> None:
        self._services = services
        self._parts = parts
        self._registration = Registration(make_lease, about, queues, parts.settings, parts.bulkheads, services.log)
        self.queue = self._registration.lease.queue
        self._slot_free = asyncio.Event()
        self.lanes = Lanes(self.queue, limit, services, parts, self._slot_free.set)
        self._strays = Strays(self.lanes.jobs.by_id)
        self._contact = RedisContact(self.queue, services.log)
        self._background = BackgroundCalls(self.queue, parts.bulkheads)
        self._promotion = PromotionTimer(lambda: self._registration.lease.promote(), self._background)
        self._is_stopping = False
        self._last_pop = NOTHING
        """The claim of the pop in the round before this one."""

    @property
    def runner_id(self) -> str:
        return self._registration.lease.runner_id

    @property
    def running(self) -> int:
        """How many jobs run, or wait here to be begun."""
        return self.lanes.unended

    def silent_s(self) -> float:
        """Seconds for which Redis has answered no claim, though there is a slot to claim for. To be called about once a
        second. The supervisor kills a runner that is silent for long while Redis answers others."""
        return self._contact.silent_s(is_asking=not self._is_stopping and self.lanes.free >= 1)

    async def run(self) -> None:
        """Claim jobs and have them run until `stop`."""
        bulkheads = self._parts.bulkheads
        pause_s = FIRST_PAUSE_S
        while not self._is_stopping:
            try:
                if not self._registration.is_known:
                    await self._register()
                await self._round()
                pause_s = FIRST_PAUSE_S
                self._contact.note_back()
                bulkheads.log_mended(self.queue, "consumer")
            except NotRegistered as fault:
                self._come_back(fault)
            except RedisUnavailable as fault:
                self._contact.note_away(fault)
                await self._pause(pause_s)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)
            except Exception as fault:  # noqa: BLE001  One queue's broken keys must not stop the runner's other queues.
                bulkheads.log_failed(self.queue, "consumer", fault)
                self._contact.note_answer()  # Redis has answered, so this runner is not to be killed as silent.
                await self._pause(LAST_PAUSE_S)

    def stop(self) -> None:
        """Claim no more."""
        self._is_stopping = True
        self._slot_free.set()
        self._background.start("waking", self._registration.lease.end_pop())

    async def sign_off(self) -> None:
        """Leave the queue; see Registration."""
        self._promotion.set(None)
        await self._registration.sign_off()

    async def stop_cancelled(self) -> None:
        """Stop the handlers of jobs that somebody asked to cancel. Called once a second, and signs off former ids."""
        await self._registration.sign_off_former(self.lanes.jobs.runner_ids)
        if self.lanes.unended:
            self.lanes.cancel(await self._registration.lease.cancel_requests())

    # An isolation runner does not `run`: it calls these two (suspects.py).

    async def get_ready_for_suspects(self) -> None:
        """Register, and give unstarted back what an earlier claim left in the active list, its reply lost: there is no
        slot for such a job any more."""
        if not self._registration.is_known:
            await self._register()
        self._strays.is_list_known = False
        lease = self._registration.lease
        for record in await self._services.job_store.read_many(await self._strays.find(lease)):
            if record.state == "active" and record.runner_id == self.runner_id:
                await lease.end_and_wait("release", release_record(record.job_id, record.token, is_begun=False))

    async def run_suspect(self) -> bool:
        """Run one job alone that is suspected of making runners crash. False if there is none left, or if the runner
        is to exit before Redis has answered."""
        self.lanes.limit = 1
        try:
            claim = await self._claim_suspect()
            self.lanes.start(claim.jobs, self._registration.lease)
            await self.lanes.wait_until_idle()
            await self._registration.lease.wait_until_idle()
            return bool(claim.jobs) or claim.is_more
        finally:
            self.lanes.limit = 0

    async def _claim_suspect(self) -> Claim:
        """WHY it is repeated while Redis is away: the claim may have moved a job, and only its reply may be lost."""
        pause_s = FIRST_PAUSE_S
        while not self._services.is_draining():
            try:
                if not self._registration.is_known:
                    await self._register()
                lease = self._registration.lease
                was_rationed = lease.is_rationed
                claim = await self._claim(1, "suspects")
                self._contact.note_back()
                if lease.is_rationed == was_rationed:
                    return claim
            except NotRegistered as fault:
                self._come_back(fault)
            except RedisUnavailable as fault:
                self._contact.note_away(fault)
                await self._pause(pause_s)
                pause_s = min(LAST_PAUSE_S, pause_s * 2)
        return NOTHING

    # One round.

    async def _register(self) -> None:
        """Be known in Redis as a runner of the queue. Where that never had a job, it begins with what types ask for."""
        await self._services.job_store.beginnings.serve(self.queue)
        await self._registration.register()

    def _come_back(self, fault: NotRegistered) -> None:
        """The jobs here belong to other runners by now; claim others under a new id."""
        self.lanes.disown()
        self._registration.renew(fault)
        self._strays.is_list_known = False

    async def _round(self) -> None:
        """Claim for the free slots, and hand the jobs to the lanes; if there are none, wait for an id, a bell or a free
        slot."""
        popped, self._last_pop = self._last_pop, NOTHING  # For one round only: jobs may come at any moment.
        lease = self._registration.lease
        self.lanes.prefetch.is_rationed = lease.is_rationed
        size = self.lanes.claim_size()
        if size < 1:
            await self._wait_for_slot()
            return
        has_nothing = popped.is_empty or popped.is_limited
        if has_nothing and self.lanes.has_free_slot and not await self._strays.are_due(lease):
            await self._wait_for_id(is_limited=popped.is_limited)
            return
        claim = await self._claim(size)
        self._note_time(claim)
        if self.lanes.start(claim.jobs, self._registration.lease, asked=size):
            await self._wait_for_slot()
        if claim.is_paused:
            await self._pause(PAUSED_S)
        elif claim.is_limited and not self._strays.is_list_known:
            await self._pause(PAUSED_S)  # A job of a lost claim may not begin yet, and no bell will tell when.
        elif not claim.jobs and not claim.is_more and not self._is_stopping:
            # A pop needs a free slot: the id that it brings could not be given back.
            if self.lanes.has_free_slot:
                await self._wait_for_id(is_limited=claim.is_limited)
            else:
                await self._wait_for_slot()

    async def _claim(self, limit: int, source: str = "ready") -> Claim:
        lease = self._registration.lease
        if self.lanes.jobs.is_giving_back:
            await lease.wait_until_idle()
        strays = await self._strays.find(lease)
        self._strays.is_list_known = False
        self.lanes.prefetch.expect(max(limit, len(strays)))
        try:
            claim = await lease.claim(limit, strays, source)
        finally:
            self.lanes.prefetch.expect(0)
        # A claim hands out `limit` jobs at most. If there were more strays, the rest is to be found again at once.
        self._strays.is_list_known = len(claim.jobs) >= len(strays)
        self._contact.note_answer()
        self._log_killed(claim)
        return claim

    async def _wait_for_id(self, *, is_limited: bool) -> None:
        """Block in a pop. `_on_popped` is called with the claim that follows the pop, in the turn in which it comes."""
        self._strays.is_list_known = False
        block_s = LIMITED_BLOCK_S if is_limited else BLOCK_S
        try:
            await self._registration.lease.pop(block_s, self._on_popped, is_limited=is_limited)
        except RedisUnavailable:
            # At maxmemory Redis refuses BRPOPLPUSH itself but not `claim`, which asks for no memory: poll.
            await self._pause(FULL_REDIS_PAUSE_S)

    def _on_popped(self, claim: Claim) -> None:
        self._strays.is_list_known = True
        self._contact.note_answer()
        self._last_pop = claim
        self._note_time(claim)
        self.lanes.start(claim.jobs, self._registration.lease)
        self._log_killed(claim)

    def _note_time(self, claim: Claim) -> None:
        """Set the timer, if this claim has made the runner the keeper of the queue's clock, or the keeper's deputy."""
        is_idle = claim.is_empty or not (claim.jobs or claim.is_more or claim.is_paused)
        if is_idle or claim.ask_again_s is not None:
            self._promotion.set(claim.ask_again_s)

    def _log_killed(self, claim: Claim) -> None:
        """Log the jobs that the claim made dead or cancelled in place of handing them out: nobody else would. What they
        leave to be told is told at once."""
        if claim.dead_ids:
            self._services.job_store.notices.poke(self.queue)
            outcomes = OutcomeLog(self._services.job_store, self._services.log, self._parts.spans)
            self._background.start("telling", outcomes.log_each(claim.dead_ids))

    async def _wait_for_slot(self) -> None:
        """Until a handler has ended, or every job is begun, or `stop`."""
        if not self._is_stopping:
            self._slot_free.clear()
            await self._slot_free.wait()

    async def _pause(self, about_s: float) -> None:
        """Sleep about_s / 2 to about_s; a handler that ends, or `stop`, ends the pause."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_for_slot(), self._parts.rng.uniform(about_s / 2, about_s))
