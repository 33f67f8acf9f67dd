"""Log lines: a fact from any room goes in; a JSON object a line in logs/*.log and a short text on the console come out.

server.py and worker.py call `open_logs` once and hand the `Log` down; libraries and users' jobs reach the same file
through `logging.getLogger(...)`. It knows nothing of jobs, HTTP or Redis, and never raises.

1. A line is made at the call and collected. While an asyncio loop runs, all of a turn's are handed over in one write
   at its end, and those of several turns where these follow each other within 5 ms; elsewhere (threads, start-up) each
   is written at once. A killed process loses the lines of 5 ms at most.
2. Several processes append to one file. Whoever writes holds the file's own flock and has seen, by inode, that it still
   bears its name; whoever rotates holds the same lock. So nobody writes to a file that was rotated away, let alone to
   one that was deleted, and a file that logrotate moved is noticed before the next write.
3. Text is escaped where a line is made: whatever a job's name or an exception says, it can't begin a line of its own or
   send a control sequence to a terminal.
4. Neither a full disk nor a stopped peer nor a stuck terminal stops the service. Lines that reach no file are counted,
   and the count is the first thing logged (`log.recovered`) once the file works again.
"""

import logging
import sys
import threading
import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import get_ident
from typing import NamedTuple, TextIO

from lib.logs.log_file import Console, LogFile
from lib.logs.log_lines import (
    ARROW,
    ARROW_STAND_IN,
    CAREFUL,
    DEBUG,
    ERROR,
    FAST,
    INFO,
    LEVELS,
    LINE_CHARS,
    NAMES,
    WARNING,
    Encoders,
    FieldNames,
    Form,
    Heads,
    Stamp,
    class_name,
    json_of_any,
    quoted,
    shortened,
    text_line,
    traceback_text,
)

BATCH_LINES = 250  # handed over before the turn ends: a loop that never yields can't fill the memory
HAND_OVER_PAUSE_S = 0.005  # a hand-over is six system calls: as much as a small job's own work
CONSOLE_RETRY_S = 0.05
COMPLAINT_PAUSE_S = 60.0
RECORD_KEYS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Bound(NamedTuple):
    """Fields that several lines have in common, and their words. Made by `Log.bind`."""

    fields: Mapping[str, object]
    tail: str


NOTHING = Bound({}, "")
_ARROW, _STAND_IN = ARROW.encode(), ARROW_STAND_IN.encode()


