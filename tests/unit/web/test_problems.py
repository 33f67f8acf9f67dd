"""Errors as the caller sees them, and how long an error's body can get."""

import json
import unittest
from typing import Any

from lib.errors import FieldError, InvalidFields, OutcomeUnknown, RedisUnavailable, behind_a_change
from lib.ids import JobIds
from lib.jobs import payload, registry, submission
from lib.tracing import Trace
from lib.web.problems import problem

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
TYPES = registry.load(["tests.jobs_for_tests"])


def answer_to(body: Any) -> tuple[int, dict[str, Any]]:
    """The size in bytes and the JSON of the error for a job that is refused."""
    try:
        submission.read(body, TYPES, JobIds(), request_id="r", trace=TRACE)
    except InvalidFields as error:
        response = problem(error, "r")
        return len(response.body), json.loads(response.body)
    raise AssertionError("it was taken")


class Changes(unittest.TestCase):
    def test_a_redis_that_goes_away_behind_a_change_does_not_say_that_nothing_was_done(self) -> None:
        with self.assertRaises(OutcomeUnknown) as raised, behind_a_change():
            raise RedisUnavailable("no connection")

        self.assertEqual("it was done; no connection", raised.exception.detail)


class Size(unittest.TestCase):
    def test_a_refusal_stays_short_whatever_is_refused(self) -> None:
        long, many = "x" * 500_000, {f"{number:04d}" + "ü~/\x00" * 2000: 0 for number in range(120)}
        for body in (
            {long: 1},
            many,
            {"type": "noop", "payload": many},
            {"type": long, "payload": {}},
            {"type": "noop", "payload": {}, "backoff": many},
            {"type": "noop", "payload": {}, "queue": long},
            {"type": "noop", "payload": {"\udc80" * 10_000: 1}},
        ):
            size, said = answer_to(body)

            self.assertLess(size, 16 * 1024)
            self.assertTrue(said["errors"])
            self.assertTrue(all(len(error["pointer"]) < 2500 for error in said["errors"]))

    def test_what_fits_is_not_cut(self) -> None:
        faults = [FieldError(f"/payload/{number}", "must be a string, not null") for number in range(100)]

        said = json.loads(problem(InvalidFields("100 fields", errors=faults), "r").body)

        self.assertEqual(payload.MOST_FAULTS, len(said["errors"]))
        self.assertEqual("/payload/99", said["errors"][-1]["pointer"])

    def test_a_long_detail_is_cut_where_one_can_see_it(self) -> None:
        said = json.loads(problem(InvalidFields("y" * 5000), "r").body)

        self.assertEqual(("y…", 1000), (said["detail"][-2:], len(said["detail"])))


if __name__ == "__main__":
    unittest.main()
