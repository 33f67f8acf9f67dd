"""The connections whose client may still be sending after the last answer (RFC 9112 section 9.6).

A client that is still sending a body when it is refused sees a reset, and not the answer, if the server closes over
unread bytes. So the connection is half-closed, and read until the client closes too, within `linger_bytes`, `linger_s`
and `linger_quiet_s`; what is read is thrown away. All such connections of a listener stand here, oldest first:

- There are at most `lingering_at_once`. One more closes the oldest, whose client has most probably read its answer. The
  listener also closes the oldest to make room for a new client when MAX_CONNECTIONS is reached.
- Before each read a connection waits for its turn, and three connections get a turn in two milliseconds. A crowd that
  sends gigabytes to be refused is slowed down. Without turns the crowd would keep the loop busy, and served clients
  waiting.

Called by connection.py and listener.py.
"""

import asyncio
from collections import deque
from typing import Protocol

from lib.http1.server.limits import Limits

TURN_S = 0.001
# Of 64 KiB each: 98 MB a second. With 4,000 reads the p99 of other clients was 1.7 to 7 times what it is without a
# crowd; with 1,500 it is 1.0 to 1.6 times.
READS_PER_S = 1500
# A turn that comes late may make up for so many reads: the clients that are served wait meanwhile.
MOST_READS = 8


class Closable(Protocol):
    """A connection that lingers."""

    def give_way(self) -> None:
        """Close at once, to make room for another connection."""


class Lingering:
    """The lingering connections of one listener."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.lingering_at_once
        # A dict and not a set, because it keeps the order.
        self._connections: dict[Closable, None] = {}
        self._waiting: deque[asyncio.Transport] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, connection: object) -> bool:
        return connection in self._connections

    def add(self, connection: Closable) -> None:
        """Take a connection in, if it is not here yet. With too many the oldest is closed."""
        if connection in self._connections:
            return
        if len(self._connections) >= self._most:
            self.close_oldest()
        self._connections[connection] = None

    def discard(self, connection: Closable) -> None:
        """The connection is closed."""
        self._connections.pop(connection, None)

    def close_oldest(self) -> None:
        """Close the oldest connection. Its place is free at once, its socket is closed a turn of the loop later."""
        oldest = next(iter(self._connections), None)
        if oldest is not None:
            oldest.give_way()

    def wait_for_turn(self, transport: asyncio.Transport) -> None:
        """Stop reading from a transport until its turn has come."""
        transport.pause_reading()
        self._waiting.append(transport)
        if self._timer is None:
            self._await_turn(asyncio.get_running_loop())

    def _await_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._since_s = loop.time()
        self._timer = loop.call_later(TURN_S, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        # By the time that has passed: on a busy machine turns come late, and every connection would time out.
        reads = min(int((loop.time() - self._since_s) * READS_PER_S) + 1, MOST_READS, len(self._waiting))
        for _ in range(reads):
            # Does nothing to a transport that was closed while it waited.
            self._waiting.popleft().resume_reading()
        if self._waiting:
            self._await_turn(loop)
