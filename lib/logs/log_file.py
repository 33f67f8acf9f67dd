"""Where log lines go: a file that several processes append to and rotate, and a console that is never waited for.

Called by log.py with whole lines; knows nothing of what they say.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import select
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from lib.logs.log_lines import ARROW, ARROW_STAND_IN, printable

CONSOLE_BYTES = 256 << 10  # kept for a console that is slower than the log
LOCK_PATIENCE_S = 0.25


class LogFile(RotatingFileHandler):
    """One log file that several processes append to and rotate (story 2). `maxBytes` 0 leaves rotation to logrotate.

    The lock is on the log file itself: it works on a full disk, moves with the file and can't be deleted beneath it.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", delay=True)
        self.fault: OSError | None = None  # what went wrong in the last append
        self._fd = -1
        self._inode = (0, 0)
        self._end = -1  # the file's size after our own last write
        self._is_locked = False
        self._patience_s = LOCK_PATIENCE_S

    def emit(self, record: logging.LogRecord) -> None:
        """For use as a plain handler: the formatted record as one line."""
        self.append(f"{printable(self.format(record))}\n".encode())

    def append(self, data: bytes) -> int:
        """Write whole lines in one call. Returns how many bytes of them arrived; never raises OSError."""
        self.fault = None
        try:
            size = self._hold(len(data))
        except OSError as exc:
            self.fault = exc
            self._close_fd()
            return 0
        try:
            return self._write(data, size)
        finally:
            if self._is_locked:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def doRollover(self) -> None:
        """app.log.1 becomes .2 and so on, app.log becomes .1. Call it with the live file's lock held."""
        names = [f"{self.baseFilename}.{number}" for number in range(self.backupCount, 0, -1)] + [self.baseFilename]
        for older, newer in itertools.pairwise(names):
            self.rotate(newer, older)

    def close(self) -> None:
        """The next append opens the file again."""
        self._close_fd()
        super().close()

    def begin_anew(self) -> None:
        """In a forked child: a lock belongs to an open file, and that one is shared with the parent."""
        self._close_fd()

    def _hold(self, incoming_bytes: int) -> int:
        """Lock the file that bears the name now, rotated if the batch does not fit; returns its size."""
        for _ in range(100):  # a turn more for each rotation by others in between; never for ever
            if self._fd < 0:
                self._open_fd()
            self._is_locked = self._lock()
            size = self._live_size()
            if size is not None and not self._rotate_if_full(size, incoming_bytes):
                return size
            self._close_fd()
        raise OSError("the file is moved away as often as it is opened")

    def _open_fd(self) -> None:
        # O_RDWR: the last byte is read, too. 0640: lines name people.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOCTTY
        try:
            self._fd = os.open(self.baseFilename, flags, 0o640)
        except FileNotFoundError:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.baseFilename, flags, 0o640)
        found = os.fstat(self._fd)
        self._inode, self._end = (found.st_dev, found.st_ino), -1

    def _close_fd(self) -> None:
        fd, self._fd, self._is_locked = self._fd, -1, False
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _lock(self) -> bool:
        """Whether the lock is ours. A peer holds it for microseconds, unless it was stopped (SIGSTOP, a debugger) just
        then: wait for that once, then write without it. O_APPEND alone keeps lines whole; only rotation has to wait."""
        give_up_at = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up_at:
                    self._patience_s = 0.0
                    return False
                time.sleep(0.0001)
            except OSError:  # a file system without locks
                return False
            else:
                self._patience_s = LOCK_PATIENCE_S
                return True

    def _live_size(self) -> int | None:
        """The size of the file that bears the name; None where that is not the one we have open."""
        try:
            found = os.stat(self.baseFilename)  # noqa: PTH116  once a batch, and Path.stat costs as much again
        except FileNotFoundError:
            return None
        return found.st_size if (found.st_dev, found.st_ino) == self._inode else None

    def _rotate_if_full(self, size: int, incoming_bytes: int) -> bool:
        """Whether the file was full and moved away. If moving it fails: a log that grows is better than none."""
        fits = self.maxBytes == 0 or self.backupCount == 0 or size == 0 or size + incoming_bytes <= self.maxBytes
        if fits or not self._is_locked:
            return False
        try:
            self.doRollover()
        except OSError as exc:
            self.fault = exc
            return False
        return True

    def _write(self, data: bytes, size: int) -> int:
        done, head = 0, b""
        try:
            if self._is_locked and 0 < size != self._end and os.pread(self._fd, 1, size - 1) != b"\n":
                head = b"\n"  # a process killed in the middle of a write left half a line: ours does not go on with it
            batch = head + data
            while done < len(batch):
                done += os.write(self._fd, batch[done:] if done else batch)
        except OSError as exc:
            self.fault = exc
            done = self._whole_lines(head + data, size, done)
        self._end = size + done if self._is_locked else -1
        return max(0, done - len(head))

    def _whole_lines(self, batch: bytes, size: int, done: int) -> int:
        """After a write that fell short (disk full), take back the half line at its end; returns the bytes left."""
        whole = batch.rfind(b"\n", 0, done) + 1
        if whole < done and self._is_locked:
            with contextlib.suppress(OSError):  # then the next write sees it and begins a line of its own
                os.ftruncate(self._fd, size + whole)
        return whole


