"""logs/log_lines.py: nothing in a line can forge another line or act on a terminal."""

import json
import unittest

from lib.logs.log_lines import printable, quoted
from tests.unit.logs.log_case import LogCase

# Line feed, escape sequence, DEL, a C1 control (CSI), line separators, right-to-left override, half a surrogate pair.
HAZARDS = "\n\r\x00\x1b[31m\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800"


class HazardTests(LogCase):
    def test_hazards_in_any_place_are_escaped_in_the_file_and_come_back_whole(self) -> None:
        self.log.info(f"event{HAZARDS}", f"msg é{HAZARDS}", **{f"name{HAZARDS}": f"value{HAZARDS}", "all": [HAZARDS]})

        text = self.file.batches[0].decode()
        line = self.only_line()
        self.assertTrue(text[:-1].isprintable())
        self.assertEqual((line["event"], line["msg"]), (f"event{HAZARDS}", f"msg é{HAZARDS}"))
        self.assertEqual((line[f"name{HAZARDS}"], line["all"]), (f"value{HAZARDS}", [HAZARDS]))

    def test_hazards_are_shown_on_the_console_as_text_on_one_line(self) -> None:
        self.log.info("a.b", f"msg {HAZARDS}", request_id=f"id{HAZARDS}")

        shown = self.screen.getvalue()
        self.assertTrue(shown[:-1].isprintable())
        self.assertIn(r"msg \n\r\x00\x1b[31m\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800", shown)

    def test_rows_of_a_traceback_stand_behind_a_bar(self) -> None:
        forged = "x\n2023-11-14T22:13:20.250Z INFO forged\x85\x1b[2Jforged"

        self.log.exception("job.failed", "Job failed", ValueError(forged))

        rows = self.screen.getvalue().splitlines()
        self.assertGreater(len(rows), 2)
        self.assertTrue(all(row.startswith("  | ") and row.isprintable() for row in rows[1:]))

    def test_every_character_is_printable_once_quoted_and_reads_back(self) -> None:
        for start in range(0, 0x110000, 0x1000):
            text = "".join(map(chr, range(start, start + 0x1000, 1 if start < 0x3000 else 16)))

            self.assertTrue(quoted(text).isprintable() and printable(text).isprintable())
            self.assertEqual(
                json.loads(quoted(text)).encode("utf-16", "surrogatepass"), text.encode("utf-16", "surrogatepass")
            )


if __name__ == "__main__":
    unittest.main()
