"""A request's body in pieces, for an operation that takes the body as it arrives.

Made by connection.py, which calls `wake` when bytes have come and `fail` when none will; iterated by the application.
While the application does something else, what has come waits in the parser's buffer, and the connection reads no more
than a little.
"""

import asyncio
from collections.abc import Callable

from lib.errors import BadRequest, HttpError
from lib.http1.server.limits import Limits


class BodyStream:
    """`next_piece` is the parser's. `on_wait(until_s)` is called when the application begins to wait for more, and
    `on_wait(None)` when that wait is over. `until_s` and `clock` are monotonic seconds."""

    def __init__(
        self,
        next_piece: Callable[[], bytes | None],
        limits: Limits,
        clock: Callable[[], float],
        on_wait: Callable[[float | None], None],
        *,
        has_body: bool = True,
    ) -> None:
        self._next_piece = next_piece
        self._limits = limits
        self._clock = clock
        self._on_wait = on_wait
        self._waiter: asyncio.Future[None] | None = None
        self._fault: HttpError | None = None
        self._given_bytes = 0
        self._waited_s = 0.0
        # A request without a body is complete, whether or not the application iterates.
        self.is_complete = not has_body and next_piece() is not None
        """The whole body has been taken; the next request begins behind it."""

    def __aiter__(self) -> "BodyStream":
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises HttpError when the rest of the body can't be had."""
        while not self.is_complete:
            piece = self._next_piece()
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
        """The application waits for bytes."""
        return self._waiter is not None

    def wake(self) -> None:
        """Bytes have come."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, fault: HttpError | None = None) -> None:
        """No more bytes will come than the buffer holds. Without a fault: the client has ended early."""
        self._fault = self._fault or fault or BadRequest("The body broke off before its end.")
        self.wake()

    async def _more(self) -> None:
        began_s = self._clock()
        self._waiter = asyncio.get_running_loop().create_future()
        self._on_wait(began_s + self._patience_s())
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._waited_s += self._clock() - began_s
            self._on_wait(None)

    def _patience_s(self) -> float:
        """Only time spent waiting for the client counts: when the app or Redis is slow, the client is not to blame."""
        return max(0.0, min(self._limits.body_s, self._limits.body_earned_s(self._given_bytes) - self._waited_s))
