"""Numbers over time, of one queue or summed over all: what the scripts and the runners count by periods of five minutes
(lua/parts/period.lua), of which upkeep makes one entry each in the stream `stats` (lua/queues/rollup.lua).

    now_ms, periods = await store.of_queue("email", length_ms=3_600_000)
    stats_of(periods, WINDOWS["1h"], now_ms)                     # jobs/period_stats.py
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from lib.jobs.period_stats import KEPT_MS
from lib.jobs.periods import PERIOD_MS, Periods, add_periods, add_texts
from lib.queue.framing import RECORD_BYTE, texts
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms


class _Found(NamedTuple):
    """last_id: of the last entry of `stats` that was read, "" where there was none. kept: of the entries. open: of the
    periods that are not rolled up yet."""

    now_ms: int
    last_id: str
    kept: Periods
    open: Periods


class StatsStore:
    """The numbers of every queue. Entries of `stats` do not change, so that what was read once of all queues is kept
    here, as sums."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queues: QueueStore) -> None:
        self._link = link
        self._keys = keys
        self._queues = queues
        self._scripts = Scripts(link)
        # WHY one at a time: those who ask for a day of a busy queue again and again must not hold up who enqueues.
        self._reading = asyncio.Lock()
        self._summing = asyncio.Lock()
        self._sums: Periods = {}
        self._read_to: dict[str, str] = {}
        """queue -> the id of the last of its entries that is in the sums."""

    async def of_queue(self, queue: str, length_ms: int) -> tuple[int, Periods]:
        """Redis' clock, and the periods of the last length_ms and some before. Raises QueueNotFound."""
        await self._queues.expect_existing(queue)
        async with self._reading:
            return await self._of_one(queue, length_ms)

    async def of_some(self, queues: Sequence[str], length_ms: int) -> list[tuple[int, Periods] | Unreadable]:
        """The same of several queues that are there, all asked at once; give QUEUES_AT_ONCE at most."""
        return await each_readable(queues, lambda queue: self._of_one(queue, length_ms))

    async def _of_one(self, queue: str, length_ms: int) -> tuple[int, Periods]:
        found = await self._read(queue, "", length_ms)
        add_periods(found.kept, found.open)
        return found.now_ms, found.kept

    async def of_all(self) -> tuple[int, Periods, list[Unreadable]]:
        """Redis' clock, the sums over all queues, and the queues that could not be read."""
        async with self._summing:
            at_ms, open_now, unreadable = await now_ms(self._link), Periods(), []
            names = await self._queues.names()
            self._read_to = {queue: self._read_to[queue] for queue in names if queue in self._read_to}
            for some in in_batches(names):
                for queue, found in zip(some, await each_readable(some, self._read_on), strict=True):
                    if isinstance(found, Unreadable):
                        unreadable.append(found)
                        continue
                    self._read_to[queue] = found.last_id or self._read_to.get(queue, "")
                    add_periods(self._sums, found.kept)
                    add_periods(open_now, found.open)
            first = (at_ms - KEPT_MS) // PERIOD_MS
            self._sums = {number: period for number, period in self._sums.items() if number >= first}
            add_periods(open_now, self._sums)
            return at_ms, open_now, unreadable

    async def _read_on(self, queue: str) -> _Found:
        """What has been added since the last call."""
        return await self._read(queue, self._read_to.get(queue, ""), KEPT_MS)

    async def _read(self, queue: str, behind_id: str, length_ms: int) -> _Found:
        kept, open_now, last_id, below = Periods(), Periods(), "", ""
        while True:
            behind = last_id or behind_id
            reply = await self._scripts.call("stats", self._keys.base(queue), behind, length_ms, below)
            with understood(queue):
                at_ms, read_to, new_kept, some_open, on = reply
                last_id, below = read_to.decode() or last_id, on.decode()
                new = read_periods(new_kept)
                # A period may have been rolled up since the call before, which has told of it as an open one.
                for number in new:
                    open_now.pop(number, None)
                add_periods(kept, new)
                add_periods(open_now, read_periods(some_open))
                if not below:
                    return _Found(int(at_ms), last_id, kept, open_now)


def read_periods(joined: bytes) -> Periods:
    """The periods of a text of stats.lua. Raises ValueError for one that no script wrote."""
    periods = Periods()
    add_texts(periods, map(texts, joined.split(RECORD_BYTE) if joined else ()))
    return periods
