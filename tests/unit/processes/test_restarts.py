"""When a child that ended is started again."""

import unittest

from lib.processes.restarts import pause_before_restart_s


class Restarts(unittest.TestCase):
    def test_what_fails_at_once_is_started_at_longer_intervals_up_to_five_seconds(self) -> None:
        pauses = [0.0]
        for _ in range(7):
            pauses.append(pause_before_restart_s(0.1, pauses[-1]))

        self.assertEqual([0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0], pauses[1:])

    def test_what_lived_for_a_while_is_started_at_once(self) -> None:
        self.assertEqual(0.0, pause_before_restart_s(1.0, 5.0))


if __name__ == "__main__":
    unittest.main()
