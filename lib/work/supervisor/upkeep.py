"""What keeps queues healthy, whoever's they are: promote, reap, expire, trim. The one list of all periodic work.

Every supervisor does this for every queue: once a second where something moves, now and then where nothing does
(rota.py). Each step is one atomic script, so it does no harm that others do the same; none leads, and none is missed.
"""

from collections.abc import Mapping
from random import Random

from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.queue_names import Walk
from lib.queue.queue_store import QueueStore
from lib.queue.upkeep_steps import Retention
from lib.settings.config import Settings
from lib.work.fates import Fates
from lib.work.supervisor.rota import AWAKE_S, Rota

EVERY_S = 1.0
MOST_BITES = 200  # of one queue's backlog in one round, so that the other queues get theirs


class _Watched:
    def __init__(self, beat: str) -> None:
        self.beat = beat
        self.still_s = 0.0


class LeaseWatch:
    """Stopwatches for the runners of one queue: how long has each shown the same beat?

    A watch advances only by the time between two good looks of this reaper's own, and by at most two intervals at a
    time: through an outage of Redis, or while this process itself was stopped, nobody's lease runs out. Pure.
    """

    def __init__(self, lease_s: float, interval_s: float) -> None:
        self._lease_s = lease_s
        self._most_s = min(2 * interval_s, lease_s / 2)  # No lease runs out at one look.
        self._watched: dict[str, _Watched] = {}
        self._looked_at_s: float | None = None

    def look(self, beats: Mapping[str, str], now_s: float) -> dict[str, str]:
        """The runners whose lease has run out, each with the beat it has shown throughout."""
        gap_s = 0.0 if self._looked_at_s is None else min(now_s - self._looked_at_s, self._most_s)
        self._looked_at_s = now_s
        for runner_id in self._watched.keys() - beats.keys():
            del self._watched[runner_id]
        for runner_id, beat in beats.items():
            watched = self._watched.get(runner_id)
            if watched is None or watched.beat != beat:
                self._watched[runner_id] = _Watched(beat)
            else:
                watched.still_s += gap_s
        return {name: w.beat for name, w in self._watched.items() if w.still_s >= self._lease_s}


class Upkeep:
    """The periodic work of one supervisor. walk: over the queues' names."""

    def __init__(
        self,
        queues: QueueStore,
        walk: Walk,
        fates: Fates,
        settings: Settings,
        log: Log,
        bulkheads: Bulkheads,
        rng: Random,
    ) -> None:
        self._queues = queues
        self._walk = walk
        self._fates = fates
        self._settings = settings
        self._log = log
        self._bulkheads = bulkheads
        self._retention = Retention(
            settings.retain_completed, settings.retain_completed_s, settings.retain_dead_s, settings.retain_dead
        )
        self._watches: dict[str, LeaseWatch] = {}
        self._rota = Rota(rng)
        self._found: dict[str, int] = {}
        self._seen_ms: int | None = None

    async def round(self, now_s: float) -> dict[str, int]:
        """Look after every queue whose turn it is. Gives the number of suspects in each of them that has any; the
        worker's own are always among them. Raises RedisUnavailable."""
        suspects = {}
        for queue in sorted(self._rota.due(await self._names(now_s), now_s)):
            with self._bulkheads.around(queue, "upkeep"):
                if found := await self._look_after(queue, now_s):
                    suspects[queue] = found
        return suspects

    async def _names(self, now_s: float) -> set[str]:
        """Every queue that is known by now; of thousands, some that nobody uses are met in later rounds. Those that
        this worker serves are among them, and awake, whatever somebody did to the set of names."""
        own = set(self._settings.worker_queues)
        for queue in own:
            self._rota.wake(queue, now_s)
        with self._bulkheads.around(ALL, "upkeep"):
            await self._walk.step()
            if self._walk.is_at_start and (missing := own - self._walk.names):
                await self._queues.add(missing)
            for queue in await self._moved():
                self._walk.names.add(queue)
                self._rota.wake(queue, now_s)
        return self._walk.names | own

    async def _moved(self) -> set[str]:
        """The queues that somebody has begun to use since the last round. Where Redis' clock went back, they are found
        as those are that sleep."""
        if self._seen_ms is None:
            self._seen_ms = await self._queues.upkeep.now_ms() - round(AWAKE_S * 1000)
        found = await self._queues.named_since(self._seen_ms)
        # The latest ones come again each time, for others may have come in the same ms.
        fresh = {queue for queue, ms in found.items() if self._found.get(queue) != ms}
        self._found = found
        self._seen_ms = max(found.values(), default=self._seen_ms)
        return fresh

    async def _look_after(self, queue: str, now_s: float) -> int:
        """One queue's round. Gives the number of its suspects."""
        survey = await self._queues.upkeep.survey(queue, self._retention)
        self._rota.looked(queue, now_s, is_busy=survey.is_busy, wait_s=survey.wait_s)
        watch = self._watches.pop(queue, None) or LeaseWatch(self._settings.lease_s, EVERY_S)
        if survey.beats:
            # Of a queue that nobody serves there is nothing to watch, and there may be ten thousand of them.
            self._watches[queue] = watch
        for runner_id, beat in watch.look(survey.beats, now_s).items():
            await self._reap(queue, runner_id, beat)
        for runner_id in survey.dead_runners:
            # Something reached a dead runner's list after it was emptied: a pop that lay in a buffer.
            held = await self._queues.runners.reap(queue, runner_id, crash_limit=self._settings.crash_limit)
            await self._fates.tell(held or ())
        if survey.is_due:
            await self._promote(queue)
        if survey.is_expiring:
            await self._expire(queue)
        if survey.is_trimmable:
            await self._trim(queue)
        return survey.suspects

    async def _reap(self, queue: str, runner_id: str, beat: str) -> None:
        held = await self._queues.runners.reap(queue, runner_id, beat_seen=beat, crash_limit=self._settings.crash_limit)
        if held is None:
            return  # It has beaten since, or another reaper was first.
        with self._bulkheads.around(ALL, "count"):
            await self._queues.runners.hide([runner_id])
        msg = f"Worker {runner_id} has not been heard of for {self._settings.lease_s:g} s: {len(held)} jobs taken back"
        self._log.warning("worker.reaped", msg, queue=queue, worker_id=runner_id, jobs=len(held))
        await self._fates.tell(held)

    async def _promote(self, queue: str) -> None:
        for _ in range(MOST_BITES):
            if not await self._queues.upkeep.promote(queue):
                return

    async def _expire(self, queue: str) -> None:
        for _ in range(MOST_BITES):
            expired, is_more = await self._queues.upkeep.expire(queue)
            await self._fates.tell(expired)
            if not is_more:
                return

    async def _trim(self, queue: str) -> None:
        for _ in range(MOST_BITES):
            if not await self._queues.upkeep.trim(queue, self._retention):
                return
