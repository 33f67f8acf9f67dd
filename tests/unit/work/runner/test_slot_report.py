"""What a runner reports of its slots: after each grant, and while it uses more than it was granted."""

import asyncio
import unittest
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from lib.processes.pipe import Pipe
from lib.work.runner import slot_report
from lib.work.runner.consumer import Consumer
from lib.work.runner.slot_report import SlotReport


class Reported(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.enterContext(patch.object(slot_report, "REPORT_S", 0.001))
        self.sent: list[dict[str, Any]] = []
        self.lanes = SimpleNamespace(limit=5, occupied=5)
        consumer = cast(Consumer, SimpleNamespace(queue="q", lanes=self.lanes))
        pipe = cast(Pipe, SimpleNamespace(send=lambda **message: self.sent.append(message)))
        self.report = SlotReport([consumer], pipe)
        self.task = asyncio.create_task(self.report.run())

    async def asyncTearDown(self) -> None:
        self.task.cancel()

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                await asyncio.sleep(0.001)

    async def test_a_grant_is_answered_until_no_more_is_used_than_was_granted(self) -> None:
        self.report.grant({"do": "use", "slots": {"q": 2}, "time": 7})
        await self.until_sent(1)

        self.lanes.occupied = 2
        await self.until_sent(2)

        self.assertEqual(2, self.lanes.limit)
        self.assertEqual([{"is": "using", "slots": {"q": n}, "time": 7} for n in (5, 2)], self.sent)

    async def test_one_that_retires_reports_each_change_until_its_end(self) -> None:
        self.report.retire("a handler does not stop")
        for count, occupied in enumerate((5, 3, 0), 2):
            self.lanes.occupied = occupied
            await self.until_sent(count)

        retiring = {"is": "retiring", "why": "a handler does not stop", "slots": {"q": 5}}
        self.assertEqual([retiring, *[{"is": "using", "slots": {"q": n}, "time": 0} for n in (5, 3, 0)]], self.sent)


if __name__ == "__main__":
    unittest.main()
