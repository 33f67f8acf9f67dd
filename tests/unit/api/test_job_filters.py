"""One name of a filter means one thing, in a query and in a body."""

import unittest

from lib.api.job_filters import FILTERS, order_of_query, usual_order, wanted_of_fields, wanted_of_query
from lib.errors import InvalidFields
from lib.queue.listing import Wanted

TEXTS = {
    "type": "report",
    "tag": "order-17",
    "group": "tenant-42",
    "error": "ValueError",
    "before": "2026-11-23T12:49:48.123Z",
    "after": "2026-11-23T12:49:48Z",
    "request_id": "r1",
    "schedule": "daily-report",
    "by": f"email-{1:032x}",
    "workflow": f"default-{2:032x}",
    "worker": "mail-1.4711.a",
}


class Filters(unittest.TestCase):
    def test_each_sets_its_own_field_in_both(self) -> None:
        self.assertEqual(FILTERS.keys(), TEXTS.keys())
        for name, text in TEXTS.items():
            of_query = wanted_of_query({name: text, "state": "dead", "limit": "5"})
            of_body = wanted_of_fields({name: FILTERS[name].read(text), "state": "dead", "limit": 5})

            self.assertEqual(of_query, of_body)
            self.assertNotEqual(Wanted("dead"), of_query)
        self.assertEqual(len(TEXTS), len({one.field for one in FILTERS.values()}))

    def test_several_states_are_one_list_whatever_their_order(self) -> None:
        wanted = wanted_of_query({"state": "cancelled,dead,dead"})

        self.assertEqual(("dead", "cancelled"), wanted.states)
        self.assertEqual(wanted, wanted_of_query({"state": "dead,cancelled"}))
        self.assertEqual(Wanted("ready"), wanted_of_query({"state": "ready"}))
        for text in ("dead,", "dead;cancelled", ",", "dead,none", "Dead"):
            with self.assertRaises(InvalidFields):
                wanted_of_query({"state": text})

    def test_an_order_fits_its_list_or_is_refused(self) -> None:
        for state, usual, orders in (
            ("ready", "next", {"next", "newest", "oldest"}),
            ("delayed", "next", {"next", "newest", "oldest"}),
            ("active", "newest", {"started", "newest", "oldest"}),
            ("dead", "newest", {"newest", "oldest"}),
            ("ready,delayed", "newest", {"newest", "oldest"}),
        ):
            wanted = wanted_of_query({"state": state})
            self.assertEqual((usual, None), (usual_order(wanted), order_of_query({}, wanted)))
            for order in ("next", "newest", "oldest", "started", "up"):
                if order in orders:
                    self.assertEqual(order, order_of_query({"order": order}, wanted))
                else:
                    with self.assertRaises(InvalidFields):
                        order_of_query({"order": order}, wanted)
        self.assertEqual("newest", usual_order(wanted_of_query({"state": "delayed", "tag": "eu"})))
        self.assertEqual("newest", usual_order(wanted_of_query({"state": "ready", "request_id": "r1"})))

    def test_a_text_that_is_sought_has_3_to_200_printable_characters(self) -> None:
        for text in ("abc", "x" * 200, '"to":"ann', "äöü", "a b"):
            self.assertEqual(text, wanted_of_query({"q": text}).sought)
        for text in ("ab", "x" * 201, "a\nb", "a\0bc", "abc\x7f"):
            with self.assertRaises(InvalidFields):
                wanted_of_query({"q": text})

    def test_an_id_begins_with_12_to_32_digits(self) -> None:
        for text in ("01a2074f9c0b", "01a2074f9c0b800080005d12a47e70c4"):
            wanted = wanted_of_query({"id": text, "state": "ready"})
            self.assertEqual((text, "oldest"), (wanted.digits, usual_order(wanted)))
        for text in ("01a2074f9c0", "01A2074F9C0B", "email-01a2074f9c0b", "1" * 33, "01a2074f9c0b "):
            with self.assertRaises(InvalidFields):
                wanted_of_query({"id": text})

    def test_times_are_ms(self) -> None:
        self.assertEqual(Wanted(before_ms=1_795_438_188_123), wanted_of_query({"before": TEXTS["before"]}))

    def test_what_can_not_be_is_refused_with_its_name(self) -> None:
        for name, text in (
            ("tag", "-a"),
            ("tag", "a" * 65),
            ("group", "a b"),
            ("schedule", "Daily"),
            ("by", "email-1"),
            ("workflow", "import"),
            ("group", "a" * 129),
            ("error", "E" * 201),
            ("before", "2026-11-23"),
            ("after", "2026-11-23T12:49:48"),
            ("state", "gone"),
        ):
            with self.subTest(name, text=text[:10]), self.assertRaises(InvalidFields) as caught:
                wanted_of_query({name: text})
            self.assertEqual(f"?{name}", caught.exception.errors[0].pointer)

    def test_an_empty_span_of_time_is_refused(self) -> None:
        with self.assertRaises(InvalidFields):
            wanted_of_query({"after": TEXTS["before"], "before": TEXTS["before"]})
        self.assertTrue(wanted_of_query({"after": TEXTS["after"], "before": TEXTS["before"]}))


if __name__ == "__main__":
    unittest.main()
