"""The console: the terminal, pipe or journal behind stderr. Logging never waits for a console, nor fails with one.

Called by log_output.py with whole lines. A console that is stuck (Ctrl-S in a terminal, a pipe whose reader stopped)
loses lines, and shows how many once it moves again: `(120 lines not shown: slow console)`.
"""

import os
import select
from typing import TextIO

from lib.logs.log_lines import ARROW, ARROW_STAND_IN

CONSOLE_BYTES = 256 << 10  # So much is kept for a console that is slower than the log.


class Console:
    """Writes what the console has room for, keeps up to CONSOLE_BYTES, and drops whole texts beyond that.

    WHY no write is larger than PIPE_BUF: when poll() says that a pipe is writable, it has room for that many bytes.
    """

    def __init__(self, stream: TextIO, encoding: str | None = None) -> None:
        """encoding: of what is written; None for the stream's own."""
        self._stream, self._encoding = stream, encoding or getattr(stream, "encoding", None) or "utf-8"
        self._arrow = ARROW.encode(self._encoding, "backslashreplace")
        self._left = b""
        """What had no room yet."""
        self._dropped = 0
        """Lines that were dropped since the console last showed how many."""
        self.dropped_total = 0
        try:
            self._fd = stream.fileno()
        except (OSError, ValueError, AttributeError):  # No real file: a test's stream, or one of a program around us.
            self._fd = -1
        self._poll = _poll_of(self._fd)

    @property
    def is_behind(self) -> bool:
        """Whether text waits for room."""
        return bool(self._left)

    def begin_anew(self) -> None:
        """For a forked child: what had no room yet is shown by the parent.

        WHY another poll object: where a thread of the parent was in poll() at the fork, the child's copy says for ever
        that a thread is, and its poll() raises RuntimeError."""
        self._left, self._dropped = b"", 0
        self._poll = _poll_of(self._fd)

    def show(self, text: str, wait_ms: int = 0) -> None:
        """Write `text`, and what was kept before it, as far as there is room; keep the rest. wait_ms: how long to wait
        for room, before each piece of PIPE_BUF bytes."""
        if len(self._left) > CONSOLE_BYTES:
            self._dropped += text.count("\n")
            self.dropped_total += text.count("\n")
            text = ""
        try:
            if self._stream.closed:  # The stream's descriptor may belong to a socket by now.
                self.dropped_total += text.count("\n")
                self._left = b""
            elif self._fd < 0:
                self._stream.write(text.replace(ARROW_STAND_IN, ARROW))
            else:
                encoded = text.encode(self._encoding, "backslashreplace")
                self._left += encoded.replace(ARROW_STAND_IN.encode(), self._arrow)
                self._write_left(wait_ms)
        except (OSError, ValueError):  # A broken pipe, a stream closed meanwhile, a full disk behind `2> file`.
            self.dropped_total += self._left.count(b"\n")
            self._left = b""

    def _write_left(self, wait_ms: int) -> None:
        left, start = self._left, 0
        try:
            while start < len(left) and self._poll.poll(wait_ms):
                start += os.write(self._fd, left[start : start + select.PIPE_BUF])
        except BlockingIOError:  # Another process that has the pipe open has made it non-blocking.
            pass
        self._left = left[start:]
        if self._dropped and not self._left:
            self._left, self._dropped = f"({self._dropped} lines not shown: slow console)\n".encode(), 0


def _poll_of(fd: int) -> select.poll:
    """Says whether the descriptor can be written to. fd: -1 for none."""
    poll = select.poll()
    if fd >= 0:
        poll.register(fd, select.POLLOUT)
    return poll
