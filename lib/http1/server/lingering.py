"""Connections that have had their last answer and are still sent to (RFC 9112 section 9.6).

A client that is still sending a body when it is refused sees a reset, and not the answer, where the server closes over
unread bytes. So the connection is half-closed and read until the client closes too, within `linger_bytes`, `linger_s`
and `linger_quiet_s`; nothing of that is kept. Here they stand, oldest first, for all connections of a listener:

- At most `lingering_at_once` do: for one more the oldest, which has most probably had its answer, is closed. The
  listener closes the oldest too where MAX_CONNECTIONS is reached and somebody comes who wants to be served.
- Before each read a connection waits for its turn, and three get theirs in two milliseconds. A crowd that sends
  gigabytes to be refused is slowed down by that, where it would else keep the loop from those who are served.

Called by connection.py and listener.py.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from lib.http1.server.limits import Limits

if TYPE_CHECKING:
    from lib.http1.server.connection import Connection

TURN_S = 0.001
# Of 64 KiB each: 98 MB a second. With 4,000 the p99 of the others was 1.7 to 7 times what it is alone; now 1.0 to 1.6.
READS_PER_S = 1500
# A turn that comes late may make up for so much: those who are served wait for it.
MOST_READS = 8


class Lingering:
    """The lingering connections of one listener."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.lingering_at_once
        # For its order.
        self._connections: dict[Connection, None] = {}
        self._waiting: deque[asyncio.Transport] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, connection: object) -> bool:
        return connection in self._connections

    def add(self, connection: "Connection") -> None:
        """From now on it is one of them, if need be instead of the oldest."""
        if connection in self._connections:
            return
        if len(self._connections) >= self._most:
            self.close_oldest()
        self._connections[connection] = None

    def discard(self, connection: "Connection") -> None:
        """It is closed."""
        self._connections.pop(connection, None)

    def close_oldest(self) -> None:
        """Its place is free at once, though its socket is closed a turn of the loop later."""
        oldest = next(iter(self._connections), None)
        if oldest is not None:
            oldest.give_way()

    def wait_for_turn(self, transport: asyncio.Transport) -> None:
        """Read no more from it until its turn has come."""
        transport.pause_reading()
        self._waiting.append(transport)
        if self._timer is None:
            self._await_turn(asyncio.get_running_loop())

    def _await_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._since_s = loop.time()
        self._timer = loop.call_later(TURN_S, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        # By the time that has passed: where the machine is busy, turns are late, and all would time out.
        reads = min(int((loop.time() - self._since_s) * READS_PER_S) + 1, MOST_READS, len(self._waiting))
        for _ in range(reads):
            # Of one that was closed meanwhile this does nothing.
            self._waiting.popleft().resume_reading()
        if self._waiting:
            self._await_turn(loop)
