"""logs/log.py with real files, processes and pipes: rotation loses and tears nothing, a failing log stops nothing."""

import asyncio
import fcntl
import io
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from lib.logs.console import CONSOLE_BYTES
from lib.logs.log import Bound, Log, open_logs
from lib.logs.log_file import LOCK_PATIENCE_S, LogFile

ROOT = Path(__file__).resolve().parents[2]
WRITERS, LINES_EACH, DEADLINE_S = 4, 12_000, 60.0

# argv: path, max_bytes, writer, lines. Turns of 1 to 40 lines, as under a load that comes and goes.
WRITER = """
import asyncio, sys
from pathlib import Path
from lib.logs.log import open_logs
path, max_bytes, writer, lines = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
log = open_logs(path, level="INFO", console_format="text", max_bytes=max_bytes, backups=500, console=None)

async def main():
    for number in range(lines):
        pad = "x" * (number % 90)
        log.info("request.ended", "Request Ended \\u2192 ID: r | Status: 200", writer=writer, number=number, pad=pad)
        if number % (1 + number // 50 % 40) == 0:
            await asyncio.sleep(0)

asyncio.run(main())
log.close()
"""

# argv: path. Logs against a file-size limit, lifts it, logs again; says how many lines it logged.
FULL_DISK = """
import resource, sys
from pathlib import Path
from lib.logs.log import open_logs
log = open_logs(Path(sys.argv[1]), level="INFO", console_format="text", max_bytes=0, backups=0)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit_bytes in (5_000, 5_130, 9_999, hard):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    for number in range(100):
        log.info("a.b", "line", number=number, pad="x" * (number % 37))
log.close()
"""

# argv: path. A turn's line, then nothing more: the parent kills it.
ONE_TURN = """
import asyncio, sys
from pathlib import Path
from lib.logs.log import open_logs
log = open_logs(Path(sys.argv[1]), level="INFO", console_format="text", max_bytes=0, backups=0, console=None)

async def main():
    log.info("a.b", "the last turn's line")
    await asyncio.sleep(0)
    print("turned", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

# argv: path. Ends in the middle of a turn without closing the log.
NOT_CLOSED = """
import asyncio, sys
from pathlib import Path
from lib.logs.log import open_logs
log = open_logs(Path(sys.argv[1]), level="INFO", console_format="text", max_bytes=0, backups=0)

async def main():
    log.info("a.b", "said at the end")
    sys.exit(0)

