"""What becomes of a reply that somebody awaits."""

import asyncio
import unittest

from lib.errors import OutcomeUnknown
from lib.redis_link.redis_wire import settle


class Settle(unittest.IsolatedAsyncioTestCase):
    async def test_a_reply_and_a_fault_are_handed_over(self) -> None:
        reply, fault = (asyncio.get_running_loop().create_future() for _ in range(2))

        settle(reply, b"7")
        settle(fault, OutcomeUnknown("lost"))

        self.assertEqual(b"7", await reply)
        with self.assertRaises(OutcomeUnknown):
            await fault

    async def test_who_has_stopped_waiting_is_told_nothing(self) -> None:
        reply = asyncio.get_running_loop().create_future()
        reply.cancel()

        settle(reply, b"7")

        self.assertTrue(reply.cancelled())


if __name__ == "__main__":
    unittest.main()
