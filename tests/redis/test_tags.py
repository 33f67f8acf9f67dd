"""Tags of jobs: an index holds the jobs that have the tag, from the commit to the record's end. Other jobs pay nothing.

After each test the oracle compares every index with the records.
"""

import asyncio
import unittest
from typing import Any

from lib.commands import audit
from lib.jobs.job import JobRecord, Revision
from lib.jobs.state import FINISHED
from lib.queue.upkeep_steps import Retention
from tests.redis.case import KEEP_ALL, RedisCase, ending


def with_tags(*tags: str) -> Any:
    """A change to these tags."""

    def revise(record: JobRecord) -> Revision:
        assert record.spec is not None
        return Revision(record.spec._replace(tags=tags).to_text(), tags=tags)

    return revise


class Tags(RedisCase):
    def index(self, tag: str) -> dict[str, int]:
        """id -> score."""
        found: Any = self.client.zrange(self.keys.tag("q", tag), 0, -1, withscores=True)
        return {job_id.decode(): int(score) for job_id, score in found}

    def calls(self, command: str) -> int:
        """How often the command was called, in scripts too."""
        stats: Any = [node.info("commandstats") for node in self.redis.clients]
        return sum(int(one.get(f"cmdstat_{command}", {}).get("calls", 0)) for one in stats)

    async def test_a_job_stands_under_each_of_its_tags_by_the_time_it_was_created(self) -> None:
        ready = await self.enqueue(tags=("eu", "order:17/a.b"))
        later = await self.enqueue("high", delay_ms=60_000, tags=("eu",))

        created = {job_id: (await self.record(job_id)).created_ms for job_id in (ready, later)}

        self.assertEqual(created, self.index("eu"))
        self.assertEqual({ready: created[ready]}, self.index("order:17/a.b"))
        self.assertEqual(b"eu,order:17/a.b", self.client.hget(f"{self.base}job:{ready}", "tags"))

    async def test_a_commit_writes_an_index_once_and_one_without_tags_writes_none(self) -> None:
        await self.enqueue()  # The queue has begun, and Redis has the script.
        for tags, indexes in (((), 1), (("eu", "us", "a"), 4)):
            zadds, commits = self.calls("zadd"), self.calls("evalsha")

            await asyncio.gather(*[self.job_store.enqueue(self.job(tags=tags)) for _ in range(50)])

            commits = self.calls("evalsha") - commits
            self.assertLess(commits, 10, "the jobs did not travel together")
            self.assertEqual(indexes * commits, self.calls("zadd") - zadds)

    async def test_a_job_that_is_refused_stands_under_none(self) -> None:
        first = await self.enqueue(unique_key="k", tags=("eu",))

        await self.enqueue(unique_key="k", tags=("us",))

        self.assertEqual(([first], []), ([*self.index("eu")], [*self.index("us")]))

    async def test_a_change_of_the_tags_moves_the_job(self) -> None:
        job_id = await self.enqueue(delay_ms=60_000, tags=("eu", "order-17"))
        created = self.index("eu")

        await self.job_store.patch(job_id, with_tags("eu", "urgent"))

        self.assertEqual([created, {}, created], [self.index(tag) for tag in ("eu", "order-17", "urgent")])
        record = await self.record(job_id)
        self.assertEqual(("delayed", ("eu", "urgent")), (record.state, record.spec and record.spec.tags))
        await self.job_store.patch(job_id, with_tags())
        self.assertEqual([], self.key_names("*tag:*"))
        self.assertFalse(self.client.hexists(f"{self.base}job:{job_id}", "tags"))

    async def test_another_change_leaves_them(self) -> None:
        job_id = await self.enqueue(tags=("eu",))

        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), "high"))

        self.assertEqual([job_id], [*self.index("eu")])

    async def test_they_stay_until_the_record_goes(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(tags=("eu",))
        kept = self.index("eu")
        job = await self.claimed(runner)
        await runner.end_and_wait("fail", ending("fail", job, delay_s=None))
        self.assertEqual(kept, self.index("eu"))
        await self.job_store.retry(job_id)
        self.assertEqual(kept, self.index("eu"))
        await self.job_store.cancel(job_id)
        self.assertEqual(kept, self.index("eu"))

        await self.job_store.delete(job_id)

        self.assertEqual([], self.key_names("*tag:*"))

    async def test_retention_takes_an_index_in_one_command(self) -> None:
        runner = await self.lease()
        for tags in (("eu", "us"), ("eu",), ()):
            await self.enqueue(tags=tags)
        for job in (await runner.claim(3)).jobs:
            await runner.end_and_wait("finish", ending("finish", job))
        before = self.calls("zrem")

        await self.queues.upkeep.trim("q", Retention(0, 10**9, 10**9))

        self.assertEqual({}, self.states())
        self.assertEqual([], self.key_names("*tag:*"))
        self.assertEqual(3 + 2, self.calls("zrem") - before, "one for each of completed, all, fading, eu and us")

    async def test_a_broken_index_costs_its_entry_and_no_job(self) -> None:
        runner = await self.lease()
        self.client.set(self.keys.tag("q", "eu"), "x")

        job_id = await self.enqueue(tags=("eu", "us"))
        await self.job_store.patch(job_id, with_tags("eu", "urgent"))
        job = await self.claimed(runner)
        await runner.end_and_wait("finish", ending("finish", job))

        self.assertEqual(([], [job_id]), ([*self.index("us")], [*self.index("urgent")]))
        found = await audit.find_faults(self.link, self.keys)
        self.assertEqual([f"q: {self.keys.tag('q', 'eu')} holds no zset; mend it or delete it"], found)
        await self.job_store.delete(job_id)
        self.assertEqual([self.keys.tag("q", "eu").encode()], self.key_names("*tag:*"))
        self.client.delete(self.keys.tag("q", "eu"))

    async def test_the_audit_names_who_stands_where_it_should_not_and_who_does_not_stand_where_it_should(self) -> None:
        first, second = await self.enqueue(tags=("eu", "us")), await self.enqueue(tags=("eu",))
        self.assertEqual([], await audit.find_faults(self.link, self.keys))
        self.client.zrem(self.keys.tag("q", "eu"), first)
        self.client.zadd(self.keys.tag("q", "us"), {second: 1, "q-gone": 1})

        found = await audit.find_faults(self.link, self.keys)

        self.assertEqual(
            {
                f"q: {first} has the tag eu and does not stand in its index",
                f"q: {second} stands in the index of the tag us, which it does not have",
                "q: q-gone stands in the index of the tag us and is no job",
            },
            set(found),
        )
        created = (await self.record(first)).created_ms or 0
        self.client.zadd(self.keys.tag("q", "eu"), {first: created})
        self.client.zrem(self.keys.tag("q", "us"), second, "q-gone")

    async def test_a_queue_whose_jobs_are_gone_leaves_no_index_behind(self) -> None:
        job_id = await self.enqueue(tags=("eu", "us"))
        await self.job_store.cancel(job_id)
        await self.job_store.delete(job_id)

        await self.queues.remove("q", self.job_store.prepare_removal("q"))

        left = {key for key in self.key_names() if b"{q}" in key}
        self.assertEqual(set(), left)

    async def test_jobs_of_every_end_are_forgotten_with_their_tags(self) -> None:
        runner = await self.lease()
        ids = [await self.enqueue(tags=("eu",)) for _ in range(3)]
        done, dead = (await runner.claim(2)).jobs
        await runner.end_and_wait("finish", ending("finish", done))
        await runner.end_and_wait("fail", ending("fail", dead, delay_s=None))
        await self.job_store.cancel(ids[2])
        self.assertEqual(FINISHED, set(self.states().values()))
        await self.queues.upkeep.trim("q", KEEP_ALL)
        self.assertEqual(set(ids), set(self.index("eu")))

        await self.queues.upkeep.trim("q", Retention(0, 0, 0))

        self.assertEqual({}, self.index("eu"))


if __name__ == "__main__":
    unittest.main()
