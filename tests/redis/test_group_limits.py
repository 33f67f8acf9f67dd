"""Limits of groups: max_depth of each group, limits of one group alone, the page of groups, the end of a hold."""

import asyncio
import unittest

from lib.errors import GroupFull, QueueFull
from lib.jobs.job import NewJob
from tests.redis.case import RedisCase

TENANT = "tenant-42"


class Groups(RedisCase):
    def of(self, group: str, priority: str = "normal") -> NewJob:
        return self.job(priority)._replace(group=group)

    async def limit(self, **groups: object) -> None:
        await self.queues.adjust("q", {"groups": groups}, begins=True)

    async def take_in(self, *groups: str) -> list[str]:
        """`new`, `group-full` or `full` for a job of each of these groups, sent at once."""
        answers = await asyncio.gather(
            *[self.job_store.enqueue(self.of(group)) for group in groups], return_exceptions=True
        )
        words: dict[object, str] = {GroupFull: "group-full", QueueFull: "full"}
        return [words.get(type(one), getattr(one, "outcome", repr(one))) for one in answers]


class MaxDepth(Groups):
    async def test_what_comes_beyond_it_is_refused_for_that_group_alone(self) -> None:
        await self.limit(max_depth=2)

        self.assertEqual(
            ["new", "new", "group-full", "new", "group-full", "new"],
            await self.take_in("a", "a", "a", "b", "a", ""),
        )
        self.assertEqual(["group-full", "new", "group-full"], await self.take_in("a", "b", "b"))

    async def test_jobs_of_all_priorities_count_and_delayed_ones_do_not(self) -> None:
        await self.limit(max_depth=2)
        for job in (self.of("a", "high"), self.of("a", "low"), self.of("a")._replace(delay_ms=60_000)):
            if job.delay_ms is None or job.priority != "normal":
                await self.job_store.enqueue(job)

        self.assertEqual(["group-full"], await self.take_in("a"))
        await self.job_store.enqueue(self.of("b")._replace(delay_ms=60_000))
        self.assertEqual(["new", "new", "group-full"], await self.take_in("b", "b", "b"))

    async def test_the_refusal_says_when_there_may_be_room(self) -> None:
        await self.limit(max_depth=0)

        with self.assertRaises(GroupFull) as refused:
            await self.job_store.enqueue(self.of("a"))

        self.assertEqual("60", dict(refused.exception.headers)["Retry-After"])
        self.assertIn("group", refused.exception.detail)

    async def test_the_queues_own_bound_goes_first(self) -> None:
        await self.queues.adjust("q", {"max_depth": 1, "groups": {"max_depth": 5}}, begins=True)

        self.assertEqual(["new", "full"], await self.take_in("a", "a"))

    async def test_a_bound_that_is_taken_away_bounds_no_more(self) -> None:
        await self.limit(max_depth=0)
        await self.limit(max_depth=None)

        self.assertEqual(["new"] * 3, await self.take_in("a", "a", "a"))


if __name__ == "__main__":
    unittest.main()
