"""JobStore.results: what the jobs that a job has waited for have said, read from the hash beside the job."""

import unittest

from lib.ids import queue_of
from lib.jobs.parents import Parent
from lib.queue.end_record import complete_record
from lib.queue.job_store import JobStore
from tests.redis.case import LosesReplies, RedisCase
from tests.redis.planting_case import PlantingCase


class OfMembers(PlantingCase):
    async def test_a_workflow_keeps_nothing_of_what_its_jobs_said_and_the_jobs_that_wait_for_them_do(self) -> None:
        graph = self.workflow({"fetch": ("b", ""), "sum": ("c", "cfetch")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        lease = await self.lease_of("b")
        (job,) = (await lease.claim(1)).jobs

        await lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", f'"{"x" * 60_000}"'))
        await self.notices.wait_until_idle()
        await self.work()

        results = await self.job_store.results(self.id_of(graph, "sum"))
        self.assertEqual(60_000, len(results["fetch"]))
        workflow_id = graph.anchor.job.job_id
        self.assertEqual(0, self.client.exists(self.keys.said("a", workflow_id)))
        self.assertEqual("completed", await self.state(workflow_id))


class Results(RedisCase):
    async def test_they_are_read_whatever_bytes_they_have(self) -> None:
        job_id, fetch, other = await self.enqueue(), self.ids.new("other", "r"), self.ids.new("other", "r")
        self.client.hset(
            self.keys.parents(queue_of(job_id) or "", job_id),
            mapping={"#open": "0", fetch: "ccfetch", other: b"ed"},
        )
        self.client.hset(self.keys.said("q", job_id), mapping={fetch: '{"name":"三"}', other: b"\xff"})

        found = list(await self.job_store.results(job_id))

        self.assertEqual([Parent(None, other, "failed"), Parent("fetch", fetch, "completed", {"name": "三"})], found)
        self.client.delete(self.keys.parents("q", job_id), self.keys.said("q", job_id))

    async def test_those_of_many_parents_are_read_in_bites(self) -> None:
        job_id, said = await self.enqueue(), '"' + "x" * 1000 + '"'
        ids = [self.ids.new("other", "r") for _ in range(1000)]
        key, said_key = self.keys.parents("q", job_id), self.keys.said("q", job_id)
        self.client.hset(key, mapping={parent_id: f"ccn{n}" for n, parent_id in enumerate(ids)})
        self.client.hset(said_key, mapping=dict.fromkeys(ids, said))
        link = LosesReplies(self.link)

        found = await JobStore(link, self.keys).results(job_id)

        self.assertEqual({f"n{n}" for n in range(1000)}, {one.name for one in found})
        self.assertEqual({1000}, {len(one.result) for one in found})
        self.assertIn(len(link.sent), range(5, 21))
        self.client.delete(key, said_key)

    async def test_a_job_without_parents_and_one_that_is_not_there_have_none(self) -> None:
        for job_id in (await self.enqueue(), "q-" + "0" * 32):
            self.assertEqual([], list(await self.job_store.results(job_id)))


if __name__ == "__main__":
    unittest.main()
