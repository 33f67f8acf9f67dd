"""What becomes of a reply that somebody awaits, and which exception stands for an error reply."""

import asyncio
import unittest

from redis.exceptions import ResponseError

from lib.errors import OutcomeUnknown, RedisUnavailable
from lib.redis_link.redis_wire import MissingScript, Moved, fault_of_reply, settle


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


class FaultOfReply(unittest.TestCase):
    def test_the_first_words_tell_what_it_means(self) -> None:
        for text, expected in (
            ("NOSCRIPT No matching script.", MissingScript),
            ("MOVED 12 :7001", Moved),
            ("OOM command not allowed when used memory > 'maxmemory'.", RedisUnavailable),
            ("ERR user_script:3: OOM command not allowed script: 1, on @user_script:3.", RedisUnavailable),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", ResponseError),
            ("ERR the word OOM stands too far behind", ResponseError),
        ):
            self.assertIs(expected, type(fault_of_reply(text)), text)

    def test_a_slot_that_moved_to_the_same_host_names_the_port_alone(self) -> None:
        moved = fault_of_reply("MOVED 12 :7001")

        assert isinstance(moved, Moved)
        self.assertEqual((12, ("", 7001)), (moved.slot, moved.node))


if __name__ == "__main__":
    unittest.main()
