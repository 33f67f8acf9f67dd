"""The log as rooms see it: `Log`, its levels and fields, and the bridge from Python's own `logging`.

server.py and worker.py call `open_logs` once and hand the `Log` down; libraries and users' jobs reach the same file
through `logging.getLogger(...)`. The log knows nothing of jobs, HTTP or Redis, and never raises.

1. A line is made at the call and collected. While an asyncio loop runs, the lines of one turn of it are written in one
   batch at the turn's end; turns that follow each other within 5 ms share a batch. Where no loop runs (in threads, at
   start-up) each line is written at once. A killed process loses the lines of 5 ms at most (line_buffer.py).
2. Several processes append to one file. Whoever writes holds the file's own flock and has compared inodes: the open
   file is still the one that has the log's name. Whoever rotates holds the same lock. So nobody writes to a file that
   was rotated away or deleted, and a file that logrotate moved is noticed before the next write (log_file.py).
3. Text is escaped where a line is made: whatever a job's name or an exception says, it can't begin a line of its own or
   send a control sequence to a terminal (log_lines.py).
4. Neither a full disk nor a stopped process that holds the lock nor a stuck terminal stops the service. Lines that
   reach no file are counted, and the count is the first thing logged (`log.recovered`) once the file works again
   (log_output.py).
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from lib.logs.console import Console
from lib.logs.forms import Form
from lib.logs.line_buffer import LineBuffer
from lib.logs.log_file import LogFile
from lib.logs.log_lines import (
    DEBUG,
    ERROR,
    INFO,
    LEVELS,
    NAMES,
    NOTHING,
    WARNING,
    Bound,
    LineMaker,
    Stamp,
    class_name,
    json_of_any,
    text_line,
    traceback_text,
)
from lib.logs.log_output import LogOutput

__all__ = ["NOTHING", "Bound", "Bridge", "Log", "open_logs"]

RECORD_KEYS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


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
        """file: None for no file. level: lines below it are left out. is_text: the console shows short texts, not JSON.
        clock: seconds since 1970, for the lines' `ts`."""
        self._level = level
        self._stamp = Stamp(clock)
        self._maker = LineMaker()
        self._output = LogOutput(
            file, console, is_text=is_text, maker=self._maker, stamp=self._stamp, monotonic=monotonic
        )
        self._buffer = LineBuffer(self._output, monotonic)
        self._lines = self._buffer.lines
        self._texts = self._buffer.texts if is_text and console else None
        self.bridge: Bridge | None = None
        """Set by `open_logs`: what must be undone when this log is closed."""

    @property
    def dropped_total(self) -> int:
        """Lines that are not in the file; where there is no file, lines that the console did not show."""
        return self._output.dropped_total

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
        """A line of forms.py: `log.write(REQUEST_STARTED, NOTHING, "r-1", "GET", "/")`. The values must be plain."""
        if self._level > form.level:
            return
        stamp = self._stamp.now()
        self._lines.append(form.json(stamp, about.tail, *values))
        if self._texts is not None:
            self._texts.append(form.text(stamp, *values))
        self._buffer.added(form.level)

    def exception(self, event: str, msg: str, exc: BaseException, about: Bound = NOTHING, /, **fields: object) -> None:
        """An error with its traceback, shortened to TEXT_CHARS, in the field `traceback`."""
        self.add(ERROR, event, msg, {**fields, "traceback": traceback_text(exc)}, about)

    def bind(self, **fields: object) -> Bound:
        """Fields for several lines about one thing, made into JSON once: `log.info("job.started", "…", about)`."""
        return self._maker.bind(fields)

    def add(self, level: int, event: str, msg: str, fields: Mapping[str, object], about: Bound = NOTHING) -> None:
        """Collect a line, whatever LOG_LEVEL says. level: a key of NAMES."""
        try:
            stamp = self._stamp.now()
            self._lines.append(self._maker.json_line(stamp, level, event, msg, about, fields))
            if self._texts is not None:
                self._texts.append(text_line(stamp, level, msg, about.fields, fields))
        except Exception:  # noqa: BLE001  This class promises to raise nothing: a line that can't be made is counted.
            self._output.count_unmade()
        self._buffer.added(level)

    def flush(self) -> None:
        """Write all collected lines. Call it (or `close`) before os._exit, which runs no callback."""
        self._buffer.flush()

    def close(self) -> None:
        """Flush, give a slow console a moment, undo what `open_logs` installed. A later line is still written."""
        if self.bridge:
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(self.bridge)
        self._buffer.close()

    def begin_anew(self) -> None:
        """For a forked child: what the parent has yet to write is not the child's to write, and the parent's locks and
        its open file are not the child's to use."""
        self._buffer.begin_anew()
        self._output.begin_anew()


class Bridge(logging.Handler):
    """Makes records of Python's `logging`, from libraries and users' jobs, lines of the same file.

    `logging.getLogger("shop").info("sent", extra={"mails": 3})` in a handler becomes a line with the event
    `log.message` (or the `event` that `extra` names), `"logger":"shop"`, `"mails":3`, and the fields of `context()`:
    the ids of the job that the handler runs.
    """

    def __init__(self, log: Log, context: Callable[[], Bound] | None = None) -> None:
        super().__init__()
        self._log, self._context = log, context or (lambda: NOTHING)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            msg, about = record.getMessage().rstrip("\n"), self._context()
        except BaseException as exc:  # noqa: BLE001  "%d" with a word, an argument whose __str__ raises.
            msg, about = f"{json_of_any(record.msg)} (can't be formatted: {class_name(exc)})", NOTHING
        # A name stands once in a line: of an `extra` field and one of the context, the context's is kept.
        extra = {k: v for k, v in record.__dict__.items() if k not in RECORD_KEYS and k not in about.fields}
        event = str(extra.pop("event", "log.message"))
        fields: dict[str, object] = {"logger": record.name, **extra}
        if record.exc_info and record.exc_info[1]:
            fields["traceback"] = traceback_text(record.exc_info[1])
        level = record.levelno
        if level not in NAMES:
            level = max((number for number in NAMES if number <= level), default=DEBUG)
        self._log.add(level, event, msg, fields, about)

    def flush(self) -> None:
        """Called by logging.shutdown at exit, for a program that did not close its log."""
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
    """A Log that writes to `path`. Python's root logger and its warnings are led into it until it is closed.

    path: None for no file, the console alone. level: a key of LEVELS. console_format: "text" or "json"; the file is
    always JSON. max_bytes, backups: see LogFile. context: fields for lines of `logging`, asked for each of them.
    A path that can't be written is no error here: see story 4. Raises KeyError for an unknown level.
    """
    number = LEVELS[level.upper()]
    file = LogFile(path, max_bytes=max_bytes, backups=backups) if path else None
    is_text = console_format == "text"
    # JSON is UTF-8, whatever encoding the terminal has (RFC 8259 section 8.1).
    screen = Console(console, encoding=None if is_text else "utf-8") if console else None
    log = Log(file, level=number, console=screen, is_text=is_text)
    log.bridge = Bridge(log, context)
    root = logging.getLogger()
    root.addHandler(log.bridge)
    root.setLevel(number)
    # Below WARNING asyncio logs every selector and slow callback; its warnings must not drown in those.
    logging.getLogger("asyncio").setLevel(max(number, WARNING))
    logging.captureWarnings(True)
    return log
