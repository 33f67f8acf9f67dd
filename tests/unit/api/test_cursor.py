"""A cursor names the same place when its caller sends it back; texts that no page gave are refused."""

import base64
import unittest

from lib.api.cursor import PagePlace, Side, cursor_of, cursor_text
from lib.errors import InvalidFields
from lib.queue.listing import ORDERS, Cursor


class Cursors(unittest.TestCase):
    def test_a_cursor_comes_back_as_it_went(self) -> None:
        sides: tuple[Side, ...] = ("behind", "from", "before", "upto")
        for cursor in (Cursor(0, "q-0"), Cursor(1_795_438_188_123, "email-eu-" + "f" * 32), Cursor(9, "a b ü")):
            for place in [PagePlace(cursor, order, side) for order in ORDERS for side in sides]:
                self.assertEqual(place, cursor_of({"cursor": cursor_text(place, {})}))
        self.assertIsNone(cursor_of({}))

    def test_one_is_good_for_the_filter_of_its_page_alone(self) -> None:
        page = {"state": "dead", "queue": "q", "limit": "5"}
        text = cursor_text(PagePlace(Cursor(7, "q-0")), page)

        same = {**page, "cursor": text, "limit": "9", "fields": "summary"}
        self.assertEqual(PagePlace(Cursor(7, "q-0")), cursor_of(same))
        for other in ({}, {"state": "dead"}, {"state": "completed", "queue": "q"}, {**page, "type": "email"}):
            with self.subTest(other), self.assertRaises(InvalidFields):
                cursor_of({**other, "cursor": text})

    def test_one_of_a_version_from_before_they_bore_a_filter_is_taken(self) -> None:
        text = base64.urlsafe_b64encode(b"7 q-0").rstrip(b"=").decode()

        self.assertEqual(PagePlace(Cursor(7, "q-0"), "newest", "behind"), cursor_of({"state": "dead", "cursor": text}))
        self.assertEqual("newest", getattr(cursor_of({"state": "ready", "cursor": text}), "order", ""))
        with self.assertRaisesRegex(InvalidFields, "older version"):
            cursor_of({"state": "delayed", "cursor": text})

    def test_the_page_on_the_other_side_of_a_place_is_walked_to_the_other_way_with_the_job_that_this_one_lacks(
        self,
    ) -> None:
        sides: tuple[Side, ...] = ("behind", "from", "before", "upto")
        for side in sides:
            here = PagePlace(Cursor(7, "q-0"), "next", side)
            there = here.opposite

            self.assertEqual(here, there.opposite)
            self.assertNotEqual(here.walk.is_back, there.walk.is_back)
            self.assertNotEqual(here.walk.with_place, there.walk.with_place)

    def test_what_no_page_gave_is_refused(self) -> None:
        unmarked = base64.urlsafe_b64encode(b"7 q-0 next-behind").decode()
        for text in (unmarked, "", "x", "!!", "AAAA", "ü", "MTIz", "LTEgeA", "MSA", "/" * 10, "A" * 10_001):
            with self.subTest(text[:20]), self.assertRaises(InvalidFields):
                cursor_of({"cursor": text})


if __name__ == "__main__":
    unittest.main()
