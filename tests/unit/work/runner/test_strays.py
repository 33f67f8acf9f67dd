"""Which jobs of the active list in Redis a runner takes up, and when it reads the list."""

import unittest
from typing import cast
from unittest.mock import patch

from lib.queue.lease import Lease
from lib.work.runner.strays import STRAYS_EVERY_S, Strays


class ALease:
    """Its active list, the newest first."""

    reads = 0

    async def active_ids(self) -> list[str]:
        self.reads += 1
        return ["q-3", "q-2", "q-1"]


class Found(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.lease = ALease()
        self.now_s = 1000.0
        self.enterContext(patch("time.monotonic", lambda: self.now_s))
        self.strays = Strays({"q-2"})

    async def find(self) -> list[str]:
        return await self.strays.find(cast(Lease, self.lease))

    async def test_those_that_are_not_known_here_the_oldest_first(self) -> None:
        self.assertEqual(["q-1", "q-3"], await self.find())

    async def test_a_list_that_is_known_is_read_again_when_it_is_due(self) -> None:
        await self.find()
        self.strays.is_list_known = True

        self.assertEqual([], await self.find())
        self.assertFalse(self.strays.is_due)
        self.now_s += STRAYS_EVERY_S
        self.assertTrue(self.strays.is_due)
        self.assertEqual(["q-1", "q-3"], await self.find())

    async def test_when_the_list_is_due_it_is_said_whether_it_holds_any_and_a_claim_finds_them_then(self) -> None:
        await self.find()
        self.strays.is_list_known = True
        self.assertFalse(await self.strays.are_due(cast(Lease, self.lease)))
        self.now_s += STRAYS_EVERY_S

        self.assertTrue(await self.strays.are_due(cast(Lease, self.lease)))

        self.assertEqual(["q-1", "q-3"], await self.find())

    async def test_a_list_that_is_not_known_is_read_each_time(self) -> None:
        for _ in range(3):
            await self.find()

        self.assertEqual(3, self.lease.reads)


if __name__ == "__main__":
    unittest.main()
