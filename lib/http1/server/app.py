"""What the HTTP room asks of the application it serves, and what all connections of one listener share."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lib.errors import HttpError
from lib.http1.message import DateLine, Request, Response
from lib.http1.server.limits import Limits
from lib.http1.server.lingering import Lingering

if TYPE_CHECKING:
    from lib.http1.server.connection import Connection

READ_BYTES = 64 * 1024

Answer = Response | Coroutine[Any, Any, Response] | Exception
"""A whole Response; what makes one, or a StreamedResponse, when it is run in the connection's task; or a fault of the
app's own, which is answered with a bare 500."""
Hear = Callable[[Request, Answer], None]
"""How the app tells an answer later. Does not raise: whoever calls it has others to tell as well."""


class App(Protocol):
    """What a connection needs of the application."""

    def admit(self, request: Request) -> Response | None:
        """Called with the head, before any of the body is taken and before "100 Continue". A Response refuses.

        May change `request.body_limit_bytes` and set `request.streams_body`. The body of a refused request is read
        and thrown away; where it is too large for that, or is not sent without a 100, the connection closes."""

    def handle(self, request: Request, hear: Hear) -> Answer | None:
        """Answer a whole request, or one whose body comes in `request.stream`.

        None: `hear` will be called with the request and its answer, from the loop, but not before this returns. That
        takes no task, no future and no turn of the loop; an answer that has to be awaited comes as a coroutine."""

    def refuse(self, error: HttpError, request: Request | None, peer: str) -> Response:
        """The answer to what is not a valid request, or took too long. `request` if its head could be read."""


@dataclass(slots=True, eq=False)
class Common:
    """What all connections of one listener share. `clock` is monotonic, in seconds."""

    app: App
    limits: Limits
    clock: Callable[[], float]
    date: DateLine
    connections: set["Connection"] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    unanswered: set["Connection"] = field(default_factory=set)
    """Those whose client is gone while its request is still at work."""
    is_draining: bool = False
    lingering: Lingering = field(init=False)
    idle_s: float = field(init=False)
    """How long a connection may be idle; longer than what is announced."""
    keep_alive: str = field(init=False)
    """Field lines of each answer that is not the last one of its connection."""
    # One buffer for all: the selector loop calls get_buffer, reads and calls buffer_updated in one go.
    read_buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(READ_BYTES)))

    def __post_init__(self) -> None:
        limits = self.limits
        self.lingering = Lingering(limits)
        self.idle_s = limits.idle_s + limits.idle_grace_s
        # RFC 9110 section 7.6.1: what concerns the connection alone is named in Connection.
        self.keep_alive = f"Connection: keep-alive\r\nKeep-Alive: timeout={int(limits.idle_s)}\r\n"
