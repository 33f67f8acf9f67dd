"""What a supervisor knows of a runner by its messages."""

import unittest
from typing import Any

from lib.work.supervisor.runner_child import RunnerChild


class Usages(unittest.TestCase):
    def test_its_ticks_tell_how_worn_it_is_and_the_first_what_it_took_before_any_job(self) -> None:
        process: Any = None
        runner = RunnerChild("w", process, process, {"q": 1}, is_waiting=False)
        self.assertEqual((0, 0, 0), runner.usage)

        runner.on_message({"is": "tick", "ended": 0, "rss_bytes": 40})
        runner.on_message({"is": "tick", "ended": 7, "rss_bytes": 90})

        self.assertEqual((7, 90, 40), runner.usage)
        self.assertTrue(runner.first_tick.is_set())

    def test_a_tick_of_another_version_tells_nothing(self) -> None:
        process: Any = None
        runner = RunnerChild("w", process, process, {"q": 1}, is_waiting=False)

        runner.on_message({"is": "tick"})

        self.assertEqual((0, 0, 0), runner.usage)


class SilentRunner(unittest.TestCase):
    def test_a_supervisor_that_stood_still_counts_what_it_was_there_for(self) -> None:
        process: Any = None
        runner = RunnerChild("w", process, process, {"q": 1}, is_waiting=False)
        now_s = runner.started_s

        self.assertLess(runner.silence.lasted_s(now_s + 1.5), 1.6)
        self.assertLess(runner.silence.lasted_s(now_s + 600), 4.0)
        runner.on_message({"is": "tick"})
        self.assertEqual(1.0, round(runner.silence.lasted_s(now_s + 601), 1))


if __name__ == "__main__":
    unittest.main()
