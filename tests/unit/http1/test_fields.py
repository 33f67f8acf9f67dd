"""Header fields as text: read into a dict, written as lines; and the same of chunks, by limits that are no server's."""

import unittest
from dataclasses import dataclass

from lib.errors import BadRequest, HeadersTooLarge
from lib.http1.chunked import LAST_CHUNK, ChunkedBody, chunk_of
from lib.http1.fields import FieldBlock, parse_fields


class Reading(unittest.TestCase):
    def test_names_are_lower_case_and_values_bare(self) -> None:
        self.assertEqual({"host": "a:8000", "x": ""}, parse_fields("Host:\t a:8000 \r\nX:\r\n", 64))

    def test_lines_of_a_list_field_are_joined(self) -> None:
        self.assertEqual({"accept": "a, b"}, parse_fields("Accept: a\r\nACCEPT: b\r\n", 64))
        self.assertEqual({"cookie": "a=1; b=2"}, parse_fields("Cookie: a=1\r\nCookie: b=2\r\n", 64))

    def test_a_second_line_of_a_single_field_is_refused(self) -> None:
        with self.assertRaises(BadRequest):
            parse_fields("Host: a\r\nhost: a\r\n", 64)

    def test_too_many_lines_are_refused(self) -> None:
        self.assertEqual(2, len(parse_fields("A: 1\r\nB: 2\r\n", 2)))
        with self.assertRaises(HeadersTooLarge):
            parse_fields("A: 1\r\nB: 2\r\nC: 3\r\n", 2)


class Writing(unittest.TestCase):
    def test_what_is_written_is_read_back(self) -> None:
        block = FieldBlock(("Accept", "*/*"), ("X-Name", "é"))

        self.assertEqual({"accept": "*/*", "x-name": "é"}, parse_fields(block.text, 64))

    def test_a_block_holds_no_field_of_the_connection_and_no_second_line(self) -> None:
        for name, value in (("Content-Length", "1"), ("X", "a\r\nY: b"), ("X\r\nY", "b"), ("", "b"), ("X", "€")):
            with self.assertRaises(ValueError):
                FieldBlock((name, value))


@dataclass(frozen=True)
class FewBytes:
    chunk_extension_bytes: int = 16
    header_bytes: int = 100
    header_fields: int = 2


class Chunks(unittest.TestCase):
    def test_what_is_sent_in_chunks_is_decoded(self) -> None:
        pieces = [b"hello", b" " * 300, b"\r\n"]
        buffer = bytearray(b"".join(map(chunk_of, pieces)) + LAST_CHUNK + b"next")

        body = ChunkedBody(FewBytes(), 1000).read(buffer)

        self.assertEqual((b"".join(pieces), b"next"), (body, bytes(buffer)))

    def test_the_callers_limits_hold(self) -> None:
        for raw in (b"1;a=" + b"x" * 50 + b"\r\nx\r\n", b"0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"):
            with self.assertRaises((BadRequest, HeadersTooLarge)):
                ChunkedBody(FewBytes(), 1000).read(bytearray(raw))


if __name__ == "__main__":
    unittest.main()