asyncio.run(main())
"""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """All lines of one file; fails on a torn one."""
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n"), f"{path.name} ends in the middle of a line"
    return [json.loads(line) for line in data.splitlines()]


class FileCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="waybill-logs-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "logs" / "app.log"

    def start(self, code: str, *args: object, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, str(self.path), *map(str, args)]
        child = subprocess.Popen(command, cwd=ROOT, **options)
        self.addCleanup(child.stdout.close if child.stdout else lambda: None)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def open(self, console: TextIO | None = None, max_bytes: int = 0, backups: int = 0, **options: Any) -> Log:
        options = {"level": "INFO", "console_format": "text", **options}
        log = open_logs(self.path, max_bytes=max_bytes, backups=backups, console=console, **options)
        self.addCleanup(log.close)
        return log

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not is_true():
            self.assertLess(time.monotonic(), deadline, "waited too long")
            time.sleep(0.001)


class ManyWriterTests(FileCase):
    def start_writers(self, max_bytes: int) -> list[subprocess.Popen[bytes]]:
        return [self.start(WRITER, max_bytes, writer, LINES_EACH) for writer in range(WRITERS)]

    def files(self) -> list[Path]:
        """Oldest first."""
        backups = sorted(self.path.parent.glob("app.log.*"), key=lambda path: -int(path.name.rpartition(".")[2]))
        return [*backups, self.path]

    def assert_complete(self, files: list[Path], writers: range) -> None:
        """Every line of these writers is there once, and in the order in which it was logged."""
        lines = [line for path in files for line in lines_of(path)]
        for writer in map(str, writers):
            numbers = [line["number"] for line in lines if line["writer"] == writer]
            self.assertEqual(numbers, list(range(LINES_EACH)), f"writer {writer}: {len(numbers)} lines")

    def test_rotation_by_size_loses_and_tears_no_line_of_four_processes(self) -> None:
        for child in self.start_writers(max_bytes=100_000):
            self.assertEqual(child.wait(DEADLINE_S), 0)

        files = self.files()
        self.assertGreater(len(files), 50)
        self.assert_complete(files, range(WRITERS))
        self.assertLessEqual(max(path.stat().st_size for path in files), 100_000)

    def test_a_file_moved_by_logrotate_loses_no_line_of_four_processes(self) -> None:
        children = self.start_writers(max_bytes=0)
        moves = 0

        def is_over() -> bool:
            nonlocal moves
            if self.path.exists() and self.path.stat().st_size > 50_000:
                # Downward, so that the highest number is the oldest file, as with backups.
                self.path.rename(self.path.with_name(f"app.log.{10_000 - moves}"))
                moves += 1
            return all(child.poll() is not None for child in children)

        self.wait_until(is_over)

        self.assertGreater(moves, 20)
        self.path.touch()
        self.assert_complete(self.files(), range(WRITERS))

    def test_a_writer_killed_at_work_costs_the_others_nothing(self) -> None:
        first, *others = self.start_writers(max_bytes=0)
        self.wait_until(lambda: self.path.exists() and self.path.stat().st_size > 200_000)

        first.kill()
        for child in others:
            self.assertEqual(child.wait(DEADLINE_S), 0)

        whole = []
        for line in self.path.read_bytes().splitlines():
            try:
                whole.append(json.loads(line))
            except ValueError:
                self.assertNotIn(b"}{", line)  # the killed one's half line, with nobody else's glued to it
        counts = Counter(line["writer"] for line in whole)
        self.assertEqual([counts[str(writer)] for writer in range(1, WRITERS)], [LINES_EACH] * (WRITERS - 1))

    def test_the_line_of_a_past_turn_is_on_disk_when_the_process_is_killed(self) -> None:
        child = self.start(ONE_TURN, stdout=subprocess.PIPE)
        assert child.stdout is not None
        self.assertEqual(child.stdout.readline(), b"turned\n")

        child.send_signal(signal.SIGKILL)

        self.assertEqual([line["msg"] for line in lines_of(self.path)], ["the last turn's line"])

    def test_a_program_that_ends_without_close_is_flushed_with_stderr_closed(self) -> None:
        child = self.start(NOT_CLOSED, preexec_fn=lambda: os.close(2))

        self.assertEqual(child.wait(DEADLINE_S), 0)
        self.assertEqual([line["msg"] for line in lines_of(self.path)], ["said at the end"])


class RotationTests(FileCase):
    def test_the_newest_backup_is_1_and_only_so_many_are_kept(self) -> None:
        file = LogFile(self.path, max_bytes=10, backups=2)
        self.addCleanup(file.close)

        for text in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
            self.assertEqual(file.append(text), len(text))

        found = {path.name: path.read_bytes() for path in self.path.parent.iterdir()}
        self.assertEqual(found, {"app.log": b"fourth\n", "app.log.1": b"third\n", "app.log.2": b"second\n"})

    def test_a_writer_left_behind_by_rotations_never_writes_to_an_old_file(self) -> None:
        behind, busy = (LogFile(self.path, max_bytes=10, backups=1) for _ in range(2))
        self.addCleanup(busy.close)
        self.addCleanup(behind.close)
        behind.append(b"begin\n")

        for _ in range(5):  # the file that `behind` has open is deleted meanwhile
            busy.append(b"busy...\n")
        behind.append(b"end\n")

        self.assertEqual(self.path.read_bytes(), b"end\n")
        self.assertEqual(self.path.with_name("app.log.1").read_bytes(), b"busy...\n")

    def test_a_half_line_left_in_the_file_is_not_continued(self) -> None:
        self.path.parent.mkdir()
        self.path.write_bytes(b'{"ts":"2023-11-1')
        file = LogFile(self.path, max_bytes=0, backups=0)
        self.addCleanup(file.close)

        kept = file.append(b"whole\n")
        with self.path.open("ab") as other:
            other.write(b"half")
        file.append(b"whole\n")

        self.assertEqual(kept, len(b"whole\n"))
        self.assertEqual(self.path.read_bytes(), b'{"ts":"2023-11-1\nwhole\nhalf\nwhole\n')

    def test_a_peer_stopped_while_it_holds_the_lock_delays_one_write_and_no_more(self) -> None:
        file = LogFile(self.path, max_bytes=10, backups=1)
        self.addCleanup(file.close)
        file.append(b"before\n")
        with self.path.open("ab") as peer:
            fcntl.flock(peer, fcntl.LOCK_EX)
            file.append(b"first\n")
            began_at = time.monotonic()
            for _ in range(100):
                file.append(b"later\n")
            took_s = time.monotonic() - began_at

        file.append(b"after\n")

        self.assertLess(took_s, LOCK_PATIENCE_S * 10)  # a hundred times the patience, if each had waited
        self.assertEqual(self.path.with_name("app.log.1").read_bytes(), b"before\nfirst\n" + b"later\n" * 100)
        self.assertEqual(self.path.read_bytes(), b"after\n")


class TroubleTests(FileCase):
    def test_on_a_full_disk_every_line_is_whole_or_counted_and_stderr_is_told_once(self) -> None:
        child = self.start(FULL_DISK, stderr=subprocess.PIPE)
        _, told = child.communicate(timeout=DEADLINE_S)

        lines = lines_of(self.path)
        kept = sum(line["event"] == "a.b" for line in lines)
        dropped = [line["dropped"] for line in lines if line["event"] == "log.recovered"]
        self.assertEqual(child.returncode, 0)
        self.assertGreater(sum(dropped), 100)
        self.assertEqual(kept + sum(dropped), 400)
        self.assertEqual(told.count(b"Log file in trouble: [Errno 27]"), 1)

    def test_a_missing_folder_is_made_and_made_again_when_removed(self) -> None:
        log = self.open()
        log.info("a.b", "one")
        shutil.rmtree(self.path.parent)

        log.info("a.b", "two")

        self.assertEqual([line["msg"] for line in lines_of(self.path)], ["two"])

    def test_a_folder_that_can_not_be_made_stops_nobody_and_is_told(self) -> None:
        self.path.parent.write_text("a file where the folder should be")
        console = io.StringIO()
        log = self.open(console)
        log.info("a.b", "dropped")
        log.info("a.b", "dropped, too")
        self.path.parent.unlink()

        log.info("a.b", "kept")

        self.assertEqual([line.get("dropped") for line in lines_of(self.path)], [2, None])
        self.assertEqual(console.getvalue().count("Log file in trouble"), 1)


class PipeTests(FileCase):
    def setUp(self) -> None:
        super().setUp()
        self.reader, writer = os.pipe()
        self.console = os.fdopen(writer, "w")
        self.addCleanup(self.console.close)
        self.lines = CONSOLE_BYTES // 40  # of over 100 bytes

    def test_a_console_that_nobody_reads_holds_nothing_up_and_says_later_what_it_left_out(self) -> None:
        log = self.open(self.console)
        for number in range(self.lines):
            log.info("a.b", f"{number:0100}")

        shown = bytearray()
        while b"lines not shown" not in shown and select.select([self.reader], [], [], 0)[0]:
            shown += os.read(self.reader, 65_536)
            log.flush()
        os.close(self.reader)

        self.assertEqual(len(lines_of(self.path)), self.lines)
        rows = shown.decode().splitlines()
        self.assertEqual(rows[-1], f"({self.lines - len(rows) + 1} lines not shown: slow console)")
        self.assertEqual([int(row.split()[2]) for row in rows[:-1]], list(range(len(rows) - 1)))

    def test_what_a_slow_console_has_no_room_for_is_shown_by_a_later_turn_without_a_line(self) -> None:
        async def log_and_read() -> bytes:
            for number in range(1_500):
                log.info("a.b", f"{number:0100}")
            shown, deadline = b"", time.monotonic() + DEADLINE_S
            while shown.count(b"\n") < 1_500 and time.monotonic() < deadline:
                if select.select([self.reader], [], [], 0)[0]:
                    shown += os.read(self.reader, 65_536)
                await asyncio.sleep(0)
            return shown

        log = self.open(self.console)

        shown = asyncio.run(log_and_read())

        os.close(self.reader)
        self.assertEqual([int(row.split()[2]) for row in shown.splitlines()], list(range(1_500)))

    def test_a_broken_pipe_costs_the_console_alone(self) -> None:
        log = self.open(self.console)
        os.close(self.reader)

        log.info("a.b", "one")
        log.info("a.b", "two")

        self.assertEqual([line["msg"] for line in lines_of(self.path)], ["one", "two"])


class RootLoggerTests(FileCase):
    def test_records_and_warnings_of_libraries_land_in_the_file_until_close(self) -> None:
        before = list(logging.getLogger().handlers)
        log = self.open(context=lambda: Bound({"job_id": "j-1"}, ',"job_id":"j-1"'))
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.getLogger("vendor").warning("x %s", "y")
            logging.getLogger("vendor").debug("below the level")
            logging.getLogger("asyncio").info("below its own level")
            logging.captureWarnings(True)  # catch_warnings has put the printing one back
            warnings.warn("old way", DeprecationWarning, stacklevel=1)

        log.close()

        self.assertEqual(logging.getLogger().handlers, before)
        first, second = lines_of(self.path)
        self.assertEqual((first["msg"], first["logger"], first["job_id"]), ("x y", "vendor", "j-1"))
        self.assertIn("DeprecationWarning: old way", second["msg"])

    def test_an_unknown_level_is_refused(self) -> None:
        with self.assertRaises(KeyError):
            self.open(level="LOUD")


if __name__ == "__main__":
    unittest.main()
