"""Queues as a whole: their names, how many jobs each holds, what is set for each, and how one is removed.

    queues = QueueStore(link, keys)
    await queues.names()                    # ["email", "reports"]
    (await queues.census("email")).counts   # {"ready": 3, "active": 1, "delayed": 0, "completed": 812, …}

Four parts have a class of their own: `queues.runners` (runners.py), `queues.groups` (group_store.py), `queues.upkeep`
(upkeep_steps.py) and `queues.warnings` (health_warnings.py). Hand a part to whoever needs no more than that part.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lib.errors import QueueInUse, QueueNotFound, RedisKeysBroken, behind_a_change
from lib.jobs import queue_settings
from lib.jobs.job import NO_KEY, Keyed
from lib.queue.census import Census, census_from
from lib.queue.framing import FIELD, shown_text
from lib.queue.group_store import GroupStore
from lib.queue.health_warnings import HealthWarnings
from lib.queue.keys import TYPES, RedisKeys
from lib.queue.queue_names import QUEUES_AT_ONCE, all_names, in_batches
from lib.queue.replays import is_replay
from lib.queue.runners import Runners
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.queue.untold import UntoldNotices
from lib.queue.upkeep_steps import UpkeepSteps
from lib.redis_link.link import RedisLink
from lib.warning_codes import HealthWarning

LEASE_S = 15.0  # The setting's default.
REMOVED_KNOWN_S = 86_400


class Quarantined(NamedTuple):
    """A member of a list that was no job, and why it was taken out. In Redis `<id>|<reason>|<ms>`, with | for FIELD."""

    job_id: str
    reason: str
    found_ms: int | None


class QueueStore:
    """All queues, by name."""

    def __init__(self, link: RedisLink, keys: RedisKeys, *, lease_s: float = LEASE_S) -> None:
        """lease_s: how long after a beat a runner counts as alive that did not register a lease of its own."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._lease_ms = round(lease_s * 1000)
        self.runners = Runners(link, keys, self._lease_ms)
        self.groups = GroupStore(link, keys, self.expect_existing)
        self.upkeep = UpkeepSteps(link, keys)
        self.warnings = HealthWarnings(link, keys)
        self.untold = UntoldNotices(link, keys)

    # Names.

    async def names(self) -> list[str]:
        """Every queue that ever took a job or had a runner, sorted. Raises RedisKeysBroken if `wb:queues` is no set."""
        return await all_names(self._link, self._keys)

    async def existing(self, queues: Iterable[str]) -> list[str]:
        """The names in `queues` that stand in `wb:queues`, sorted."""
        names = sorted(queues)
        try:
            exist = await asyncio.gather(*[self._link.call("SISMEMBER", self._keys.queues, name) for name in names])
        except RedisKeysBroken:
            return names  # A broken set of names must not hide the queues themselves.
        return [name for name, is_there in zip(names, exist, strict=True) if is_there]

    async def add(self, queues: Iterable[str]) -> None:
        """Write these names into `wb:queues`, and note for upkeep that the queues are used now."""
        await self._scripts.call("name", self._keys.queues, self._keys.moved, *queues)

    async def named_since(self, since_ms: int) -> dict[str, int]:
        """Queues whose name was written at `since_ms` or later -> the ms at which that was. Raises RedisKeysBroken."""
        flat = await self._link.call("ZRANGEBYSCORE", self._keys.moved, since_ms, "+inf", "WITHSCORES")
        return {shown_text(name): int(float(ms)) for name, ms in zip(flat[::2], flat[1::2], strict=True)}

    async def some_names(self, known: Iterable[str]) -> list[str]:
        """All queues, or if there are more than QUEUES_AT_ONCE, so many of those in `known`: for /api/health."""
        names = await self.names()
        return names if len(names) <= QUEUES_AT_ONCE else sorted(set(names).intersection(known))[:QUEUES_AT_ONCE]

    # Numbers.

    async def census(self, queue: str) -> Census:
        """Raises QueueNotFound."""
        await self.expect_existing(queue)
        return await self._census_of_one(queue)

    async def census_of(self, queues: Sequence[str]) -> list[Census | Unreadable]:
        """The census of several queues, all asked at once; give QUEUES_AT_ONCE at most."""
        return await each_readable(queues, self._census_of_one)

    async def _census_of_one(self, queue: str) -> Census:
        reply = await self._scripts.call("census", self._keys.base(queue), self._lease_ms)
        with understood(queue):
            return census_from(queue, reply)

    async def census_of_all(self) -> AsyncIterator[list[Census | Unreadable]]:
        """The census of every queue, by name, a few queues at a time: neither Redis nor the event loop is held up."""
        for some in in_batches(await self.names()):
            yield await self.census_of(some)

    async def unserved(self, known: Iterable[str]) -> list[HealthWarning]:
        """A warning for each queue of `some_names` in which jobs wait and which no runner serves."""
        return [
            HealthWarning(
                "queue_unserved",
                f"{_jobs_wait(one.counts['ready'])} in the queue {one.queue}, which no worker serves",
                one.queue,
                one.oldest_ready_ms,
            )
            for one in await self.census_of(await self.some_names(known))
            if not isinstance(one, Unreadable) and not one.workers and one.counts["ready"]
        ]

    async def suspects(self, queue: str) -> int:
        """How many jobs wait to run alone; 0 while the queue is paused."""
        paused, waiting = await asyncio.gather(
            self._link.call("HEXISTS", self._keys.meta(queue), "paused"),
            self._link.call("LLEN", self._keys.suspects(queue)),
        )
        return 0 if paused else int(waiting)

    async def quarantine(self, queue: str) -> list[Quarantined]:
        """What was found in the queue's lists and is no job; newest first, 100 at most."""
        rows = await self._link.call("LRANGE", self._keys.quarantine(queue), 0, 99)
        return [_quarantined(shown_text(row)) for row in rows]

    # Changes.

    async def adjust(
        self, queue: str, settings: Mapping[str, Any], keyed: Keyed = NO_KEY, *, begins: bool = False
    ) -> bool:
        """Change the settings that are given, of those in queue_settings.SETTINGS. begins: the queue may be new.

        Returns True if the same change was made before under the same idempotency key. Raises QueueNotFound or
        IdempotencyKeyReused.
        """
        if begins:
            await self.add([queue])
        else:
            await self.expect_existing(queue)
        pairs = [item for pair in queue_settings.stored(settings).items() for item in pair]
        answer = await self._scripts.call("adjust", self._keys.base(queue), queue, *keyed, *pairs)
        return is_replay(answer.decode())

    async def remove(self, queue: str, others: Iterable[str] = ()) -> None:
        """Forget a queue that holds no job and that no runner serves. Raises QueueNotFound or QueueInUse.

        others: names of further keys of the queue that are to go. What a request left under an idempotency key or a
        unique key stays until it expires, for no list of such keys exists.

        The marker, `epoch`, goes last: epochs.py must find a note that the queue was removed, or would report that
        Redis was emptied. By then a server that had named the queue before may have enqueued a job: the queue has begun
        again, and keeps its name and its marker.
        """
        await self.expect_existing(queue)
        names = [*(name for name in TYPES if name != "epoch"), "listened", *others]
        marker = await self._remove(queue, names)
        with behind_a_change():
            if marker:
                await self._link.call("SET", self._keys.removed(marker), 1, "EX", REMOVED_KNOWN_S)
            await self._link.call("SREM", self._keys.queues, queue)
            await self._link.call("ZREM", self._keys.moved, queue)
            try:
                await self._remove(queue, [*names, "epoch"])
            except QueueInUse:
                await self.add([queue])
                await self._link.call("UNLINK", self._keys.removed(marker))

    async def _remove(self, queue: str, names: list[str]) -> str:
        """Forget the keys `names` of the queue, and its runners' keys. Returns the marker or "". Raises QueueInUse."""
        outcome, about = await self._scripts.call("remove", self._keys.base(queue), self._lease_ms, *names)
        if outcome == b"served":
            raise QueueInUse(
                f"{about} runners serve the queue {queue}: take it out of WORKER_QUEUES and restart their workers, "
                "then remove it"
            )
        if outcome == b"schedules":
            raise QueueInUse(
                f"{about} schedules queue jobs in {queue}: delete them (GET /api/schedules?queue={queue} lists them), "
                "then remove it"
            )
        if outcome == b"notices":
            raise QueueInUse(
                f"{about} ends of jobs of the queue {queue} are still to be told to jobs that wait for them: while a "
                "worker runs that takes a second or two; then remove it"
            )
        if outcome == b"jobs":
            counts = (await self._census_of_one(queue)).counts
            by_state = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
            raise QueueInUse(
                f"the queue {queue} holds {about} jobs ({by_state}): cancel those that wait, delete those that have "
                "ended, then remove it"
            )
        return shown_text(about)

    async def expect_existing(self, queue: str) -> None:
        if not await self.existing([queue]):
            raise QueueNotFound(f"there is no queue {queue!r}; a queue begins with its first job or its first worker")


def _quarantined(row: str) -> Quarantined:
    job_id, reason, ms = (*row.rsplit(FIELD, 2), "", "")[:3]
    return Quarantined(job_id, reason, int(ms) if ms.isdigit() else None)


def _jobs_wait(count: int) -> str:
    return "1 job waits" if count == 1 else f"{count} jobs wait"
