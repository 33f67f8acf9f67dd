"""A request's body in pieces, for an operation that takes it as it arrives.

Made by the connection, which wakes it when bytes have come and fails it when none will; iterated by the app. While the
app does something else, what has come waits in the parser's buffer, and the connection reads no more than a little.
"""

import asyncio
from collections.abc import Callable
from math import inf

from lib.errors import BadRequest, HttpError
from lib.http1.server.limits import Limits
from lib.http1.server.parser import Parser


class BodyStream:
    """`wait_until(deadline_s)` is called when it runs dry; inf: it does not wait any more. `clock` is monotonic."""

    def __init__(
        self,
        parser: Parser,
        limits: Limits,
        clock: Callable[[], float],
        wait_until: Callable[[float], None],
        *,
        has_body: bool = True,
    ) -> None:
        self._parser = parser
        self._limits = limits
        self._clock = clock
        self._wait_until = wait_until
        self._waiter: asyncio.Future[None] | None = None
        self._fault: HttpError | None = None
        self._given_bytes = 0
        self._waited_s = 0.0
        # What is not there is complete, whether or not the app looks.
        self.is_complete = not has_body and parser.next_piece() is not None
        """The whole body has been taken; the next request begins behind it."""

    def __aiter__(self) -> "BodyStream":
        return self

    async def __anext__(self) -> bytes:
        """Raises HttpError: the body can't be had to its end."""
        while not self.is_complete:
            piece = self._parser.next_piece()
            if piece:
                self._given_bytes += len(piece)
                return piece
            if piece is not None:
                self.is_complete = True
                break
            if self._fault is not None:
                raise self._fault
            await self._more()
        raise StopAsyncIteration

    @property
    def is_failed(self) -> bool:
        """The rest of the body will not come, or not in time."""
        return self._fault is not None

    @property
    def is_dry(self) -> bool:
        """Somebody waits for bytes."""
        return self._waiter is not None

    def wake(self) -> None:
        """Bytes have come."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, fault: HttpError | None = None) -> None:
        """No more bytes will come, but for those in the buffer. Without a fault: the client has ended early."""
        self._fault = self._fault or fault or BadRequest("The body broke off before its end.")
        self.wake()

    async def _more(self) -> None:
        began_s = self._clock()
        self._waiter = asyncio.get_running_loop().create_future()
        self._wait_until(began_s + self._patience_s())
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._waited_s += self._clock() - began_s
            self._wait_until(inf)

    def _patience_s(self) -> float:
        """Only time spent waiting for the client counts: when the app or Redis is slow, the client is not to blame."""
        limits = self._limits
        earned_s = limits.body_grace_s + self._given_bytes / limits.body_rate_bytes_s
        return max(0.0, min(limits.body_s, earned_s - self._waited_s))
