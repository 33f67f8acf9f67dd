"""logs/console.py: what the console shows, and what it costs when nobody reads it."""

import contextlib
import json
import os
import threading
import time
import unittest

from lib.logs.console import Console
from lib.logs.log import Log, open_logs
from lib.logs.log_lines import INFO
from tests.unit.logs.log_case import LogCase

NOT_YET = 2


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

    def test_a_child_that_is_forked_while_a_thread_waits_for_room_writes_its_own_lines(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        with os.fdopen(writing, "w") as screen:
            console = Console(screen)
            console.show("x" * 200_000)  # The pipe is full, and half of it is left over.
            waiting = threading.Thread(target=console.show, args=("more\n", 60_000))
            waiting.start()
            ends_s = time.monotonic() + 10
            while (code := exit_code_of_child(console)) == NOT_YET:
                self.assertLess(time.monotonic(), ends_s, "the thread does not wait for room")
            os.set_blocking(reading, False)
            while waiting.is_alive():
                with contextlib.suppress(BlockingIOError):
                    os.read(reading, 65_536)
                waiting.join(0.001)

        self.assertEqual(0, code)


def exit_code_of_child(console: Console) -> int:
    """Fork a child that logs. Its exit code: 0, 1 where that failed, NOT_YET where no thread waited for room then."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            with contextlib.suppress(RuntimeError):  # "concurrent poll() invocation": a thread waits.
                console._poll.poll(0)
                os._exit(NOT_YET)
            console.begin_anew()
            console.show("the child's\n")
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    unittest.main()
