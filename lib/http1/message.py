"""Request and Response: what the app gets and what it gives back.

The parser makes the Request, the connection adds the peer and the times, the middleware its own attributes.
A Response is rendered to bytes in one piece, for one write. Where a body is too large to be held, or has no end yet, it
goes in pieces: `Request.stream` gives those that come in, a StreamedResponse those that go out.
"""

import functools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
BODILESS_STATUSES = frozenset({204, 304})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# The connection alone knows these: an app that sent them too would frame the message twice.
RESERVED_FIELDS = frozenset({"connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"})


@dataclass(eq=False)
class Request:
    """One request. `body` is empty until the app's handle() is called.

    No slots: `repeated` copies what the head says in one go, and the rest begins with the class's own values.

    `path` and `query` are raw: as sent, not percent-decoded, `query` without its "?". `headers` maps lower-case
    names to values; repeated list fields are joined with ", ". `host` is lower-case, with the port if one was sent,
    and empty only for HTTP/1.0 without Host. `version` is "1.1" or "1.0". `received_at` is monotonic: when the first
    byte arrived (for a pipelined request: when the bytes it came with were read).
    """

    method: str
    # What may hold a secret is not in the repr, which a traceback or a debug line may show.
    target: str = field(repr=False)
    path: str
    query: str = field(repr=False)
    version: str
    headers: dict[str, str] = field(repr=False)
    host: str
    keep_alive: bool
    content_length: int
    """Declared; 0 when none was."""
    is_chunked: bool
    expects_continue: bool
    body_limit_bytes: int
    """The app may change it in admit(), before any of the body is taken."""
    by_head: dict[str, Any] = field(default_factory=dict, repr=False)
    """The app's own: what follows from the head alone. All requests of a connection that repeat a head share it."""
    streams_body: bool = False
    """The app sets it in admit(): handle() is called when the head is there, and takes the body from `stream`."""
    stream: AsyncIterator[bytes] | None = None
    """Pieces of the body as they arrive. While nobody takes one, no more is read. Raises HttpError where the body
    breaks off, is badly framed, too large or too slow; then the connection ends with the answer, as it does where the
    app answers before the body is taken to its end."""
    body: bytes = field(default=b"", repr=False)
    peer: str = ""
    received_at: float = 0.0
    is_gone: bool = False
    """The client has closed the connection before it was answered, or its half of it: most who close both can't be told
    from who still reads (RFC 9112 section 9.5). An app that waits long looks here, may set `on_gone`, and then answers
    at once. Of a streamed body the close is the end as well: what came before it can still be taken."""
    on_gone: Callable[[], None] | None = None
    """Called when `is_gone` becomes true."""
    ends_with_client: bool = False
    """The app sets it for an answer without an end: a client that ends its side, and may read on, is taken for gone."""

    # The middleware's own.
    request_id: str = ""
    caller: Any = None
    trace: Any = None
    route: Any = None
    refusal: Any = None

    @classmethod
    def repeated(cls, said: dict[str, object]) -> "Request":
        """A request whose head came before: `said` is what vars() gave of the former one when nobody had touched it."""
        request = cls.__new__(cls)
        request.__dict__ = said.copy()
        return request

    def tell_gone(self) -> None:
        self.is_gone = True
        if self.on_gone is not None:
            self.on_gone()

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow the head, as its framing declares."""
        return self.content_length > 0 or self.is_chunked


class Response:
    """A status, fields and a whole body. `closes` ends the connection after it.

    Raises ValueError for an unknown status, for CR, LF or NUL in a field, for characters outside Latin-1, and for
    the fields that the connection writes itself (`content_type` has its own argument).
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
        self._block = _type_line(content_type) if body else ""
        for name, value in headers:
            self.add_header(name, value)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The fields so far, without those that the connection writes and Content-Type."""
        pairs = (line.partition(": ") for line in self._block.split("\r\n")[:-1])
        return tuple((name, value) for name, _, value in pairs if name != "Content-Type")

    def add_block(self, block: "FieldBlock") -> None:
        """Append fields that are the same in every response, checked when the block was made."""
        self._block += block.text

    def add_header(self, name: str, value: str) -> None:
        """Append one field. Raises ValueError as the class says."""
        self._block += _beginning(name) + _checked(value)

    def render(self, *, is_head: bool, date: str, connection: str = "") -> bytes:
        """The whole message. `date` and `connection` are complete field lines; HEAD gets GET's fields and no body."""
        if self.status in BODILESS_STATUSES:
            return self._head(date, connection)
        head = self._head(date, f"Content-Length: {len(self.body)}\r\n{connection}")
        return head if is_head else head + self.body

    def _head(self, date: str, framing: str) -> bytes:
        return f"{STATUS_LINES[self.status]}{date}{self._block}{framing}\r\n".encode("latin-1")


class StreamedResponse(Response):
    """A response whose body is made while it is sent. `pieces` is closed (aclose) at its end, or when nobody reads it.

    Where `pieces` raises, the connection is cut, so that the reader can tell that the body is not whole.
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
        self._block = _type_line(content_type)
        for name, value in headers:
            self.add_header(name, value)

    def render_head(self, *, is_chunked: bool, date: str, connection: str = "") -> bytes:
        """Status line and fields. HTTP/1.0 knows no chunks: there the end of the connection ends the body."""
        return self._head(date, f"Transfer-Encoding: chunked\r\n{connection}" if is_chunked else connection)


class FieldBlock:
    """Header fields that many responses share. Raises ValueError as Response does."""

    __slots__ = ("text",)

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.text = Response(204, headers=headers)._block


@functools.lru_cache(maxsize=64)
def _type_line(content_type: str) -> str:
    return "Content-Type: " + _checked(content_type)


@functools.lru_cache(maxsize=256)
def _beginning(name: str) -> str:
    if name.lower() in RESERVED_FIELDS:
        raise ValueError(f"{name} is written by the connection")
    if not name:
        raise ValueError("a header field without a name")
    return _checked(name)[:-2] + ": "


def _checked(text: str) -> str:
    """A field's name or value with the line's end, which it can't hold itself: it would begin a field of its own."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"CR, LF or NUL in the header field {text!r}")
    if not text.isascii():
        text.encode("latin-1")
    return text + "\r\n"


@dataclass(slots=True)
class DateLine:
    """The Date field, made anew once a second. `wall_clock` gives seconds since the epoch."""

    wall_clock: Callable[[], float] = time.time
    _second: int = field(default=-1, init=False)
    _line: str = field(default="", init=False)

    def __call__(self) -> str:
        now_s = self.wall_clock()
        if not self._second <= now_s < self._second + 1:
            self._second = second = int(now_s)
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line
