"""GET /api/events: every change of a job's state, at once, as Server-Sent Events.

    id: 1795438188123;email=1795438188200-0
    data: {"id": "email-0192…", "queue": "email", "state": "completed", "by": "complete", "at": "2026-11-23T12:49:48Z"}

A reader that was cut off sends the id of its last message as Last-Event-ID, and is sent what came after it: see
bookmark.py. It may see some events twice, and never misses one in silence: where events are gone from Redis,
`event: reset` tells the reader to read the jobs anew.

If no message has come for BOOKMARK_S, `event: bookmark` brings the id alone. A heartbeat, a comment, comes every
HEARTBEAT_S. With `digest_s` the stream tells of queues instead: digests.py. Either is gzipped for who accepts gzip.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from math import inf
from typing import NamedTuple

from lib.api.bookmark import Bookmark, bookmark_from
from lib.api.digests import LONGEST_DIGEST_S, Digests
from lib.api.event_messages import AWAY, AWAY_PAUSE_S, HEARTBEAT, HEARTBEAT_S, message, with_retry
from lib.errors import RedisKeysBroken, RedisUnavailable, TooManyConnections
from lib.http1.message import Request, Response, StreamedResponse
from lib.ids import JOB_ID, QUEUE_NAME, queue_of
from lib.jobs.timestamps import timestamp
from lib.json_text import to_json
from lib.queue.census_board import CensusBoard
from lib.queue.event_stream import Entry, EventStream
from lib.queue.job_store import JobStore
from lib.web import query
from lib.web.compression import compressed_stream
from lib.web.drain import Drain
from lib.web.router import Call

MOST_READERS = 100
MAX_FOR_S = 3600.0
MOST_QUEUES = 50
BOOKMARK_S = 5.0
KNOWN_REQUESTS = 20_000


class EventFilter(NamedTuple):
    """The events that a reader wants. None is anything."""

    queues: frozenset[str] | None
    job_id: str | None
    request_id: str | None


class EventOperations:
    """The operation on events. A drain ends every stream; its reader comes back, to another server."""

    def __init__(
        self,
        event_stream: EventStream,
        board: CensusBoard,
        job_store: JobStore,
        drain: Drain,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._events = event_stream
        self._digests = Digests(board, drain)
        self._request_ids = _RequestIds(job_store)
        self._drain = drain
        self._followed_by: set[Request] = set()
        """The request of each stream that goes on."""
        drain.on_begin(event_stream.wake_all)

    def end_unless(self, is_welcome: Callable[[Request], bool]) -> None:
        """The keys have changed: end the streams of all other requests. A reader who comes back is asked for a key."""
        for request in list(self._followed_by):
            if not is_welcome(request):
                request.mark_gone()

    async def stream(self, call: Call) -> Response:
        wanted = _filter(call.parameters)
        for_s = readable_s(query.seconds(call.parameters, "for_s", MAX_FOR_S), call.caller.expires_s, self._clock())
        if "digest_s" in call.parameters:
            digest_s = query.whole(call.parameters, "digest_s", 1, LONGEST_DIGEST_S, 1)
            await self._events.names(wanted.queues)  # With Redis away the answer is a 503.
            self._expect_room()
            pieces = self._counted(call.request, self._digests.pieces(call.request, wanted.queues, digest_s, for_s))
            return _as_stream(call.request, pieces)
        # Asked before the answer begins: with Redis away the answer is a 503. From `listen` on no event is missed.
        names = await self._events.names(wanted.queues)
        now_ms, newest = await self._events.listen(names)
        if wanted.queues is not None and (broken := set(names) - newest.keys()):
            raise RedisKeysBroken(f"the events of {', '.join(sorted(broken))} can't be read")
        last_id = call.request.headers.get("last-event-id")
        resumed = bookmark_from(last_id, names, now_ms) if last_id else None
        mark = resumed or Bookmark(now_ms, newest)
        first = _reset(None, str(mark)) if last_id and resumed is None else b""
        self._expect_room()
        known_id = (last_id or "") if resumed else str(mark) if first else ""
        pieces = self._counted(call.request, self._pieces(call.request, wanted, mark, first, known_id, for_s))
        return _as_stream(call.request, pieces)

    def _expect_room(self) -> None:
        """Raises TooManyConnections. To be checked last, with no await before `_counted` counts the reader: else all
        requests of a moment pass."""
        if len(self._followed_by) >= MOST_READERS:
            raise TooManyConnections(f"{MOST_READERS} readers follow the events already; try again in a moment")

    async def _counted(self, request: Request, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The same stream, of one reader more."""
        self._followed_by.add(request)
        try:
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    yield piece
        finally:
            self._followed_by.remove(request)

    async def _pieces(
        self,
        request: Request,
        wanted: EventFilter,
        mark: Bookmark,
        first: bytes,
        known_id: str,
        for_s: float | None,
    ) -> AsyncGenerator[bytes, None]:
        """The stream of one reader: messages, bookmarks and heartbeats. known_id: the id that the reader has now."""
        clock = asyncio.get_running_loop().time
        pulse = _Pulse(known_id, clock(), inf if for_s is None else clock() + for_s)
        with self._events.reader(wanted.queues) as news:
            request.on_gone = news.set
            request.ends_with_client = True
            yield first
            while not self._drain.has_begun and not request.is_gone:
                news.clear()
                has_sent = False
                async for piece in self._news(wanted, mark):
                    yield piece
                    has_sent = True
                now_s, reached = clock(), str(mark)
                if has_sent:
                    pulse.note_id(reached, now_s)
                if pulse.is_bookmark_due(reached, now_s):
                    pulse.note_id(reached, now_s)
                    yield message(reached, to_json({"id": None}), "bookmark")
                if now_s >= pulse.ends_s:
                    return
                if pulse.is_heartbeat_due(now_s):
                    pulse.sent_s = now_s
                    yield HEARTBEAT
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), pulse.next_s(reached) - now_s)

    async def _news(self, wanted: EventFilter, mark: Bookmark) -> AsyncIterator[bytes]:
        """The messages that came since `mark`, queue by queue. Moves `mark` on."""
        newest = dict(self._events.newest)
        try:
            for name, place in newest.items():
                if (wanted.queues is None or name in wanted.queues) and place > mark.place_in(name):
                    # A queue whose keys somebody broke meanwhile is read on once they are mended.
                    with contextlib.suppress(RedisKeysBroken):
                        async for piece in self._of_queue(name, mark, wanted):
                            yield piece
        except RedisUnavailable:
            yield AWAY
            await asyncio.sleep(AWAY_PAUSE_S)
            return
        mark.reach(newest.values())

    async def _of_queue(self, name: str, mark: Bookmark, wanted: EventFilter) -> AsyncIterator[bytes]:
        """The messages of one queue: one for each wanted job of each entry in the queue's stream."""
        place = mark.place_in(name)
        while self._events.newest.get(name, place) > place:
            has_gap, entries = await self._events.entries_behind(name, place)
            # One reset for all these entries: they have happened before the reader reads the jobs anew.
            is_reset = has_gap
            if has_gap:
                yield _reset(name, str(mark))
            for entry in entries:
                shown, is_sure = ([], False) if entry.is_gap else await self._shown(name, entry, wanted)
                if not is_sure and not is_reset:
                    is_reset = True
                    yield _reset(name, str(mark))
                before = str(mark) if len(shown) > 1 else ""
                mark.advance(name, entry.position)
                if shown:
                    # All but the last bear the id from before: a reader cut off amid an entry's jobs gets all again.
                    yield b"".join([message(before, one) for one in shown[:-1]]) + message(str(mark), shown[-1])
            if not entries:
                return
            place = entries[-1].position

    async def _shown(self, queue: str, entry: Entry, wanted: EventFilter) -> tuple[list[str], bool]:
        """The data of an entry's messages, as JSON; and False if a wanted job may be missing among them."""
        job_ids, is_sure = entry.job_ids, True
        if wanted.job_id is not None:
            job_ids = [job_id for job_id in job_ids if job_id == wanted.job_id]
        if wanted.request_id is not None and job_ids:
            job_ids, is_sure = await self._request_ids.jobs_of(wanted.request_id, job_ids)
        at = timestamp(entry.position.ms)
        about = {"queue": queue, "state": entry.state, "by": entry.by, "at": at}
        return [to_json({"id": job_id, **about}) for job_id in job_ids], is_sure


