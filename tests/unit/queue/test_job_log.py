"""lib/queue/job_log.py: lines of this version and of older ones, and the number of each."""

import unittest

from lib.queue.job_log import LogLine, lines_from


class Lines(unittest.TestCase):
    def numbers(self, *elements: bytes) -> list[int]:
        return [line.number for line in lines_from(elements)]

    def test_a_line_has_a_number_a_time_an_attempt_and_a_text(self) -> None:
        self.assertEqual([LogLine(17, 5, 2, "sent: 7/8")], lines_from([b"sent: 7/8\x1d5\x1d2\x1d17"]))
        self.assertEqual([], lines_from([]))

    def test_a_line_of_an_older_version_is_a_text_alone(self) -> None:
        self.assertEqual([LogLine(1, None, None, "one"), LogLine(2, None, None, "")], lines_from([b"one", b""]))

    def test_lines_without_a_number_are_counted_from_those_that_have_one(self) -> None:
        self.assertEqual([199, 200, 201, 202], self.numbers(b"a", b"b", b"c\x1d5\x1d1\x1d201", b"d"))
        self.assertEqual([1, 2, 3], self.numbers(b"a", b"b", b"c\x1d5\x1d1\x1d1"))

    def test_the_numbers_rise_whatever_somebody_wrote_there(self) -> None:
        self.assertEqual([9, 10, 11], self.numbers(b"a\x1d5\x1d1\x1d9", b"b\x1d5\x1d1\x1d2", b"c\x1dx\x1d\x1dy"))
        self.assertEqual([LogLine(1, None, None, "c")], lines_from([b"c\x1dx\x1d\x1dy"]))
        self.assertEqual([LogLine(1, None, None, "c")], lines_from([b"c\x1d5"]))


if __name__ == "__main__":
    unittest.main()
