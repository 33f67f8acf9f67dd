"""Bodies that are JSON, and all that looks like it."""

import time
import unittest

from lib.api.json_body import MAX_DEPTH, parse
from lib.errors import BadJson


class Parse(unittest.TestCase):
    def test_json_is_read(self) -> None:
        for body, value in (
            (b"{}", {}),
            (b' {"a": [1, 2.5, null, true, "x"]} \n', {"a": [1, 2.5, None, True, "x"]}),
            (b'{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
            ('{"t": "ü三😀"}'.encode(), {"t": "ü三😀"}),
            (b'{"t": "\\ud83d\\ude00 \\u0000 \\/"}', {"t": "😀 \x00 /"}),
            (b'"[[[[{{{{"', "[[[[{{{{"),
        ):
            self.assertEqual(value, parse(body))

    def test_all_else_is_refused(self) -> None:
        for body in (
            b"",
            b" ",
            b"{",
            b"}",
            b"{'a': 1}",
            b'{"a": 1,}',
            b"[1,]",
            b"nul",
            b"NaN",
            b"[Infinity]",
            b"-Infinity",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"0x1",
            b"1e999",
            b'{"a": 1} {}',
            b'{"a": 1, "a": 2}',
            b'[{"b": {"a": 1, "a": 1}}]',
            b"\xff",
            b'"\xc3"',
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b'"\x00"',
            b'"a\nb"',
            b'"\\ud800"',
            b'"\\udc00\\ud800"',
            b'{"\\ud800": 1}',
            b"9" * 1001,
            b"/* c */ {}",
            b"# c\n{}",
        ):
            with self.subTest(body[:30]), self.assertRaises(BadJson):
                parse(body)

    def test_depth_is_bounded_and_brackets_in_strings_are_not_depth(self) -> None:
        parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
        parse(b"[" + b",".join([b"[]"] * 1000) + b"]")
        parse(b'["' + b"[{" * 10_000 + b'", "\\"[[["]')

        for depth in (MAX_DEPTH + 1, 100_000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"1}")):
                with self.assertRaises(BadJson):
                    parse(opening * depth + closing * depth)

    def test_no_body_costs_more_than_in_proportion_to_its_size(self) -> None:
        names = b",".join(b'"%d":0' % number for number in range(60_000))
        unclosed = b"[" * (MAX_DEPTH + 1) + b'"' + b'\\"' * 500_000

        for body in (unclosed, b"{" + names + b',"59999":0}'):
            started_s = time.process_time()
            with self.assertRaises(BadJson):
                parse(body)

            self.assertLess(time.process_time() - started_s, 3)

    def test_a_name_that_stands_twice_is_told_in_short(self) -> None:
        name = b'"%s"' % (b"x" * 100_000)

        with self.assertRaises(BadJson) as refused:
            parse(b"{" + name + b":1," + name + b":2}")

        self.assertLess(len(refused.exception.detail), 200)

    def test_the_place_of_the_fault_is_told(self) -> None:
        with self.assertRaises(BadJson) as refused:
            parse(b'{\n  "a": tru\n}')

        self.assertIn("line 2, column 8", refused.exception.detail)


if __name__ == "__main__":
    unittest.main()
