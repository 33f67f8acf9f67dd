"""What all queues are asked for is asked for one reader at a time, so that no POST waits behind the calls of many."""

import asyncio
import unittest
from collections.abc import Awaitable, Callable
from typing import Any

from lib.api.workers import WorkerOperations
from lib.jobs.error_kinds import ERROR_WINDOWS
from lib.queue.crews import Crews
from lib.queue.error_store import ErrorStore
from lib.queue.stats_store import StatsStore
from lib.redis_link.resp import Argument
from tests.redis.case import RedisCase, Through

READERS, QUEUES = 5, 20


class Crowd(Through):
    """A link that knows how many calls of scripts were on their way at once."""

    now = most = 0

    async def call(self, *command: Argument) -> Any:
        is_script = command[0] == "EVALSHA"
        self.now += is_script
        self.most = max(self.most, self.now)
        try:
            return await super().call(*command)
        finally:
            self.now -= is_script


class OneReader(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.queues.add([f"q{number}" for number in range(QUEUES)])
        self.crowd = Crowd(self.link)

    async def most_at_once(self, ask: Callable[[], Awaitable[object]]) -> int:
        await ask()  # Redis knows the script from now on.
        self.crowd.most = 0
        await asyncio.gather(*[ask() for _ in range(READERS)])
        return self.crowd.most

    async def test_numbers_over_time(self) -> None:
        stats = StatsStore(self.crowd, self.keys, self.queues)

        self.assertEqual(QUEUES, await self.most_at_once(stats.of_all))
        self.assertEqual(1, await self.most_at_once(lambda: stats.of_queue("q1", 3_600_000)))

    async def test_kinds_of_errors(self) -> None:
        errors = ErrorStore(self.crowd, self.keys, self.queues)

        self.assertEqual(QUEUES, await self.most_at_once(lambda: errors.of_all(ERROR_WINDOWS["1h"])))
        self.assertEqual(1, await self.most_at_once(lambda: errors.of_queue("q1", ERROR_WINDOWS["1h"])))

    async def test_workers(self) -> None:
        workers = WorkerOperations(Crews(self.crowd, self.keys))
        call: Any = None

        self.assertEqual(QUEUES, await self.most_at_once(lambda: workers.list_all(call)))


if __name__ == "__main__":
    unittest.main()
