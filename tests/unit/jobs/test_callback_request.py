"""lib/jobs/callback_request.py: what a service may say of the work that it has taken."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.jobs.callback_request import NO_WORDS, CallbackOutcome, Extension, read_extension, read_outcome


def faults(body: Any, read: Any = read_outcome) -> dict[str, str]:
    try:
        read(body)
    except InvalidFields as refused:
        return {error.pointer: error.detail for error in refused.errors}
    return {}


class Outcomes(unittest.TestCase):
    def test_it_is_completed(self) -> None:
        self.assertEqual(CallbackOutcome('{"rows":5}'), read_outcome({"outcome": "completed", "result": {"rows": 5}}))
        self.assertEqual(CallbackOutcome(""), read_outcome({"outcome": "completed", "error": None}))
        self.assertEqual(CallbackOutcome("0"), read_outcome({"outcome": "completed", "result": 0}))

    def test_it_has_failed(self) -> None:
        error = {"type": "NoPaper", "message": "tray 2"}
        body = {"outcome": "failed", "error": error, "retry": True, "retry_after_s": 60}

        self.assertEqual(CallbackOutcome("", error, True, 60.0), read_outcome(body))
        self.assertEqual(CallbackOutcome("", NO_WORDS, True, None), read_outcome({"outcome": "failed"}))
        self.assertEqual(False, read_outcome({"outcome": "failed", "retry": False}).may_retry)

    def test_what_is_wrong_is_told_with_a_pointer(self) -> None:
        for body, pointer, words in (
            ([], "", "must be a JSON object"),
            ({}, "/outcome", "is missing"),
            ({"outcome": None}, "/outcome", "must be completed or failed"),
            ({"outcome": "done"}, "/outcome", "must be completed or failed"),
            ({"outcome": ["completed"]}, "/outcome", "must be completed or failed"),
            ({"outcome": "completed", "status": 1}, "/status", "is not known here"),
            ({"outcome": "completed", "error": {}}, "/error", "has no place beside"),
            ({"outcome": "failed", "result": 1}, "/result", "has no place beside"),
            ({"outcome": "completed", "result": "a" * 70_000}, "/result", "can't be kept"),
            ({"outcome": "failed", "error": "no"}, "/error", "must be an object"),
            ({"outcome": "failed", "error": {"type": ""}}, "/error/type", "1 to 100"),
            ({"outcome": "failed", "error": {"message": 1}}, "/error/message", "must be a string"),
            ({"outcome": "failed", "error": {"code": 1}}, "/error/code", "is not known here"),
            ({"outcome": "failed", "retry": 1}, "/retry", "must be true or false"),
            ({"outcome": "failed", "retry_after_s": -1}, "/retry_after_s", "must be a number from 0"),
            ({"outcome": "failed", "retry_after_s": True}, "/retry_after_s", "must be a number from 0"),
        ):
            self.assertIn(words, faults(body).get(pointer, ""), body)


class Extensions(unittest.TestCase):
    def test_more_time_and_how_far_it_is(self) -> None:
        self.assertEqual(Extension(600.0, ""), read_extension({"extend_s": 600}))
        self.assertEqual(
            Extension(600.0, '{"fraction":0.5,"note":"half"}'),
            read_extension({"extend_s": 600, "progress": 0.5, "note": "half"}),
        )

    def test_what_is_wrong_is_told_with_a_pointer(self) -> None:
        for body, pointer, words in (
            ({}, "/extend_s", "is missing"),
            ({"extend_s": 0}, "/extend_s", "from 1 to 2592000"),
            ({"extend_s": "600"}, "/extend_s", "must be a number"),
            ({"extend_s": 1, "progress": 1.5}, "/progress", "from 0 to 1"),
            ({"extend_s": 1, "note": "a"}, "/note", "goes with progress"),
            ({"extend_s": 1, "progress": 0, "note": "a" * 1001}, "/note", "at most 1000"),
        ):
            self.assertIn(words, faults(body, read_extension).get(pointer, ""), body)


if __name__ == "__main__":
    unittest.main()
