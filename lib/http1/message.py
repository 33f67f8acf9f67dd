"""Request and Response: an application gets Requests and returns Responses. Pure.

The parser makes a Request from a head, the connection adds the peer and the times, and the application's own subclass
may add attributes of its own. A Response is rendered to bytes in one piece, for one write. A body that is too large to
be held, or has no end yet, travels in pieces: incoming ones in `Request.stream`, outgoing ones in a StreamedResponse.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from lib.http1.fields import FieldBlock, content_type_line, field_name, field_value

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
BODILESS_STATUSES = frozenset({204, 304})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(eq=False)
class Request:
    """One request, as of `GET /api/jobs?limit=5 HTTP/1.1` with its fields.

    `path` ("/api/jobs") and `query` ("limit=5") are as sent, not percent-decoded. `headers` maps lower-case names to
    values; repeated list fields are joined with ", ". `host` is lower-case, with the port if one was sent, and empty
    only for HTTP/1.0 without Host. `version` is "1.1" or "1.0". `body` is empty until the application's handle() is
    called.

    An application may have a subclass of its own (`App.request_type`). All requests of a connection whose heads are
    the same bytes share what the constructor has set: a mutable field of the subclass can keep what follows from the
    head alone. Attributes that are set later begin anew with each request.

    WHY no slots: `like` copies the constructor's attributes in one go.
    """

    method: str
    # Fields that may hold a secret are not in the repr, which tracebacks and debug lines show.
    target: str = field(repr=False)
    path: str
    query: str = field(repr=False)
    version: str
    headers: dict[str, str] = field(repr=False)
    host: str
    keep_alive: bool
    """False if the client wants the connection to end with the answer."""
    content_length: int
    """The length that the head declares; 0 when it declares none."""
    is_chunked: bool
    expects_continue: bool
    """The client waits for "100 Continue" before it sends the body. False once that was sent, or is not needed."""
    body_limit_bytes: int
    """The application may change it in admit(), before any of the body is taken."""
    streams_body: bool = False
    """Set by the application in admit() to have handle() called with the head, and to take the body from `stream`."""
    stream: AsyncIterator[bytes] | None = field(default=None, init=False)
    """Pieces of the body as they arrive; nothing more is read while the application takes none. Raises HttpError for a
    body that breaks off, is badly framed, too large or too slow. The connection then ends with the answer, and also
    if the application answers before it has taken the whole body."""
    body: bytes = field(default=b"", repr=False)
    peer: str = ""
    """The client's IP address; empty on a Unix socket."""
    received_at: float = 0.0
    """Monotonic seconds when the first byte arrived. A request that was pipelined behind another one counts from the
    read that brought its first bytes."""
    is_gone: bool = False
    """The client has closed the connection, or its sending half, before it was answered. Most clients that close both
    halves can't be told from clients that still read (RFC 9112 section 9.5). An application that waits long looks here
    or sets `on_gone`, and then answers at once. The close ends a streamed body too, behind the pieces that came."""
    on_gone: Callable[[], None] | None = field(default=None, init=False)
    """Called when `is_gone` becomes true."""
    ends_with_client: bool = field(default=False, init=False)
    """Set by the application for an answer without an end: the connection then ends when the client closes its sending
    half, although that client might still read."""
    request_id: str = ""
    """Set by the application in admit(): what the connection calls this request in its log lines."""

    @classmethod
    def like(cls, attributes: dict[str, object]) -> Self:
        """A request with the same head as an earlier one, whose vars() were `attributes` before anybody changed it."""
        request = cls.__new__(cls)
        request.__dict__ = attributes.copy()
        return request

    def mark_gone(self) -> None:
        """The client has closed: set `is_gone` and call `on_gone`."""
        self.is_gone = True
        if self.on_gone is not None:
            self.on_gone()

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow the head, as its framing declares."""
        return self.content_length > 0 or self.is_chunked


class Response:
    """A status, fields and a whole body. `closes` ends the connection behind this answer.

    Raises ValueError for an unknown status, for CR, LF or NUL in a field, for characters outside Latin-1, and for
    the fields that the connection writes itself (Content-Type comes from its own argument).
    """

    __slots__ = ("_block", "body", "closes", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        *,
        content_type: str = "application/json",
        closes: bool = False,
    ) -> None:
        if status not in STATUS_LINES or status < 200:
            raise ValueError(f"not a final HTTP status: {status}")
        self.status = status
        self.body = body
        self.closes = closes
        self._block = content_type_line(content_type) if body else ""
        for name, value in headers:
            self.add_header(name, value)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The fields added so far, without Content-Type."""
        pairs = (line.partition(": ") for line in self._block.split("\r\n")[:-1])
        return tuple((name, value) for name, _, value in pairs if name != "Content-Type")

    def add_block(self, block: FieldBlock) -> None:
        """Append fields that many responses share; they were checked when the block was made."""
        self._block += block.text

    def add_header(self, name: str, value: str) -> None:
        """Append one field. Raises ValueError as the class says."""
        self._block += field_name(name) + field_value(value)

    def render(self, *, is_head: bool, date: str, connection: str = "") -> bytes:
        """The whole message; for an answer to HEAD without the body. `date` and `connection` are whole field lines."""
        if self.status in BODILESS_STATUSES:
            return self._head(date, connection)
        head = self._head(date, f"Content-Length: {len(self.body)}\r\n{connection}")
        return head if is_head else head + self.body

    def _head(self, date: str, framing: str) -> bytes:
        return f"{STATUS_LINES[self.status]}{date}{self._block}{framing}\r\n".encode("latin-1")


class StreamedResponse(Response):
    """A response whose body is made while it is sent.

    `pieces` is closed (aclose) at its end, or when the client has gone. If `pieces` raises, the connection is cut: the
    client can tell then that the body is not whole.
    """

    __slots__ = ("pieces",)

    def __init__(
        self,
        status: int,
        pieces: AsyncGenerator[bytes, None],
        headers: Sequence[tuple[str, str]] = (),
        *,
        content_type: str,
    ) -> None:
        super().__init__(status)
        self.pieces = pieces
        self._block = content_type_line(content_type)
        for name, value in headers:
            self.add_header(name, value)

    def render_head(self, *, is_chunked: bool, date: str, connection: str = "") -> bytes:
        """Status line and fields. For HTTP/1.0, which knows no chunks, the end of the connection ends the body."""
        return self._head(date, f"Transfer-Encoding: chunked\r\n{connection}" if is_chunked else connection)
