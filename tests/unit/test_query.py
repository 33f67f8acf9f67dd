"""Query parameters: known, once, in range; and cursors that come back as they went."""

import base64
import unittest

from lib.api import query
from lib.errors import InvalidFields
from lib.queue.pages import Place

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
            self.assertEqual(60, query.seconds({"wait": text}, "wait", 60), text)
        for text in ("", "-1", "nan", "inf", "1e1", "1.", ".5", "9" * 5000, "\u0661"):
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.seconds({"wait": text}, "wait", 60)

    def test_flags(self) -> None:
        self.assertEqual([False, False, True], [query.flag(f, "x") for f in ({}, {"x": "false"}, {"x": "true"})])
        for text in ("", "1", "True", "yes", "true "):
            with self.subTest(text), self.assertRaises(InvalidFields):
                query.flag({"x": text}, "x")


class Cursors(unittest.TestCase):
    def test_a_cursor_comes_back_as_it_went(self) -> None:
        for place in (Place(0, "q-0"), Place(1_795_438_188_123, "email-eu-" + "f" * 32), Place(9, "a b ü")):
            self.assertEqual(place, query.cursor({"cursor": query.cursor_text(place, {})}))
        self.assertIsNone(query.cursor({}))

    def test_one_is_good_for_the_filter_of_its_page_alone(self) -> None:
        page = {"state": "dead", "queue": "q", "limit": "5"}
        text = query.cursor_text(Place(7, "q-0"), page)

        self.assertEqual(Place(7, "q-0"), query.cursor({**page, "cursor": text, "limit": "9"}))
        for other in ({}, {"state": "dead"}, {"state": "completed", "queue": "q"}, {**page, "type": "email"}):
            with self.subTest(other), self.assertRaises(InvalidFields):
                query.cursor({**other, "cursor": text})

    def test_one_of_a_version_from_before_they_bore_a_filter_is_taken(self) -> None:
        text = base64.urlsafe_b64encode(b"7 q-0").rstrip(b"=").decode()

        self.assertEqual(Place(7, "q-0"), query.cursor({"state": "dead", "cursor": text}))

    def test_what_no_page_gave_is_refused(self) -> None:
        for text in ("", "x", "!!", "AAAA", "ü", "MTIz", "LTEgeA", "MSA", "/" * 10, "A" * 10_001):
            with self.subTest(text[:20]), self.assertRaises(InvalidFields):
                query.cursor({"cursor": text})


if __name__ == "__main__":
    unittest.main()
