"""Runners of ours that live and do nothing: a loop that no longer turns, a consumer that hears nothing.

Called by the supervisor, once a second and only when Redis answers, so that a runner that is silent is so by its own
doing. It kills; what the dead one held, the supervisor takes back.
"""

import time
from collections.abc import Iterable
from random import Random

from lib.logs.log import Log
from lib.processes.start import BORN_S
from lib.queue.bulkheads import Bulkheads
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.work.supervisor.child import Child
from lib.work.supervisor.overdue import Held, Leaps, held_by, overdue

STUCK_S = 2.5  # Without a tick for so long, a loop may be stuck: its jobs' deadlines are looked at.
SILENT_S = 30.0


class StuckRunners:
    """Finds and kills them."""

    def __init__(self, link: RedisLink, keys: RedisKeys, log: Log, bulkheads: Bulkheads, rng: Random) -> None:
        self._link = link
        self._keys = keys
        self._queue = JobStore(link, keys)
        self._log = log
        self._bulkheads = bulkheads
        self._rng = rng
        self._leaps = Leaps()

    async def look(self, children: Iterable[Child]) -> None:
        """Look at each that lives. Raises RedisUnavailable."""
        await self._compare_clocks()
        for child in list(children):
            if child.process.returncode is not None:
                continue
            if child.silent_s > SILENT_S:
                self._log.error(
                    "runner.killed", f"Runner {child.runner_id} has heard nothing for {child.silent_s:.0f} s"
                )
                child.kill()
            elif (unheard_s := child.unheard_s(time.monotonic())) > STUCK_S and child.has_ticked:
                await self._free(child, unheard_s)
            elif unheard_s > BORN_S:
                msg = f"Runner {child.runner_id} has not said a word in {BORN_S:.0f} s: what do its job modules do?"
                self._log.error("runner.killed", msg)
                child.kill()

    async def _free(self, child: Child, unheard_s: float) -> None:
        """Kill a runner whose loop is stuck past a job's deadline, and note the jobs that are overdue."""
        now_ms = await self._compare_clocks()
        held: list[Held] = []
        for queue, runner_id in child.runner_ids.items():
            with self._bulkheads.around(queue, "rescue"):
                held += await held_by(self._lease(queue, runner_id), self._queue)
        late = overdue(held, child.blocker, now_ms, self._leaps, unheard_s)
        is_hung = unheard_s > SILENT_S and not await self._holds_any(child)
        if not late and not is_hung:
            return
        self._log.error("runner.killed", f"Runner {child.runner_id} is stuck: {len(late)} jobs are past their time")
        child.late = late
        child.kill()

    async def _compare_clocks(self) -> int:
        """Redis' time, in ms. Done once a second: what its clock leaps makes no job overdue."""
        now_ms = await redis_info.now_ms(self._link)
        self._leaps.look(now_ms, time.monotonic())
        return now_ms

    async def _holds_any(self, child: Child) -> bool:
        """A loop that is stuck with jobs in hand has until their deadlines; one that holds none is just stuck."""
        for queue, runner_id in child.runner_ids.items():
            with self._bulkheads.around(queue, "rescue"):
                if await self._lease(queue, runner_id).active_ids():
                    return True
        return False

    def _lease(self, queue: str, runner_id: str) -> Lease:
        """A runner's place in a queue, to speak for it."""
        return Lease(self._link, self._link, self._keys, queue, runner_id, self._rng)
