"""logs/console.py: what the console shows, and what it costs when nobody reads it."""

import json
import os
import unittest

from lib.logs.console import Console
from lib.logs.log import Log, open_logs
from lib.logs.log_lines import INFO
from tests.unit.logs.log_case import LogCase


class ConsoleTests(LogCase):
    def test_text_has_time_level_message_and_the_ids_not_in_the_message(self) -> None:
        self.log.info("job.started", "Job started: j-1", job_id="j-1", request_id="r-1", queue="email")

        self.assertEqual(self.screen.getvalue(), "2023-11-14T22:13:20.250Z INFO Job started: j-1 request_id=r-1\n")

    def test_json_on_the_console_is_the_line_of_the_file(self) -> None:
        self.new_log(is_text=False).info("job.started", "Job started: j-1", job_id="j-1")

        self.assertEqual(self.screen.getvalue().encode(), self.file.batches[0])

    def test_json_on_the_console_is_utf_8_whatever_the_terminals_letters_are(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        with os.fdopen(writing, "w", encoding="iso-8859-1") as screen:
            log = open_logs(None, level="INFO", console_format="json", max_bytes=0, backups=1, console=screen)
            log.info("a.b", "→ é漢🚚")
            log.close()

        self.assertEqual(json.loads(os.read(reading, 4096).decode())["msg"], "→ é漢🚚")

    def test_without_a_file_what_the_console_never_showed_is_counted(self) -> None:
        log = Log(None, level=INFO, console=Console(self.screen))
        log.info("a.b", "shown")
        self.assertEqual((log.dropped_total, "shown" in self.screen.getvalue()), (0, True))

        self.screen.close()
        log.info("a.b", "not shown")
        log.close()

        self.assertEqual(log.dropped_total, 1)

    def test_a_closed_console_costs_nothing_but_its_lines(self) -> None:
        self.screen.close()

        self.log.info("a.b", "to the file")

        self.assertEqual(self.only_line()["msg"], "to the file")


if __name__ == "__main__":
    unittest.main()
