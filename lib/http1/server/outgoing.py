"""The writing half of a connection: whole answers in one write, streamed answers at the client's pace.

Called by connection.py, which also passes on when the kernel takes no more for now (`pause`) and takes bytes again
(`resume`).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from lib.http1.chunked import LAST_CHUNK, chunk_of
from lib.http1.message import CONTINUE, Request, Response, StreamedResponse


@dataclass(slots=True)
class DateLine:
    """The Date field, made anew once a second: "Date: Sun, 06 Nov 1994 08:49:37 GMT". `wall_clock` gives seconds since
    the epoch."""

    wall_clock: Callable[[], float] = time.time
    _second: int = field(default=-1, init=False)
    _line: str = field(default="", init=False)

    def __call__(self) -> str:
        now_s = self.wall_clock()
        if not self._second <= now_s < self._second + 1:
            self._second = second = int(now_s)
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


class Outgoing:
    """What one connection writes. `keep_alive`: the field lines of each answer that does not close the connection."""

    def __init__(self, transport: asyncio.Transport, date: DateLine, keep_alive: str) -> None:
        # With 0, "paused" means that the kernel has not taken the whole answer yet: `write_s` is about just that.
        transport.set_write_buffer_limits(high=0)
        self.transport = transport
        self.is_paused = False
        """The kernel has not taken all of what was written."""
        self._date = date
        self._keep_alive = keep_alive
        self._waiter: asyncio.Future[None] | None = None

    def write(self, request: Request | None, response: Response, *, closes: bool, is_to_head: bool = False) -> None:
        """Write a whole response, or a streamed one's head; `write_pieces` sends the rest of that.

        is_to_head: for a request that could not be read (None), whether it was a HEAD all the same."""
        connection = "Connection: close\r\n" if closes else self._keep_alive
        if isinstance(response, StreamedResponse):
            is_chunked = request is not None and is_chunkable(request)
            rendered = response.render_head(is_chunked=is_chunked, date=self._date(), connection=connection)
        else:
            is_head = is_to_head if request is None else request.method == "HEAD"
            rendered = response.render(is_head=is_head, date=self._date(), connection=connection)
        self.transport.write(rendered)

    def ask_for_body(self, request: Request, *, has_begun: bool) -> None:
        """Send "100 Continue" once, if the client waits for it. A body that has begun to come needs none."""
        if request.expects_continue and not has_begun:
            self.transport.write(CONTINUE)
        request.expects_continue = False

    async def write_pieces(self, request: Request, response: StreamedResponse) -> None:
        """Write the pieces to their end, or until the client has gone. Raises what `response.pieces` raises."""
        if request.method == "HEAD":
            return
        is_chunked = is_chunkable(request)
        async for piece in response.pieces:
            if piece:
                self.transport.write(chunk_of(piece) if is_chunked else piece)
            while self.is_paused and not self.transport.is_closing():
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            if self.transport.is_closing():
                return
        if is_chunked:
            self.transport.write(LAST_CHUNK)

    def pause(self) -> None:
        """The kernel takes no more bytes for now."""
        self.is_paused = True

    def resume(self) -> None:
        """The kernel takes bytes again, or the connection is gone."""
        self.is_paused = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def is_chunkable(request: Request) -> bool:
    """HTTP/1.0 knows no chunks: for its clients the end of the connection ends a streamed body."""
    return request.version == "1.1"
