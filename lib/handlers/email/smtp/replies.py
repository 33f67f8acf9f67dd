"""SMTP's replies: bytes in as they come, `(code, text)` out as soon as a reply is whole (RFC 5321, 4.2).

    b"250-first line\\r\\n250 second line\\r\\n55"    ->  (250, b"first line\\nsecond line"); b"55" waits for the rest

Fed by smtp_wire.py. Pure: no socket, no clock. The reader forgives servers a bare LF, a missing text, and a code that
changes from line to line (the last code counts). A line that can't be a reply comes out with the code -1. What a reply
means is verdicts.py's subject.
"""

from lib.handlers.email.smtp.verdicts import Reply

REPLY_BYTES = 64 << 10  # RFC 5321, 4.5.3.1.5 allows 512 a line, and no server's reply has a hundred lines.
TEXT_BYTES = 2000  # Kept of each reply; a job's record shows less.
NO_REPLY = -1
_LAST_LINES = {b"%03d " % code: code for code in range(1000)}
"""b"250 " -> 250: the beginning of a reply's last line, and the code."""


class EndlessReply(OSError):
    """The server sent REPLY_BYTES and more without ending its reply."""


class ReplyReader:
    """The replies of one link. It never holds more than REPLY_BYTES beside the data of one `feed`."""

    def __init__(self) -> None:
        self._unread = b""
        self._text: list[bytes] = []
        self._text_bytes = 0
        self._reply_bytes = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are whole with `data`, in their order. Raises EndlessReply."""
        lines = (self._unread + data).split(b"\n")
        self._unread = lines.pop()
        replies = [reply for line in lines if (reply := self._line(line)) is not None]
        if self._reply_bytes + len(self._unread) > REPLY_BYTES:
            raise EndlessReply(f"a reply without end, over {REPLY_BYTES} bytes")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        """The reply that ends with this line; None if more lines follow."""
        number = _LAST_LINES.get(line[:4])
        if number is not None and not self._text and len(line) < TEXT_BYTES:
            return number, line[4:].strip(b" \t\r")  # Nearly every reply has one line: read in a fourth of the time.
        code = line[:3]
        if len(code) < 3 or not code.isdigit():
            self._keep(line)
            return self._whole(NO_REPLY)
        self._keep(line[4:])
        self._reply_bytes += len(line)
        return None if line[3:4] == b"-" else self._whole(int(code))

    def _keep(self, text: bytes) -> None:
        if self._text_bytes < TEXT_BYTES:
            text = text.strip(b" \t\r")[: TEXT_BYTES - self._text_bytes]
            self._text.append(text)
            self._text_bytes += len(text) + 1

    def _whole(self, code: int) -> Reply:
        reply = (code, b"\n".join(self._text))
        self._text, self._text_bytes, self._reply_bytes = [], 0, 0
        return reply
