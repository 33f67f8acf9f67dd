"""lib/queue/unreadable.py: a queue whose keys are broken costs a listing one row, and Redis being away costs it all."""

import unittest

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.queue.unreadable import Unreadable, each_readable, understood


async def ask(queue: str) -> int:
    if queue == "broken":
        raise RedisKeysBroken("all holds no sorted set")
    if queue == "away":
        raise RedisUnavailable("no connection")
    return len(queue)


class EachReadable(unittest.IsolatedAsyncioTestCase):
    async def test_a_broken_queue_stands_in_its_place_and_names_its_fault(self) -> None:
        first, broken, last = await each_readable(["a", "broken", "ccc"], ask)

        self.assertEqual((1, 3), (first, last))
        assert isinstance(broken, Unreadable)
        self.assertEqual("broken can't be read: all holds no sorted set", broken.warning)

    async def test_redis_being_away_is_no_queues_fault(self) -> None:
        with self.assertRaises(RedisUnavailable):
            await each_readable(["a", "away"], ask)


class Understood(unittest.TestCase):
    def test_a_reply_that_makes_no_sense_is_broken_keys(self) -> None:
        for read in (lambda: int(b"x"), lambda: b"\xff".decode(), lambda: int(float("inf"))):
            with self.assertRaisesRegex(RedisKeysBroken, "email makes no sense"), understood("email"):
                read()


if __name__ == "__main__":
    unittest.main()
