"""Bytes in, requests out. No sockets, no clock: the connection feeds it and asks; bytes alone test it.

    feed(data) --> next_head() -> Request without body, or None: more bytes are needed
                   next_body() -> bytes, or None: more bytes are needed     (then next_head() again)
                   or next_piece() until it gives b"", for a body that is taken as it arrives

Between the two the app may refuse the request or change its `body_limit_bytes`. All raise an HttpError for what is not
a valid request; from then on the same error comes again, because nobody can say where the next request would begin.

The answer depends on the bytes alone, never on how they were cut: an unfinished head is searched for bytes that can't
be made right in the same order in which a finished one is. Every byte is looked at a constant number of times.
"""

from lib.errors import HeadersTooLarge, HttpError, PayloadTooLarge
from lib.http1.message import Request
from lib.http1.server.chunked import ChunkedBody
from lib.http1.server.head import parse_head, refuse_bad_bytes, refuse_long_line, said_id
from lib.http1.server.limits import Limits

KEPT_HEAD_BYTES = 2048
"""A head up to this length is kept until the next one, in case that is the same."""


class Parser:
    """The requests of one connection, one after the other."""

    __slots__ = (
        "_buffer",
        "_chunked",
        "_error",
        "_given_bytes",
        "_has_skipped",
        "_last_head",
        "_last_said",
        "_limits",
        "_line_end",
        "_request",
        "_scanned",
        "_small",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # A head that ends within this is inside both limits.
        self._small = min(limits.request_line_bytes, limits.header_bytes)
        self._buffer = bytearray()
        self._request: Request | None = None
        self._chunked: ChunkedBody | None = None
        self._error: HttpError | None = None
        self._given_bytes = 0
        self._last_head = b""
        self._last_said: dict[str, object] = {}
        self._begin_head()

    @property
    def buffered_bytes(self) -> int:
        """How many bytes were fed and not yet taken."""
        return len(self._buffer)

    @property
    def begins_with_head(self) -> bool:
        """Whether what was fed and not yet taken is a HEAD, be it one that can't be read."""
        return self._buffer.startswith(b"HEAD ")

    @property
    def body_bytes(self) -> int:
        """How much of the unfinished body has arrived."""
        return len(self._buffer) + (self._chunked.body_bytes if self._chunked else self._given_bytes)

    @property
    def is_broken(self) -> bool:
        """What was fed is not a valid request, so that nobody can say where the next one would begin."""
        return self._error is not None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add what was read."""
        self._buffer += data

    def forget(self) -> None:
        """Drop what was fed and not taken, the begun body too: no request will be asked for any more."""
        self._buffer = bytearray()
        self._request = self._chunked = None

    def next_head(self) -> Request | None:
        """The next request, without its body; None when more bytes are needed.

        Raises BadRequest, UriTooLong, HeadersTooLarge, MethodUnknown, CodingUnknown, VersionNotSupported or
        ExpectationFailed. next_body() must have given the former request's body before."""
        if self._error is not None:
            raise self._error
        try:
            return self._read_head()
        except HttpError as error:
            self._error = error
            raise

    def next_body(self) -> bytes | None:
        """The whole body (b"" when there is none); None when more bytes are needed. Ends the request.

        Raises PayloadTooLarge (at once for a declared length), BadRequest, or HeadersTooLarge for trailers."""
        if self._error is not None:
            raise self._error
        try:
            return self._read_body()
        except HttpError as error:
            self._error = error
            raise

    def next_piece(self) -> bytes | None:
        """Of the body, what has arrived and was not given yet; None when more bytes are needed. b"" ends the request.

        Raises what next_body() raises. A request's body is taken in one of the two ways."""
        if self._error is not None:
            raise self._error
        try:
            return self._read_piece()
        except HttpError as error:
            self._error = error
            raise

    def _begin_head(self, *, has_skipped: bool = False) -> None:
        self._scanned = 0
        self._line_end = -1
        self._has_skipped = has_skipped

    def _read_head(self) -> Request | None:
        buffer = self._buffer
        if not buffer:
            return None
        if self._last_head and buffer.startswith(self._last_head):
            return self._repeat_head()
        # RFC 9112 section 2.2: one empty line before a request is forgiven.
        if buffer[:2] == b"\r\n" and not self._has_skipped:
            del buffer[:2]
            self._begin_head(has_skipped=True)
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0 or end > self._small:
            self._check_unfinished(end)
            if end < 0:
                return None
        text = buffer[: end + 2].decode("latin-1")
        try:
            request = parse_head(text, self._limits)
        except HttpError as error:
            error.said_id = said_id(text)
            raise
        if end <= KEPT_HEAD_BYTES:
            self._last_head, self._last_said = bytes(buffer[: end + 4]), vars(request).copy()
        del buffer[: end + 4]
        self._begin_head()
        self._request = request
        return request

    def _repeat_head(self) -> Request:
        """The same bytes up to the empty line, so the same request: many a client has but one head."""
        del self._buffer[: len(self._last_head)]
        self._begin_head()
        self._request = request = Request.repeated(self._last_said)
        return request

    def _check_unfinished(self, end: int) -> None:
        """Refuse what no further byte can mend, and what is over a limit. `end`: of the head, -1 if not yet seen."""
        arrived = len(self._buffer) if end < 0 else end + 4
        if self._line_end < 0:
            self._find_line_end(arrived)
        if self._line_end >= 0:
            # Two for the end of the request line, two for the empty line.
            most = self._line_end + self._limits.header_bytes + 4
            refuse_bad_bytes(self._buffer, self._scanned, min(arrived, most))
            if arrived > most or (end < 0 and arrived == most):
                raise HeadersTooLarge(f"The header fields are over {self._limits.header_bytes} bytes.")
        self._scanned = arrived

    def _find_line_end(self, arrived: int) -> None:
        most = self._limits.request_line_bytes + 2
        self._line_end = self._buffer.find(b"\r\n", max(0, self._scanned - 1), most)
        if self._line_end < 0:
            refuse_bad_bytes(self._buffer, self._scanned, min(arrived, most))
            if arrived >= most:
                refuse_long_line(bytes(self._buffer[: most - 2]))

    def _read_body(self) -> bytes | None:
        request = self._request
        assert request is not None, "next_body() before next_head()"
        if request.is_chunked:
            body = self._read_chunked(request)
        else:
            _refuse_large(request)
            body = self._read_counted(request.content_length)
        if body is not None:
            self._request = None
        return body

    def _read_piece(self) -> bytes | None:
        request = self._request
        assert request is not None, "next_piece() before next_head()"
        piece, is_last = self._chunked_piece(request) if request.is_chunked else self._counted_piece(request)
        if piece:
            return piece
        if not is_last:
            return None
        self._request = self._chunked = None
        self._given_bytes = 0
        return b""

    def _counted_piece(self, request: Request) -> tuple[bytes, bool]:
        _refuse_large(request)
        piece = bytes(self._buffer[: request.content_length - self._given_bytes])
        del self._buffer[: len(piece)]
        self._given_bytes += len(piece)
        return piece, self._given_bytes == request.content_length

    def _chunked_piece(self, request: Request) -> tuple[bytes, bool]:
        if self._chunked is None:
            self._chunked = ChunkedBody(self._limits, request.body_limit_bytes)
        return self._chunked.take(self._buffer), self._chunked.is_complete

    def _read_counted(self, length: int) -> bytes | None:
        if not length:
            return b""
        if len(self._buffer) < length:
            return None
        if len(self._buffer) == length:
            body = bytes(self._buffer)  # Most requests come alone: one copy less.
            self._buffer.clear()
            return body
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _read_chunked(self, request: Request) -> bytes | None:
        if self._chunked is None:
            self._chunked = ChunkedBody(self._limits, request.body_limit_bytes)
        body = self._chunked.read(self._buffer)
        if body is not None:
            self._chunked = None
        return body


def _refuse_large(request: Request) -> None:
    if request.content_length > request.body_limit_bytes:
        raise PayloadTooLarge(f"The body is over {request.body_limit_bytes} bytes.")
