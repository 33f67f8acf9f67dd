"""Messages between a parent and its child."""

import asyncio
import socket
import unittest

from lib.processes.pipe import Pipe


class Pipes(unittest.IsolatedAsyncioTestCase):
    async def test_a_tick_that_names_a_thousand_queues_arrives(self) -> None:
        ends = socket.socketpair()
        ours, theirs = [await Pipe.over(end) for end in ends]
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        workers = {f"{number:063}": "host.1.00000000" for number in range(1000)}

        theirs.send(workers=workers)

        self.assertEqual({"workers": workers}, await asyncio.wait_for(ours.receive(), 5))


if __name__ == "__main__":
    unittest.main()
