"""What happens to jobs, as it happens, for GET /api/events.

Each queue has a stream in Redis, with an entry for the jobs that one call of a script brought to one state:
`1764410000123-0  state active  by claim  ids id1,id2`. Scripts always add an entry when jobs end, and one for every
other transition only while somebody listens; a server that has readers therefore calls listen.lua for each queue that
they follow, again and again.

A reader asks for the entries behind its position (`entries_behind`), at its own pace. However many readers a process
has, one task polls which queues have new entries, and sets the event of the readers that follow them.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_store import QueueStore
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

LISTENED_S = 60
LISTEN_AGAIN_S = 15.0
POLL_S = 0.1
ENTRIES_A_READ = 200
LISTENED = "listened"
"""The state of the entry that listen.lua adds if nobody listened before: transitions before it have no entries."""


class StreamPosition(NamedTuple):
    """The id of a stream's entry, `1764410000123-0`: Redis' ms, and a number among the entries of one ms."""

    ms: int
    number: int

    @classmethod
    def of(cls, entry_id: bytes) -> "StreamPosition":
        ms, _, number = entry_id.partition(b"-")
        return cls(int(ms), int(number))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"


class Entry(NamedTuple):
    """Jobs that were brought to `state` together. `by` is the event that did so, as in jobs/state.py."""

    position: StreamPosition
    state: str
    by: str
    job_ids: list[str]


class EventStream:
    """The streams of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queues: QueueStore) -> None:
        self._keys = keys
        self._link = link
        self._scripts = Scripts(link)
        self._queues = queues
        self._readers: dict[asyncio.Event, frozenset[str] | None] = {}
        self._polling: asyncio.Task[None] | None = None
        self.newest: dict[str, StreamPosition] = {}
        """The newest entry of each queue that a reader of this process follows."""
        self._listened: set[str] = set()
        """The queues for which this process has called listen.lua."""

    @contextlib.contextmanager
    def reader(self, queues: frozenset[str] | None) -> Iterator[asyncio.Event]:
        """An event that is set when one of `queues` has a new entry; None follows every queue, and new queues."""
        event = asyncio.Event()
        self._readers[event] = queues
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield event
        finally:
            del self._readers[event]

    def wake_all(self) -> None:
        for event in self._readers:
            event.set()

    async def listen(self, queues: Iterable[str]) -> tuple[int, dict[str, StreamPosition]]:
        """Have every transition of these queues added to their streams from now on, for LISTENED_S.

        Returns Redis' time before that, in ms, and the newest entry of each queue. A queue whose keys are broken is
        left out, until somebody has mended them.
        """
        before_ms = await now_ms(self._link)
        names = list(queues)
        replies = await each_readable(
            names, lambda name: self._scripts.call("listen", self._keys.base(name), LISTENED_S)
        )
        found = zip(names, replies, strict=True)
        newest = {name: StreamPosition.of(reply) for name, reply in found if not isinstance(reply, Unreadable)}
        for name, position in newest.items():
            self._note_newest(name, position)
        self._listened.update(newest)
        return before_ms, newest

    async def entries_behind(self, queue: str, position: StreamPosition) -> tuple[bool, list[Entry]]:
        """Up to ENTRIES_A_READ entries behind `position`, and True if entries there are missing, trimmed away."""
        gap, *flat = await self._scripts.call("follow", self._keys.base(queue), str(position), ENTRIES_A_READ)
        rows = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        entries = [
            Entry(StreamPosition.of(entry_id), shown_text(state), shown_text(by), shown_text(ids).split(","))
            for entry_id, state, by, ids in rows
        ]
        return bool(gap), entries

    async def names(self, queues: frozenset[str] | None) -> list[str]:
        """The names in `queues` that exist in Redis, sorted. None asks for every queue there is.

        WHY only queues that exist: listen.lua makes a stream, and it stays. With any name allowed, a caller who may
        only read could make as many streams as there are names.
        """
        return await (self._queues.names() if queues is None else self._queues.existing(queues))

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _poll(self) -> None:
        """Poll every POLL_S as long as this process has a reader."""
        listened_at_s = float("-inf")
        clock = asyncio.get_running_loop().time
        try:
            while self._readers:
                with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
                    if clock() - listened_at_s > LISTEN_AGAIN_S:
                        # listen.lua would make the stream of a queue again that was removed meanwhile.
                        self._listened.intersection_update(await self._queues.existing(self._listened))
                        await self.listen(await self._followed())
                        listened_at_s = clock()
                    await self._poll_once(await self._followed())
                await asyncio.sleep(POLL_S)
        finally:
            self._polling = None
            self.newest.clear()
            self._listened.clear()

    async def _followed(self) -> list[str]:
        """The queues that exist and that a reader follows. Redis is asked only about those not listened to yet."""
        readers = self._readers.values()
        if None in readers:
            return await self.names(None)
        followed = frozenset[str]().union(*[queues or () for queues in readers])
        return sorted(followed & self._listened) + await self.names(followed - self._listened)

    async def _poll_once(self, names: list[str]) -> None:
        new = [name for name in names if name not in self._listened]
        if new:
            await self.listen(new)
        replies = await each_readable(
            names, lambda name: self._link.call("XREVRANGE", self._keys.events(name), "+", "-", "COUNT", 1)
        )
        for name, reply in zip(names, replies, strict=True):
            if reply and not isinstance(reply, Unreadable):
                self._note_newest(name, StreamPosition.of(reply[0][0]))

    def _note_newest(self, name: str, newest: StreamPosition) -> None:
        """Set the events of the readers that follow the queue, if it has a new entry."""
        if self.newest.get(name) == newest:
            return
        self.newest[name] = newest
        for event, queues in self._readers.items():
            if queues is None or name in queues:
                event.set()
