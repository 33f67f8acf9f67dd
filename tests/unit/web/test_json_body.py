"""Bodies that are JSON, and bodies that almost are."""

import contextlib
import gc
import json
import random
import time
import unittest

from lib.errors import BadJson
from lib.json_text import to_json
from lib.web.json_body import MAX_DEPTH, parse


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

    def test_depth_is_counted_right_behind_strings_of_quotes_backslashes_and_brackets(self) -> None:
        rng = random.Random(14)
        for _ in range(300):
            texts = ["".join(rng.choices('\\"[]{}x', k=rng.randint(0, 9))) for _ in range(20)]
            strings = json.dumps(texts)[1:-1]

            for depth, is_read in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
                body = f"[{strings}, {'[' * (depth - 1)}{strings}{']' * (depth - 1)}, {strings}]".encode()
                with self.subTest(texts=texts), contextlib.nullcontext() if is_read else self.assertRaises(BadJson):
                    parse(body)

    def test_numbers_come_back_as_they_went_in(self) -> None:
        for text in (
            "9007199254740993",
            "-9007199254740993",
            "9" * 1000,
            "-" + "1" * 999,
            "18446744073709551616",
            "0",
            "-0.0",
            "0.1",
            "1.7976931348623157e+308",
            "5e-324",
        ):
            self.assertEqual(text, to_json(parse(text.encode())))

    def test_other_forms_of_a_number_mean_the_same(self) -> None:
        for text, value in (("1E2", 100.0), ("1e+2", 100.0), ("1.50", 1.5), ("1e-400", 0.0), ("-0", 0), ("0e0", 0.0)):
            self.assertEqual(value, parse(text.encode()))
        for text, shown in (("0.12345678901234567890123", "0.12345678901234568"), ("1e-400", "0.0"), ("-0", "0")):
            self.assertEqual(shown, to_json(parse(text.encode())))
        for text in ("1e400", "-1e400", "1e" + "9" * 10_000, "9" * 400 + ".0", "1.e2", "1e", "1e+", "-", "-01", "00"):
            with self.assertRaises(BadJson) as refused:
                parse(text.encode())
            self.assertLess(len(refused.exception.detail), 200)

    def test_a_name_is_compared_as_it_is_meant_not_as_it_is_written(self) -> None:
        for body in (
            r'{"a":1,"\u0061":2}',
            r'{"\u00e4":1,"ä":2}',
            r'{"\/":1,"/":2}',
            r'{"\ud83d\ude00":1,"😀":2}',
            r'[[{"x":{"":1,"":2}}]]',
        ):
            with self.subTest(body), self.assertRaisesRegex(BadJson, "stands twice"):
                parse(body.encode())
        # Two forms of ü: different names, as RFC 8259 (8.3) compares them.
        self.assertEqual(2, len(parse('{"\u00fc":1,"u\u0308":2}'.encode())))

    def test_escapes_of_surrogates_are_taken_in_pairs_alone(self) -> None:
        for good in (r'"\uD83D\uDE00"', r'"\\ud800"', r'"\\\\udfff"', r'{"\ud83d\ude00":0}', r'"\ud7ff\ue000"'):
            parse(good.encode())
        for bad in (r'"\uD800"', r'"\uDfFf"', r'"\ud800\ud800"', r'"\ude00\ud83d"', r'"\\\ud800"', r'"\ud83d\n\ude00"'):
            with self.subTest(bad), self.assertRaises(BadJson):
                parse(bad.encode())

    def test_garbage_is_collected_again_after_a_large_body_whatever_it_was(self) -> None:
        for body in (b"[" + b"1," * 50_000 + b"1]", b"[" + b"1," * 50_000):
            with contextlib.suppress(BadJson):
                parse(body)

            self.assertTrue(gc.isenabled())

    def test_the_worst_bodies_of_a_mib_are_read_in_a_moment(self) -> None:
        """Quadratic readings of these took from seconds to an hour; what is linear takes below 0.1 s when nothing else
        runs. The bound is wide for the sake of slow machines, and far below any of the former."""
        mib = 1 << 20
        for name, body in (
            ("arrays", b"[" + b"[]," * (mib // 3 - 2) + b"[]]"),
            ("objects", b"[" + b'{"":0},' * (mib // 7 - 2) + b"{}]"),
            ("nests", b"[" + (b"[" * 99 + b"]" * 99 + b",") * (mib // 199 - 1) + b"0]"),
            ("depth", b"[" * (mib // 2) + b"]" * (mib // 2)),
            ("digits", b"1" * mib),
            ("integers", b"[" + b"9" * 1000 + (b"," + b"9" * 1000) * (mib // 1001 - 2) + b"]"),
            ("fraction", b"0." + b"1" * (mib - 2)),
            ("exponent", b"1e" + b"1" * (mib - 2)),
            ("escapes", b'"' + b"\\n" * (mib // 2 - 2) + b'"'),
            ("pairs", b'"' + b"\\ud83d\\ude00" * (mib // 12 - 1) + b'"'),
            ("quotes", b"[" * (MAX_DEPTH + 1) + b'"' + b'\\"' * (mib // 2 - 100)),
            ("backslashes", b"[" * (MAX_DEPTH + 1) + b'"' + b"\\" * (mib - 200)),
            ("names", b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}"),
            ("spaces", b" " * (mib - 1) + b"1"),
        ):
            with self.subTest(name):
                self.assertLessEqual(len(body), mib)
                started_s = time.thread_time()
                with contextlib.suppress(BadJson):
                    parse(body)

                self.assertLess(time.thread_time() - started_s, 0.5)

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

    def test_a_byte_order_mark_is_named(self) -> None:
        with self.assertRaises(BadJson) as refused:
            parse("\ufeff{}".encode())

        self.assertIn("byte order mark", refused.exception.detail)

    def test_the_place_of_the_fault_is_told(self) -> None:
        with self.assertRaises(BadJson) as refused:
            parse(b'{\n  "a": tru\n}')

        self.assertIn("line 2, column 8", refused.exception.detail)


if __name__ == "__main__":
    unittest.main()
