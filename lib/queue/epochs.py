"""Notices that Redis has lost its data: FLUSHALL, a restart without its file, a failover to an empty replica.

Each queue has a marker beside its jobs, in their slot: `wb:{email}:epoch` holds a random word, `9f2c41d07a5be836`,
which is written once and never changed. A process that knew the marker, and later finds another one or none, knows that
the jobs beside it are gone, too. Server and supervisor check once in a while, each for itself, so that jobs pay
nothing. The first check of a process only learns the markers.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lib.errors import RedisKeysBroken
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import Walk, in_batches
from lib.queue.queue_store import QueueStore
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import fields_of, is_cluster_node, now_ms
from lib.warning_codes import HealthWarning

WARNED_FOR_S = 3600.0
SHOWN = 10
MARKERS_A_CHECK = 20
"""How many known markers a check reads. If one of three nodes was emptied, three checks in ten thousand miss it."""
NAMES_A_CHECK = 100  # About how many names of queues a check reads, to find those that it does not know yet.


class Loss(NamedTuple):
    """Queues whose jobs are gone. was_restarted: another run of Redis answers now than at the last check; None in a
    Cluster, where the run of one node says nothing of the other nodes."""

    queues: tuple[str, ...]
    was_restarted: bool | None

    @property
    def text(self) -> str:
        """A sentence on the cause, the consequence, and what the operator should do."""
        return f"{self.facts}. {self.what_to_do}"

    @property
    def facts(self) -> str:
        """The cause and the consequence."""
        more = f" and {len(self.queues) - SHOWN} more" if len(self.queues) > SHOWN else ""
        return (
            f"Redis {_CAUSES[self.was_restarted]}: the jobs of {', '.join(self.queues[:SHOWN])}{more} that waited or"
            f" ran are gone, and what was kept of finished ones"
        )

    @property
    def what_to_do(self) -> str:
        return f"Have them sent again; {_ADVICE[self.was_restarted]}"


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
    """The markers of all queues, as far as one process knows them."""

    def __init__(self, link: RedisLink, keys: RedisKeys, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds, of this process alone."""
        self._link = link
        self._keys = keys
        self._queues = QueueStore(link, keys)
        self._clock = clock
        self._walk = Walk(link, keys, page=NAMES_A_CHECK)
        self._has_walked = False
        self._markers: dict[str, bytes] = {}
        self._waiting: list[str] = []
        self._run_id = ""
        self.is_another_run = False
        """Whether another run of Redis answered the last check than the one before: it was restarted, or a replica was
        promoted. False with a Cluster, where the run of one node says nothing of the others."""
        self._last: tuple[Loss, float, int] | None = None
        """The last loss, and when it was noticed: by the clock, and in ms by Redis'."""

    async def check(self) -> Loss | None:
        """What was lost since the last check. If this raises RedisUnavailable or RedisKeysBroken, nothing was learnt.

        Whoever empties a Redis empties all of it, or one node of a Cluster. So a check reads a few markers, others each
        time; if one marker has changed, the check reads all.
        """
        info = fields_of(await self._link.call("INFO", "server"))
        found = await self._read(await self._new_names() | self._turn())
        gone = await self._gone(found)
        if gone:
            found |= await self._read(self._markers.keys() - found.keys())
            gone = await self._gone(found)
        noticed_ms = await now_ms(self._link) if gone else 0
        run_id, self._run_id = self._run_id, info.get("run_id", "")
        self.is_another_run = run_id not in ("", self._run_id) and not is_cluster_node(info)
        self._markers.update((queue, marker) for queue, marker in found.items() if marker is not None)
        for queue in [queue for queue, marker in found.items() if marker is None]:
            self._markers.pop(queue, None)
        if not gone:
            return None
        loss = Loss(gone, None if is_cluster_node(info) else run_id != self._run_id)
        self._last = loss, self._clock(), noticed_ms
        return loss

    async def _new_names(self) -> set[str]:
        """Queues whose marker this process does not know: every queue at the first check, later those met on a walk."""
        is_first = not self._has_walked
        names = set(await self._walk.step())
        while is_first and not self._walk.is_at_start:
            names.update(await self._walk.step())
        self._has_walked = True
        return names - self._markers.keys()

    def _turn(self) -> set[str]:
        """The next MARKERS_A_CHECK queues whose known marker is read, round and round."""
        if not self._waiting:
            self._waiting = list(self._markers)
        some, self._waiting = self._waiting[:MARKERS_A_CHECK], self._waiting[MARKERS_A_CHECK:]
        return set(some) & self._markers.keys()

    async def _read(self, queues: Iterable[str]) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for some in in_batches(sorted(queues)):
            found.update(zip(some, await asyncio.gather(*map(self._marker, some)), strict=True))
        return found

    async def _gone(self, found: Mapping[str, bytes | None]) -> tuple[str, ...]:
        """Queues that have another marker by now, or none, and were not removed on purpose."""
        changed = [(queue, known) for queue, known in self._markers.items() if found.get(queue, known) != known]
        removed = await asyncio.gather(*[self._is_removed(known) for _, known in changed])
        return tuple(queue for (queue, _), is_removed in zip(changed, removed, strict=True) if not is_removed)

    async def _is_removed(self, marker: bytes) -> bool:
        return bool(await self._link.call("EXISTS", self._keys.removed(shown_text(marker))))

    @property
    def warnings(self) -> list[HealthWarning]:
        """For /api/health: the last loss, for WARNED_FOR_S after it was noticed."""
        if self._last is None or self._clock() - self._last[1] > WARNED_FOR_S:
            return []
        loss, _, noticed_ms = self._last
        return [HealthWarning("redis_emptied", loss.facts, since_ms=noticed_ms, advice=loss.what_to_do)]

    async def _marker(self, queue: str) -> bytes | None:
        """The queue's marker; a queue that exists and has none gets a new one. None for a queue that does not exist."""
        try:
            marker: bytes | None = await self._link.call("GET", self._keys.epoch(queue))
            if marker is None and await self._queues.existing([queue]):
                marker = await self._mark(queue)
        except RedisKeysBroken:
            # Somebody put something else there by hand. That must not stop the check of other queues, and is no loss.
            return self._markers.get(queue)
        return marker

    async def _mark(self, queue: str) -> bytes | None:
        key, fresh = self._keys.epoch(queue), secrets.token_hex(8)
        # Another process may have been quicker: then the reply is the marker that it wrote.
        marker: bytes | None = await self._link.call("SET", key, fresh, "NX", "GET")
        if marker is None and not await self._queues.existing([queue]):
            # The queue was removed in this moment, and nothing of it is to stay.
            await self._link.call("UNLINK", key)
            return None
        return marker or fresh.encode()
