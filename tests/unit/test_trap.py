"""The trap of the fault sweeps: what it says has been killed, is dead."""

import subprocess
import sys
import unittest

from tests.faults.bench import Trap
from tests.processes import is_alive
from tests.proxy import Request

TIMES = 10  # Without a wait about every second look came too early.
BIG = "memory = bytearray(30_000_000); print(flush=True); input()"


class Kills(unittest.TestCase):
    def test_who_hears_of_a_kill_finds_the_process_dead(self) -> None:
        for fault in ("killed before", "killed after") * (TIMES // 2):
            with subprocess.Popen(
                [sys.executable, "-c", BIG], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as process:
                assert process.stdout
                process.stdout.readline()
                trap = Trap()
                trap.set(lambda pid: True, 1, fault, from_pop=False)

                verdict = trap.judge(Request(1, 1, process.pid, (b"PING",)))
                assert verdict.then
                verdict.then()

                self.assertEqual((True, False), (trap.has_fired.is_set(), is_alive(process.pid)))


if __name__ == "__main__":
    unittest.main()
