"""Bytes in, requests out. Pure: the connection feeds the parser and asks it for requests; bytes alone test it.

    feed(data) --> next_head() -> a request without its body, or None: more bytes are needed
                   next_body() -> bytes, or None: more bytes are needed     (then next_head() again)
                   or next_piece() until it returns b"", for a body that is taken as it arrives

Between head and body the application may refuse the request or change its `body_limit_bytes`. All three raise an
HttpError for bytes that are not a valid request. From then on each call raises that same error, because nobody can say
where the next request would begin.

What comes out depends on the bytes alone, never on how they were cut: an unfinished head is searched for bad bytes in
the same order as a finished one. Every byte is read a constant number of times.
"""

from typing import Generic

from lib.errors import HeadersTooLarge, HttpError, PayloadTooLarge
from lib.http1.app import RequestT
from lib.http1.chunked import ChunkedBody
from lib.http1.fields import refuse_bad_bytes
from lib.http1.message import Request
from lib.http1.server.head import parse_head, refuse_long_line, request_id_in
from lib.http1.server.limits import Limits

KEPT_HEAD_BYTES = 2048
"""A head up to this length is kept, in case the next head is the same: most clients of an API have but one head."""


class Parser(Generic[RequestT]):
    """Makes the bytes of one connection into requests of `request_type`."""

    __slots__ = (
        "_buffer",
        "_chunked",
        "_error",
        "_given_bytes",
        "_has_skipped",
        "_last_attributes",
        "_last_head",
        "_limits",
        "_line_end",
        "_request",
        "_request_type",
        "_scanned",
        "_small",
    )

    def __init__(self, limits: Limits, request_type: type[RequestT]) -> None:
        self._limits = limits
        self._request_type = request_type
        # A head that ends within so many bytes keeps to both limits.
        self._small = min(limits.request_line_bytes, limits.header_bytes)
        self._buffer = bytearray()
        self._request: RequestT | None = None
        self._chunked: ChunkedBody | None = None
        self._error: HttpError | None = None
        self._given_bytes = 0
        self._last_head = b""
        self._last_attributes: dict[str, object] = {}
        self._begin_head()

    @property
    def buffered_bytes(self) -> int:
        """How many bytes were fed and not yet taken."""
        return len(self._buffer)

    @property
    def begins_with_head(self) -> bool:
        """Whether the bytes that are left begin with a HEAD, whether or not that is a valid request."""
        return self._buffer.startswith(b"HEAD ")

    @property
    def body_bytes(self) -> int:
        """How much of the unfinished body has arrived."""
        return len(self._buffer) + (self._chunked.body_bytes if self._chunked else self._given_bytes)

    @property
    def is_broken(self) -> bool:
        """The bytes that were fed are not a valid request: nobody can say where the next one would begin."""
        return self._error is not None

    def feed(self, data: bytes | bytearray | memoryview) -> bool:
        """Add bytes that were read. Returns whether the buffer was empty: a request may begin with these bytes."""
        is_first = not self._buffer
        self._buffer += data
        return is_first

    def forget(self) -> None:
        """Drop all bytes, those of a begun body too; the parser is not used any more after this."""
        self._buffer = bytearray()
        self._request = self._chunked = None

    def next_head(self) -> RequestT | None:
        """The next request, without its body; None when more bytes are needed. The former request's body must have
        been taken before.

        Raises BadRequest, UriTooLong, HeadersTooLarge, MethodUnknown, CodingUnknown, VersionNotSupported or
        ExpectationFailed."""
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
        """The next piece of the body; None when more bytes are needed. b"": the body is complete, and the request ends.

        Raises what next_body() raises. Take one body either by next_body() or by next_piece()."""
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

    def _read_head(self) -> RequestT | None:
        buffer = self._buffer
        if not buffer:
            return None
        if self._last_head and buffer.startswith(self._last_head):
            return self._repeat_head()
        # One empty line before a request is forgiven (RFC 9112 section 2.2).
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
            request = parse_head(text, self._limits, self._request_type)
        except HttpError as error:
            error.sent_request_id = request_id_in(text)
            raise
        if end <= KEPT_HEAD_BYTES:
            self._last_head, self._last_attributes = bytes(buffer[: end + 4]), vars(request).copy()
        del buffer[: end + 4]
        self._begin_head()
        self._request = request
        return request

    def _repeat_head(self) -> RequestT:
        """The head is the former one, byte for byte: copy that request's attributes instead of parsing."""
        del self._buffer[: len(self._last_head)]
        self._begin_head()
        self._request = request = self._request_type.like(self._last_attributes)
        return request

    def _check_unfinished(self, end: int) -> None:
        """Refuse a head that no further byte can mend, or that is over a limit. `end`: its end, -1 if not here yet."""
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
            body = bytes(self._buffer)  # Most requests come alone: this saves one copy.
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
