"""GET /api/events: transitions of jobs as Server-Sent Events, as they happen, and on from where a reader stopped.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Where a reader stopped is the id of the last message that it saw (Last-Event-ID): a time, and the places in those
queues' streams that were read beyond it. Who comes back may see some twice and never misses one in silence: where
events are gone, `event: reset` says so.

Each message has data, and its id in the same block: of an id that stands alone half of the clients know nothing later,
and the others hand on a message without data. Where none has come for a while, `event: bookmark` brings the id. A
comment is one line, and no block.
"""

import asyncio
import contextlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from lib.errors import RedisKeysBroken, RedisUnavailable, TooManyConnections
from lib.http1.message import Response, StreamedResponse
from lib.ids import JOB_ID, QUEUE_NAME, queue_of
from lib.jobs.submission import timestamp
from lib.json_text import to_json
from lib.queue.event_stream import LISTENED, Entry, EventStream, StreamPosition
from lib.queue.job_store import JobStore
from lib.web import query
from lib.web.drain import Drain
from lib.web.router import Call

MOST_READERS = 100
MAX_FOR_S = 3600.0
HEARTBEAT_S = 15.0
AWAY_PAUSE_S = 1.0
RETRY_MS = 2000
SKEW_MS = 10_000
BOOKMARK_S = 5.0
ID_CHARS = 1024
MOST_AHEAD = 40
KNOWN_REQUESTS = 20_000
_LAST_ID = re.compile(r"([0-9]{1,15})((?>(?:;[a-z0-9][a-z0-9_-]{0,63}=[0-9]{1,15}-[0-9]{1,10})*))")


class EventOperations:
    """The operation that never ends."""

    def __init__(self, transitions: EventStream, queue: JobStore, drain: Drain) -> None:
        self._transitions = transitions
        self._queue = queue
        self._readers = 0
        self._requests: OrderedDict[str, str | None] = OrderedDict()
        # A drain ends every stream; its reader comes back, to another server.
        self._drain = drain
        drain.on_begin(transitions.wake_all)

    async def stream(self, call: Call) -> Response:
        wanted = call.parameters
        queues = _queues(wanted)
        for_s = query.seconds(wanted, "for_s", MAX_FOR_S)
        # Before the answer begins: a Redis that is away is a 503, and nothing that happens from here on is missed.
        names = await self._transitions.names(queues)
        now_ms, newest = await self._transitions.listen(names)
        if queues is not None and (broken := set(names) - newest.keys()):
            raise RedisKeysBroken(f"the events of {', '.join(sorted(broken))} can't be read")
        last_id = call.request.headers.get("last-event-id")
        resumed = _resumed(last_id, names, now_ms) if last_id else None
        mark = resumed or Bookmark(now_ms, newest)
        first = _reset(None, str(mark)) if last_id and resumed is None else b""
        # Last, with no await before the stream counts itself: else all who ask in one moment are let in.
        if self._readers >= MOST_READERS:
            raise TooManyConnections(f"{MOST_READERS} readers follow the events already; try again in a moment")
        # What the client would come back with.
        told = (last_id or "") if resumed else str(mark) if first else ""
        pieces = _with_retry(self._pieces(call, queues, mark, first, told, for_s))
        return StreamedResponse(200, pieces, content_type="text/event-stream")

    async def _pieces(
        self, call: Call, queues: frozenset[str] | None, mark: "Bookmark", first: bytes, told: str, for_s: float | None
    ) -> AsyncGenerator[bytes, None]:
        clock = asyncio.get_running_loop().time
        ends_s = clock() + for_s if for_s is not None else float("inf")
        told_s = heard_s = clock()
        self._readers += 1
        try:
            with self._transitions.reader(queues) as news:
                call.request.on_gone = news.set
                call.request.ends_with_client = True
                yield first
                while not self._drain.has_begun and not call.request.is_gone:
                    news.clear()
                    has_told = False
                    async for piece in self._news(queues, mark, call.parameters):
                        yield piece
                        has_told = True
                    now_s, reached = clock(), str(mark)
                    if has_told:
                        told, told_s, heard_s = reached, now_s, now_s
                    if reached != told and now_s >= min(ends_s, told_s + BOOKMARK_S):
                        told, told_s, heard_s = reached, now_s, now_s
                        yield _message(reached, to_json({"id": None}), "bookmark")
                    if now_s >= ends_s:
                        return
                    if now_s - heard_s >= HEARTBEAT_S:
                        heard_s = now_s
                        yield b":\n"
                    next_s = min(ends_s, heard_s + HEARTBEAT_S, told_s + BOOKMARK_S if reached != told else ends_s)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(news.wait(), next_s - now_s)
        finally:
            self._readers -= 1

    async def _news(
        self, queues: frozenset[str] | None, mark: "Bookmark", wanted: dict[str, str]
    ) -> AsyncIterator[bytes]:
        """What has happened since, queue by queue."""
        newest = dict(self._transitions.newest)
        try:
            for name in newest:
                if queues is None or name in queues:
                    # Broken since: it is read on once it is mended.
                    with contextlib.suppress(RedisKeysBroken):
                        async for piece in self._of_queue(name, mark, wanted):
                            yield piece
        except RedisUnavailable:
            yield b": Redis is away\n"
            await asyncio.sleep(AWAY_PAUSE_S)
            return
        mark.reach(newest.values())

    async def _of_queue(self, name: str, mark: "Bookmark", wanted: dict[str, str]) -> AsyncIterator[bytes]:
        place = mark.place_in(name)
        while self._transitions.newest.get(name, place) > place:
            has_gap, entries = await self._transitions.behind(name, place)
            # Told once: all of these have happened when the reader looks anew.
            is_told = has_gap
            if has_gap:
                yield _reset(name, str(mark))
            for entry in entries:
                shown, is_sure = ([], False) if entry.state == LISTENED else await self._shown(name, entry, wanted)
                if not is_sure and not is_told:
                    is_told = True
                    yield _reset(name, str(mark))
                before = str(mark) if len(shown) > 1 else ""
                mark.advance(name, entry.place)
                if shown:
                    # Who breaks off amid an entry's jobs comes back before all of them.
                    yield b"".join([_message(before, one) for one in shown[:-1]]) + _message(str(mark), shown[-1])
            if not entries:
                return
            place = entries[-1].place

    async def _shown(self, queue: str, entry: Entry, wanted: dict[str, str]) -> tuple[list[str], bool]:
        """The data of an entry's messages, and whether they are sure to be all that are wanted."""
        at = timestamp(entry.place.ms)
        fitting = entry.job_ids if "job" not in wanted else [one for one in entry.job_ids if one == wanted["job"]]
        is_sure = True
        if "request_id" in wanted and fitting:
            fitting, is_sure = await self._of_request(fitting, wanted["request_id"])
        lines = []
        for job_id in fitting:
            about = {"id": job_id, "queue": queue, "state": entry.state, "by": entry.by, "at": at}
            lines.append(to_json(about))
        return lines, is_sure

    async def _of_request(self, job_ids: list[str], request_id: str) -> tuple[list[str], bool]:
        """Those that a request queued, and whether it is known of all: one that was deleted or trimmed since can't be
        asked. A stream's entry does not say, so the jobs are looked at, each once."""
        known = self._requests
        strange = [job_id for job_id in job_ids if job_id not in known]
        for record in await self._queue.read_many(strange):
            known[record.job_id] = record.spec.request_id if record.spec else None
        fitting = [job_id for job_id in job_ids if known.get(job_id) == request_id]
        is_sure = all(job_id in known for job_id in strange)
        while len(known) > KNOWN_REQUESTS:
            known.popitem(last=False)
        return fitting, is_sure


