"""Ready jobs are listed in the order in which they are claimed, few or many, whatever else stands in their lists."""

import asyncio
import unittest
from random import Random

from lib.api.job_pages import OrderUnknownError
from lib.jobs.job import JobRecord
from lib.queue.listing import ORDERS, Wanted
from tests.redis.case import ending, ids_of
from tests.redis.paged import PageCase


class InTheOrderOfClaims(PageCase):
    async def claimed_in_turn(self, count: int) -> list[str]:
        lease = await self.lease("c")
        ids: list[str] = []
        while len(ids) < count:
            claimed = ids_of(await lease.claim(100))
            self.assertTrue(claimed)
            ids += claimed
        return ids

    async def put(self, count: int) -> None:
        rng = Random(5)
        for _ in range(count // 100):
            jobs = [self.a_job(priority=rng.choice(("high", "normal", "normal", "low"))) for _ in range(100)]
            await asyncio.gather(*map(self.job_store.enqueue, jobs))

    def order(self, ids: list[str], records: dict[str, JobRecord]) -> list[tuple[str, int]]:
        """What can be known of an order: jobs of one ms are claimed in the order in which they came."""
        in_order = [records[job_id] for job_id in ids]
        return [(one.spec.priority if one.spec else "", one.created_ms or 0) for one in in_order]

    async def test_next_is_the_order_in_which_jobs_are_claimed_whether_they_are_few_or_many(self) -> None:
        for count in (300, 4000):
            self.client.flushall()
            self.job_store.forget_names()
            await self.put(count)
            listed = await self.all_of(Wanted("ready"), "next", 130)
            records = {one.job_id: one for one in await self.job_store.read_many(listed)}

            claimed = await self.claimed_in_turn(count)

            self.assertEqual(sorted(claimed), sorted(listed))
            self.assertEqual(self.order(claimed, records), self.order(listed, records))

    async def test_of_many_jobs_those_that_were_given_back_are_next_and_the_walk_goes_on_behind_claims(self) -> None:
        await self.put(4000)
        lease = await self.lease("w")
        given_back = (await lease.claim(50)).jobs
        for job in given_back:
            await lease.end_and_wait("release", ending("release", job))
        first = await self.page(Wanted("ready"), None, "next", 60)
        self.assertEqual({job.job_id for job in given_back}, set(first.items[:50]))

        claimed = ids_of(await lease.claim(700))
        seen, place = list(first.items), first.next
        while place is not None:
            page = await self.page(Wanted("ready"), place, "next", 100)
            seen += page.items
            place = page.next

        waiting = {job_id for name in ("high", "normal", "low") for job_id in self.list(f"ready:{name}")}
        self.assertEqual(3300, len(waiting))
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(set(), waiting - set(seen))
        self.assertEqual(set(claimed[:10]), set(claimed[:10]) & set(first.items))
        back: list[str] = []
        while page.back is not None:
            back = page.items + back
            page = await self.page(Wanted("ready"), page.back, "next", 100)
        self.assertEqual(waiting, set(page.items + back))
        self.assertEqual(len(waiting), len(page.items + back))

    async def test_a_walk_over_very_many_jobs_of_one_ms_misses_none(self) -> None:
        ids = await self.enqueue_many(3000)
        self.client.zadd(self.base + "all", dict.fromkeys(ids, 1000))

        self.assertEqual(sorted(ids), await self.all_of(Wanted("ready"), "next", 200))

    async def test_jobs_behind_thousands_of_stale_ids_are_found_with_the_records_of_these_and_without(
        self,
    ) -> None:
        for is_deleted in (False, True):
            self.client.flushall()
            self.job_store.forget_names()
            first = await self.enqueue_many(3)
            gone = await self.enqueue_many(3000)
            last = await self.enqueue_many(30)
            for at in range(0, len(gone), 100):
                records = await self.job_store.read_many(gone[at : at + 100])
                await self.job_store.in_bulk.cancel(records, only_as_read=False)
                if is_deleted:
                    await self.job_store.in_bulk.delete(records, only_as_read=False)
            self.assertEqual(3033, len(self.list("ready:normal")))

            listed = await self.all_of(Wanted("ready"), "next", 20)

            self.assertEqual((set(first), set(last)), (set(listed[:3]), set(listed[3:])))
            self.assertEqual(33, len(listed))

    async def test_an_id_that_was_popped_and_not_claimed_yet_is_shown(self) -> None:
        lease, job_id = await self.lease("w"), await self.enqueue()
        self.assertEqual(job_id, self.popped(lease))

        for order in ORDERS[:3]:
            self.assertEqual([job_id], await self.all_of(Wanted("ready"), order))
        await lease.claim(1, [job_id])

    async def test_with_more_groups_than_can_be_looked_at_no_order_of_claims_is_told(self) -> None:
        await asyncio.gather(*[self.job_store.enqueue(self.a_job(f"tenant-{number}")) for number in range(502)])

        with self.assertRaises(OrderUnknownError):
            await self.page(Wanted("ready"), None, "next", 10)
        self.assertEqual(502, len(await self.all_of(Wanted("ready"), "newest", 100)))


if __name__ == "__main__":
    unittest.main()