class _Pulse:
    """When a stream sends what is no event: a bookmark, a heartbeat, its end. Times are of the loop's clock."""

    def __init__(self, known_id: str, now_s: float, ends_s: float) -> None:
        self._known_id = known_id
        self._known_since_s = now_s
        self.sent_s = now_s
        self.ends_s = ends_s

    def note_id(self, last_id: str, now_s: float) -> None:
        """The reader was sent this id."""
        self._known_id, self._known_since_s, self.sent_s = last_id, now_s, now_s

    def is_bookmark_due(self, reached: str, now_s: float) -> bool:
        """reached: the id that a bookmark would bring the reader now."""
        return reached != self._known_id and now_s >= min(self.ends_s, self._known_since_s + BOOKMARK_S)

    def is_heartbeat_due(self, now_s: float) -> bool:
        return now_s - self.sent_s >= HEARTBEAT_S

    def next_s(self, reached: str) -> float:
        """The time at which the next of the three is due."""
        bookmark_s = self._known_since_s + BOOKMARK_S if reached != self._known_id else inf
        return min(self.ends_s, self.sent_s + HEARTBEAT_S, bookmark_s)


class _RequestIds:
    """The request that queued each job, for the last KNOWN_REQUESTS jobs that a reader asked about.

    The entries of a stream do not hold request ids, so each job is read once."""

    def __init__(self, job_store: JobStore) -> None:
        self._job_store = job_store
        self._known: OrderedDict[str, str | None] = OrderedDict()

    async def jobs_of(self, request_id: str, job_ids: list[str]) -> tuple[list[str], bool]:
        """The jobs of `job_ids` that the request queued; and False if a job is gone, and its request unknown."""
        known = self._known
        unknown = [job_id for job_id in job_ids if job_id not in known]
        for record in await self._job_store.read_many(unknown):
            known[record.job_id] = record.spec.request_id if record.spec else None
        found = [job_id for job_id in job_ids if known.get(job_id) == request_id]
        is_sure = all(job_id in known for job_id in unknown)
        while len(known) > KNOWN_REQUESTS:
            known.popitem(last=False)
        return found, is_sure


