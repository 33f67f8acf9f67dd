"""Tells those who wait for a job that it has ended. One reader for each queue that somebody waits on.

`finish`, `fail`, `cancel` and `reap` leave an entry in the queue's stream; the reader blocks there and wakes the
waiters that it concerns. An entry can be missed (a link is cut, the stream was trimmed): a waiter looks for itself
every few seconds as well, so that an event makes an answer quick and never makes it right.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from random import Random

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.state import FINISHED
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

BLOCK_MS = 500


class EndWaiters:
    """Who waits for which job's end."""

    def __init__(self, link: RedisLink, keys: RedisKeys, rng: Random) -> None:
        self._link = link
        self._keys = keys
        self._rng = rng
        self._waiters: dict[str, dict[str, set[asyncio.Event]]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}

    @contextlib.contextmanager
    def of(self, queue: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job ends. It may also be set when it has not: look again."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault(queue, {}).setdefault(job_id, set())
        waiters.add(event)
        if queue not in self._readers:
            self._readers[queue] = asyncio.get_running_loop().create_task(self._read(queue))
        try:
            yield event
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters[queue].pop(job_id, None)

    def wake_all(self) -> None:
        """Have everybody look again."""
        for queue, waiters in self._waiters.items():
            self._wake(queue, list(waiters))

    async def close(self) -> None:
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)

    async def _read(self, queue: str) -> None:
        """Follow the queue's stream for as long as somebody waits."""
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
        """Read on behind `last_id`, for BLOCK_MS at most; from the newest entry where there is none yet."""
        stream = self._keys.events(queue)
        if last_id is None:
            newest = await self._link.call("XREVRANGE", stream, "+", "-", "COUNT", 1)
            # Whoever looked before this moment looks again: the job may have ended in between.
            self._wake(queue, list(self._waiters[queue]))
            return newest[0][0] if newest else b"0-0"
        read = ("XREAD", "COUNT", 1000, "BLOCK", BLOCK_MS, "STREAMS", stream, last_id)
        reply = await self._link.block(BLOCK_MS / 1000, read)
        for _, entries in reply or ():
            for entry_id, fields in entries:
                last_id = entry_id
                about = dict(zip(fields[::2], fields[1::2], strict=True))
                if about.get(b"state", b"").decode("utf-8", "replace") in FINISHED:
                    self._wake(queue, about.get(b"ids", b"").decode("utf-8", "replace").split(","))
        return last_id

    def _wake(self, queue: str, job_ids: list[str]) -> None:
        for job_id in job_ids:
            for event in self._waiters[queue].get(job_id, ()):
                event.set()
