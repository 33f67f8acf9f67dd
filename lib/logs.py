"""Log lines: a fact from any room goes in; a JSON object a line in logs/*.log and a short text on the console come out.

server.py and worker.py call `open_logs` once and hand the `Log` down; libraries and users' jobs reach the same file
through `logging.getLogger(...)`. It knows nothing of jobs, HTTP or Redis, and never raises.

1. A line is made at the call and collected. While an asyncio loop runs, one callback a turn hands all of them over in
   one write; elsewhere (threads, start-up) each is written at once. A killed process loses one turn's lines at most.
2. Several processes append to one file. Whoever writes holds the file's own flock and has seen, by inode, that it still
   bears its name; whoever rotates holds the same lock. So nobody writes to a file that was rotated away, let alone to
   one that was deleted, and a file that logrotate moved is noticed before the next write.
3. Text is escaped where a line is made: whatever a job's name or an exception says, it can't begin a line of its own or
   send a control sequence to a terminal.
4. Neither a full disk nor a stopped peer nor a stuck terminal stops the service. Lines that reach no file are counted,
   and the count is the first thing logged (`log.recovered`) once the file works again.
"""

import contextlib
import fcntl
import itertools
import json
import logging
import os
import select
import sys
import threading
import time
import traceback
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR", logging.CRITICAL: "CRITICAL"}
LEVELS = {name: number for number, name in NAMES.items()}
CONSOLE_IDS = ("request_id", "job_id")
TEXT_CHARS = 16_384  # of one message, field or traceback in a line longer than LINE_CHARS, and of a traceback anywhere
LINE_CHARS = 65_536
BATCH_LINES = 1_000  # handed over before the turn ends: a loop that never yields can't fill the memory
KNOWN_NAMES = 1_000  # of events and fields kept in escaped form
CONSOLE_BYTES = 256 << 10  # kept for a console that is slower than the log
CONSOLE_RETRY_S = 0.05
LOCK_PATIENCE_S = 0.25
COMPLAINT_PAUSE_S = 60.0
OWN_KEYS = frozenset(("ts", "level", "event", "msg"))
RECORD_KEYS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def shortened(text: str) -> str:
    """The text; if too long, its first quarter and its end (where a traceback names the error) in TEXT_CHARS."""
    if len(text) <= TEXT_CHARS:
        return text
    head = TEXT_CHARS // 4
    return f"{text[:head]} [... {len(text) - TEXT_CHARS} characters left out ...] {text[head - TEXT_CHARS :]}"


def quoted(text: str) -> str:
    """A JSON string of printable characters: controls, line separators, bidi marks and lone surrogates are escaped."""
    if text.isascii():
        return encode_basestring_ascii(text)
    if text.isprintable():
        return encode_basestring(text)
    return f'"{"".join((encode_basestring if c.isprintable() else encode_basestring_ascii)(c)[1:-1] for c in text)}"'


