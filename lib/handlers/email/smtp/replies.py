"""SMTP's replies: bytes in as they come, `(code, text)` out as soon as one is whole (RFC 5321, 4.2).

Fed by smtp_wire.py. Pure: no socket, no clock. It forgives what servers do (a bare LF, no text, a code that changes
from line to line: the last one counts); what can't be a reply comes out with the code -1. What a reply means is for
verdicts.py to say.
"""

from lib.handlers.email.smtp.verdicts import Reply

REPLY_BYTES = 64 << 10  # RFC 5321, 4.5.3.1.5 has 512 a line; nobody's reply has a hundred of them
TEXT_BYTES = 2000  # kept of each: a record shows less
NO_REPLY = -1
_LAST_LINES = {b"%03d " % code: code for code in range(1000)}
"""How a reply's last line begins, and its code."""


class EndlessReply(OSError):
    """The server went on and on without ending its reply: it is no server to wait for."""


class ReplyReader:
    """One link's replies. It never holds more than REPLY_BYTES beside what one `feed` was given."""

    def __init__(self) -> None:
        self._unread = b""
        self._text: list[bytes] = []
        self._text_bytes = 0
        self._reply_bytes = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes, in their order. Raises EndlessReply."""
        lines = (self._unread + data).split(b"\n")
        self._unread = lines.pop()
        replies = [reply for line in lines if (reply := self._line(line)) is not None]
        if self._reply_bytes + len(self._unread) > REPLY_BYTES:
            raise EndlessReply(f"a reply without end, over {REPLY_BYTES} bytes")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        """The reply that ends with this line; None where more of it follows."""
        number = _LAST_LINES.get(line[:4])
        if number is not None and not self._text and len(line) < TEXT_BYTES:
            return number, line[4:].strip(b" \t\r")  # what nearly all are, in a fourth of the time
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
