"""What a queue has from its first job on: its name in `wb:queues`, and the settings that its types ask for.

    @job("webhook", queue="webhook", group_concurrency=10)      the queue `webhook` begins with groups.concurrency 10

    beginnings = QueueBeginnings(link, keys, registry.first_settings)    # {"webhook": {"group_concurrency": "10"}}
    await beginnings.begun("webhook")
    await beginnings.serve("webhook")

The first is called by whoever took in the queue's first job; the second by a runner, before it claims, for a first job
that comes from a schedule: a supervisor queues it, and knows no types.
A setting that somebody has made by then stays, and so does whatever is changed later: a queue begins once.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from lib.errors import RedisKeysBroken, behind_a_change
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

FirstSettings = Mapping[str, Mapping[str, str]]
"""Queue -> the settings that it begins with, as the hash `meta` keeps them."""
NONE: FirstSettings = {}


class QueueBeginnings:
    """Writes what queues begin with."""

    def __init__(self, link: RedisLink, keys: RedisKeys, first_settings: FirstSettings) -> None:
        self._link = link
        self._keys = keys
        self._first_settings = first_settings

    async def begun(self, queue: str) -> None:
        """The queue has begun with a job that was just taken in. Raises OutcomeUnknown where Redis goes away.

        The name is written again, for the queue may have been removed since it was named. WHY the settings come first:
        whoever finds the name may change them.
        """
        with behind_a_change():
            with contextlib.suppress(RedisKeysBroken):
                await self._set(queue)
            with contextlib.suppress(RedisKeysBroken):
                await self._link.call("SADD", self._keys.queues, queue)

    async def serve(self, queue: str) -> None:
        """A runner is about to serve the queue. Raises RedisUnavailable."""
        if queue not in self._first_settings:
            return
        with contextlib.suppress(RedisKeysBroken):
            if not await self._link.call("EXISTS", self._keys.totals(queue)):
                await self._set(queue)

    async def _set(self, queue: str) -> None:
        meta, settings = self._keys.meta(queue), self._first_settings.get(queue, {})
        await asyncio.gather(*[self._link.call("HSETNX", meta, name, text) for name, text in settings.items()])
