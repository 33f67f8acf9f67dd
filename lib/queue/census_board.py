"""The census of each queue, kept up to date for those who show queues as they change: `GET /api/events?digest_s=1`.

    with board.reader(None) as reader:       # of every queue
        await board.fill(None)
        reader.all_rows()                    # [Row(version=1, queue="email", census=Census("email", …)), …]
        await reader.news.wait()
        reader.changed_rows()                # [Row(version=502, queue="email", census=Census("email", …))]

A census costs as much as a dozen commands, so those of 500 queues can't be taken each second. The streams of the
queues (event_stream.py) tell in which of them something has happened: once a second the board asks about these, however
many readers it has, MOST_CHANGED at a time, those first that have waited longest. What no entry of a stream tells is
found by asking again, MOST_DUE queues at a time: after 10 s where the numbers of the last minute are not all 0 yet, or
a limit holds jobs back; after 30 s elsewhere, for a worker that died counts until its lease is over.

A reader has a version instead of a buffer: a slow one gets the newest census of each queue, and no queue twice.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from lib.errors import RedisUnavailable
from lib.queue.census import Census
from lib.queue.event_stream import EventStream
from lib.queue.queue_names import in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.queue_trouble import trouble_of
from lib.queue.stream_position import StreamPosition
from lib.queue.unreadable import Unreadable
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

MOST_CHANGED = 50
MOST_DUE = 20


class BoardPace(NamedTuple):
    """How often the board asks: at each beat about the queues that have changed; about the others again after lively_s
    or idle_s."""

    beat_s: float = 1.0
    lively_s: float = 10.0
    idle_s: float = 30.0


USUAL_PACE = BoardPace()


class Row(NamedTuple):
    """What the board knows of a queue. census: None where the queue was removed.

    version: grows with each change of any queue.
    """

    version: int
    queue: str
    census: Census | Unreadable | None


class _Asked(NamedTuple):
    """A row, and how it was come by. place: the newest entry of the queue's stream before it was asked."""

    row: Row
    place: StreamPosition | None
    due_s: float


