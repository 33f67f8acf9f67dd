"""What can be set for a queue: as a request gives it, as Redis keeps it, as the API shows it."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.jobs import queue_settings
from lib.jobs.queue_settings import MAX_DEPTH, SETTINGS
from lib.jobs.start_limits import Rate


class Read(unittest.TestCase):
    def test_what_is_given_is_read(self) -> None:
        for body, settings in (
            ({"max_depth": 5}, {"max_depth": 5}),
            ({"max_depth": 5.0, "paused": False}, {"max_depth": 5, "paused": False}),
            ({"max_depth": MAX_DEPTH}, {"max_depth": MAX_DEPTH}),
            ({"max_depth": 0, "paused": True}, {"max_depth": 0, "paused": True}),
            ({"max_depth": None}, {"max_depth": None}),
            ({"max_depth": None, "paused": None}, {"max_depth": None}),
            ({"concurrency": 20}, {"concurrency": 20}),
            ({"concurrency": None, "rate": None}, {"concurrency": None, "rate": None}),
            ({"rate": {"limit": 100, "per_s": 60}}, {"rate": Rate(100, 60_000)}),
            ({"rate": {"limit": 1.0, "per_s": 0.001}}, {"rate": Rate(1, 1)}),
            ({"groups": {"concurrency": 2}}, {"groups": {"concurrency": 2}}),
            (
                {"groups": {"rate": {"limit": 5, "per_s": 0.25}, "max_depth": None}},
                {"groups": {"rate": Rate(5, 250), "max_depth": None}},
            ),
            ({"groups": None}, {"groups": {"concurrency": None, "rate": None, "max_depth": None}}),
        ):
            with self.subTest(body):
                self.assertEqual(settings, queue_settings.read(body))

    def test_every_fault_is_found_at_once(self) -> None:
        for body, pointers in (
            ({}, [""]),
            ([], [""]),
            ("paused", [""]),
            (None, [""]),
            ({"paused": None}, [""]),
            ({"paused": 1, "max_depth": -1}, ["/paused", "/max_depth"]),
            ({"max_depth": MAX_DEPTH + 1, "a/b~": None}, ["/max_depth", "/a~1b~0"]),
            ({"max_depth": True}, ["/max_depth"]),
            ({"max_depth": "5"}, ["/max_depth"]),
            ({"max_depth": 1.5}, ["/max_depth"]),
            ({"paused": "true", "rate": 5}, ["/paused", "/rate"]),
            ({"concurrency": 0}, ["/concurrency"]),
            ({"concurrency": 100_001, "rate": {"limit": 1}}, ["/concurrency", "/rate/per_s"]),
            ({"rate": {"per_s": 60}}, ["/rate/limit"]),
            ({"rate": {"limit": 0, "per_s": 1}}, ["/rate/limit"]),
            ({"rate": {"limit": 1_000_001, "per_s": 1}}, ["/rate/limit"]),
            ({"rate": {"limit": 1, "per_s": 0.0009}}, ["/rate/per_s"]),
            ({"rate": {"limit": 1, "per_s": 86_401}}, ["/rate/per_s"]),
            ({"rate": {"limit": 1, "per_s": True}}, ["/rate/per_s"]),
            ({"rate": {"limit": 1, "per_s": 1, "burst~/": 2}}, ["/rate/burst~0~1"]),
            ({"groups": {}}, ["/groups"]),
            ({"groups": 5}, ["/groups"]),
            ({"groups": {"concurrency": 0}}, ["/groups/concurrency"]),
            ({"groups": {"rate": {"limit": 1, "per_s": None}}}, ["/groups/rate/per_s"]),
            ({"groups": {"max_depth": -1}}, ["/groups/max_depth"]),
            ({"groups": {"paused": True}}, ["/groups/paused"]),
        ):
            with self.subTest(body), self.assertRaises(InvalidFields) as refused:
                queue_settings.read(body)
            self.assertEqual(pointers, [error.pointer for error in refused.exception.errors])

    def test_a_concurrency_of_0_is_told_of_the_pause(self) -> None:
        for body in ({"concurrency": 0}, {"groups": {"concurrency": 0}}, {"rate": {"limit": 0, "per_s": 1}}):
            with self.subTest(body), self.assertRaises(InvalidFields) as refused:
                queue_settings.read(body)
            self.assertIn("pause it", refused.exception.errors[0].detail)

    def test_a_limit_bounds_starts_and_a_taken_away_limit_does_not(self) -> None:
        for settings, bounds in (
            ({"paused": True, "max_depth": 5}, False),
            ({"concurrency": None, "rate": None, "groups": {"rate": None}}, False),
            ({"concurrency": 1}, True),
            ({"rate": Rate(1, 1)}, True),
            ({"groups": {"max_depth": 0}}, True),
        ):
            self.assertEqual(bounds, queue_settings.bounds_starts(settings), settings)


class Kept(unittest.TestCase):
    def test_what_redis_keeps_is_shown_as_it_was_given(self) -> None:
        rate = {"limit": 5, "per_s": 0.25}
        for body in (
            {"max_depth": 7, "paused": True},
            {"max_depth": 0, "paused": False},
            {"max_depth": None},
            {"concurrency": 3, "rate": {"limit": 100, "per_s": 60}},
            {"groups": {"concurrency": 2, "rate": rate, "max_depth": 9}},
            {"concurrency": None, "rate": None, "groups": {"concurrency": None, "rate": rate, "max_depth": None}},
        ):
            kept = {name: text for name, text in queue_settings.stored(queue_settings.read(body)).items() if text}

            self.assertEqual({**queue_settings.shown({}), **body}, queue_settings.shown(kept))

    def test_groups_are_three_fields_of_which_a_change_writes_those_that_it_names(self) -> None:
        settings = queue_settings.read({"groups": {"concurrency": None, "rate": {"limit": 100, "per_s": 60}}})

        self.assertEqual({"group_concurrency": "", "group_rate": "100/60000"}, queue_settings.stored(settings))

    def test_a_change_is_logged_as_it_was_asked_for(self) -> None:
        body: dict[str, Any] = {"rate": {"limit": 100, "per_s": 60}, "groups": {"rate": None, "concurrency": 2}}

        self.assertEqual(body, queue_settings.as_asked(queue_settings.read(body)))

    def test_the_texts_are_those_that_older_versions_wrote(self) -> None:
        self.assertEqual({"paused": "1", "max_depth": "0"}, queue_settings.stored({"paused": True, "max_depth": 0}))
        self.assertEqual({"paused": "", "max_depth": ""}, queue_settings.stored({"paused": False, "max_depth": None}))

    def test_a_queue_for_which_nothing_was_set_shows_every_setting(self) -> None:
        shown = queue_settings.shown({})

        self.assertEqual([*SETTINGS], [*shown])
        self.assertEqual((False, None), (shown["paused"], shown["max_depth"]))

    def test_what_somebody_wrote_by_hand_shows_as_the_scripts_take_it(self) -> None:
        for text in ("1", "0", "yes", ""):
            self.assertTrue(queue_settings.shown({"paused": text})["paused"], "HEXISTS is what claim.lua asks")
        for text in ("many", "", "-5", "1.5"):
            self.assertIsNone(queue_settings.shown({"max_depth": text})["max_depth"])
        for text in ("0", "x", "-1", ""):
            self.assertIsNone(queue_settings.shown({"concurrency": text})["concurrency"])
        for text in ("5", "5/", "0/5", "5/0", "5/6/7", ""):
            self.assertIsNone(queue_settings.shown({"rate": text})["rate"])


if __name__ == "__main__":
    unittest.main()
