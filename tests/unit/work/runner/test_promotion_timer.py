"""When a queue's next delayed job is promoted."""

import asyncio
import unittest

from lib.queue.bulkheads import Bulkheads
from lib.work.runner.background_calls import BackgroundCalls
from lib.work.runner.promotion_timer import PromotionTimer
from tests.a_log import ALog


class Promoted(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.times = 0
        self.answers: list[float | None] = []
        self.timer = PromotionTimer(self.promote, BackgroundCalls("q", Bulkheads(ALog(self))))

    async def promote(self) -> float | None:
        self.times += 1
        return self.answers.pop(0) if self.answers else None

    async def until_promoted(self, times: int) -> None:
        async with asyncio.timeout(5):
            while self.times < times:
                await asyncio.sleep(0.001)

    async def test_when_it_is_due_and_again_when_the_next_one_is(self) -> None:
        self.answers = [0.01, 0.01]

        self.timer.set(0.01)

        await self.until_promoted(3)

    async def test_not_at_a_moment_that_was_set_before_another(self) -> None:
        self.timer.set(0.01)
        self.timer.set(0.02)
        await self.until_promoted(1)
        self.timer.set(0.01)
        self.timer.set(None)
        await asyncio.sleep(0.03)  # No condition to wait for: nothing is to happen.

        self.assertEqual(1, self.times)


if __name__ == "__main__":
    unittest.main()
