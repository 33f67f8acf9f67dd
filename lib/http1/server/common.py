"""What all connections of one listener share: the application, the limits, the clocks, and the sets they stand in.

Made by listener.py, handed to each connection.py.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol

from lib.http1.app import App, RequestT
from lib.http1.server.life import Timetable, timetable
from lib.http1.server.limits import Limits
from lib.http1.server.lingering import Lingering
from lib.http1.server.outgoing import DateLine

READ_BYTES = 64 * 1024


class OpenConnection(Protocol):
    """A connection as the listener sees it."""

    @property
    def deadline_s(self) -> float:
        """When `expire` is due, on the listener's clock; inf for never."""

    def expire(self) -> None:
        """`deadline_s` has passed."""

    def begin_drain(self) -> None:
        """`Common.is_draining` has become true."""

    def abort(self) -> None:
        """Close at once."""


@dataclass(slots=True, eq=False)
class Common(Generic[RequestT]):
    """One per listener. `clock` is monotonic, in seconds."""

    app: App[RequestT]
    limits: Limits
    clock: Callable[[], float]
    date: DateLine
    connections: set[OpenConnection] = field(default_factory=set)
    """All open connections, those that linger among them."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """The task of each connection that has one."""
    unanswered: set[OpenConnection] = field(default_factory=set)
    """Connections that the client has closed while the application was still at work on their request."""
    is_draining: bool = False
    """The listener stops: every connection ends with its next answer."""
    lingering: Lingering = field(init=False)
    timetable: Timetable = field(init=False)
    keep_alive: str = field(init=False)
    """The field lines of each answer that is not the last one of its connection."""
    # One buffer for all connections: the selector loop calls get_buffer, reads and calls buffer_updated in one go.
    read_buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_BYTES)))

    def __post_init__(self) -> None:
        self.lingering = Lingering(self.limits)
        self.timetable = timetable(self.limits)
        # A field that concerns the connection alone is named in Connection (RFC 9110 section 7.6.1).
        self.keep_alive = f"Connection: keep-alive\r\nKeep-Alive: timeout={int(self.limits.idle_s)}\r\n"
