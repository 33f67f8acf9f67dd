"""The kinds of errors that jobs of a queue, or of all queues, met lately (jobs/error_kinds.py).

now_ms, kinds = await store.of_queue("email", ERROR_WINDOWS["1h"])
"""

import asyncio

from lib.jobs.error_kinds import ErrorKind, ErrorWindow, HourOfErrors, error_kinds, over_queues
from lib.queue.framing import RECORD, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.redis_link.link import RedisLink


class ErrorStore:
    """The errors of every queue, as the scripts have counted them."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queues: QueueStore) -> None:
        self._keys = keys
        self._queues = queues
        self._scripts = Scripts(link)
        # WHY one at a time: those who ask for a day of many kinds again and again must not hold up who enqueues.
        self._reading = asyncio.Lock()

    async def of_queue(self, queue: str, window: ErrorWindow) -> tuple[int, list[ErrorKind]]:
        """Redis' clock, and the kinds, in no order. Raises QueueNotFound."""
        await self._queues.expect_existing(queue)
        async with self._reading:
            return await self._read(queue, window)

    async def of_all(
        self, window: ErrorWindow, *, is_merged: bool = False
    ) -> tuple[int, list[ErrorKind], list[Unreadable]]:
        """The same of all queues, and those that could not be read. is_merged: what many queues have is one kind."""
        kinds: list[ErrorKind] = []
        unreadable: list[Unreadable] = []
        async with self._reading:
            now_ms = await self._queues.upkeep.now_ms()
            for some in in_batches(await self._queues.names()):
                for found in await each_readable(some, lambda queue: self._read(queue, window)):
                    if isinstance(found, Unreadable):
                        unreadable.append(found)
                    else:
                        kinds += found[1]
                # WHY not once at the end: 500 queues of fifty kinds would hold up the loop for 30 ms, not for 5.
                if is_merged:
                    kinds = over_queues(kinds)
        return now_ms, kinds, unreadable

    async def _read(self, queue: str, window: ErrorWindow) -> tuple[int, list[ErrorKind]]:
        at, *flat = await self._scripts.call("errors", self._keys.base(queue), window.hours)
        with understood(queue):
            hours = [read_hour(hour, kinds) for hour, kinds in zip(flat[::2], flat[1::2], strict=True)]
            return int(at), error_kinds(queue, hours, window, int(at))


def read_hour(hour: bytes, joined: bytes) -> HourOfErrors:
    """An hour of the reply of errors.lua. Raises ValueError for what no script wrote."""
    flat = shown_text(joined).split(RECORD)
    return HourOfErrors(int(hour), list(zip(flat[::2], flat[1::2], strict=True)))