def printable(text: str) -> str:
    """For people: what a terminal or a reader of lines could obey is shown as \\n, \\x1b, \\u202e."""
    if len(text) > TEXT_CHARS:
        text = shortened(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def traceback_text(exc: BaseException) -> str:
    """The exception with its causes, as Python prints it."""
    try:
        return shortened("".join(traceback.format_exception(exc)).rstrip())
    except Exception:  # noqa: BLE001  a foreign exception's __str__, __cause__ or source file
        return f"{type(exc).__name__} (its traceback can't be shown)"


def _json_of_float(value: float) -> str:
    # JSON has no NaN and no infinity; the difference of either with itself is not 0.
    return repr(value) if value - value == 0 else f'"{value!r}"'


def _json_of_any(value: object) -> str:
    """JSON of at most TEXT_CHARS or so. A value that fails to show itself costs its place, not the line."""
    if isinstance(value, str):
        return quoted(shortened(str.__str__(value)))
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except Exception:  # noqa: BLE001  a caller's object: its __str__ may raise whatever it likes
        return quoted(f"<unprintable {type(value).__name__}>")
    return text if len(text) <= TEXT_CHARS else quoted(shortened(text))


class Encoders(dict[type, Callable[..., str]]):
    """How each type becomes JSON. (Dicts that know what to do with a missing key: the cheapest look-up there is.)"""

    def __missing__(self, kind: type) -> Callable[..., str]:
        return _json_of_any


# Fields in ASCII, as that is one C call; `msg`, which people read and search, keeps its letters.
FAST = Encoders(
    {str: encode_basestring_ascii, int: int.__repr__, float: _json_of_float, bool: ("false", "true").__getitem__}
)
CAREFUL = Encoders()


class Heads(dict[tuple[int, str], str]):
    """The part of a line from `level` to `msg`, made once for each level and event."""

    def __missing__(self, key: tuple[int, str]) -> str:
        level, event = key
        head = f',"level":"{NAMES[level]}","event":{quoted(event)},"msg":'
        if len(self) < KNOWN_NAMES:
            self[key] = head
        return head


class Keys(dict[str, str]):
    """Names of fields, escaped once."""

    def __missing__(self, name: str) -> str:
        # A second "msg" or "level" would replace the first one in most readers of JSON.
        key = f",{quoted(name + '_' if name in OWN_KEYS else name)}:"
        if len(self) < KNOWN_NAMES:
            self[name] = key
        return key


class Stamp:
    """Wall-clock time as RFC 3339 in UTC with milliseconds, made once a millisecond."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Pairs, replaced whole: of two threads here, neither may see the other's number with its own text.
        self._second = (-1, "")
        self._ms = (-1, "")

    def now(self) -> str:
        now_ms = int(self._clock() * 1000)
        ms, text = self._ms
        return text if ms == now_ms else self._made(now_ms)

    def _made(self, now_ms: int) -> str:
        whole_s, ms = divmod(now_ms, 1000)
        second, prefix = self._second
        if second != whole_s:
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s))
            self._second = (whole_s, prefix)
        text = f"{prefix}.{ms:03d}Z"
        self._ms = (now_ms, text)
        return text


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

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._encoding = stream, getattr(stream, "encoding", None) or "utf-8"
        self._left, self._dropped = b"", 0
        self._poll = select.poll()
        try:
            self._fd = stream.fileno()
            self._poll.register(self._fd, select.POLLOUT)
        except (OSError, ValueError, AttributeError):  # not a real file: a test's or a host program's
            self._fd = -1

    @property
    def is_behind(self) -> bool:
        return bool(self._left)

    def show(self, text: str, wait_ms: int = 0) -> None:
        """Write what has room now (or within `wait_ms` for each piece) and keep the rest."""
        if len(self._left) > CONSOLE_BYTES:
            self._dropped += text.count("\n")
            text = ""
        try:
            if self._stream.closed:  # its number may by now be that of a socket
                self._left = b""
            elif self._fd < 0:
                self._stream.write(text)
            else:
                self._left += text.encode(self._encoding, "backslashreplace")
                self._drain(wait_ms)
        except (OSError, ValueError):  # broken pipe, closed in between, full disk behind a redirection
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


class Log:
    """What every room logs with: `log.info("job.enqueued", "Email job added to queue", job_id=job_id)`.

    `event` is noun.past_verb; fields that are None are left out. No method raises; any thread may call.
    """

    def __init__(
        self,
        file: LogFile,
        *,
        level: int,
        console: Console | None = None,
        is_text: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._level, self._console, self._is_text = file, level, console, is_text
        self._stamp, self._monotonic = Stamp(clock), monotonic
        self._heads, self._keys = Heads(), Keys()
        self._lines: list[str] = []
        self._texts: list[str] | None = [] if is_text and console else None
        self._due: AbstractEventLoop | None = None  # the loop that will flush at the end of its turn
        self._guard = threading.RLock()
        self._is_writing = self._is_retrying = False
        self._dropped = 0
        self._complained_at = float("-inf")
        self.bridge: Bridge | None = None

    def debug(self, event: str, msg: str, /, **fields: object) -> None:
        if self._level <= DEBUG:
            self.add(DEBUG, event, msg, fields)

    def info(self, event: str, msg: str, /, **fields: object) -> None:
        if self._level <= INFO:
            self.add(INFO, event, msg, fields)

    def warning(self, event: str, msg: str, /, **fields: object) -> None:
        if self._level <= WARNING:
            self.add(WARNING, event, msg, fields)

    def error(self, event: str, msg: str, /, **fields: object) -> None:
        if self._level <= ERROR:
            self.add(ERROR, event, msg, fields)

    def exception(self, event: str, msg: str, /, exc: BaseException, **fields: object) -> None:
        """An error with its traceback, shortened to TEXT_CHARS, in the field `traceback`."""
        self.add(ERROR, event, msg, {**fields, "traceback": traceback_text(exc)})

    def add(self, level: int, event: str, msg: str, fields: Mapping[str, object]) -> None:
        """Collect a line, whatever LOG_LEVEL says; `level` is one of NAMES."""
        try:
            stamp = self._stamp.now()
            self._lines.append(self._json_line(stamp, level, event, msg, fields))
            if self._texts is not None:
                self._texts.append(_text_line(stamp, level, msg, fields))
        except Exception:  # noqa: BLE001  the promise of this class: a line that can't be made is counted, not raised
            self._dropped += 1
        if level >= ERROR or len(self._lines) >= BATCH_LINES:
            self.flush()
            return
        try:
            loop = get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if loop is not self._due:
            self._due = loop
            loop.call_soon(self._end_turn)

    def flush(self) -> None:
        """Hand all collected lines over. Call it (or `close`) before os._exit, which runs no callback."""
        with self._guard:
            if self._is_writing:  # a signal handler or finaliser logs amid a flush: the loop below takes its line
                return
            self._is_writing = True
            try:
                while self._lines:
                    self._hand_over()
                if self._console and self._console.is_behind:
                    self._console.show("")
            finally:
                self._is_writing = False

    def close(self) -> None:
        """Flush, give a slow console a moment, undo what `open_logs` installed. A later line is still written."""
        if self.bridge:
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(self.bridge)
        self.flush()
        with self._guard:
            if self._dropped:
                self._hand_over()
            if self._console:
                self._console.show("", wait_ms=50)
            self._file.close()

    def _end_turn(self) -> None:
        self._due = None  # before the lines are taken: one that comes later calls for a turn of its own
        self.flush()
        if self._console and self._console.is_behind and not self._is_retrying:
            self._is_retrying = True
            get_running_loop().call_later(CONSOLE_RETRY_S, self._retry_console)

    def _retry_console(self) -> None:
        self._is_retrying = False
        self._end_turn()

    def _hand_over(self) -> None:
        lines, texts = _taken(self._lines), _taken(self._texts or [])
        if self._console:
            self._console.show("".join(texts if self._is_text else lines))
        head = self._recovery() if self._dropped else ""
        data = (head + "".join(lines)).encode("utf-8", "backslashreplace")
        kept = self._file.append(data)
        lost = data.count(b"\n", kept)
        # If the line that tells of the dropped ones arrived, they are told; if not, it is no loss itself.
        self._dropped = lost if kept or not head else self._dropped + lost - 1
        if self._file.fault:
            self._complain(self._file.fault)

    def _recovery(self) -> str:
        msg = f"Log file works again; {self._dropped} lines were dropped"
        return self._json_line(self._stamp.now(), WARNING, "log.recovered", msg, {"dropped": self._dropped})

    def _complain(self, fault: OSError) -> None:
        """Tell the console, which is all that is left, once a minute."""
        now = self._monotonic()
        if not self._console or now - self._complained_at < COMPLAINT_PAUSE_S:
            return
        self._complained_at = now
        stamp, msg = self._stamp.now(), f"Log file in trouble: {fault} ({self._dropped} lines dropped)"
        fields = {"dropped": self._dropped}
        as_json = self._json_line(stamp, ERROR, "log.failed", msg, fields)
        self._console.show(_text_line(stamp, ERROR, msg, fields) if self._is_text else as_json)

    def _json_line(
        self, stamp: str, level: int, event: str, msg: str, fields: Mapping[str, object], encoders: Encoders = FAST
    ) -> str:
        keys, tail = self._keys, ""
        try:
            for name, value in fields.items():
                if value is not None:
                    tail += keys[name] + encoders[type(value)](value)
        except ValueError:  # Python prints no integer of more than 4,300 digits
            return self._json_line(stamp, level, event, shortened(msg), fields, CAREFUL)
        # The message joins last: with an arrow in it, every addition after it would copy two bytes a letter.
        line = f'{{"ts":"{stamp}"{self._heads[level, event]}{quoted(msg)}{tail}}}\n'
        if len(line) <= LINE_CHARS or encoders is CAREFUL:
            return line
        return self._json_line(stamp, level, event, shortened(msg), fields, CAREFUL)


def _taken(lines: list[str]) -> list[str]:
    # Another thread may append at any moment: the list is never swapped for a new one, only its front is cut off.
    count = len(lines)
    taken = lines[:count]
    del lines[:count]
    return taken


def _text_line(stamp: str, level: int, msg: str, fields: Mapping[str, object]) -> str:
    """A line for people; a traceback follows row by row, each behind a bar."""
    text = f"{stamp} {NAMES[level]} {printable(msg)}"
    for name in CONSOLE_IDS:
        value = fields.get(name)
        if value is not None and str(value) not in msg:
            text += f" {name}={printable(str(value))}"
    if "traceback" in fields:
        text += "".join(f"\n  | {printable(row)}" for row in str(fields["traceback"]).splitlines())
    return text + "\n"


class Bridge(logging.Handler):
    """What libraries and users' jobs say through `logging`, as lines of the same file: event `log.message`, the
    logger's name in `logger`, the `extra` fields, and those of `context()` (the job that speaks)."""

    def __init__(self, log: Log, context: Callable[[], dict[str, object]] | None = None) -> None:
        super().__init__()
        self._log, self._context = log, context or dict

    def emit(self, record: logging.LogRecord) -> None:
        try:
            msg, about = record.getMessage().rstrip("\n"), self._context()
        except Exception as exc:  # noqa: BLE001  "%d" with a word, an argument whose __str__ raises: log what there is
            msg, about = f"{_json_of_any(record.msg)} (can't be formatted: {type(exc).__name__})", {}
        extra = {name: value for name, value in record.__dict__.items() if name not in RECORD_KEYS}
        fields: dict[str, object] = {"logger": record.name, **extra, **about}
        if record.exc_info and record.exc_info[1]:
            fields["traceback"] = traceback_text(record.exc_info[1])
        level = max((number for number in NAMES if number <= record.levelno), default=DEBUG)
        self._log.add(level, "log.message", msg, fields)

    def flush(self) -> None:
        """Called by logging.shutdown at exit: the last turn's lines of a program that did not close its log."""
        self._log.flush()


def open_logs(
    path: Path,
    *,
    level: str,
    console_format: str,
    max_bytes: int,
    backups: int,
    console: TextIO | None = sys.stderr,
    context: Callable[[], dict[str, object]] | None = None,
) -> Log:
    """A Log on `path`, and the root logger and Python's warnings led to it until it is closed.

    `level` is a key of LEVELS; `console_format` is "text" or "json" (the file is always JSON). A path that can't be
    written is no error here: see story 4. Raises KeyError for an unknown level.
    """
    number = LEVELS[level.upper()]
    file = LogFile(path, max_bytes=max_bytes, backups=backups)
    log = Log(file, level=number, console=Console(console) if console else None, is_text=console_format == "text")
    log.bridge = Bridge(log, context)
    root = logging.getLogger()
    root.addHandler(log.bridge)
    root.setLevel(number)
    # asyncio tells of every selector and slow callback below WARNING: what it has to say must not drown in that.
    logging.getLogger("asyncio").setLevel(max(number, WARNING))
    logging.captureWarnings(True)
    return log
