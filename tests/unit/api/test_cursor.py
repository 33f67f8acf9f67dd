"""A cursor names the same place when its caller sends it back; texts that no page gave are refused."""

import base64
import unittest

from lib.api.cursor import cursor_of, cursor_text
from lib.errors import InvalidFields
from lib.queue.listing import Cursor


class Cursors(unittest.TestCase):
    def test_a_cursor_comes_back_as_it_went(self) -> None:
        for place in (Cursor(0, "q-0"), Cursor(1_795_438_188_123, "email-eu-" + "f" * 32), Cursor(9, "a b ü")):
            self.assertEqual(place, cursor_of({"cursor": cursor_text(place, {})}))
        self.assertIsNone(cursor_of({}))

    def test_one_is_good_for_the_filter_of_its_page_alone(self) -> None:
        page = {"state": "dead", "queue": "q", "limit": "5"}
        text = cursor_text(Cursor(7, "q-0"), page)

        self.assertEqual(Cursor(7, "q-0"), cursor_of({**page, "cursor": text, "limit": "9"}))
        for other in ({}, {"state": "dead"}, {"state": "completed", "queue": "q"}, {**page, "type": "email"}):
            with self.subTest(other), self.assertRaises(InvalidFields):
                cursor_of({**other, "cursor": text})

    def test_one_of_a_version_from_before_they_bore_a_filter_is_taken(self) -> None:
        text = base64.urlsafe_b64encode(b"7 q-0").rstrip(b"=").decode()

        self.assertEqual(Cursor(7, "q-0"), cursor_of({"state": "dead", "cursor": text}))

    def test_what_no_page_gave_is_refused(self) -> None:
        for text in ("", "x", "!!", "AAAA", "ü", "MTIz", "LTEgeA", "MSA", "/" * 10, "A" * 10_001):
            with self.subTest(text[:20]), self.assertRaises(InvalidFields):
                cursor_of({"cursor": text})


if __name__ == "__main__":
    unittest.main()
