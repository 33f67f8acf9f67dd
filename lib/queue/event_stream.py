"""What happens to jobs, as it happens, for GET /api/events.

Each queue has a stream in Redis, with an entry for the jobs that one call of a script brought to one state:
`1764410000123-0  state active  by claim  ids id1,id2`. Scripts always add an entry when jobs end, and one for every
other transition only while somebody listens; a server that has readers therefore calls listen.lua for each queue that
they follow, again and again.

A reader asks for the entries behind its position (`entries_behind`), at its own pace. However many readers a process
has, one task looks which of the queues that they follow have come and gone, and for each QUEUES_A_READ of these queues
a task waits for new entries (new_entries.py) and sets the events of the readers.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.new_entries import NewEntries
from lib.queue.queue_names import in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.scripts import Scripts
from lib.queue.stream_position import StreamPosition
from lib.queue.unreadable import Unreadable, each_readable
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

LISTENED_S = 90
LISTEN_AGAIN_S = 30.0
POLL_S = 0.1
AWAY_PAUSE_S = 1.0
ENTRIES_A_READ = 200
QUEUES_A_READ = 500
"""So many queues are named in one blocking read, which holds Redis up for about 1 ms each time that it begins anew."""
LISTENED = "listened"
"""The state of the entry that listen.lua adds if nobody listened before: transitions before it have no entries."""


class Entry(NamedTuple):
    """Jobs that were brought to `state` together. `by` is the event that did so, as in jobs/state.py.

    An entry of the state LISTENED is of no job."""

    position: StreamPosition
    state: str
    by: str
    job_ids: list[str]

    @property
    def is_gap(self) -> bool:
        """Are transitions before it missing? An entry of LISTENED by another event says that a queue's numbers have
        changed (parts/numbers.lua)."""
        return self.state == LISTENED and self.by == "listen"


class EventStream:
    """The streams of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queues: QueueStore) -> None:
        self._keys = keys
        self._link = link
        self._scripts = Scripts(link)
        self._queues = queues
        self._readers: dict[asyncio.Event, frozenset[str] | None] = {}
        self._watching: asyncio.Task[None] | None = None
        self._reading: list[asyncio.Task[None]] = []
        self.newest: dict[str, StreamPosition] = {}
        """The newest entry of each queue that a reader of this process follows; queues of broken keys are left out."""
        self.followed: set[str] = set()
        """The queues that exist and that a reader of this process follows."""
        self._listened: set[str] = set()
        """The queues for which this process has called listen.lua."""
        self.is_away = False
        """Has the last look found Redis away? It looks every POLL_S as long as this process has a reader."""
        self._listened_at_s = float("-inf")
        self._sight: tuple[frozenset[str] | None, int] | None = None
        """What the last look saw: the queues that readers follow, and how many queues there are."""

    @contextlib.contextmanager
    def reader(self, queues: frozenset[str] | None) -> Iterator[asyncio.Event]:
        """An event that is set when one of `queues` has a new entry; None follows every queue, and new queues."""
        event = asyncio.Event()
        self._readers[event] = queues
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
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
        newest: dict[str, StreamPosition] = {}
        for names in in_batches(list(queues)):
            for name, reply in zip(names, await each_readable(names, self._listen), strict=True):
                if isinstance(reply, Unreadable):
                    self._forget(name)
                else:
                    newest[name] = StreamPosition.of(reply)
                    self._note_newest(name, newest[name])
        self._listened.update(newest)
        return before_ms, newest

    async def follow(self, queues: frozenset[str] | None) -> list[str]:
        """The same for those of `queues` that exist and are not listened to yet. Returns all that exist, sorted.

        For a reader that has begun already: from then on `newest` tells of each change in these queues."""
        names = await self.names(queues)
        await self.listen([name for name in names if name not in self._listened])
        self.followed.update(names)
        return names

    async def entries_behind(self, queue: str, position: StreamPosition) -> tuple[bool, list[Entry]]:
        """Up to ENTRIES_A_READ entries behind `position`, and True if entries there are missing, trimmed away."""
        gap, *flat = await self._scripts.call("follow", self._keys.base(queue), str(position), ENTRIES_A_READ)
        rows = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
        entries = [
            Entry(
                StreamPosition.of(entry_id),
                shown_text(state),
                shown_text(by),
                shown_text(ids).split(",") if ids else [],
            )
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
        tasks = [*self._reading, *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, queue: str) -> bytes:
        reply: bytes = await self._scripts.call("listen", self._keys.base(queue), LISTENED_S)
        return reply

    def _forget(self, queue: str) -> None:
        self.newest.pop(queue, None)
        self._listened.discard(queue)

    # As long as this process has a reader.

    async def _watch(self) -> None:
        """Look every POLL_S which queues there are to follow, and have one task read them."""
        read_queues: set[str] = set()
        self._listen_again()
        try:
            while self._readers:
                is_away = False
                try:
                    await self._look()
                except RedisUnavailable:
                    # WHY no read waits on: after a failover it would wait for seconds on the old master's connection.
                    is_away = True
                    self._listen_again()
                except RedisKeysBroken:
                    pass  # The queues that are followed already are read on.
                self.is_away = is_away
                queues = set[str]() if is_away else set(self.newest)
                if queues != read_queues:
                    read_queues = queues
                    self._read_anew(sorted(queues))
                await asyncio.sleep(POLL_S)
        finally:
            self._watching = None
            self.is_away = False
            self._read_anew([])
            self.newest.clear()
            self.followed.clear()
            self._listened.clear()

    def _listen_again(self) -> None:
        """Have the next look read all names and listen to all queues: Redis may be another one now, or emptied."""
        self._listened_at_s = float("-inf")

    async def _look(self) -> None:
        """Find the queues that exist and that a reader follows, and listen to those that are new or due again."""
        now_s = asyncio.get_running_loop().time()
        is_due = now_s - self._listened_at_s > LISTEN_AGAIN_S
        sight = (self._wanted(), await self._how_many())
        if is_due or sight != self._sight:
            names = await self.names(sight[0])
            if sight[0] != self._wanted():
                return  # A reader has come or left meanwhile, and the next look sees its queues.
            self.followed, self._sight = set(names), sight
            for gone in self._listened - self.followed:
                self._forget(gone)
        if is_due:
            self._listened_at_s = now_s
        if unheard := self.followed if is_due else self.followed - self._listened:
            await self.listen(sorted(unheard))

    def _wanted(self) -> frozenset[str] | None:
        """The queues that the readers follow; None for every queue."""
        readers = self._readers.values()
        return None if None in readers else frozenset[str]().union(*[queues or () for queues in readers])

    async def _how_many(self) -> int:
        """How many queues there are: as long as that stays the same, the names are not read anew."""
        try:
            return int(await self._link.call("SCARD", self._keys.queues))
        except RedisKeysBroken:
            return -1

    def _read_anew(self, queues: list[str]) -> None:
        """Read these queues from now on, and no others."""
        for task in self._reading:
            task.cancel()
        some = (queues[at : at + QUEUES_A_READ] for at in range(0, len(queues), QUEUES_A_READ))
        self._reading = [asyncio.get_running_loop().create_task(self._read(names)) for names in some]

    async def _read(self, queues: list[str]) -> None:
        entries = NewEntries(self._link, self._keys, queues)
        while True:
            pause_s = POLL_S
            try:
                for name, place in (await entries.behind(self.newest)).items():
                    self._note_newest(name, place)
            except (RedisUnavailable, RedisKeysBroken):
                # listen.lua tells which queue's keys are broken.
                self._listen_again()
                pause_s = AWAY_PAUSE_S
            await asyncio.sleep(pause_s)

    def _note_newest(self, name: str, newest: StreamPosition) -> None:
        """Set the events of the readers that follow the queue, if it has a new entry."""
        if self.newest.get(name) == newest:
            return
        self.newest[name] = newest
        for event, queues in self._readers.items():
            if queues is None or name in queues:
                event.set()


def _entry(entry_id: bytes, state: bytes, by: bytes, ids: bytes) -> Entry:
    job_ids = shown_text(ids).split(",") if ids else []
    return Entry(StreamPosition.of(entry_id), shown_text(state), shown_text(by), job_ids)
