"""The bytes of an answer, read as they come. Pure: one AnswerParser for one answer, fed by exchange.py.

    HTTP/1.1 103 Early Hints␍␊␍␊                                    passed over, and dropped
    HTTP/1.1 200 OK␍␊Content-Length: 2␍␊Connection: close␍␊␍␊ok     status, fields, body

head --> body of a length | chunked | until the link is closed --> complete

1. Until the head is whole, what is no HTTP/1.1 raises NoHttp, as early as that can be seen.
2. From then on the status stands, and the receiver has acted: nothing raises any more. A body that breaks off, is coded
   wrongly or goes on behind 64 KiB is cut there, and `is_truncated` says so.
3. Every number is bounded by AnswerLimits, whatever is sent: no more than a head or a body is held at any time.
"""

import re
from typing import NamedTuple

from lib.errors import HttpError
from lib.http1.chunked import ChunkedBody
from lib.http1.client.faults import LinkLost, NoHttp
from lib.http1.fields import FIELD_LINES, field_lines_error, refuse_bad_bytes

SWITCHING_PROTOCOLS = 101
# RFC 9110, 6.4.1: answers of these statuses have no body, whatever their fields say.
BODILESS = frozenset({204, 304})
ANY_BYTES = 1 << 62  # ChunkedBody is to refuse no size: AnswerParser cuts the body itself.
QUOTED_BYTES = 40

_BEGINNING = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*+)?")
_FOLD = re.compile(r"[ \t]*+\r\n[ \t]++")
_LENGTH = re.compile(r"[0-9]{1,18}")


class AnswerLimits(NamedTuple):
    """Sizes in bytes. chunk_extension_bytes: as in chunked.py; header_bytes: of a head, or of all trailers."""

    header_bytes: int = 64 << 10
    header_fields: int = 256
    chunk_extension_bytes: int = 4 << 10
    interim_answers: int = 20
    body_bytes: int = 64 << 10


