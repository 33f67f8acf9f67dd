"""A schedule as the API shows it: what is wrong with it is said while it is paused as well."""

import unittest

from lib.api.shown_schedule import present_schedule
from lib.jobs.schedule import Schedule
from lib.queue.schedule_store import ScheduleSeen

NOW = 1_796_000_000_000
MINUTE_MS = 60_000
MAIL = {"type": "email", "payload": {}, "queue": "email", "max_attempts": 150, "backoff": {"base_s": 30, "cap_s": 3600}}


class Shown(unittest.TestCase):
    def test_a_paused_schedule_has_no_next_run_and_its_warnings(self) -> None:
        schedule = Schedule("", MINUTE_MS, "UTC", {**MAIL, "give_up_after_s": 259_200}, paused=True)

        shown = present_schedule(ScheduleSeen("s", schedule, 1, NOW, None, NOW))

        self.assertEqual((None, []), (shown["next_run_at"], shown["next_runs"]))
        self.assertIn("longer than the 60 s between two runs", "\n".join(shown["warnings"]))

    def test_one_that_has_ended_says_so(self) -> None:
        schedule = Schedule("", MINUTE_MS, "UTC", MAIL, ends_ms=NOW, overlap="allow")

        shown = present_schedule(ScheduleSeen("s", schedule, 1, NOW - MINUTE_MS, None, NOW))

        self.assertEqual(["it has ended: no run lies between now and ends_at"], shown["warnings"])


if __name__ == "__main__":
    unittest.main()
