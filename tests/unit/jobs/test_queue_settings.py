"""What can be set for a queue: as a request gives it, as Redis keeps it, as the API shows it."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.jobs import queue_settings
from lib.jobs.queue_settings import MAX_DEPTH, SETTINGS


class Read(unittest.TestCase):
    def test_what_is_given_is_read(self) -> None:
        for body, settings in (
            ({"max_depth": 5}, {"max_depth": 5}),
            ({"max_depth": 5.0, "paused": False}, {"max_depth": 5, "paused": False}),
            ({"max_depth": MAX_DEPTH}, {"max_depth": MAX_DEPTH}),
            ({"max_depth": 0, "paused": True}, {"max_depth": 0, "paused": True}),
            ({"max_depth": None}, {"max_depth": None}),
            ({"max_depth": None, "paused": None}, {"max_depth": None}),
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
        ):
            with self.subTest(body), self.assertRaises(InvalidFields) as refused:
                queue_settings.read(body)
            self.assertEqual(pointers, [error.pointer for error in refused.exception.errors])


class Kept(unittest.TestCase):
    def test_what_redis_keeps_is_shown_as_it_was_given(self) -> None:
        for body in ({"max_depth": 7, "paused": True}, {"max_depth": 0, "paused": False}, {"max_depth": None}):
            settings: dict[str, Any] = queue_settings.read(body)
            kept = {name: text for name, text in queue_settings.stored(settings).items() if text}

            self.assertEqual({**queue_settings.shown({}), **settings}, queue_settings.shown(kept))

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


if __name__ == "__main__":
    unittest.main()
