"""JobStore.results: what the jobs that a job has waited for have said, read from the hash beside the job."""

import unittest

from lib.ids import queue_of
from lib.jobs.parents import Parent
from lib.queue.job_store import JobStore
from tests.redis.case import LosesReplies, RedisCase


class Results(RedisCase):
    async def test_they_are_read_whatever_bytes_they_have(self) -> None:
        job_id, fetch, other = await self.enqueue(), self.ids.new("other", "r"), self.ids.new("other", "r")
        self.client.hset(
            self.keys.parents(queue_of(job_id) or "", job_id),
            mapping={"#open": "0", fetch: 'ccfetch\x1f{"name":"三"}', other: b"ed\x1f\xff"},
        )

        found = list(await self.job_store.results(job_id))

        self.assertEqual([Parent(None, other, "failed"), Parent("fetch", fetch, "completed", {"name": "三"})], found)
        self.client.delete(self.keys.parents("q", job_id))

    async def test_those_of_many_parents_are_read_in_bites(self) -> None:
        job_id, said = await self.enqueue(), '"' + "x" * 1000 + '"'
        key = self.keys.parents("q", job_id)
        self.client.hset(key, mapping={self.ids.new("other", "r"): f"ccn{n}\x1f{said}" for n in range(1000)})
        link = LosesReplies(self.link)

        found = await JobStore(link, self.keys).results(job_id)

        self.assertEqual({f"n{n}" for n in range(1000)}, {one.name for one in found})
        self.assertEqual({1000}, {len(one.result) for one in found})
        self.assertIn(len(link.sent), range(5, 21))
        self.client.delete(key)

    async def test_a_job_without_parents_and_one_that_is_not_there_have_none(self) -> None:
        for job_id in (await self.enqueue(), "q-" + "0" * 32):
            self.assertEqual([], list(await self.job_store.results(job_id)))


if __name__ == "__main__":
    unittest.main()
