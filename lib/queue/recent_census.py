"""The census of every queue as it was a second ago or less, for answers that are made of all queues.

Where the worst queues come first, each queue has to be counted before the first one is known: 500 queues take Redis and
this process together some 60 to 90 ms. However many such answers are asked for, the queues are counted once a second.
"""

import asyncio
import time
from collections.abc import Callable
from math import inf

from lib.queue.census import Census
from lib.queue.queue_store import QueueStore
from lib.queue.unreadable import Unreadable

MOST_AGE_S = 1.0


class RecentCensus:
    """Of one process. clock: seconds, of this process alone."""

    def __init__(self, queues: QueueStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._queues = queues
        self._clock = clock
        self._taking = asyncio.Lock()
        self._begun_s = -inf
        self._taken: list[Census | Unreadable] = []

    async def all(self) -> list[Census | Unreadable]:
        """Every queue, by name. Raises RedisUnavailable, or RedisKeysBroken if `wb:queues` is no set."""
        async with self._taking:
            if self._clock() - self._begun_s > MOST_AGE_S:
                begun_s = self._clock()
                self._taken = [one async for some in self._queues.census_of_all() for one in some]
                self._begun_s = begun_s
            return self._taken
