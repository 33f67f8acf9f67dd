"""explain: how many jobs are before one, and how exactly that is known."""

import asyncio
import unittest
from random import Random

from lib.jobs.job import Revision
from lib.queue.explanation_facts import MOST_LOOKED_INTO, MOST_SEARCHED
from tests.redis.case import ending
from tests.redis.test_explain import ExplainCase


class Places(ExplainCase):
    async def test_high_goes_before_normal_and_normal_before_low(self) -> None:
        low, high, normal = [await self.enqueue_many_of(priority, 3) for priority in ("low", "high", "normal")]

        found = [[await self.ahead(job_id) for job_id in ids] for ids in (high, normal, low)]

        self.assertEqual([[(3 * at + n, "exact") for n in range(3)] for at in range(3)], found)
        runner = await self.served_by()
        claimed = [job.job_id for job in (await runner.claim(9)).jobs]
        self.assertEqual([*high, *normal, *low], claimed)

    async def enqueue_many_of(self, priority: str, count: int) -> list[str]:
        return [await self.enqueue(priority) for _ in range(count)]

    async def test_of_a_thousand_jobs_the_three_hundred_that_were_cancelled_are_not_counted(self) -> None:
        ids = [*await self.enqueue_many(500), *await self.enqueue_many(501)]
        order = self.list("ready:normal")[::-1]
        self.assertEqual(set(ids), set(order))
        cancelled = Random(7).sample(order[:1000], 300)
        await asyncio.gather(*[self.job_store.cancel(job_id) for job_id in cancelled])

        found = await self.ahead(order[1000])

        self.assertEqual((700, "exact"), found)
        runner = await self.served_by()
        before = [job.job_id for _ in range(8) for job in (await runner.claim(100)).jobs]
        self.assertEqual(700, before.index(order[1000]))

    async def test_jobs_that_were_delayed_deleted_or_moved_are_not_before_it(self) -> None:
        ids = await self.enqueue_many_of("normal", 5)
        await self.job_store.cancel(ids[0])
        await self.job_store.delete(ids[0])
        await self.job_store.patch(ids[1], lambda record: self.revision(record.spec_text, "low"))
        await self.job_store.patch(ids[2], lambda record: self.revision(record.spec_text, None, due=10**14))
        self.client.rpush(self.base + "ready:normal", "bell")

        self.assertEqual([(0, "exact"), (1, "exact")], [await self.ahead(job_id) for job_id in ids[3:]])
        self.assertEqual((2, "exact"), await self.ahead(ids[1]))

    def take_out_bells(self) -> None:
        self.client.lrem(self.base + "ready:normal", 0, "bell")

    def revision(self, spec_text: bytes, priority: str | None, *, due: int | None = None) -> Revision:
        return Revision(spec_text.decode(), priority, due)

    async def test_beyond_a_thousand_the_cancelled_ones_are_counted_as_well(self) -> None:
        await self.served_by()
        high = (await self.enqueue_many(600, priority="high"))[0]
        await self.enqueue_many(500)
        self.take_out_bells()
        last = self.list("ready:normal")[0]
        await self.job_store.cancel(high)

        found = await self.explained(last)

        self.assertEqual((1099, "at_most"), (found.ahead, found.ahead_precision))
        self.assertIn("at most 1,099 jobs", found.detail)

    async def test_beyond_ten_thousand_places_there_are_at_least_so_many(self) -> None:
        await self.enqueue("high")
        ids = await self.enqueue_many(MOST_SEARCHED + 1)
        self.take_out_bells()
        first_of_all = self.list("ready:normal")
        self.assertEqual(len(ids), len(first_of_all))

        beyond, within = [await self.ahead(job_id) for job_id in first_of_all[:2]]
        looked_into = await self.ahead(first_of_all[-MOST_LOOKED_INTO])

        self.assertEqual((MOST_SEARCHED + 1, "least"), beyond)
        self.assertEqual((MOST_SEARCHED, "most"), within)
        self.assertEqual((MOST_LOOKED_INTO, "exact"), looked_into)

    async def test_a_job_that_a_runner_has_popped_and_not_claimed_yet_is_taken(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue()
        self.assertEqual(job_id, self.popped(runner))

        found = await self.explained(job_id)

        self.assertEqual(("waiting_its_turn", 0, "exact", 0, "taken"), (found.reason, *found[2:6]))
        self.assertIn("a worker has just taken it", found.detail)
        await runner.claim(1, [job_id])
        self.assertEqual("running", (await self.explained(job_id)).reason)

    async def test_a_job_that_was_given_back_is_next(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        await self.enqueue_many(3)
        await runner.end_and_wait("release", ending("release", job))

        self.assertEqual((0, "exact"), await self.ahead(job_id))


if __name__ == "__main__":
    unittest.main()