class Log:
    """What every room logs with: `log.info("job.enqueued", "Email job added to queue", job_id=job_id)`.

    `event` is noun.past_verb; fields that are None are left out. No method raises; any thread may call.
    """

    def __init__(
        self,
        file: LogFile | None,
        *,
        level: int,
        console: Console | None = None,
        is_text: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._level, self._console, self._is_text = file, level, console, is_text
        self._stamp, self._monotonic = Stamp(clock), monotonic
        self._heads, self._keys = Heads(), FieldNames()
        self._lines: list[str] = []
        self._texts: list[str] | None = [] if is_text and console else None
        self._due: AbstractEventLoop | None = None  # the loop that will flush soon, and its thread
        self._due_thread = 0
        self._handed_over_at = float("-inf")
        self._guard = threading.RLock()
        self._is_writing = self._is_retrying = False
        self._dropped = 0
        self._dropped_total = 0
        self._complained_at = float("-inf")
        self.bridge: Bridge | None = None

    @property
    def dropped_total(self) -> int:
        """Lines that are not in the file; where there is none, not on the console."""
        return self._dropped_total + (self._console.dropped_total if self._console and self._file is None else 0)

    def debug(self, event: str, msg: str, about: Bound = NOTHING, /, **fields: object) -> None:
        if self._level <= DEBUG:
            self.add(DEBUG, event, msg, fields, about)

    def info(self, event: str, msg: str, about: Bound = NOTHING, /, **fields: object) -> None:
        if self._level <= INFO:
            self.add(INFO, event, msg, fields, about)

    def warning(self, event: str, msg: str, about: Bound = NOTHING, /, **fields: object) -> None:
        if self._level <= WARNING:
            self.add(WARNING, event, msg, fields, about)

    def error(self, event: str, msg: str, about: Bound = NOTHING, /, **fields: object) -> None:
        if self._level <= ERROR:
            self.add(ERROR, event, msg, fields, about)

    def write(self, form: Form, about: Bound, /, *values: str) -> None:
        """A line of a form: the values of its fields, in their order; `about` has further fields."""
        if self._level > form.level:
            return
        stamp, tail = self._stamp.now(), about.tail
        self._lines.append(form.json(stamp, tail, *values))
        if self._texts is not None:
            self._texts.append(form.text(stamp, tail, *values))
        self._see_off(form.level)

    def exception(self, event: str, msg: str, exc: BaseException, about: Bound = NOTHING, /, **fields: object) -> None:
        """An error with its traceback, shortened to TEXT_CHARS, in the field `traceback`."""
        self.add(ERROR, event, msg, {**fields, "traceback": traceback_text(exc)}, about)

    def bind(self, **fields: object) -> Bound:
        """Fields for several lines about one thing, put into words once: `log.info("job.started", "…", about)`."""
        try:
            return Bound(fields, self._tail(fields, FAST))
        except Exception:  # noqa: BLE001  as in `add`
            return Bound(fields, self._tail(fields, CAREFUL))

    def add(self, level: int, event: str, msg: str, fields: Mapping[str, object], about: Bound = NOTHING) -> None:
        """Collect a line, whatever LOG_LEVEL says; `level` is one of NAMES."""
        try:
            stamp = self._stamp.now()
            self._lines.append(self._json_line(stamp, level, event, msg, about, fields))
            if self._texts is not None:
                self._texts.append(text_line(stamp, level, msg, about.fields, fields))
        except Exception:  # noqa: BLE001  the promise of this class: a line that can't be made is counted, not raised
            self._dropped += 1
            self._dropped_total += 1
        self._see_off(level)

    def _see_off(self, level: int) -> None:
        """See that what was collected is handed over."""
        if level >= ERROR or len(self._lines) >= BATCH_LINES:
            self.flush()
            return
        # Not get_running_loop() for every line: it asks the kernel for the process id.
        if self._due is None or self._due_thread != get_ident() or not self._due.is_running():
            self._come_due()

    def _come_due(self) -> None:
        """See that the loop of this thread hands the lines over; where there is none, do it now."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._due, self._due_thread = loop, get_ident()
        pause_s = self._handed_over_at + HAND_OVER_PAUSE_S - self._monotonic()
        if pause_s <= 0:
            loop.call_soon(self._end_turn)
        else:
            loop.call_later(pause_s, self._end_turn)

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
            if self._file:
                self._file.close()

    def begin_anew(self) -> None:
        """In a forked child: what the parent has yet to write is not the child's to write, and the parent's locks and
        its open file are not the child's to have."""
        for lines in (self._lines, self._texts or []):
            lines.clear()
        self._guard = threading.RLock()
        self._is_writing = self._is_retrying = False
        self._due, self._dropped = None, 0
        if self._file:
            self._file.begin_anew()
        if self._console:
            self._console.begin_anew()

    def _end_turn(self) -> None:
        self._due = None  # before the lines are taken: one that comes later calls for a turn of its own
        self._handed_over_at = self._monotonic()
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
        if self._file is None:
            return
        head = self._recovery() if self._dropped else ""
        data = (head + "".join(lines)).encode("utf-8", "backslashreplace").replace(_STAND_IN, _ARROW)
        kept = self._file.append(data)
        lost = data.count(b"\n", kept)
        # If the line that tells of the dropped ones arrived, they are told; if not, it is no loss itself.
        newly = lost if kept or not head else lost - 1
        self._dropped = newly if kept or not head else self._dropped + newly
        self._dropped_total += newly
        if self._file.fault:
            self._complain(self._file.fault)

    def _recovery(self) -> str:
        msg = f"Log file works again; {self._dropped} lines were dropped"
        return self._json_line(self._stamp.now(), WARNING, "log.recovered", msg, NOTHING, {"dropped": self._dropped})

    def _complain(self, fault: OSError) -> None:
        """Tell the console, which is all that is left, once a minute."""
        now = self._monotonic()
        if not self._console or now - self._complained_at < COMPLAINT_PAUSE_S:
            return
        self._complained_at = now
        advice = "; see LOG_DIR and whose it is" if isinstance(fault, PermissionError) else ""
        stamp, msg = self._stamp.now(), f"Log file in trouble: {fault}{advice} ({self._dropped} lines dropped)"
        fields = {"dropped": self._dropped}
        as_json = self._json_line(stamp, ERROR, "log.failed", msg, NOTHING, fields)
        self._console.show(text_line(stamp, ERROR, msg, fields, {}) if self._is_text else as_json)

    def _json_line(
        self, stamp: str, level: int, event: str, msg: str, about: Bound, fields: Mapping[str, object]
    ) -> str:
        try:
            # The message joins last: with an arrow in it, every addition after it would copy two bytes a letter.
            tail = about.tail + self._tail(fields, FAST)
            line = f'{{"ts":"{stamp}"{self._heads[level, event]}{quoted(msg)}{tail}}}\n'
            if len(line) <= LINE_CHARS:
                return line
        except ValueError:  # Python prints no integer of more than 4,300 digits
            pass
        tail = self._tail({**about.fields, **fields}, CAREFUL)
        return f'{{"ts":"{stamp}"{self._heads[level, event]}{quoted(shortened(msg))}{tail}}}\n'

    def _tail(self, fields: Mapping[str, object], encoders: Encoders) -> str:
        keys, tail = self._keys, ""
        for name, value in fields.items():
            if value is not None:
                tail += keys[name] + encoders[type(value)](value)
        return tail


def _taken(lines: list[str]) -> list[str]:
    # Another thread may append at any moment: the list is never swapped for a new one, only its front is cut off.
    count = len(lines)
    taken = lines[:count]
    del lines[:count]
    return taken


class Bridge(logging.Handler):
    """What libraries and users' jobs say through `logging`, as lines of the same file.

    The event is `log.message`, or what `extra` gives as `event`; beside it stand the logger's name in `logger`, the
    other `extra` fields, and those of `context()` (the job that speaks).
    """

    def __init__(self, log: Log, context: Callable[[], Bound] | None = None) -> None:
        super().__init__()
        self._log, self._context = log, context or (lambda: NOTHING)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            msg, about = record.getMessage().rstrip("\n"), self._context()
        except BaseException as exc:  # noqa: BLE001  "%d" with a word, an argument whose __str__ raises: log what there is
            msg, about = f"{json_of_any(record.msg)} (can't be formatted: {class_name(exc)})", NOTHING
        told = about.fields  # and by nobody else: a name stands once in a line
        extra = {k: v for k, v in record.__dict__.items() if k not in RECORD_KEYS and k not in told}
        event = str(extra.pop("event", "log.message"))
        fields: dict[str, object] = {"logger": record.name, **extra}
        if record.exc_info and record.exc_info[1]:
            fields["traceback"] = traceback_text(record.exc_info[1])
        level = record.levelno
        if level not in NAMES:
            level = max((number for number in NAMES if number <= level), default=DEBUG)
        self._log.add(level, event, msg, fields, about)

    def flush(self) -> None:
        """Called by logging.shutdown at exit: the last turn's lines of a program that did not close its log."""
        self._log.flush()


def open_logs(
    path: Path | None,
    *,
    level: str,
    console_format: str,
    max_bytes: int,
    backups: int,
    console: TextIO | None = sys.stderr,
    context: Callable[[], Bound] | None = None,
) -> Log:
    """A Log on `path`, and the root logger and Python's warnings led to it until it is closed. No path: no file, and
    the console is all.

    `level` is a key of LEVELS; `console_format` is "text" or "json" (the file is always JSON). A path that can't be
    written is no error here: see story 4. Raises KeyError for an unknown level.
    """
    number = LEVELS[level.upper()]
    file = LogFile(path, max_bytes=max_bytes, backups=backups) if path else None
    is_text = console_format == "text"
    # JSON is UTF-8, whatever the terminal's letters are (RFC 8259 section 8.1).
    screen = Console(console, encoding=None if is_text else "utf-8") if console else None
    log = Log(file, level=number, console=screen, is_text=is_text)
    log.bridge = Bridge(log, context)
    root = logging.getLogger()
    root.addHandler(log.bridge)
    root.setLevel(number)
    # asyncio tells of every selector and slow callback below WARNING: what it has to say must not drown in that.
    logging.getLogger("asyncio").setLevel(max(number, WARNING))
    logging.captureWarnings(True)
    return log
