"""RESP2, Redis' protocol: commands to bytes, bytes to replies. Pure; redis_wire.py has the socket.

    ("GET", "wb:x")         -> *2 CRLF $3 CRLF GET CRLF $4 CRLF wb:x CRLF
    +OK CRLF                -> b"OK"            $-1 CRLF              -> None
    :7 CRLF                 -> 7                *2 CRLF :1 CRLF :2 CRLF -> [1, 2]
    $4 CRLF mail CRLF       -> b"mail"          -OOM command … CRLF   -> ReplyError("OOM command …")

WHY not redis-py's reader: redis-py opens the connection (TLS, password, Sentinel, database), but awaits each line of a
reply, which takes longer than Redis does. Here a packet full of replies is read in one go.
https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from collections.abc import Iterator
from typing import Any

Argument = bytes | str | int | float
Command = tuple[Argument, ...]


class ReplyError(Exception):
    """Redis answered a command with an error; the message is its text."""


class Garbled(Exception):
    """The bytes are not RESP2, so where the next reply begins is unknown."""


class _Unfinished(Exception):
    """A reply is cut off: at least `missing` more bytes are needed."""

    def __init__(self, missing: int) -> None:
        self.missing = missing


def encoded(command: Command) -> bytes:
    """A command's bytes: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        if type(argument) is not bytes:
            # An id that somebody wrote by hand may hold a byte that is no UTF-8: a lone surrogate stands for that byte.
            argument = str(argument).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
    return b"".join(parts)


_OPEN = object()  # Stands for a reply whose array still lacks items.


class Replies:
    """Collects the bytes that were read and yields every whole reply. An error reply is yielded as a ReplyError."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._missing = 0
        self._items: list[Any] | None = None
        self._length = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        """The replies that `data` completes. Raises Garbled."""
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return  # The pieces of a long string are joined once, when the last one has come.
        text = b"".join(self._parts) if len(self._parts) > 1 else data
        at = 0
        try:
            while at < len(text):
                if text[at] == 0x2A and self._items is None:
                    self._length, at = _length(text, at)
                    whole = self._opened()
                elif self._items is not None and (behind := _strings(text, at, self._items, self._length)) > at:
                    at = behind
                    whole = self._closed()
                else:
                    reply, at = _reply(text, at)
                    whole = self._added(reply)
                if whole is not _OPEN:
                    yield whole
            self._parts = []
        except _Unfinished as unfinished:
            self._parts = [text[at:]]
            self._missing = unfinished.missing
        except ValueError:
            raise Garbled(repr(text[at : at + 40])) from None

    def _opened(self) -> Any:
        """Begin an array. Its items are kept from packet to packet, so that 50 specs of a MiB each are read once."""
        if self._length <= 0:
            return None if self._length < 0 else []
        self._items = []
        return _OPEN

    def _added(self, reply: Any) -> Any:
        """The reply; or if an array is open, that array if the reply was its last item, and else _OPEN."""
        if self._items is None:
            return reply
        self._items.append(reply)
        return self._closed()

    def _closed(self) -> Any:
        if self._items is None or len(self._items) < self._length:
            return _OPEN
        whole, self._items = self._items, None
        return whole


def _strings(text: bytes, at: int, items: list[Any], length: int) -> int:
    """Append the whole bulk strings that stand from `at` on to `items`, up to `length` items. Returns where they end.

    Reads what `_reply` reads, in one loop, for a call of `_reply` for each string takes longer than to read the string.
    Stops at anything that is not a whole bulk string; `_reply` reads it.
    """
    for _ in range(length - len(items)):
        end = text.find(b"\r\n", at)
        if end < 0 or text[at] != 0x24:
            break
        begin = end + 2
        stop = begin + int(text[at + 1 : end])
        if stop < begin or stop + 2 > len(text):
            break
        items.append(text[begin:stop])
        at = stop + 2
    return at


def _length(text: bytes, at: int) -> tuple[int, int]:
    """The length of the array that begins at `at`, and where its first item begins. Raises _Unfinished, ValueError."""
    end = text.find(b"\r\n", at)
    if end < 0:
        raise _Unfinished(1)
    return int(text[at + 1 : end]), end + 2


def _reply(text: bytes, at: int) -> tuple[Any, int]:
    """The reply that begins at `at`, and where the next one begins. Raises _Unfinished, ValueError."""
    end = text.find(b"\r\n", at)
    if end < 0:
        raise _Unfinished(1)
    kind, line, behind = text[at], text[at + 1 : end], end + 2
    if kind == 0x24:  # $ bulk string
        length = int(line)
        if length < 0:
            return None, behind
        stop = behind + length
        if len(text) < stop + 2:
            raise _Unfinished(stop + 2 - len(text))
        return text[behind:stop], stop + 2
    if kind == 0x3A:  # : integer
        return int(line), behind
    if kind == 0x2A:  # * array
        return _array(text, behind, int(line))
    if kind == 0x2B:  # + simple string
        return line, behind
    if kind == 0x2D:  # - error
        return ReplyError(line.decode("utf-8", "replace")), behind
    raise ValueError(kind)


def _array(text: bytes, at: int, length: int) -> tuple[list[Any] | None, int]:
    if length < 0:
        return None, at
    items = []
    for _ in range(length):
        item, at = _reply(text, at)
        items.append(item)
    return items, at