class AnswerParser:
    """One answer. status: None until the head is whole. may_keep: the link may carry a next request. has_more: bytes
    came behind the answer."""

    def __init__(self, method: str, limits: AnswerLimits = AnswerLimits()) -> None:  # noqa: B008
        self.status: int | None = None
        self.fields: list[tuple[str, str]] = []
        self.body = bytearray()
        self.has_begun = False
        self.is_complete = False
        self.is_truncated = False
        self.may_keep = False
        self.has_more = False
        self._method = method
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._interim_answers = 0
        self._length: int | None = None
        self._chunked: ChunkedBody | None = None

    def feed(self, data: bytes) -> None:
        """The next bytes of the link. Raises NoHttp."""
        self.has_begun = True
        if self.is_complete:
            self._note_more()
            return
        self._buffer += data
        while self.status is None:
            if not self._take_head():
                return
        if not self.is_complete:
            self._take_body()
        if self.is_complete and self._buffer:
            self._note_more()

    def end(self, *, is_clean: bool) -> None:
        """The link has ended, or its time is over. is_clean: the other side closed it in the ordinary way.

        Raises LinkLost if the head was not whole."""
        if self.status is None:
            where = "in the head of its answer" if self.has_begun else "before it answered"
            raise LinkLost(f"closed the link {where}" if is_clean else f"broke the link {where}")
        if not self.is_complete:
            is_until_closed = self._length is None and self._chunked is None
            self._complete(is_truncated=not (is_clean and is_until_closed))

    def _note_more(self) -> None:
        self.has_more = True
        self.may_keep = False  # Nobody asked for these bytes: they would be taken for the next answer.

    # The head.

    def _take_head(self) -> bool:
        buffer, most = self._buffer, self._limits.header_bytes
        if not _BEGINNING.startswith(buffer[: len(_BEGINNING)]):
            raise self._no_http()
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3), most)
        if end < 0:
            self._refuse_unfinished(most)
            self._scanned = len(buffer)
            return False
        line, _, block = buffer[: end + 2].partition(b"\r\n")
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise self._no_http()
        minor, status = int(match[1]), int(match[2])
        fields = self._fields_of(block.decode("latin-1"))
        del buffer[: end + 4]
        self._scanned = 0
        if status < 200:
            self._pass_over(status)
        else:
            self._begin_body(minor, status, fields)
        return True

    def _refuse_unfinished(self, most: int) -> None:
        try:
            refuse_bad_bytes(self._buffer, self._scanned, min(len(self._buffer), most))
        except HttpError as exc:
            raise NoHttp(f"answered with a head that is no HTTP/1.1: {exc.detail}") from exc
        if len(self._buffer) >= most:
            raise NoHttp(f"answered with a head of more than {most} bytes")

    def _no_http(self) -> NoHttp:
        return NoHttp(f"answered {bytes(self._buffer[:QUOTED_BYTES])!r}, which is no HTTP/1.1")

    def _fields_of(self, block: str) -> list[tuple[str, str]]:
        # RFC 9112, 5.2: a client reads a folded line as one line.
        if "\r\n " in block or "\r\n\t" in block:
            block = _FOLD.sub(" ", block)
        if not FIELD_LINES.fullmatch(block):
            raise NoHttp(f"answered with a head that is no HTTP/1.1: {field_lines_error(block).detail}")
        lines = block.split("\r\n")[:-1]
        if len(lines) > self._limits.header_fields:
            raise NoHttp(f"answered with more than {self._limits.header_fields} header fields")
        return [(name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]

    def _pass_over(self, status: int) -> None:
        self._interim_answers += 1
        if status == SWITCHING_PROTOCOLS:
            raise NoHttp("switched to another protocol, which nobody asked for")
        if self._interim_answers > self._limits.interim_answers:
            raise NoHttp(f"sent more than {self._limits.interim_answers} interim answers (1xx) and no final one")

    def _begin_body(self, minor: int, status: int, fields: list[tuple[str, str]]) -> None:
        codings, lengths = _values(fields, "transfer-encoding"), set(_values(fields, "content-length"))
        if codings and (lengths or minor == 0):
            # Two answers in one to who reads the one field and to who reads the other (RFC 9112, 6.3).
            raise NoHttp("answered with a body that is framed in two ways, Transfer-Encoding and Content-Length")
        is_bodiless = status in BODILESS or self._method == "HEAD" or (self._method == "CONNECT" and status < 300)
        if not is_bodiless:
            self._frame(codings, lengths)
        is_framed = is_bodiless or self._chunked is not None or self._length is not None
        self.may_keep = minor >= 1 and is_framed and "close" not in _values(fields, "connection")
        self.status, self.fields = status, fields
        if is_bodiless:
            self._complete(is_truncated=False)

    def _frame(self, codings: list[str], lengths: set[str]) -> None:
        if codings:
            if codings != ["chunked"]:
                raise NoHttp("answered in a transfer coding that nobody asked for; only chunked is understood")
            self._chunked = ChunkedBody(self._limits, ANY_BYTES)
        elif lengths:
            text = lengths.pop()
            if lengths or not _LENGTH.fullmatch(text):
                raise NoHttp("answered with a Content-Length that is no length")
            self._length = int(text)

    # The body.

    def _take_body(self) -> None:
        if self._chunked is not None:
            self._take_chunks(self._chunked)
        else:
            self._take_plain()
        if len(self.body) > self._limits.body_bytes:
            del self.body[self._limits.body_bytes :]
            self._complete(is_truncated=True)

    def _take_chunks(self, chunked: ChunkedBody) -> None:
        try:
            while piece := chunked.take(self._buffer):
                self.body += piece
        except HttpError:
            self._complete(is_truncated=True)
            return
        if chunked.is_complete:
            self._complete(is_truncated=False)

    def _take_plain(self) -> None:
        left = len(self._buffer) if self._length is None else self._length - len(self.body)
        self.body += self._buffer[:left]
        del self._buffer[:left]
        if len(self.body) == self._length:
            self._complete(is_truncated=False)
        elif self._length is not None and len(self.body) == self._limits.body_bytes:
            self._complete(is_truncated=True)

    def _complete(self, *, is_truncated: bool) -> None:
        self.is_complete = True
        self.is_truncated = is_truncated
        self.may_keep = self.may_keep and not is_truncated


def _values(fields: list[tuple[str, str]], name: str) -> list[str]:
    """The elements of a list field, in lower case, of all its lines: "Keep-Alive, Close" -> ["keep-alive", "close"]."""
    return [word.strip(" \t").lower() for key, value in fields if key == name for word in value.split(",")]