class CensusBoard:
    """The censuses of one process."""

    def __init__(self, link: RedisLink, queues: QueueStore, events: EventStream, pace: BoardPace = USUAL_PACE) -> None:
        self._link = link
        self._queues = queues
        self._events = events
        self._pace = pace
        self._readers: set[BoardReader] = set()
        self._beating: asyncio.Task[None] | None = None
        self._filling = asyncio.Lock()
        self._asked: dict[str, _Asked] = {}
        """By queue, in the order of the versions: the row that changed last is the last one."""
        self._changed: dict[str, None] = {}
        """The queues in which something has happened since they were asked, those first that have waited longest."""
        self._clock_offset_ms = 0.0
        self.version = 0
        self.is_away = False
        """Is Redis away?"""

    @contextlib.contextmanager
    def reader(self, queues: frozenset[str] | None) -> Iterator["BoardReader"]:
        """A reader of these queues, which may begin or be removed meanwhile; None is every queue."""
        reader = BoardReader(self, queues)
        self._readers.add(reader)
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat_on())
        try:
            with self._events.reader(queues):
                yield reader
        finally:
            self._readers.remove(reader)
            if not self._readers:
                self.close()

    def wake_all(self) -> None:
        for reader in self._readers:
            reader.news.set()

    async def fill(self, queues: frozenset[str] | None) -> None:
        """Ask about those of `queues` that exist and that the board does not know. Call it as a reader of them.

        Raises RedisUnavailable or RedisKeysBroken."""
        # WHY the lock: after a restart many readers come back at once, and one of them asks for all.
        async with self._filling:
            names = await self._events.follow(queues)
            await self._ask([name for name in names if name not in self._asked or self._census(name) is None])

    def rows(self) -> Iterator[Row]:
        """Every row, the one that changed last first."""
        return (asked.row for asked in reversed(self._asked.values()))

    def late(self, queues: frozenset[str] | None) -> int:
        """In how many of `queues` something has happened since they were asked."""
        return len(self._changed) if queues is None else len(queues & self._changed.keys())

    def now_ms(self) -> int:
        """Redis' clock, in ms, as `fill` and the last beats have found it."""
        return round(asyncio.get_running_loop().time() * 1000 + self._clock_offset_ms)

    def close(self) -> None:
        """Ask no more, and forget everything."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        self._asked.clear()
        self._changed.clear()

    def _census(self, queue: str) -> Census | Unreadable | None:
        return self._asked[queue].row.census

    # As long as the board has a reader.

    async def _beat_on(self) -> None:
        told_version = 0
        while True:
            try:
                await self._beat()
                self.is_away = self._events.is_away  # A beat that had nothing to ask has not found it out.
            except RedisUnavailable:
                self.is_away = True
            if self.is_away or self.version > told_version:
                told_version = self.version
                self.wake_all()
            await asyncio.sleep(self._pace.beat_s)

    async def _beat(self) -> None:
        """Ask about the queues whose turn it is, and note which are gone."""
        followed = self._followed()
        for queue in [queue for queue in self._asked if queue not in followed]:
            self._note_removal(queue)
        self._forget_removed()
        newest = self._events.newest
        for queue in followed:
            asked = self._asked.get(queue)
            if asked is None or asked.row.census is None or asked.place != newest.get(queue):
                self._changed.setdefault(queue)
        turn = list(itertools.islice(self._changed, MOST_CHANGED))
        turn += self._due(followed, min(MOST_DUE, MOST_CHANGED - len(turn)))
        if turn:
            await self._ask(turn)

    def _followed(self) -> set[str]:
        """The queues that exist and that a reader of the board follows."""
        wanted = [reader.queues for reader in self._readers]
        if None in wanted:
            return self._events.followed
        return self._events.followed.intersection(*[frozenset[str]().union(*[queues or () for queues in wanted])])

    def _due(self, followed: set[str], most: int) -> list[str]:
        """The queues to be asked again though nothing has told of a change, those first that are due for longest."""
        now_s = asyncio.get_running_loop().time()
        due = [queue for queue, asked in self._asked.items() if asked.due_s <= now_s]
        due = [queue for queue in due if queue in followed and queue not in self._changed]
        return sorted(due, key=lambda queue: self._asked[queue].due_s)[:most]

    async def _ask(self, queues: list[str]) -> None:
        """Take the census of these queues. Raises RedisUnavailable."""
        self._clock_offset_ms = await now_ms(self._link) - asyncio.get_running_loop().time() * 1000
        for names in in_batches(queues):
            # WHY before the census: an entry that comes while it is taken shows then as a change that it may lack.
            places = {name: self._events.newest.get(name) for name in names}
            for name, census in zip(names, await self._queues.census_of(names), strict=True):
                self._note(name, census, places[name])
                self._changed.pop(name, None)

    def _note(self, queue: str, census: Census | Unreadable, place: StreamPosition | None) -> None:
        before = self._asked.get(queue)
        if before is not None and _without_times(before.row.census) == _without_times(census):
            row = before.row._replace(census=census)
        else:
            row = self._new_row(queue, census)
        again_s = self._pace.lively_s if _changes_by_itself(census) else self._pace.idle_s
        self._asked[queue] = _Asked(row, place, asyncio.get_running_loop().time() + again_s)

    def _note_removal(self, queue: str) -> None:
        self._changed.pop(queue, None)
        if self._census(queue) is not None:
            row = self._new_row(queue, None)
            self._asked[queue] = _Asked(row, None, inf)

    def _new_row(self, queue: str, census: Census | Unreadable | None) -> Row:
        """A row of a new version. The queue's place is behind all others from now on."""
        self._asked.pop(queue, None)
        self.version += 1
        return Row(self.version, queue, census)

    def _forget_removed(self) -> None:
        """Drop the rows of removed queues that every reader has seen."""
        seen = min([reader.seen for reader in self._readers], default=self.version)
        gone = [asked.row for asked in self._asked.values() if asked.row.census is None]
        for row in gone:
            if row.version <= seen:
                del self._asked[row.queue]


class BoardReader:
    """What one reader has seen of a board. `news` is set when there may be more, and when Redis is away."""

    def __init__(self, board: CensusBoard, queues: frozenset[str] | None) -> None:
        self._board = board
        self.queues = queues
        self.news = asyncio.Event()
        self.seen = 0

    @property
    def is_behind(self) -> bool:
        """Has any queue's row changed since the reader has seen them?"""
        return self._board.version > self.seen

    @property
    def late(self) -> int:
        """Of how many queues the board will learn next that they have changed."""
        return self._board.late(self.queues)

    def all_rows(self) -> list[Row]:
        """The row of each of the reader's queues that exist, sorted by name. All of them are seen then."""
        rows = [row for row in self._board.rows() if self._is_wanted(row) and row.census is not None]
        self.seen = self._board.version
        return sorted(rows, key=lambda row: row.queue)

    def changed_rows(self) -> list[Row]:
        """The rows that have changed since the reader has seen them, those first that changed first."""
        behind = itertools.takewhile(lambda row: row.version > self.seen, self._board.rows())
        rows = [row for row in behind if self._is_wanted(row)]
        self.seen = self._board.version
        return rows[::-1]

    def _is_wanted(self, row: Row) -> bool:
        return self.queues is None or row.queue in self.queues


def _without_times(census: Census | Unreadable | None) -> tuple[Census | Unreadable | None, str | None]:
    """The census without what grows by itself, and the code of the queue's trouble: of how long the oldest job has
    waited it is left whether one waits, and whether that is a trouble."""
    if not isinstance(census, Census):
        return census, None
    trouble, waits = trouble_of(census), None if census.oldest_ready_age_s is None else 0.0
    return census._replace(oldest_ready_age_s=waits, at_ms=0), None if trouble is None else trouble.code


def _changes_by_itself(census: Census | Unreadable) -> bool:
    """Will the census be another one though nothing happens?"""
    return isinstance(census, Census) and (any(census.per_minute.values()) or census.limited is not None)
