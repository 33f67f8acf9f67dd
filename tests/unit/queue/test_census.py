"""lib/queue/census.py: what is counted by event and type, added up in two ways."""

import unittest

from lib.queue.census import Census

TALLIES = {"completed email": 12, "completed sms": 3, "dead email": 1, "enqueued": 5, "completed other": 2}
CENSUS = Census("q", {}, 0, None, {}, TALLIES, {}, None, {}, 0, 0)


class Totals(unittest.TestCase):
    def test_by_event_over_all_types(self) -> None:
        self.assertEqual({"completed": 17, "dead": 1, "enqueued": 5}, CENSUS.totals)

    def test_by_type_where_events_of_no_type_are_those_of_an_old_version(self) -> None:
        self.assertEqual(
            {
                "email": {"completed": 12, "dead": 1},
                "other": {"completed": 2},
                "sms": {"completed": 3},
                "unknown": {"enqueued": 5},
            },
            CENSUS.totals_by_type,
        )