class Bookmark:
    """How far one reader has come: to a place in each queue's stream. As text, every queue that was read to its end at
    one time is told by that time alone, so that a thousand idle ones do not make it long. Where many were read beyond
    it, the time stands for all: who comes back is told those again. (A text of 17 KB, which a first reader of 600
    queues once got, was too long for the header that brings it back: 431, and EventSource never tries again.)"""

    def __init__(self, ms: int, places: dict[str, StreamPosition]) -> None:
        self._ms = ms
        self._places = places
        self._ahead = {name: place for name, place in places.items() if place.ms > ms}

    def place_in(self, queue: str) -> StreamPosition:
        """Where to read on. Of a queue that began since, from the time that was reached: so who reads it comes upon the
        entry that says that it was not listened to before."""
        return self._places.get(queue) or StreamPosition(self._ms, 0)

    def advance(self, queue: str, place: StreamPosition) -> None:
        """A queue has been read up to there."""
        self._places[queue] = place
        if place.ms > self._ms:
            self._ahead[queue] = place

    def reach(self, newest: Iterable[StreamPosition]) -> None:
        """Everything that was there has been read. A Cluster's clocks, and looks, are apart by less than SKEW_MS."""
        self._ms = ms = max([self._ms, *[place.ms - SKEW_MS for place in newest]])
        self._ahead = {name: place for name, place in self._ahead.items() if place.ms > ms}

    def __str__(self) -> str:
        time_alone = str(self._ms)
        if len(self._ahead) > MOST_AHEAD:
            return time_alone
        text = time_alone + "".join([f";{name}={place}" for name, place in sorted(self._ahead.items())])
        return text if len(text) <= ID_CHARS else time_alone


def _resumed(text: str, names: Iterable[str], now_ms: int) -> Bookmark | None:
    """The bookmark that a reader brings back; None for what is none of ours, or lies in the future."""
    match = _LAST_ID.fullmatch(text)
    if match is None or int(match[1]) > now_ms + SKEW_MS:
        return None
    ms, ahead = int(match[1]), dict(part.split("=") for part in match[2].split(";")[1:])
    beyond = {name: StreamPosition.of(text.encode()) for name, text in ahead.items()}
    if any(place.ms > now_ms + SKEW_MS for place in beyond.values()):
        return None  # It would be waited for, and nothing be told till then.
    return Bookmark(ms, {name: beyond.get(name, StreamPosition(ms, 0)) for name in names})


def _queues(wanted: dict[str, str]) -> frozenset[str] | None:
    """The queues to follow; None for all. Raises InvalidFields."""
    queue, job_id = wanted.get("queue"), wanted.get("job")
    if queue is not None and not QUEUE_NAME.fullmatch(queue):
        raise query.parameter_error("queue", "is not a queue's name")
    if job_id is None:
        return None if queue is None else frozenset({queue})
    if not JOB_ID.fullmatch(job_id):
        raise query.parameter_error("job", "is not a job's id")
    if queue not in (None, queue_of(job_id)):
        raise query.parameter_error("queue", "is not the queue of that job")
    return frozenset({queue_of(job_id) or ""})


def _reset(queue: str | None, last_id: str) -> bytes:
    """Events were missed, of this queue or of any: look at its jobs anew."""
    return _message(last_id, to_json({"queue": queue}), "reset")


def _message(last_id: str, data: str, event: str = "") -> bytes:
    kind = f"event: {event}\n" if event else ""
    return f"id: {last_id}\n{kind}data: {data}\n\n".encode()


async def _with_retry(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The first message says how soon to come back."""
    is_said = False
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if is_said or not piece or piece.startswith(b":"):
                yield piece
            else:
                is_said = True
                yield f"retry: {RETRY_MS}\n".encode() + piece
