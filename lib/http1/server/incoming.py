"""The reading half of a connection: the bytes that have come, the request under way, and the times of both.

Made and called by connection.py. The parser holds the bytes; the times are for `Request.received_at` and deadlines.
"""

import asyncio
from typing import Generic

from lib.http1.app import RequestT
from lib.http1.server.parser import Parser


class Incoming(Generic[RequestT]):
    """What one connection reads. All times are monotonic seconds."""

    def __init__(self, transport: asyncio.Transport, parser: Parser[RequestT]) -> None:
        self.parser = parser
        self.request: RequestT | None = None
        """The request whose head is there and whose body is not complete."""
        self.read_at = 0.0
        """When bytes last came."""
        self.first_byte_at = 0.0
        """When the first byte of the next request came."""
        self.body_from_s = 0.0
        """When the body of `request` was due to begin."""
        self.has_eof = False
        """The client has closed its sending half."""
        self.is_paused = False
        """Reading is paused: too much is pipelined behind a request that is not answered yet."""
        self._transport = transport
        self._dropped_bytes = 0
        peername = transport.get_extra_info("peername")
        self.peer = str(peername[0]) if peername else ""

    def next_head(self) -> RequestT | None:
        """The next request, without its body; None when more bytes are needed. Raises what Parser.next_head raises."""
        request = self.parser.next_head()
        if request is not None:
            request.peer = self.peer
            request.received_at = self.first_byte_at
            # If the next request is in the buffer already, it came with the last read.
            self.first_byte_at = self.body_from_s = self.read_at
            self.request = request
        return request

    @property
    def is_idle(self) -> bool:
        """No request is under way here: none has begun, or the application has it."""
        return self.request is None and not self.parser.buffered_bytes

    def forget(self) -> None:
        """Drop all bytes and the request under way, which a lingering connection would hold for long."""
        self.parser.forget()
        self.request = None
        self._dropped_bytes = 0

    def drop(self, count_bytes: int) -> int:
        """Count bytes that were thrown away; the total since the last request or `forget`."""
        self._dropped_bytes += count_bytes
        return self._dropped_bytes

    def end_drop(self) -> None:
        """The body of `request` has been thrown away to its end."""
        self.request = None
        self._dropped_bytes = 0

    def pause(self) -> None:
        """Read no more for now."""
        self.is_paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on after a `pause`."""
        if self.is_paused:
            self.is_paused = False
            self._transport.resume_reading()
