"""Notices that Redis has lost what it held: FLUSHALL, a restart without its file, a failover to an empty replica.

Each queue has a marker beside its jobs, in their slot: a random word that is written once and never changed. Who has
seen it, and later finds another one or none, knows that everything beside it is gone too. Server and supervisor look
once in a while, each for itself; a job costs nothing. Who looks for the first time has nothing to compare with.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lib.errors import RedisKeysBroken
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import Walk
from lib.queue.queue_store import QueueStore, in_bites
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import fields_of, is_cluster_node

TOLD_FOR_S = 3600.0
SHOWN = 10
AT_A_LOOK = 20
"""So many markers that are known are asked for each time: of three nodes, one that was emptied is missed by three looks
in ten thousand."""
NEW_AT_A_LOOK = 100  # Names, among which those without a marker may be.


class Loss(NamedTuple):
    """What was seen to be gone. was_restarted: by another run of Redis; None in a Cluster, where one node tells nothing
    of the others."""

    queues: tuple[str, ...]
    was_restarted: bool | None

    @property
    def text(self) -> str:
        """What happened, what it means, and what to do."""
        more = f" and {len(self.queues) - SHOWN} more" if len(self.queues) > SHOWN else ""
        return (
            f"Redis {_CAUSES[self.was_restarted]}: the jobs of {', '.join(self.queues[:SHOWN])}{more} that waited or"
            f" ran are gone, and what was kept of finished ones. Have them sent again; {_ADVICE[self.was_restarted]}"
        )


_CAUSES = {
    None: "was emptied, or a node of the Cluster came back without its data",
    False: "was emptied (FLUSHALL, FLUSHDB, or the keys were deleted)",
    True: "was restarted, or another one took its place, without the data that it had",
}
_ADVICE = {
    None: "set appendonly yes, and let nobody else use this Redis (prod/redis.conf)",
    False: "let nobody use this Redis whose user may flush it (prod/redis.conf has one that may not)",
    True: "set appendonly yes, and look whether its folder and its replicas are the right ones (prod/redis.conf)",
}


class Epochs:
    """What one process knows of the queues' markers."""

    def __init__(self, link: RedisLink, keys: RedisKeys, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, of this process alone."""
        self._link = link
        self._keys = keys
        self._queues = QueueStore(link, keys)
        self._clock = clock
        self._walk = Walk(link, keys, page=NEW_AT_A_LOOK)
        self._has_walked = False
        self._markers: dict[str, bytes] = {}
        self._waiting: list[str] = []
        self._run_id = ""
        self._last: tuple[Loss, float] | None = None

    async def look(self) -> Loss | None:
        """What is gone since the last look. Raises RedisUnavailable or RedisKeysBroken, and then has seen nothing.

        Whoever empties a Redis empties all of it, or a node of several: so a few markers tell, the next ones each time.
        Where one of them has changed, all are looked at.
        """
        told = fields_of(await self._link.call("INFO", "server"))
        found = await self._read(await self._new_names() | self._turn())
        gone = await self._gone(found)
        if gone:
            found |= await self._read(self._markers.keys() - found.keys())
            gone = await self._gone(found)
        run_id, self._run_id = self._run_id, told.get("run_id", "")
        self._markers.update((queue, marker) for queue, marker in found.items() if marker is not None)
        for queue in [queue for queue, marker in found.items() if marker is None]:
            self._markers.pop(queue, None)
        if not gone:
            return None
        loss = Loss(gone, None if is_cluster_node(told) else run_id != self._run_id)
        self._last = loss, self._clock()
        return loss

    async def _new_names(self) -> set[str]:
        """Queues whose marker is not known here; at the first look all there are, later those that are met."""
        is_first = not self._has_walked
        names = set(await self._walk.step())
        while is_first and not self._walk.is_at_the_begin:
            names.update(await self._walk.step())
        self._has_walked = True
        return names - self._markers.keys()

    def _turn(self) -> set[str]:
        """The queues whose marker is asked for this time."""
        if not self._waiting:
            self._waiting = list(self._markers)
        some, self._waiting = self._waiting[:AT_A_LOOK], self._waiting[AT_A_LOOK:]
        return set(some) & self._markers.keys()

    async def _read(self, queues: Iterable[str]) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for some in in_bites(sorted(queues)):
            found.update(zip(some, await asyncio.gather(*map(self._marker, some)), strict=True))
        return found

    async def _gone(self, found: Mapping[str, bytes | None]) -> tuple[str, ...]:
        """Those whose marker is another one, or none, by now, and was not removed on purpose."""
        changed = [(queue, known) for queue, known in self._markers.items() if found.get(queue, known) != known]
        removed = await asyncio.gather(*[self._is_removed(known) for _, known in changed])
        return tuple(queue for (queue, _), is_removed in zip(changed, removed, strict=True) if not is_removed)

    async def _is_removed(self, marker: bytes) -> bool:
        return bool(await self._link.call("EXISTS", self._keys.removed(marker.decode("ascii", "replace"))))

    @property
    def warnings(self) -> list[str]:
        """What /api/health tells for an hour."""
        if self._last is None or self._clock() - self._last[1] > TOLD_FOR_S:
            return []
        loss, seen_s = self._last
        return [f"{(self._clock() - seen_s) / 60:.0f} minutes ago: {loss.text}"]

    async def _marker(self, queue: str) -> bytes | None:
        """The queue's marker. Where it has none and the queue is there, it gets one that nobody had before."""
        try:
            marker: bytes | None = await self._link.call("GET", self._keys.epoch(queue))
            if marker is None and await self._queues.known([queue]):
                marker = await self._mark(queue)
        except RedisKeysBroken:
            # Somebody put something else there by hand: that costs the other queues nothing, and tells of no loss.
            return self._markers.get(queue)
        return marker

    async def _mark(self, queue: str) -> bytes | None:
        key, fresh = self._keys.epoch(queue), secrets.token_hex(8)
        # Another process may have been quicker: then its marker is the answer.
        marker: bytes | None = await self._link.call("SET", key, fresh, "NX", "GET")
        if marker is None and not await self._queues.known([queue]):
            # It was removed in this moment, and nothing of it is to stay.
            await self._link.call("UNLINK", key)
            return None
        return marker or fresh.encode()
