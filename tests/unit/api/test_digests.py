"""What a digest shows of each queue."""

import unittest

from lib.api.digests import _sorted_out
from lib.jobs import queue_settings
from lib.queue.census import Census
from lib.queue.census_board import Row
from lib.queue.unreadable import Unreadable

EMAIL = Census("email", {"ready": 1}, 0, 2.5, {}, {}, queue_settings.shown({}), None, {}, 0, 1000)


class Rows(unittest.TestCase):
    def test_they_are_shown_by_what_became_of_the_queue(self) -> None:
        rows = [Row(1, "old", None), Row(2, "email", EMAIL), Row(3, "odd", Unreadable("odd", "why"))]

        shown = _sorted_out(rows, 1000)

        self.assertEqual(["email"], [queue["name"] for queue in shown["queues"]])
        self.assertEqual((["old"], ["odd can't be read: why"]), (shown["removed"], shown["warnings"]))

    def test_the_oldest_job_has_grown_older_since_the_census_was_taken(self) -> None:
        ages = [
            _sorted_out([Row(1, "email", EMAIL)], now_ms)["queues"][0]["oldest_ready_age_s"]
            for now_ms in (-2000, 1000, 31_250)
        ]

        self.assertEqual([0, 2.5, 32.75], ages)

    def test_where_no_job_waits_there_is_no_age(self) -> None:
        (queue,) = _sorted_out([Row(1, "email", EMAIL._replace(oldest_ready_age_s=None))], 31_250)["queues"]

        self.assertIsNone(queue["oldest_ready_age_s"])


if __name__ == "__main__":
    unittest.main()
