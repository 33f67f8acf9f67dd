"""When a process that ended is started again, when one hangs, and how its end is told."""

import asyncio
import socket
import unittest

from lib.processes.parent import HUNG_S, LOOK_EVERY_S, Silence
from lib.processes.pipe import Pipe
from lib.processes.start import BORN_S, describe_end, pause_before_restart_s


class Restarts(unittest.TestCase):
    def test_what_fails_at_once_is_started_at_longer_intervals_up_to_five_seconds(self) -> None:
        pauses = [0.0]
        for _ in range(7):
            pauses.append(pause_before_restart_s(0.1, pauses[-1]))

        self.assertEqual([0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0], pauses[1:])

    def test_what_lived_for_a_while_is_started_at_once(self) -> None:
        self.assertEqual(0.0, pause_before_restart_s(1.0, 5.0))


class Hangs(unittest.TestCase):
    def test_a_child_that_is_not_ready_yet_may_take_two_minutes(self) -> None:
        silence = Silence()

        looks = [silence.go_on(LOOK_EVERY_S) for _ in range(round(BORN_S / LOOK_EVERY_S) + 1)]

        self.assertEqual(([False] * 120, True), (looks[:-1], looks[-1]))

    def test_one_that_ticked_and_ticks_no_more_hangs(self) -> None:
        silence = Silence()
        silence.end()

        looks = [silence.go_on(LOOK_EVERY_S) for _ in range(round(HUNG_S / LOOK_EVERY_S) + 1)]

        self.assertEqual([False, True], looks[-2:])

    def test_a_parent_that_stood_still_itself_kills_nobody_for_it(self) -> None:
        silence = Silence()
        silence.end()

        self.assertFalse(silence.go_on(3600.0))


class Pipes(unittest.IsolatedAsyncioTestCase):
    async def test_a_tick_that_names_a_thousand_queues_is_heard(self) -> None:
        ends = socket.socketpair()
        ours, theirs = [await Pipe.over(end) for end in ends]
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        workers = {f"{number:063}": "host.1.00000000" for number in range(1000)}

        theirs.send(workers=workers)

        self.assertEqual({"workers": workers}, await asyncio.wait_for(ours.receive(), 5))


class Ends(unittest.TestCase):
    def test_an_end_is_told_in_words(self) -> None:
        self.assertEqual("exit code 70", describe_end(70))
        self.assertEqual("killed by SIGKILL", describe_end(-9))
        self.assertEqual("killed by signal 99", describe_end(-99))


if __name__ == "__main__":
    unittest.main()
