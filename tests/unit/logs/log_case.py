"""A Log with clocks of the test's own, a file that keeps the batches in memory, and a console in memory."""

import io
import json
import unittest
from pathlib import Path
from typing import Any

from lib.logs.console import Console
from lib.logs.log import Log
from lib.logs.log_file import LogFile
from lib.logs.log_lines import INFO


class FakeFile(LogFile):
    """Keeps the batches; takes only `room_lines` more lines, if set."""

    def __init__(self) -> None:
        super().__init__(Path("never-opened.log"), max_bytes=0, backups=0)
        self.batches: list[bytes] = []
        self.room_lines: int | None = None
        self.trouble = OSError(28, "No space left on device")

    def append(self, data: bytes) -> int:
        self.fault = None
        lines = data.splitlines(keepends=True)
        taken = b"".join(lines if self.room_lines is None else lines[: self.room_lines])
        if len(taken) < len(data):
            self.fault = self.trouble
        if self.room_lines is not None:
            self.room_lines = max(0, self.room_lines - len(lines))
        if taken:
            self.batches.append(taken)
        return len(taken)

    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for batch in self.batches for line in batch.split(b"\n")[:-1]]


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class LogCase(unittest.TestCase):
    def setUp(self) -> None:
        self.file = FakeFile()
        self.screen = io.StringIO()
        self.now_s, self.monotonic_s = 1_700_000_000.25, 0.0
        self.log = self.new_log()

    def new_log(self, level: int = INFO, is_text: bool = True) -> Log:
        return Log(
            self.file,
            level=level,
            console=Console(self.screen),
            is_text=is_text,
            clock=lambda: self.now_s,
            monotonic=lambda: self.monotonic_s,
        )

    def only_line(self) -> dict[str, Any]:
        (line,) = self.file.parsed()
        return line