class Console:
    """The terminal, pipe or journal behind stderr; nothing here waits for it or fails with it.

    poll() promises a pipe room for PIPE_BUF bytes, so no write is larger. What has no room is kept up to CONSOLE_BYTES;
    beyond that whole texts are dropped and the number of their lines is shown instead.
    """

    def __init__(self, stream: TextIO, encoding: str | None = None) -> None:
        """encoding: None for the stream's own."""
        self._stream, self._encoding = stream, encoding or getattr(stream, "encoding", None) or "utf-8"
        self._arrow = ARROW.encode(self._encoding, "backslashreplace")
        self._left, self._dropped = b"", 0
        self.dropped_total = 0
        self._poll = select.poll()
        try:
            self._fd = stream.fileno()
            self._poll.register(self._fd, select.POLLOUT)
        except (OSError, ValueError, AttributeError):  # not a real file: a test's or a host program's
            self._fd = -1

    @property
    def is_behind(self) -> bool:
        return bool(self._left)

    def begin_anew(self) -> None:
        """In a forked child: what had no room yet is shown by its parent."""
        self._left, self._dropped = b"", 0

    def show(self, text: str, wait_ms: int = 0) -> None:
        """Write what has room now (or within `wait_ms` for each piece) and keep the rest."""
        if len(self._left) > CONSOLE_BYTES:
            self._dropped += text.count("\n")
            self.dropped_total += text.count("\n")
            text = ""
        try:
            if self._stream.closed:  # its number may by now be that of a socket
                self.dropped_total += text.count("\n")
                self._left = b""
            elif self._fd < 0:
                self._stream.write(text.replace(ARROW_STAND_IN, ARROW))
            else:
                said = text.encode(self._encoding, "backslashreplace")
                self._left += said.replace(ARROW_STAND_IN.encode(), self._arrow)
                self._drain(wait_ms)
        except (OSError, ValueError):  # broken pipe, closed in between, full disk behind a redirection
            self.dropped_total += self._left.count(b"\n")
            self._left = b""

    def _drain(self, wait_ms: int) -> None:
        left, start = self._left, 0
        try:
            while start < len(left) and self._poll.poll(wait_ms):
                start += os.write(self._fd, left[start : start + select.PIPE_BUF])
        except BlockingIOError:  # someone who shares the pipe has made it non-blocking
            pass
        self._left = left[start:]
        if self._dropped and not self._left:
            self._left, self._dropped = f"({self._dropped} lines not shown: slow console)\n".encode(), 0
