"""The log file: several processes append whole lines to it, and any of them rotates it.

log_output.py hands batches of whole lines to `LogFile.append`; this module does not read them. Of app.log with three
backups the older lines are in app.log.1, app.log.2 and app.log.3, the oldest in .3.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from lib.logs.log_lines import printable

LOCK_PATIENCE_S = 0.25


class LogFile(RotatingFileHandler):
    """One log file that several processes append to and rotate (story 2 in log.py). max_bytes: 0 leaves rotation to
    logrotate. path's folder is made when it is missing.

    WHY the lock is on the log file itself, not on a file beside it: this lock works on a full disk, moves with the file
    when that is rotated, and nobody deletes it as a stale lock.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", delay=True)
        self.fault: OSError | None = None
        """What went wrong in the last append; None: nothing did."""
        self._fd = -1
        self._inode = (0, 0)
        """(device, inode) of the open file."""
        self._end = -1
        """The file's size after this process' last write, -1 where that is not known."""
        self._is_locked = False
        self._patience_s = LOCK_PATIENCE_S

    def emit(self, record: logging.LogRecord) -> None:
        """For use as a plain logging.Handler: write the formatted record as one line."""
        self.append(f"{printable(self.format(record))}\n".encode())

    def append(self, data: bytes) -> int:
        """Write whole lines. Returns how many bytes of `data` are in the file: whole lines, where the file could be
        locked. Never raises OSError: see `fault`."""
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
        """Rename app.log.1 to app.log.2 and so on, then app.log to app.log.1. The caller holds the live file's lock."""
        names = [f"{self.baseFilename}.{number}" for number in range(self.backupCount, 0, -1)] + [self.baseFilename]
        for older, newer in itertools.pairwise(names):
            self.rotate(newer, older)

    def close(self) -> None:
        """Close the file. The next append opens it again."""
        self._close_fd()
        super().close()

    def begin_anew(self) -> None:
        """For a forked child. WHY: a lock belongs to an open file, and parent and child share the one that was open."""
        self._close_fd()

    def _hold(self, incoming_bytes: int) -> int:
        """Open and lock the file that has the log's name, after rotating one that has no room for `incoming_bytes`.
        Returns the file's size. Raises OSError."""
        for _ in range(100):  # Each rotation by another process in between costs one more try; the loop must end.
            if self._fd < 0:
                self._open_fd()
            self._is_locked = self._lock()
            size = self._live_size()
            if size is not None and not self._rotate_if_full(size, incoming_bytes):
                return size
            self._close_fd()
        raise OSError("the file is moved away as often as it is opened")

    def _open_fd(self) -> None:
        # O_RDWR: _write reads the last byte. 0640: log lines name people, so others may not read them.
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
        """Lock the open file. Returns False where that can't be done.

        Another process holds the lock for microseconds, unless a SIGSTOP or a debugger stopped it just then. Such a
        process is waited for once, LOCK_PATIENCE_S; until it lets go, lines are written without the lock. O_APPEND
        alone keeps lines whole; only rotation needs the lock.
        """
        give_up_at = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up_at:
                    self._patience_s = 0.0
                    return False
                time.sleep(0.0001)
            except OSError:  # This file system has no locks.
                return False
            else:
                self._patience_s = LOCK_PATIENCE_S
                return True

    def _live_size(self) -> int | None:
        """The open file's size; None where the log's name belongs to another file by now, or to none."""
        try:
            found = os.stat(self.baseFilename)  # noqa: PTH116  Called for each batch; Path.stat takes twice as long.
        except FileNotFoundError:
            return None
        return found.st_size if (found.st_dev, found.st_ino) == self._inode else None

    def _rotate_if_full(self, size: int, incoming_bytes: int) -> bool:
        """Rotate the file if `incoming_bytes` do not fit into it. Returns True if it was rotated.

        A rotation that fails is noted in `fault` and the file grows beyond maxBytes: that is better than no log.
        """
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
        """Append `data` to a file of `size` bytes. Returns how many bytes of `data` arrived."""
        done, head = 0, b""
        try:
            if self._is_locked and 0 < size != self._end and os.pread(self._fd, 1, size - 1) != b"\n":
                # Another process was killed in the middle of a write, and left half a line at the file's end.
                head = b"\n"
            batch = head + data
            while done < len(batch):
                done += os.write(self._fd, batch[done:] if done else batch)
        except OSError as exc:
            self.fault = exc
            done = self._whole_lines(head + data, size, done)
        self._end = size + done if self._is_locked else -1
        return max(0, done - len(head))

    def _whole_lines(self, batch: bytes, size: int, done: int) -> int:
        """After a write that fell short (the disk is full): cut off the half line at the file's end. Returns how many
        bytes of `batch` are left in the file."""
        whole = batch.rfind(b"\n", 0, done) + 1
        if whole < done and self._is_locked:
            with contextlib.suppress(OSError):  # If the half line stays, the next _write ends it with a line feed.
                os.ftruncate(self._fd, size + whole)
        return whole