def _as_stream(request: Request, pieces: AsyncGenerator[bytes, None]) -> Response:
    """nginx holds an answer back until it has a few KB of it, if X-Accel-Buffering does not forbid that. The stream may
    be gzipped: names of queues, states, and ids of jobs, which open nothing without a key, are no secrets."""
    headers = [("X-Accel-Buffering", "no")]
    response = StreamedResponse(200, with_retry(pieces), headers, content_type="text/event-stream")
    return compressed_stream(request, response)


def readable_s(for_s: float | None, expires_s: float | None, now_s: float) -> float | None:
    """For how long a stream goes on, in s, None for good: as long as was asked for, no longer than the key is good."""
    limits = [for_s, None if expires_s is None else max(0.0, expires_s - now_s)]
    return min((limit for limit in limits if limit is not None), default=None)


def _filter(parameters: dict[str, str]) -> EventFilter:
    """The filter that a request asks for. Raises InvalidFields."""
    queues, job_id, request_id = _queues(parameters), parameters.get("job"), parameters.get("request_id")
    if "digest_s" in parameters and (job_id is not None or request_id is not None):
        raise query.parameter_error("digest_s", "tells of queues: leave out job and request_id, which tell of jobs")
    if job_id is None:
        return EventFilter(queues, None, request_id)
    if not JOB_ID.fullmatch(job_id):
        raise query.parameter_error("job", "is not a job's id")
    of_job = frozenset({queue_of(job_id) or ""})
    if queues not in (None, of_job):
        raise query.parameter_error("queue", "is not the queue of that job")
    return EventFilter(of_job, job_id, request_id)


def _queues(parameters: dict[str, str]) -> frozenset[str] | None:
    """The queues that a request asks for, as in `?queue=email,reports`; None for all. Raises InvalidFields."""
    if "queue" not in parameters:
        return None
    names = parameters["queue"].split(",")
    if not all(QUEUE_NAME.fullmatch(name) for name in names):
        raise query.parameter_error("queue", "is not a queue's name, or several parted by commas")
    if len(names) > MOST_QUEUES:
        raise query.parameter_error("queue", f"names more than {MOST_QUEUES} queues; leave it out for all queues")
    return frozenset(names)


def _reset(queue: str | None, last_id: str) -> bytes:
    """The message that events of `queue` were missed (None: of any queue), so that its jobs must be read anew."""
    return message(last_id, to_json({"queue": queue}), "reset")
