"""The supervisor beats for its runners: in Redis, a counter a runner and queue says that the runner lives.

WHY not the runner itself: a handler that blocks the runner's loop must cost no lease. Whose counter stands still for
lease_s is reaped (lease_watch.py): its jobs are taken back.
"""

import asyncio
import contextlib

from lib.errors import RedisUnavailable
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.fleet import Fleet, this_program
from lib.queue.queue_store import QueueStore
from lib.queue.runners import Vitals
from lib.work.supervisor.roster import Roster

END_S = 0.5


class Beats:
    """lease_s: LEASE_S, how long a runner's counter may stand still. The supervisor shows itself in the fleet, too."""

    def __init__(self, lease_s: float, roster: Roster, queues: QueueStore, fleet: Fleet, bulkheads: Bulkheads) -> None:
        self._lease_s = lease_s
        self._roster = roster
        self._queues = queues
        self._fleet = fleet
        self._supervisor = this_program("supervisor")
        self._bulkheads = bulkheads

    async def run(self) -> None:
        """Beat five times a lease, and ten times as often while beats fail. Ends by being cancelled.

        WHY more often then: where links are cut again and again, five tries may fail one after another, and living
        runners would be reaped.
        """
        while True:
            pause_s = self._lease_s / 50
            with contextlib.suppress(RedisUnavailable):
                await self.beat()
                pause_s = self._lease_s / 5
            await asyncio.sleep(pause_s)

    async def beat(self) -> None:
        """Beat once for every runner that lives, and show them and the supervisor. Raises RedisUnavailable."""
        by_queue: dict[str, list[str]] = {}
        vitals: dict[str, Vitals] = {}
        for runner in self._roster.runners:
            if runner.process.returncode is None:
                for queue, runner_id in runner.runner_ids.items():
                    by_queue.setdefault(queue, []).append(runner_id)
                    if told := self._roster.vitals(runner):
                        vitals[runner_id] = told
        for queue, runner_ids in by_queue.items():
            with self._bulkheads.around(queue, "beat"):
                await self._queues.runners.beat(queue, runner_ids, vitals)
        alive = sorted({runner_id for runner_ids in by_queue.values() for runner_id in runner_ids})
        with self._bulkheads.around(ALL, "fleet"):
            runners = [self._supervisor._replace(kind="runner", program_id=runner_id) for runner_id in alive]
            await self._fleet.show([self._supervisor, *runners], self._lease_s)
        if alive:
            with self._bulkheads.around(ALL, "count"):
                await self._queues.runners.show(alive, self._lease_s)

    async def end(self) -> None:
        """Take the supervisor out of the fleet: it ends, and its runners have. Where Redis does not answer within
        END_S, the lease ends what is left: no stop waits for a stuck Redis."""
        is_away, is_stuck = contextlib.suppress(RedisUnavailable), contextlib.suppress(TimeoutError)
        with is_away, self._bulkheads.around(ALL, "fleet"), is_stuck:
            await asyncio.wait_for(self._fleet.hide([self._supervisor]), END_S)
