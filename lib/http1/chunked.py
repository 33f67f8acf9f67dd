"""The chunked coding (RFC 9112 section 7.1): a body sent as sized chunks by who does not know its length yet. Pure.

    b"5\\r\\nhello\\r\\n6;a=b\\r\\n world\\r\\n0\\r\\nExpires: 0\\r\\n\\r\\n"   ->   b"hello world"

ChunkedBody decodes. Each of its steps takes what it can from the front of the buffer, names the next step, and returns
whether it got on:

    size --> data --> data_end --> size ...
      \\--(size 0)--> trailers --> complete

Trailer fields are checked like header fields and then dropped: merging them would let a body's end change
Authorization or Content-Type after these were acted on.
"""

import re
from typing import Protocol

from lib.errors import BadRequest, HeadersTooLarge, HttpError, PayloadTooLarge
from lib.http1.fields import FIELD_LINES, TCHARS, field_lines_error, parse_fields, refuse_bad_bytes

# 16 hex digits are 64 bits; int() alone would also take 0x5, +5, 5_0 and spaces.
SIZE_DIGITS = 16
EXTENSION_VALUE = rf'(?:{TCHARS}++|"(?>(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)")'
EXTENSION = rf"[ \t]*+;[ \t]*+{TCHARS}++(?>(?:[ \t]*+=[ \t]*+{EXTENSION_VALUE})?)"
SIZE_LINE = re.compile(rf"([0-9A-Fa-f]{{1,{SIZE_DIGITS}}}+)((?>(?:{EXTENSION})*))".encode("latin-1"))

LAST_CHUNK = b"0\r\n\r\n"


class ChunkLimits(Protocol):
    """The bounds that a decoder keeps to, beside the size of the body itself."""

    @property
    def chunk_extension_bytes(self) -> int:
        """The most bytes of one chunk's extensions, and by how much all extensions may be longer than the body."""

    @property
    def header_bytes(self) -> int:
        """The most bytes of all trailer fields."""

    @property
    def header_fields(self) -> int:
        """The most trailer fields."""


def chunk_of(piece: bytes) -> bytes:
    """A piece of a body as one chunk: b"hello" -> b"5\\r\\nhello\\r\\n". Not for b"", which would be the last chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class ChunkedBody:
    """Decodes one chunked body of at most `body_limit_bytes`."""

    def __init__(self, limits: ChunkLimits, body_limit_bytes: int) -> None:
        self._limits = limits
        self._limit_bytes = body_limit_bytes
        self._body = bytearray()
        self._given_bytes = 0
        self._missing_bytes = 0
        self._extension_bytes = 0
        self._scanned = 0
        self.is_complete = False
        self._step = self._take_size

    @property
    def body_bytes(self) -> int:
        """How much of the body has been decoded so far."""
        return self._given_bytes + len(self._body)

    def read(self, buffer: bytearray) -> bytes | None:
        """Decode from the front of `buffer`. Returns the body once it is complete, else None.

        Raises BadRequest, PayloadTooLarge, or HeadersTooLarge (for trailers)."""
        while not self.is_complete:
            if not self._step(buffer):
                return None
        return bytes(self._body)

    def take(self, buffer: bytearray) -> bytes:
        """Decode from the front of `buffer`. Returns what `take` has not returned before; b"" may mean "none yet".

        Raises what `read` raises, but only once all bytes before the fault have been returned: what the application
        gets would depend on how the bytes were cut otherwise."""
        try:
            self.read(buffer)
        except HttpError:
            # The fault is still in the buffer, and is raised again by the next call.
            if not self._body:
                raise
        taken = bytes(self._body)
        self._body.clear()
        self._given_bytes += len(taken)
        return taken

    def _take_size(self, buffer: bytearray) -> bool:
        # One-byte chunks with long extensions would be an amplifier: all extensions together may be longer than the
        # body so far by `chunk_extension_bytes`. `left` of that bounds the extensions of a line, unfinished or not.
        left = self._limits.chunk_extension_bytes - max(0, self._extension_bytes - self.body_bytes)
        most = SIZE_DIGITS + left + 2
        end = buffer.find(b"\r\n", max(0, self._scanned - 1), most)
        if end < 0:
            refuse_bad_bytes(buffer, self._scanned, min(len(buffer), most))
            if len(buffer) >= most:
                raise BadRequest("A chunk-size line is too long.")
            self._scanned = len(buffer)
            return False
        match = SIZE_LINE.fullmatch(buffer, 0, end)
        if match is None:
            raise BadRequest("A chunk-size line is not hexadecimal digits with an optional extension.")
        if len(match[2]) > left:
            raise BadRequest("The chunk extensions are too long.")
        self._begin_chunk(int(match[1], 16))
        self._extension_bytes += len(match[2])
        del match  # A match holds the buffer, and a bytearray that is held can't shrink.
        del buffer[: end + 2]
        return True

    def _begin_chunk(self, size_bytes: int) -> None:
        if self.body_bytes + size_bytes > self._limit_bytes:
            raise PayloadTooLarge(f"The body is over {self._limit_bytes} bytes.")
        self._missing_bytes = size_bytes
        self._scanned = 0
        self._step = self._take_data if size_bytes else self._take_trailers

    def _take_data(self, buffer: bytearray) -> bool:
        if not buffer:
            return False
        part = buffer[: self._missing_bytes]
        self._body += part
        del buffer[: len(part)]
        self._missing_bytes -= len(part)
        if not self._missing_bytes:
            self._step = self._take_data_end
        return True

    def _take_data_end(self, buffer: bytearray) -> bool:
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            self._step = self._take_size
            return True
        if buffer and buffer != b"\r":
            raise BadRequest("A chunk is longer than its size.")
        return False

    def _take_trailers(self, buffer: bytearray) -> bool:
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            self.is_complete = True
            return True
        most = self._limits.header_bytes + 2
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3), most)
        if end < 0:
            refuse_bad_bytes(buffer, self._scanned, min(len(buffer), most))
            if len(buffer) >= most:
                raise HeadersTooLarge("The trailer fields are too large.")
            self._scanned = len(buffer)
            return False
        block = buffer[: end + 2].decode("latin-1")
        if not FIELD_LINES.fullmatch(block):
            raise field_lines_error(block)
        parse_fields(block, self._limits.header_fields)
        del buffer[: end + 4]
        self.is_complete = True
        return True
