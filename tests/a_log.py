"""A log of a test's own, and the lines in it: `ALog(self).lines() == [{"event": "job.finished", …}]`."""

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from lib.logs.log import Log
from lib.logs.log_file import LogFile
from lib.logs.log_lines import DEBUG


class ALog(Log):
    """A log at the level DEBUG, in a folder that is deleted after the test."""

    def __init__(self, test: unittest.TestCase) -> None:
        folder = tempfile.TemporaryDirectory(prefix="wb-log-")
        test.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "log"
        super().__init__(LogFile(self.path, max_bytes=1 << 20, backups=0), level=DEBUG)
        test.addCleanup(self.close)

    def lines(self) -> list[dict[str, Any]]:
        """The lines so far."""
        self.flush()
        return (
            [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
            if self.path.exists()
            else []
        )
