"""lib/api/bulk/ndjson.py: the same lines, however the body was cut."""

import tracemalloc
import unittest

from lib.api.bulk.ndjson import Lines

BODY = b'{"a":1}\n\n{"b":2}\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n12345678\n\xff\n123456789\nlast'
LINES = [b'{"a":1}', b"", b'{"b":2}\r', None, b"12345678", b"\xff", None, b"last"]


def lines_of(pieces: list[bytes], limit_bytes: int = 8) -> list[bytes | None]:
    lines = Lines(limit_bytes)
    return [line for piece in pieces for line in lines.feed(piece)] + lines.end()


class Cut(unittest.TestCase):
    def test_whole_a_byte_at_a_time_and_cut_at_every_offset_they_are_the_same(self) -> None:
        self.assertEqual(LINES, lines_of([BODY]))
        self.assertEqual(LINES, lines_of([BODY[at : at + 1] for at in range(len(BODY))]))
        for at in range(len(BODY)):
            self.assertEqual(LINES, lines_of([BODY[:at], BODY[at:]]), at)

    def test_a_body_that_ends_with_lf_has_no_line_behind_it(self) -> None:
        self.assertEqual([b"a"], lines_of([b"a\n"]))
        self.assertEqual([], lines_of([b""]))
        self.assertEqual([], lines_of([]))

    def test_a_last_line_that_is_too_long_is_told_of(self) -> None:
        self.assertEqual([b"a", None], lines_of([b"a\n12345", b"6789"]))

    def test_of_a_line_without_end_little_is_held(self) -> None:
        lines, piece = Lines(1 << 20), b"x" * 65536
        tracemalloc.start()

        for _ in range(200):
            self.assertEqual([], lines.feed(piece))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        self.assertLess(peak_bytes, 4 << 20)
        self.assertEqual([None, b"next"], lines.feed(b"\nnext\n"))


if __name__ == "__main__":
    unittest.main()
