"""What page.lua is asked for, and how its replies are read."""

import unittest

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec, early_in_spec
from lib.queue.listing import CLOCKS_APART_MS, Cursor, ListingPart, ListWalk, Order, Wanted, page_from
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


class Replies(unittest.TestCase):
    def test_a_last_page_and_one_with_more_behind_it(self) -> None:
        job = [b"q-1", b"1700000000000"]

        self.assertEqual(ListingPart([], None), page_from([b"", b"", 0, 0, 0]))
        one = [Cursor(1_700_000_000_000, "q-1")]
        self.assertEqual(ListingPart(one, None, (), 0, 3, 3), page_from([b"", b"", 0, 3, 3, *job]))
        self.assertEqual(ListingPart(one, Cursor(5, "q-0"), (), 7, 3, 20), page_from([b"q-0", b"5", 7, 3, 20, *job]))

    def test_of_a_queue_whose_order_can_not_be_told(self) -> None:
        self.assertFalse(page_from([b"many"]).is_order_known)


class Fits(unittest.TestCase):
    def test_a_job_that_has_changed_since_or_can_not_be_read_does_not(self) -> None:
        spec = JobSpec("mail", {}, "r1", TRACE, 5, 60.0, Backoff())
        record = JobRecord("q-1", "q", "ready", spec)

        for wanted in (Wanted(), Wanted("ready"), Wanted("ready", "mail", "r1")):
            self.assertTrue(wanted.fits(record))
        for wanted in (Wanted("active"), Wanted(None, "m"), Wanted(None, ""), Wanted(None, None, "r")):
            self.assertFalse(wanted.fits(record))
        self.assertFalse(Wanted(None, "mail").fits(record._replace(spec=None)))

    def test_group_tag_error_and_time_are_asked_of_the_job_that_was_read(self) -> None:
        spec = JobSpec("mail", {}, "r1", TRACE, 5, 60.0, Backoff(), group="tenant-4", tags=("eu", "order-17"))
        spec = spec._replace(schedule="daily", by="q-8", workflow="q-9")
        error = {"type": "ValueError", "message": "x"}
        record = JobRecord("q-1", "q", "dead", spec, created_ms=100, finished_ms=200, error=error)

        for wanted in (
            Wanted("dead", group="tenant-4", tag="order-17", error="ValueError"),
            Wanted("dead", after_ms=200, before_ms=201),
            Wanted(schedule="daily"),
            Wanted(by="q-8", workflow="q-9"),
            Wanted(after_ms=100, before_ms=101),
        ):
            self.assertTrue(wanted.fits(record), wanted)
        for wanted in (
            Wanted(group="tenant"),
            Wanted(schedule="dail"),
            Wanted(by="q-9"),
            Wanted(workflow="q-8"),
            Wanted(tag="order"),
            Wanted(error="Value"),
            Wanted("dead", before_ms=200),
            Wanted("dead", after_ms=201),
            Wanted(after_ms=101),
        ):
            self.assertFalse(wanted.fits(record), wanted)
        for unreadable in (record._replace(spec=None), record._replace(error=None), record._replace(finished_ms=None)):
            self.assertFalse(Wanted("dead", group="tenant-4", error="ValueError", after_ms=1).fits(unreadable))

    def test_the_index_of_the_state_is_walked_or_that_of_the_tag_and_times_have_the_index_of_the_state(self) -> None:
        of_two = ("ready",)
        rows: list[tuple[Wanted, Order, str, str, str, str]] = [
            (Wanted(), "newest", "all", "", "", "all"),
            (Wanted("dead"), "oldest", "dead", "", "up", "dead"),
            (Wanted("delayed"), "next", "delayed", "", "up", "all"),
            (Wanted("delayed"), "newest", "all", "delayed", "", "all"),
            (Wanted("ready"), "oldest", "all", "ready", "up", "all"),
            (Wanted("ready"), "next", "ready", "", "up", "all"),
            (Wanted("active", or_states=of_two), "newest", "all", "active,ready", "", "all"),
            (Wanted("active"), "started", "started", "active", "up", "all"),
            (Wanted("dead", tag="eu"), "oldest", "tag:eu", "dead", "up", "dead"),
            (Wanted(tag="eu"), "newest", "tag:eu", "", "", "all"),
        ]
        for wanted, order, walked, states, up, times in rows:
            arguments = wanted.arguments(None, 50, ListWalk(order))
            back = wanted.arguments(None, 50, ListWalk(order, is_back=True))

            self.assertEqual((walked, states, up, times), (arguments[0], *arguments[7:10]))
            self.assertNotEqual(up, back[8])

    def test_of_states_that_have_ended_each_is_asked_for_in_its_own_index(self) -> None:
        ended, mixed = Wanted("dead", or_states=("cancelled",)), Wanted("dead", or_states=("ready",))

        self.assertEqual([Wanted("dead"), Wanted("cancelled")], ended.parts())
        self.assertEqual([mixed], mixed.parts())

    def test_for_a_request_many_ids_are_looked_at_and_no_more_records_read_than_for_others(self) -> None:
        for wanted, most, seen, read, mark in (
            (Wanted(type_name="mail"), None, 800, 800, ""),
            (Wanted(sought="mail"), None, 500, 500, ""),
            (Wanted(request_id="123456789"), None, 5000, 800, "3926"),
            (Wanted(request_id="123456789"), 1000, 1000, 800, "3926"),
            (Wanted(request_id="123456789", tag="eu"), 20, 20, 20, "3926"),
            (Wanted(), None, 50, 50, ""),
            (Wanted(), 20, 20, 20, ""),
        ):
            arguments = wanted.arguments(None, 50, most=most)

            self.assertEqual((seen, read, mark), (*arguments[4:6], arguments[13]))

    def test_by_the_digits_of_an_id_no_job_is_looked_at_that_was_created_before_its_time(self) -> None:
        wanted = Wanted(digits="01a2074f9c0b8000")
        arguments = wanted.arguments(None, 50)

        self.assertEqual((5000, 800), arguments[4:6])
        self.assertEqual((0x01A2074F9C0B - CLOCKS_APART_MS, "", "01a2074f9c0b8000"), (*arguments[10:12], arguments[18]))
        self.assertEqual(50, wanted.enough(50))
        self.assertEqual(2**50, wanted._replace(after_ms=2**50).arguments(None, 50)[10])

    def test_fewer_bytes_of_records_are_gone_through_for_a_text_that_is_sought(self) -> None:
        self.assertEqual(1 << 19, Wanted(sought="x").arguments(None, 50)[6])
        self.assertEqual(4 << 20, Wanted(type_name="mail").arguments(None, 50)[6])

    def test_what_redis_looks_for_stands_early_in_every_spec(self) -> None:
        longest = JobSpec(
            'ü"' * 32, {"x": "y" * 5000}, "r" * 128, TRACE, 1000, 604_800.0, Backoff(), "normal", unique_key="ü" * 255
        )
        longest = longest._replace(group="g" * 128, schedule="s" * 100, scheduled_for=9 * 10**12, tags=("t" * 64,) * 10)
        longest = longest._replace(by=f"{'q' * 64}-{1:032x}", workflow=f"{'q' * 64}-{2:032x}")
        for spec in (longest, JobSpec("mail", {}, "r1", TRACE, 5, 60.0, Backoff(), "high")):
            head = spec.to_text().encode()[:2048]

            for text in early_in_spec(spec.type, spec.request_id):
                self.assertIn(text.encode(), head)
        wanted = Wanted(schedule=longest.schedule, group=longest.group, by=longest.by, workflow=longest.workflow)
        wanted_texts = wanted.arguments(None, 50)[19:]
        self.assertEqual(4, len(wanted_texts))
        for wanted_text in wanted_texts:
            self.assertIn(str(wanted_text).encode(), longest.to_text().encode()[:2048])


if __name__ == "__main__":
    unittest.main()
