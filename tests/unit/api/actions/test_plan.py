"""A walk takes no job that came to fit after its first call, however many calls it takes."""

import unittest
from typing import Any

from lib.api.actions.asked import read_purge, read_redrive
from lib.api.actions.plan import SweepPlan
from lib.errors import InvalidFields
from lib.queue.listing import Cursor

NOW = 1_795_438_188_123
PLACE = Cursor(NOW - 50, "email-1")


def plan_of(body: dict[str, Any], began_ms: int = NOW, queue: str = "email") -> SweepPlan:
    plan = SweepPlan(read_redrive(body), "redrive", queue)
    plan.begin(began_ms)
    return plan


class Plans(unittest.TestCase):
    def test_the_first_call_ends_at_its_own_time_or_earlier(self) -> None:
        self.assertEqual(NOW, plan_of({}).wanted.before_ms)
        self.assertEqual(1000, plan_of({"before": "1970-01-01T00:00:01Z"}).wanted.before_ms)
        self.assertEqual(NOW, plan_of({"before": "2199-01-01T00:00:00Z"}).wanted.before_ms)

    def test_an_age_counts_from_the_first_call(self) -> None:
        plan = SweepPlan(read_purge({"state": "dead", "older_than_s": 2.5}), "purge", "email")
        plan.begin(NOW)

        self.assertEqual(NOW - 2500, plan.wanted.before_ms)

    def test_a_later_call_goes_on_behind_the_place_up_to_the_time_of_the_first(self) -> None:
        for body in ({}, {"type": "report", "limit": 5}):
            later = plan_of({**body, "limit": 7, "cursor": plan_of(body).cursor(PLACE)}, NOW + 60_000)

            self.assertEqual((PLACE, NOW), (later.after, later.wanted.before_ms))
        self.assertIsNone(plan_of({}).cursor(None))

    def test_a_cursor_is_good_for_the_same_request_alone(self) -> None:
        text = plan_of({"type": "report"}).cursor(PLACE)

        for body in (
            {},
            {"type": "email"},
            {"type": "report", "state": "cancelled"},
            {"type": "report", "dry_run": True},
        ):
            with self.subTest(body), self.assertRaises(InvalidFields) as caught:
                plan_of({**body, "cursor": text})
            self.assertEqual("/cursor", caught.exception.errors[0].pointer)
        with self.assertRaises(InvalidFields):
            plan_of({"type": "report", "cursor": text}, queue="other")
        for wrong in ("", "x", "ü", "AAAA", (text or "")[:-9]):
            with self.subTest(wrong), self.assertRaises(InvalidFields):
                plan_of({"type": "report", "cursor": wrong})


if __name__ == "__main__":
    unittest.main()
