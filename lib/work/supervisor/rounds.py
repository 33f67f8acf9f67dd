"""What a supervisor does once a second: upkeep of every queue, and a check of its own runners.

One round asks: was Redis emptied (epochs.py)? What is due in which queue (upkeep.py), and where do suspects wait? Is
Redis back after an outage, and as it should be (redis_info.py)? Do the supervisor's own runners work (stuck.py)?
"""

import asyncio
import time
from random import Random

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.epochs import Epochs
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.work.supervisor.isolation_runners import IsolationRunners
from lib.work.supervisor.roster import Roster
from lib.work.supervisor.stuck import StuckRunners
from lib.work.supervisor.upkeep import EVERY_S, Upkeep


class Rounds:
    """redis_url: for the log, where its password is left out."""

    def __init__(
        self,
        redis_url: str,
        link: RedisLink,
        epochs: Epochs,
        upkeep: Upkeep,
        stuck: StuckRunners,
        isolation_runners: IsolationRunners,
        roster: Roster,
        *,
        log: Log,
        bulkheads: Bulkheads,
        rng: Random,
    ) -> None:
        self._redis_url = redis_url
        self._link = link
        self._epochs = epochs
        self._upkeep = upkeep
        self._stuck = stuck
        self._isolation_runners = isolation_runners
        self._roster = roster
        self._log = log
        self._bulkheads = bulkheads
        self._rng = rng
        self._is_away = False
        """Whether Redis was away when it was last asked."""
        self._is_inspected = False
        """Whether redis_info.py has looked at this Redis: at the start, and again after each outage."""

    async def run(self) -> None:
        """A round every EVERY_S. Ends by being cancelled."""
        while True:
            try:
                await self._round()
            except RedisUnavailable as fault:
                if not self._is_away:
                    self._log.warning("redis.lost", f"Database away: {fault.detail}")
                self._is_away, self._is_inspected = True, False
            # Jitter, so that the supervisors of a fleet do not all ask at the same moment.
            await asyncio.sleep(EVERY_S * self._rng.uniform(0.9, 1.1))

    async def _round(self) -> None:
        with self._bulkheads.around(ALL, "epoch"):
            if loss := await self._epochs.check():
                self._log.error("redis.emptied", loss.text, queues=loss.queues)
            if loss or self._epochs.is_another_run:
                self._upkeep.have_everybody_ask()
        began_s = time.monotonic()
        self._isolation_runners.suspects_found(await self._upkeep.round(began_s), began_s)
        if not self._is_inspected:
            redis_info.log_found(self._redis_url, await redis_info.inspect(self._link), self._log)
            self._is_away, self._is_inspected = False, True
        await self._stuck.check(self._roster.runners)
        self._isolation_runners.round_ended()
