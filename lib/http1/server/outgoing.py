"""What goes out on one connection: a whole answer in one write, a streamed one at the pace of whoever reads it.

Called by connection.py, which tells it when the kernel takes no more for now.
"""

import asyncio

from lib.http1.message import CONTINUE, DateLine, Request, Response, StreamedResponse


class Outgoing:
    """The writing half of a connection. `is_paused`: the kernel has not taken all of what was written."""

    def __init__(self, transport: asyncio.Transport, date: DateLine, keep_alive: str) -> None:
        # 0: paused means that the kernel has not taken the whole answer yet, which is what write_s is about.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._date = date
        self._keep_alive = keep_alive
        self._waiter: asyncio.Future[None] | None = None
        self.is_paused = False

    def write(self, request: Request | None, response: Response, *, closes: bool, is_to_head: bool = False) -> None:
        """All of a whole response; of a streamed one the head, and `write_pieces` sends the rest.

        is_to_head: where there is no request, because it could not be read, whether it was a HEAD all the same."""
        connection = "Connection: close\r\n" if closes else self._keep_alive
        if isinstance(response, StreamedResponse):
            is_chunked = request is not None and is_chunkable(request)
            rendered = response.render_head(is_chunked=is_chunked, date=self._date(), connection=connection)
        else:
            is_head = is_to_head if request is None else request.method == "HEAD"
            rendered = response.render(is_head=is_head, date=self._date(), connection=connection)
        self._transport.write(rendered)

    def write_continue(self) -> None:
        self._transport.write(CONTINUE)

    async def write_pieces(self, request: Request, response: StreamedResponse) -> None:
        """To the end, or until nobody is there to read. Raises what `pieces` raises."""
        if request.method == "HEAD":
            return
        is_chunked = is_chunkable(request)
        async for piece in response.pieces:
            if piece:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            while self.is_paused and not self._transport.is_closing():
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            if self._transport.is_closing():
                return
        if is_chunked:
            self._transport.write(b"0\r\n\r\n")

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        """The kernel takes bytes again, or the connection is gone."""
        self.is_paused = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def is_chunkable(request: Request) -> bool:
    """HTTP/1.0 knows no chunks: there the end of the connection ends a streamed body."""
    return request.version == "1.1"
