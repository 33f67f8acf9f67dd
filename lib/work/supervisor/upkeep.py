"""Upkeep: the one list of all periodic work on queues. Promote what is due, reap dead runners, expire, take back jobs
whose callback is overdue, trim, mend, tell jobs what became of those for which they wait and have them ask
(queue/notices.py), and learn when the next slot of a schedule is due (clock.py).

Every supervisor does this for every queue, served by it or not: once a second where something moves, now and then where
nothing does (rota.py). Each step is one atomic script, so several supervisors may do the same step at once: none leads,
and no step is missed when one of them dies.
"""

from collections.abc import Awaitable, Callable
from random import Random

from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.notices import Notices
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_names import QUEUES_AT_ONCE, Walk
from lib.queue.queue_store import QueueStore
from lib.queue.upkeep_steps import Retention
from lib.settings.config import Settings
from lib.work.supervisor.clock import ScheduleClock
from lib.work.supervisor.lease_watch import LeaseWatch
from lib.work.supervisor.rota import AWAKE_S, Rota

EVERY_S = 1.0
UNTOLD_S = 1.0
"""A notice is younger while the runner tells it that has ended the job."""
MOST_BATCHES = 200  # A step on one queue takes so many batches in a round at most: other queues wait for their turn.


class Upkeep:
    """The periodic work of one supervisor. walk: goes round the names of all queues, a page a round."""

    def __init__(
        self,
        queues: QueueStore,
        walk: Walk,
        outcomes: OutcomeLog,
        settings: Settings,
        log: Log,
        bulkheads: Bulkheads,
        rng: Random,
        clock: ScheduleClock,
        notices: Notices,
    ) -> None:
        self._queues = queues
        self._walk = walk
        self._outcomes = outcomes
        self._settings = settings
        self._log = log
        self._bulkheads = bulkheads
        self._clock = clock
        self._notices = notices
        self._retention = Retention(
            settings.retain_completed, settings.retain_completed_s, settings.retain_dead_s, settings.retain_dead
        )
        self._watches: dict[str, LeaseWatch] = {}
        """queue -> the leases of its runners, for every queue that has any."""
        self._rota = Rota(rng)
        self._named: dict[str, int] = {}
        """queue -> when it was named, as Redis answered last."""
        self._not_hurried: set[str] = set()
        """Queues whose blocked jobs are to be made to ask in one of the next rounds."""
        self._seen_ms: int | None = None
        """The latest of these times, Redis' clock; None before Redis was first asked."""

    async def round(self, now_s: float) -> dict[str, int]:
        """Visit every queue that is due. Returns queue -> number of suspects, for each visited queue that has any; the
        queues of WORKER_QUEUES are always visited. Raises RedisUnavailable."""
        await self._hurry_some(now_s)
        suspects = {}
        for queue in sorted(self._rota.due(await self._names(now_s), now_s)):
            with self._bulkheads.around(queue, "upkeep"):
                if count := await self._visit(queue, now_s):
                    suspects[queue] = count
        return suspects

    def have_everybody_ask(self) -> None:
        """Redis has lost data, or another Redis answers: a notice may be lost, or whoever would tell. So all jobs that
        wait for others ask what has become of these, some queues a round, and not only within the hour."""
        self._not_hurried = self._walk.names | set(self._settings.worker_queues)

    async def _hurry_some(self, now_s: float) -> None:
        for queue in sorted(self._not_hurried)[:QUEUES_AT_ONCE]:
            with self._bulkheads.around(queue, "asking"):
                if await self._notices.hurry(queue):
                    self._rota.wake(queue, now_s)
            self._not_hurried.discard(queue)

    async def _names(self, now_s: float) -> set[str]:
        """The names of all queues that are known so far. Where there are thousands, idle ones are met in later rounds.
        The queues of WORKER_QUEUES are always among them and awake, even if somebody removed them from the set."""
        own = set(self._settings.worker_queues)
        for queue in own:
            self._rota.wake(queue, now_s)
        with self._bulkheads.around(ALL, "upkeep"):
            await self._walk.step()
            if self._walk.is_at_start and (missing := own - self._walk.names):
                await self._queues.add(missing)
            for queue in await self._newly_named():
                self._walk.names.add(queue)
                self._rota.wake(queue, now_s)
        return self._walk.names | own

    async def _newly_named(self) -> set[str]:
        """The queues that somebody has named, as one begins to use a queue, since the last round. Queues that are named
        while Redis' clock is set back are missed here; they are found when they have slept."""
        if self._seen_ms is None:
            self._seen_ms = await self._queues.upkeep.now_ms() - round(AWAKE_S * 1000)
        named = await self._queues.named_since(self._seen_ms)
        # Those of the latest ms are answered again each time, as others may have been named in the same ms.
        fresh = {queue for queue, ms in named.items() if self._named.get(queue) != ms}
        self._named = named
        self._seen_ms = max(named.values(), default=self._seen_ms)
        return fresh

    async def _visit(self, queue: str, now_s: float) -> int:
        """Do whatever is due in one queue. Returns the number of its suspects."""
        survey = await self._queues.upkeep.survey(queue, self._retention)
        self._rota.visited(queue, now_s, is_busy=survey.is_busy, wait_s=survey.wait_s)
        self._clock.set(queue, survey.slot_wait_s)
        watch = self._watches.pop(queue, None) or LeaseWatch(self._settings.lease_s, EVERY_S)
        if survey.beats:
            # A queue that no runner serves needs no LeaseWatch, and there may be ten thousand such queues.
            self._watches[queue] = watch
        has_ended = False
        for runner_id, beat in watch.check(survey.beats, now_s).items():
            has_ended |= await self._reap(queue, runner_id, beat)
        for runner_id in survey.dead_runners:
            # A job reached a dead runner's active list after that was emptied: the claim had lain in a buffer.
            held = await self._queues.runners.reap(queue, runner_id, crash_limit=self._settings.crash_limit)
            await self._outcomes.log_each(held or ())
            has_ended |= bool(held)
        if survey.is_due:
            await self._promote(queue)
        if survey.is_expiring:
            has_ended |= await self._each_batch(self._queues.upkeep.expire, queue)
        if survey.is_overdue:
            has_ended |= await self._each_batch(self._queues.upkeep.take_back_overdue, queue)
        if has_ended or (survey.untold_s or 0) > UNTOLD_S:
            await self._notices.tell(queue)
        if survey.is_asking:
            await self._ask(queue)
        if survey.is_trimmable:
            await self._trim(queue)
        if survey.is_rationed:
            await self._mend(queue)
        if survey.needs_rollup:
            await self._roll_up(queue)
        return survey.suspects

    async def _reap(self, queue: str, runner_id: str, beat: str) -> bool:
        """Take back the jobs of a runner whose lease has run out. beat: what it has shown all the time. Returns whether
        it held any."""
        held = await self._queues.runners.reap(queue, runner_id, beat_seen=beat, crash_limit=self._settings.crash_limit)
        if held is None:
            return False  # The runner has beaten since, or another supervisor has reaped it.
        with self._bulkheads.around(ALL, "count"):
            await self._queues.runners.hide([runner_id])
        msg = f"Worker {runner_id} has not been heard of for {self._settings.lease_s:g} s: {len(held)} jobs taken back"
        self._log.warning("worker.reaped", msg, queue=queue, worker_id=runner_id, jobs=len(held))
        await self._outcomes.log_each(held)
        return bool(held)

    async def _promote(self, queue: str) -> None:
        for _ in range(MOST_BATCHES):
            if not await self._queues.upkeep.promote(queue):
                return

    async def _each_batch(self, step: Callable[[str], Awaitable[tuple[list[str], bool]]], queue: str) -> bool:
        """Do a step that ends or returns jobs, and log these. Returns whether there were any."""
        has_any = False
        for _ in range(MOST_BATCHES):
            job_ids, is_more = await step(queue)
            await self._outcomes.log_each(job_ids)
            has_any |= bool(job_ids)
            if not is_more:
                break
        return has_any

    async def _ask(self, queue: str) -> None:
        for _ in range(MOST_BATCHES):
            if not await self._notices.ask(queue):
                return

    async def _trim(self, queue: str) -> None:
        for _ in range(MOST_BATCHES):
            if not await self._queues.upkeep.trim(queue, self._retention):
                return

    async def _roll_up(self, queue: str) -> None:
        for _ in range(MOST_BATCHES):
            if not await self._queues.upkeep.roll_up(queue):
                return

    async def _mend(self, queue: str) -> None:
        """Look at some groups of the queue; while some of them have to be mended, at all. Somebody broke their keys by
        hand, or Redis lost writes."""
        total = 0
        for _ in range(MOST_BATCHES):
            mended, is_more = await self._queues.upkeep.mend(queue)
            total += mended
            if not is_more:
                break
        if total:
            msg = f"{total} groups of queue {queue} were mended: Redis held wrong turns or running jobs of theirs"
            self._log.warning("groups.mended", msg, queue=queue, groups=total)
