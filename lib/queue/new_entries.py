"""Waits until one of many queues' streams has a new entry. Called by event_stream.py.

    entries = NewEntries(link, keys, ["email", "reports"])
    await entries.behind({"email": StreamPosition(1764410000123, 0), "reports": …})   # {"email": the newest one}

One Redis holds one call for all these queues, `XREAD … BLOCK … STREAMS …`, on a connection of its own, until something
happens in one of them: 500 idle queues cost no more than one. In a Cluster a command may name the streams of one slot
alone, and nearly every queue has a slot of its own. There each queue is asked for itself, and not each of them at every
turn: see `_whose_turn_it_is`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from lib.queue.keys import RedisKeys
from lib.queue.stream_position import StreamPosition
from lib.queue.unreadable import Unreadable, each_readable
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Command

BLOCK_S = 5.0
ASKED_EACH_TURN = 50
MOST_TURNS = 5
LATELY_S = 10.0


class NewEntries:
    """The streams of some queues. Which queues these are does not change."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queues: Sequence[str]) -> None:
        """queues: one at least."""
        self._link = link
        self._keys = keys
        self._queues = {keys.events(queue): queue for queue in queues}
        self._is_one_call = len(link.together(self._queues)) == 1
        self._turn = 0
        self._found_s: dict[str, float] = {}
        """Queue -> when a turn last found a new entry in it, by the loop's clock."""

    async def behind(self, newest: Mapping[str, StreamPosition]) -> dict[str, StreamPosition]:
        """The newest entry of each queue that has one behind `newest`; queues that `newest` lacks are left out.

        Waits up to BLOCK_S for one in a single Redis, and not at all in a Cluster. Raises RedisUnavailable, and
        RedisKeysBroken where one of the streams is none. May be cancelled."""
        followed = {key: queue for key, queue in self._queues.items() if queue in newest}
        if not followed:
            return {}
        if self._is_one_call:
            queues = await self._wait(followed, newest)
        else:
            queues = self._whose_turn_it_is([*followed.values()])
        replies = zip(queues, await each_readable(queues, self._newest), strict=True)
        found = {queue: place for queue, place in replies if place and not isinstance(place, Unreadable)}
        changed = {queue: place for queue, place in found.items() if place != newest.get(queue)}
        self._found_s.update(dict.fromkeys(changed, asyncio.get_running_loop().time()))
        return changed

    async def _wait(self, followed: Mapping[str, str], newest: Mapping[str, StreamPosition]) -> list[str]:
        """The queues that have an entry behind `newest`, as soon as one has; after BLOCK_S none."""
        places = [str(newest[queue]) for queue in followed.values()]
        block_ms = round(BLOCK_S * 1000)
        read: Command = ("XREAD", "COUNT", 1, "BLOCK", block_ms, "STREAMS", *followed, *places)
        reply = await self._link.block(BLOCK_S, read)
        return [followed[key.decode("utf-8", "surrogateescape")] for key, _ in reply or ()]

    def _whose_turn_it_is(self, queues: list[str]) -> list[str]:
        """The queues to ask now: those in which the last LATELY_S brought an entry, and some of the others.

        Up to ASKED_EACH_TURN queues are all asked at every turn. Of more, each of the others is asked once in
        MOST_TURNS turns at the longest."""
        lately_s = asyncio.get_running_loop().time() - LATELY_S
        turns = min(MOST_TURNS, -(-len(queues) // ASKED_EACH_TURN))
        self._turn += 1
        return [
            queue
            for at, queue in enumerate(queues)
            if (at + self._turn) % turns == 0 or self._found_s.get(queue, lately_s) > lately_s
        ]

    async def _newest(self, queue: str) -> StreamPosition | None:
        reply = await self._link.call("XREVRANGE", self._keys.events(queue), "+", "-", "COUNT", 1)
        return StreamPosition.of(reply[0][0]) if reply else None
