"""When a server process hangs, as its parent counts its silence."""

import unittest

from lib.processes.child_process import FIRST_MESSAGE_S
from lib.processes.server_parent import HUNG_S, SILENCE_CHECK_S, most_silence_s
from lib.processes.silence import Silence


class Hangs(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 1000.0
        self.silence = Silence(self.now_s)

    def hangs(self, later_s: float = SILENCE_CHECK_S) -> bool:
        """The parent's next check, so much later than the last one."""
        self.now_s += later_s
        return self.silence.lasted_s(self.now_s) > most_silence_s(self.silence)

    def test_a_child_that_is_not_ready_yet_may_take_two_minutes(self) -> None:
        checks = [self.hangs() for _ in range(round(FIRST_MESSAGE_S / SILENCE_CHECK_S) + 1)]

        self.assertEqual(([False] * 120, True), (checks[:-1], checks[-1]))

    def test_one_that_ticked_and_ticks_no_more_hangs(self) -> None:
        self.silence.end()

        checks = [self.hangs() for _ in range(round(HUNG_S / SILENCE_CHECK_S) + 1)]

        self.assertEqual([False, True], checks[-2:])

    def test_a_parent_that_stood_still_itself_kills_nobody_for_it(self) -> None:
        self.silence.end()

        self.assertFalse(self.hangs(3600.0))


if __name__ == "__main__":
    unittest.main()
