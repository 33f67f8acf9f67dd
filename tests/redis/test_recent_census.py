"""The census of all queues, taken once a second however often it is asked for; and who has died within an hour."""

import asyncio

from lib.queue.census import Census
from lib.queue.end_record import fail_record
from lib.queue.recent_census import MOST_AGE_S, RecentCensus
from tests.redis.case import ERROR, RedisCase


class Recent(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.at_s = 100.0
        self.recent = RecentCensus(self.queues, lambda: self.at_s)

    async def ready(self) -> list[int]:
        return [one.counts["ready"] for one in await self.recent.all() if isinstance(one, Census)]

    async def test_who_asks_again_within_a_second_gets_the_same_numbers(self) -> None:
        await self.enqueue()
        self.assertEqual([1], await self.ready())
        await self.enqueue()

        self.at_s += MOST_AGE_S
        self.assertEqual([1], await self.ready())
        self.at_s += 0.01
        self.assertEqual([2], await self.ready())

    async def test_many_who_ask_at_once_have_the_queues_counted_once(self) -> None:
        await self.enqueue()
        before = self.client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

        found = await asyncio.gather(*(self.ready() for _ in range(20)))

        after = self.client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
        self.assertEqual([[1]] * 20, found)
        self.assertLessEqual(after - before, 2)

    async def test_the_dead_of_an_hour_are_counted_apart(self) -> None:
        await self.enqueue_many(2)
        runner = await self.lease()
        jobs = (await runner.claim(2)).jobs
        for job in jobs:
            await runner.end_and_wait("fail", fail_record(job.job_id, job.token, ERROR, None))
        self.assertEqual((2, 2), await self.dead())
        an_hour_ago = await self.now_ms() - 3_600_100
        self.client.zadd(self.base + "dead", {jobs[0].job_id: an_hour_ago})

        self.assertEqual((2, 1), await self.dead())

    async def dead(self) -> tuple[int, int]:
        census = await self.queues.census("q")
        return census.counts["dead"], census.dead_lately
