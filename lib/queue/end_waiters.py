"""Wakes the requests that wait for a job to end (`Prefer: wait=10`).

Every script that ends jobs leaves an entry in the queue's stream, such as `state completed by complete ids id1,id2`.
For each queue with a waiter, a task blocks on that stream and wakes the waiters of those ids. An entry can be missed
(the link is cut, the stream was trimmed), so a waiter reads its job every few seconds as well: the stream makes an
answer quick, the reading makes it right.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from random import Random

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.state import FINISHED
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

BLOCK_MS = 500


class EndWaiters:
    """The waiters of one process: queue -> job's id -> an event for each request that waits."""

    def __init__(self, link: RedisLink, keys: RedisKeys, rng: Random) -> None:
        self._link = link
        self._keys = keys
        self._rng = rng
        self._waiters: dict[str, dict[str, set[asyncio.Event]]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}

    @contextlib.contextmanager
    def of(self, queue: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job ends. It may be set although the job has not ended: read the job."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault(queue, {}).setdefault(job_id, set())
        waiters.add(event)
        if queue not in self._readers:
            self._readers[queue] = asyncio.get_running_loop().create_task(self._read_while_awaited(queue))
        try:
            yield event
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters[queue].pop(job_id, None)

    def wake_all(self) -> None:
        """Wake every waiter, to read its job again."""
        for queue, waiters in self._waiters.items():
            self._wake(queue, list(waiters))

    async def close(self) -> None:
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)

    async def _read_while_awaited(self, queue: str) -> None:
        """Follow the queue's stream as long as a waiter of the queue is left."""
        last_id: bytes | None = None
        try:
            while self._waiters[queue]:
                try:
                    last_id = await self._follow(queue, last_id)
                except (RedisUnavailable, RedisKeysBroken):
                    await asyncio.sleep(self._rng.uniform(0.2, 1.0))
        finally:
            del self._readers[queue]
            if not self._waiters[queue]:
                del self._waiters[queue]

    async def _follow(self, queue: str, last_id: bytes | None) -> bytes:
        """Wait BLOCK_MS at most for entries behind `last_id`, and wake the waiters of their jobs.

        Returns the id of the last entry read. With None for `last_id`, returns the newest entry's id at once.
        """
        stream = self._keys.events(queue)
        if last_id is None:
            newest = await self._link.call("XREVRANGE", stream, "+", "-", "COUNT", 1)
            # A job may have ended after its waiter read it and before this moment: the waiter reads it again.
            self._wake(queue, list(self._waiters[queue]))
            return newest[0][0] if newest else b"0-0"
        read = ("XREAD", "COUNT", 1000, "BLOCK", BLOCK_MS, "STREAMS", stream, last_id)
        reply = await self._link.block(BLOCK_MS / 1000, read)
        for _, entries in reply or ():
            for entry_id, fields in entries:
                last_id = entry_id
                entry = dict(zip(fields[::2], fields[1::2], strict=True))
                if shown_text(entry.get(b"state", b"")) in FINISHED:
                    self._wake(queue, shown_text(entry.get(b"ids", b"")).split(","))
        return last_id

    def _wake(self, queue: str, job_ids: list[str]) -> None:
        for job_id in job_ids:
            for event in self._waiters[queue].get(job_id, ()):
                event.set()
