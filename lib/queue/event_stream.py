"""What happens to jobs, as it happens: the queues' streams read by place, and word of where there is something new.

A server says for each queue that it listens (listen.lua); the scripts then leave an entry for every transition, and not
only for endings. Who reads asks for what is behind a place, at a pace of its own. One task a process looks which
queues have new entries, however many read.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.queue.keys import RedisKeys
from lib.queue.queue_store import QueueStore, Unreadable, each_readable
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

LISTENED_S = 60
SAY_AGAIN_S = 15.0
LOOK_EVERY_S = 0.1
ENTRIES_A_READ = 200
LISTENED = "listened"
"""The state of the entry that stands where nobody had listened before."""


class StreamPosition(NamedTuple):
    """An entry of a stream: Redis' ms, and a number among those of one ms."""

    ms: int
    number: int

    @classmethod
    def of(cls, entry_id: bytes) -> "StreamPosition":
        ms, _, number = entry_id.partition(b"-")
        return cls(int(ms), int(number))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"


class Entry(NamedTuple):
    """Jobs that were brought to `state` together. `by` is the event, as in jobs/state.py."""

    place: StreamPosition
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
        self._looking: asyncio.Task[None] | None = None
        self.newest: dict[str, StreamPosition] = {}
        """Of each queue that somebody here reads, the newest entry."""
        self._listened: set[str] = set()
        """The queues that this process has listened to."""

    @contextlib.contextmanager
    def reader(self, queues: frozenset[str] | None) -> Iterator[asyncio.Event]:
        """An event that is set when one of these queues has something new; None: all queues, new ones too."""
        event = asyncio.Event()
        self._readers[event] = queues
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield event
        finally:
            del self._readers[event]

    def wake_all(self) -> None:
        for event in self._readers:
            event.set()

    async def listen(self, queues: Iterable[str]) -> tuple[int, dict[str, StreamPosition]]:
        """Have everything told from now on. Gives Redis' time before that, in ms, and each queue's newest entry.

        A queue whose keys are broken is left out; it is listened to once they are mended.
        """
        now_ms = await self._queues.now_ms()
        names = list(queues)
        replies = await each_readable(
            names, lambda name: self._scripts.call("listen", self._keys.base(name), LISTENED_S)
        )
        found = zip(names, replies, strict=True)
        places = {name: StreamPosition.of(reply) for name, reply in found if not isinstance(reply, Unreadable)}
        for name, place in places.items():
            self._note(name, place)
        self._listened.update(places)
        return now_ms, places

    async def behind(self, queue: str, place: StreamPosition) -> tuple[bool, list[Entry]]:
        """Up to 200 entries behind a place, and whether some are missing that were trimmed away."""
        gap, *flat = await self._scripts.call("follow", self._keys.base(queue), str(place), ENTRIES_A_READ)
        rows = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        entries = [
            Entry(StreamPosition.of(entry_id), _text(state), _text(by), _text(ids).split(","))
            for entry_id, state, by, ids in rows
        ]
        return bool(gap), entries

    async def names(self, queues: frozenset[str] | None) -> list[str]:
        """Those of these queues that there are, sorted; None: all.

        WHY not those that are none yet: to listen makes a stream, which stays; whoever may only read could have as many
        made as there are names.
        """
        return await (self._queues.names() if queues is None else self._queues.known(queues))

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        said_at_s = float("-inf")
        clock = asyncio.get_running_loop().time
        try:
            while self._readers:
                with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
                    if clock() - said_at_s > SAY_AGAIN_S:
                        # Of one that was removed meanwhile, to listen would make a stream again.
                        self._listened.intersection_update(await self._queues.known(self._listened))
                        await self.listen(await self._wanted())
                        said_at_s = clock()
                    await self._look_once(await self._wanted())
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._looking = None
            self.newest.clear()
            self._listened.clear()

    async def _wanted(self) -> list[str]:
        readers = self._readers.values()
        if None in readers:
            return await self.names(None)
        wanted = frozenset[str]().union(*[queues or () for queues in readers])
        return sorted(wanted & self._listened) + await self.names(wanted - self._listened)

    async def _look_once(self, names: list[str]) -> None:
        strange = [name for name in names if name not in self._listened]
        if strange:
            await self.listen(strange)
        replies = await each_readable(
            names, lambda name: self._link.call("XREVRANGE", self._keys.events(name), "+", "-", "COUNT", 1)
        )
        for name, reply in zip(names, replies, strict=True):
            if reply and not isinstance(reply, Unreadable):
                self._note(name, StreamPosition.of(reply[0][0]))

    def _note(self, name: str, newest: StreamPosition) -> None:
        if self.newest.get(name) == newest:
            return
        self.newest[name] = newest
        for event, queues in self._readers.items():
            if queues is None or name in queues:
                event.set()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
