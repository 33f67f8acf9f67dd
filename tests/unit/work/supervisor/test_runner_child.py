"""What a supervisor knows of a runner by its messages."""

import unittest
from typing import Any

from lib.work.supervisor.runner_child import RunnerChild


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
