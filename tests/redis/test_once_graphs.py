"""`once` of whole graphs: a job that plants under a name plants once, whatever dies in between and however often it is
tried."""

import unittest
from typing import Any

from lib.errors import InvalidFields, RedisUnavailable, WrongState
from lib.jobs.job import ClaimedJob
from lib.jobs.workflow import Graph
from lib.queue.job_store import JobStore
from tests.redis.case import ending
from tests.redis.planting_case import PlantingCase
from tests.redis.test_once import FailsAt

TWO = {"fetch": ("b", ""), "sum": ("c", "cfetch")}
MOST_CALLS = 40


class OnceGraphs(PlantingCase):
    """The planter runs in the queue q; the graph's jobs are in a, b and c."""

    async def planter(self) -> ClaimedJob:
        self.queue_name = "q"
        self.planters = await self.lease("planters")
        await self.enqueue()
        return await self.claimed(self.planters)

    async def plant(self, planter: ClaimedJob, store: JobStore | None = None, jobs: Any = TWO) -> tuple[str, Graph]:
        """What the handler of `planter` is given, and the graph that it asked for."""
        graph = self.workflow(jobs)
        return await (store or self.job_store).named_jobs.plant(planter, "import", graph, "request"), graph

    def workflows(self) -> list[str]:
        """The ids of all workflows that Redis has."""
        return [job_id for job_id in self.states() if self.type_of(job_id) == "workflow"]

    def type_of(self, job_id: str) -> str:
        record: Any = self.client.hget(f"{self.keys.base(job_id[:-33])}job:{job_id}", "spec")
        return "workflow" if b'"type":"workflow"' in record else ""

    async def next_attempt(self) -> ClaimedJob:
        """The same job after a crash of its runner."""
        await self.crash("planters")
        self.planters = await self.lease("planters")
        return await self.claimed(self.planters)

    async def test_each_attempt_is_given_the_same_workflow(self) -> None:
        first, _ = await self.plant(await self.planter())
        again, _ = await self.plant(await self.next_attempt())
        await self.work()

        self.assertEqual((first, [first], 2), (again, self.workflows(), len(self.ran)))
        self.assertEqual({"completed"}, {self.states()[job_id] for job_id in (first, *self.ran)})

    async def test_one_that_ran_and_was_deleted_is_not_planted_again(self) -> None:
        first, _ = await self.plant(await self.planter())
        await self.work()
        for job_id in (*self.ran, first):
            await self.job_store.delete(job_id)

        again, _ = await self.plant(await self.next_attempt())

        self.assertEqual((first, []), (again, self.workflows()))

    async def test_the_first_content_wins(self) -> None:
        planter = await self.planter()
        first, _ = await self.plant(planter)

        again, _ = await self.plant(planter, jobs={"other": ("a", "")})
        await self.work()

        self.assertEqual((first, 2), (again, len(self.ran)))

    async def test_one_that_has_lost_the_job_plants_nothing(self) -> None:
        planter = await self.planter()
        await self.next_attempt()

        with self.assertRaises(WrongState):
            await self.plant(planter)

        self.assertEqual([], self.workflows())

    async def test_a_name_that_is_none_is_refused_before_anything_is_noted(self) -> None:
        planter = await self.planter()

        with self.assertRaises(InvalidFields):
            await self.job_store.named_jobs.plant(planter, "no name", self.workflow(TWO), "request")

        self.assertEqual([], self.workflows())

    async def test_a_process_that_dies_at_any_call_leaves_one_graph_to_the_next_attempt(self) -> None:
        for is_sent in (False, True):
            for is_death in (False, True):
                await self.sweep(is_sent=is_sent, is_death=is_death)

    async def sweep(self, *, is_sent: bool, is_death: bool) -> None:
        for at in range(1, MOST_CALLS):
            with self.subTest(at, is_sent=is_sent, is_death=is_death):
                self.empty()
                self.ran = []
                planter = await self.planter()
                link = FailsAt(self.link, at, is_sent=is_sent, is_death=is_death)
                await self.try_to_plant(planter, JobStore(link, self.keys))

                given, _ = await self.plant(await self.next_attempt())
                await self.upkeep()
                await self.work()
                await self.upkeep()

                self.assertEqual([given], self.workflows())
                self.assertEqual(2, len(self.ran))
                self.assertEqual(["completed"] * 3, [self.states()[job_id] for job_id in (given, *self.ran)])
                self.assertEqual({}, self.left())
            if link.calls < at:
                return
        self.fail("planting takes more calls than were tried")

    async def try_to_plant(self, planter: ClaimedJob, store: JobStore) -> None:
        try:
            await self.plant(planter, store)
        except RedisUnavailable:
            pass
        finally:
            await store.notices.wait_until_idle()

    async def test_a_planter_that_completes_keeps_no_more_than_the_name(self) -> None:
        planter = await self.planter()
        await self.plant(planter)

        await self.planters.end_and_wait("finish", ending("finish", planter))
        await self.work()

        (key,) = self.key_names("wb:{a}:idem:*")
        self.assertLessEqual(self.client.ttl(key), 600)


if __name__ == "__main__":
    unittest.main()
