"""GET /api/events?digest_s=1: the queues that have changed, once a second, in place of a message for each transition.

    id: 1795438188123
    event: queues
    data: {"at":"2026-11-23T12:49:48.123Z","version":"0.3.0","start":true,"more":0,"queues":[{"name":"email",…}],…}

A stream starts with every queue that there is, PAGE queues a message, all marked `start`. So nobody needs to read
/api/queues first, and a reader that comes back, to this server or another one, has missed nothing. From then on a
message has the queues whose census has changed, and the names of those that were removed. Nothing is kept for a slow
reader: the newest census of a queue takes the place of all before it (census_board.py).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from math import inf
from typing import Any

from lib import __version__
from lib.api.event_messages import AWAY, AWAY_PAUSE_S, HEARTBEAT, HEARTBEAT_S, message
from lib.api.shown_queue import present_queue
from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.http1.message import Request
from lib.jobs.timestamps import timestamp
from lib.json_text import to_json
from lib.queue.census import Census
from lib.queue.census_board import BoardReader, CensusBoard, Row
from lib.queue.unreadable import Unreadable
from lib.web.drain import Drain

LONGEST_DIGEST_S = 60
PAGE = 50


class Digests:
    """The streams of digests of one process. A drain ends them all."""

    def __init__(self, board: CensusBoard, drain: Drain) -> None:
        self._board = board
        self._drain = drain
        drain.on_begin(board.wake_all)

    async def pieces(
        self, request: Request, queues: frozenset[str] | None, digest_s: int, for_s: float | None
    ) -> AsyncGenerator[bytes, None]:
        """The stream of one reader: messages and heartbeats."""
        clock = asyncio.get_running_loop().time
        ends_s = inf if for_s is None else clock() + for_s
        has_started, next_s, sent_s = False, -inf, clock()
        with self._board.reader(queues) as reader:
            request.on_gone = reader.news.set
            request.ends_with_client = True
            yield b""
            while not self._drain.has_begun and not request.is_gone:
                reader.news.clear()
                rows: list[Row] = []
                is_start = not has_started and await self._is_filled(queues)
                if is_start:
                    rows = reader.all_rows()
                elif has_started and clock() >= next_s:
                    rows = reader.changed_rows()
                if rows or is_start:
                    for page in self._pages(reader, rows, is_start):
                        yield page
                    has_started, sent_s, next_s = True, clock(), clock() + digest_s
                now_s = clock()
                if now_s >= ends_s:
                    return
                is_away = self._board.is_away or not has_started
                if is_away or now_s - sent_s >= HEARTBEAT_S:
                    yield AWAY if is_away else HEARTBEAT
                    sent_s = now_s
                asks_s = next_s if reader.is_behind else inf
                wakes_s = min(ends_s, sent_s + HEARTBEAT_S, asks_s if has_started else now_s + AWAY_PAUSE_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.news.wait(), wakes_s - now_s)

    async def _is_filled(self, queues: frozenset[str] | None) -> bool:
        """Have the board learn of all these queues. False if Redis is away."""
        try:
            await self._board.fill(queues)
        except (RedisUnavailable, RedisKeysBroken):
            return False
        return True

    def _pages(self, reader: BoardReader, rows: list[Row], is_start: bool) -> Iterator[bytes]:
        """The messages that tell of `rows`; one without a queue if there are none."""
        for at in range(0, max(1, len(rows)), PAGE):
            now_ms = self._board.now_ms()
            head = {
                "at": timestamp(now_ms),
                "version": __version__,
                "start": is_start,
                "more": max(0, len(rows) - at - PAGE),
                "late": reader.late,
            }
            yield message(str(now_ms), to_json({**head, **_sorted_out(rows[at : at + PAGE], now_ms)}), "queues")


def _sorted_out(rows: list[Row], now_ms: int) -> dict[str, Any]:
    """The rows as a message shows them: what is in each queue, which queues are gone, and which can't be read."""
    return {
        "queues": [_present(row, now_ms) for row in rows if isinstance(row.census, Census)],
        "removed": [row.queue for row in rows if row.census is None],
        "warnings": [row.census.warning for row in rows if isinstance(row.census, Unreadable)],
    }


def _present(row: Row, now_ms: int) -> dict[str, Any]:
    """The queue as GET /api/queues shows it: its oldest job has grown older since the census was taken."""
    assert isinstance(row.census, Census)
    shown = present_queue(row.census)
    if (since_ms := row.census.oldest_ready_ms) is not None:
        shown["oldest_ready_age_s"] = max(0, now_ms - since_ms) / 1000
    return shown
