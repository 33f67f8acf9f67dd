"""Query parameters: known to the operation, sent once, and in range."""

import unittest

from lib.errors import InvalidFields
from lib.web import query

KNOWN = frozenset({"limit", "wait", "cursor", "q"})


class Parameters(unittest.TestCase):
    def test_they_are_decoded(self) -> None:
        self.assertEqual({}, query.parameters("", KNOWN))
        self.assertEqual({"q": "a b&c=ü"}, query.parameters("q=a+b%26c%3d%C3%BC&limit", KNOWN))
        self.assertEqual({"q": "="}, query.parameters("&&q==&", KNOWN))

    def test_what_is_unknown_twice_or_no_utf8_is_refused(self) -> None:
        for text in ("x=1", "q=1&q=1", "q=1&%71=2", "q=%ff", "%ff=1", "Q=1", "q%00=1"):
            with self.subTest(text), self.assertRaises(InvalidFields) as refused:
                query.parameters(text, KNOWN)
            self.assertTrue(refused.exception.errors[0].pointer.startswith("?"))


class Numbers(unittest.TestCase):
    def test_whole_numbers_in_their_range(self) -> None:
        self.assertEqual(
            [5, 1, 200], [query.whole(found, "limit", 1, 200, 5) for found in ({}, {"limit": "1"}, {"limit": "0200"})]
        )
        for text in ("", "0", "201", "-1", "+1", "1.0", "1e1", "x", "٣", "9" * 50, " 1", "1\n"):
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.whole({"limit": text}, "limit", 1, 200, 5)

    def test_seconds(self) -> None:
        self.assertEqual(
            [None, 0, 1.5, 60],
            [query.seconds(f, "wait", 60) for f in ({}, {"wait": "0"}, {"wait": "1.5"}, {"wait": "60"})],
        )
        for text in ("61", "60.0000001", "3600", "9" * 18):
            self.assertEqual(60, query.seconds({"wait": text}, "wait", 60, is_capped=True), text)
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.seconds({"wait": text}, "wait", 60)
        for text in ("", "-1", "nan", "inf", "1e1", "1.", ".5", "9" * 5000, "\u0661"):
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.seconds({"wait": text}, "wait", 60)

    def test_flags(self) -> None:
        self.assertEqual([False, False, True], [query.flag(f, "x") for f in ({}, {"x": "false"}, {"x": "true"})])
        for text in ("", "1", "True", "yes", "true "):
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.flag({"x": text}, "x")


if __name__ == "__main__":
    unittest.main()
