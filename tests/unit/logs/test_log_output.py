"""logs/log_output.py: lines that the file did not take are counted, and the count is logged."""

import asyncio
import unittest

from lib.logs.log_output import COMPLAINT_PAUSE_S
from tests.unit.logs.log_case import LogCase


class LossTests(LogCase):
    def test_dropped_lines_are_counted_and_told_first_once_the_file_works_again(self) -> None:
        self.file.room_lines = 0
        for _ in range(3):
            self.log.info("a.b", "dropped")
        self.file.room_lines = None
        self.log.info("a.b", "kept")
        self.log.info("a.b", "kept, too")

        first, *rest = self.file.parsed()
        self.assertEqual((first["event"], first["dropped"], first["level"]), ("log.recovered", 3, "WARNING"))
        self.assertEqual([line["msg"] for line in rest], ["kept", "kept, too"])

    def test_every_line_is_either_kept_or_counted_when_the_disk_hovers_at_full(self) -> None:
        async def turns() -> None:
            for room_lines in (2, 0, 1, 3, 0, 5, 2, None):
                self.file.room_lines = room_lines
                self.monotonic_s += 1
                for _ in range(4):
                    self.log.info("a.b", "line")
                await asyncio.sleep(0)

        asyncio.run(turns())

        lines = self.file.parsed()
        kept = sum(line["event"] == "a.b" for line in lines)
        self.assertEqual(kept + sum(line.get("dropped", 0) for line in lines), 8 * 4)

    def test_close_tells_of_lines_dropped_last(self) -> None:
        self.file.room_lines = 0
        self.log.info("a.b", "dropped")
        self.file.room_lines = None

        self.log.close()

        self.assertEqual(self.only_line()["dropped"], 1)

    def test_the_console_hears_of_trouble_once_a_minute(self) -> None:
        self.file.room_lines = 0

        for self.monotonic_s in (0.0, 1.0, COMPLAINT_PAUSE_S - 0.1, COMPLAINT_PAUSE_S):
            self.log.info("a.b", "dropped")

        told = [row for row in self.screen.getvalue().splitlines() if "Log file in trouble" in row]
        self.assertEqual(len(told), 2)
        self.assertIn("ERROR Log file in trouble: [Errno 28] No space left on device (1 lines dropped)", told[0])

    def test_where_it_may_not_write_it_says_what_to_look_at(self) -> None:
        self.file.room_lines, self.file.trouble = 0, PermissionError(13, "Permission denied")

        self.log.info("a.b", "dropped")

        self.assertIn("[Errno 13] Permission denied; see LOG_DIR and whose it is (1 lines", self.screen.getvalue())

    def test_a_line_that_can_not_be_made_is_counted_not_raised(self) -> None:
        self.log.info("a.b", None)  # type: ignore[arg-type]
        self.log.info("a.b", "next")

        self.assertEqual([line.get("dropped") for line in self.file.parsed()], [1, None])


if __name__ == "__main__":
    unittest.main()
