"""What a queue begins with: `@job(group_concurrency=…)` sets it once, and a person's change stays."""

import asyncio
import unittest

from lib.jobs.job import NewJob
from lib.queue.job_store import JobStore
from lib.queue.queue_beginnings import QueueBeginnings
from tests.redis.case import RedisCase
from tests.redis.planting_case import PlantingCase

FIRST = {"q": {"group_concurrency": "10"}, "b": {"group_concurrency": "7"}}


class Beginnings(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.store = JobStore(self.link, self.keys, first_settings=FIRST)
        self.beginnings = QueueBeginnings(self.link, self.keys, FIRST)

    def setting(self) -> str | None:
        text = self.client.hget(self.base + "meta", "group_concurrency")
        return None if text is None else text.decode()

    async def test_the_first_job_sets_it_before_the_job_is_answered(self) -> None:
        await self.store.enqueue(self.job())

        self.assertEqual("10", self.setting())
        self.assertIn(b"q", self.client.smembers(self.keys.queues))

    async def test_of_many_first_jobs_at_once_each_is_taken_in(self) -> None:
        stores = [JobStore(self.link, self.keys, first_settings=FIRST) for _ in range(5)]

        await asyncio.gather(*[store.enqueue(self.job()) for store in stores for _ in range(20)])

        self.assertEqual(("10", 100), (self.setting(), self.client.zcard(self.base + "all")))

    async def test_what_somebody_has_set_before_stays(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": 3}}, begins=True)

        await self.store.enqueue(self.job())

        self.assertEqual("3", self.setting())

    async def test_what_somebody_has_taken_away_before_stays_away(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": None}}, begins=True)

        await self.beginnings.serve("q")
        await self.store.enqueue(self.job()._replace(group="a"))

        self.assertIsNone((await self.queues.census("q")).settings["groups"]["concurrency"])
        self.assertEqual("", self.setting())

    async def test_what_somebody_takes_away_later_stays_away(self) -> None:
        await self.store.enqueue(self.job())
        await self.queues.adjust("q", {"groups": {"concurrency": None}})

        await self.store.enqueue(self.job())
        await self.beginnings.serve("q")

        self.assertIsNone(self.setting())

    async def test_a_queue_that_is_there_already_is_left_alone(self) -> None:
        await self.job_store.enqueue(self.job())

        await self.store.enqueue(self.job())
        await self.beginnings.serve("q")

        self.assertIsNone(self.setting())

    async def test_a_runner_of_a_queue_without_jobs_sets_it(self) -> None:
        """For a queue whose first job comes from a schedule: who fires it knows no types."""
        await self.beginnings.serve("q")
        await self.beginnings.serve("other")

        self.assertEqual(("10", 1), (self.setting(), len(self.key_names("*meta"))))

    async def test_a_removed_queue_begins_anew(self) -> None:
        job = self.job()
        await self.store.enqueue(job)
        await self.queues.adjust("q", {"groups": {"concurrency": None}})
        await self.store.cancel(job.job_id)
        await self.store.delete(job.job_id)
        await self.queues.remove("q", self.store.prepare_removal("q"))

        await self.store.enqueue(self.job())

        self.assertEqual("10", self.setting())

    async def test_settings_that_somebody_broke_stop_no_job(self) -> None:
        job: NewJob = self.job()
        self.client.set(self.base + "meta", "x")
        await self.beginnings.serve("q")
        self.client.delete(self.base + "meta")

        await self.store.enqueue(job)

        self.assertEqual("ready", await self.state(job.job_id))


class OfGraphs(PlantingCase):
    async def test_each_queue_that_begins_with_a_graph_has_its_own(self) -> None:
        store = JobStore(self.link, self.keys, first_settings=FIRST)
        self.addAsyncCleanup(store.notices.wait_until_idle)

        await store.workflows.plant(self.workflow({"fetch": ("b", ""), "part": ("c", "cfetch")}))

        found = [self.client.hget(self.keys.meta(queue), "group_concurrency") for queue in ("a", "b", "c")]
        self.assertEqual([None, b"7", None], found)


if __name__ == "__main__":
    unittest.main()
