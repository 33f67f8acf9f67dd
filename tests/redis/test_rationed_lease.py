"""A runner's lease in a queue that gets limits or groups, has them, and loses them: which script claims, and where it
blocks."""

import asyncio
import unittest

from lib.queue.claim_reply import Claim
from lib.queue.end_record import complete_record, fail_record, snooze_record
from lib.queue.lease import Lease
from tests.redis.case import ERROR, ids_of
from tests.redis.grouped import GroupedCase


class Rationed(GroupedCase):
    async def claimed_jobs(self, lease: Lease, limit: int = 5) -> list[str]:
        """Claim, and once more where the queue wants the other script."""
        claim = await lease.claim(limit)
        return ids_of(await lease.claim(limit) if claim.is_more else claim)

    async def test_the_first_claim_says_so_and_the_next_one_brings_the_job(self) -> None:
        lease = await self.lease()
        (job_id,) = await self.put("tenant-42")

        first, second = await lease.claim(5), await lease.claim(5)

        self.assertEqual((Claim([], True, None), [job_id], True), (first, ids_of(second), lease.is_rationed))

    async def test_where_limits_and_groups_are_over_the_plain_script_claims_again(self) -> None:
        lease = await self.lease()
        await self.put("tenant-42")
        await self.claimed_jobs(lease)
        self.client.hdel(self.base + "meta", "rationed")
        (job_id,) = await self.put()

        first, second = await lease.claim(5), await lease.claim(5)

        self.assertEqual((Claim([], True, None), [job_id], False), (first, ids_of(second), lease.is_rationed))

    async def test_an_id_that_was_popped_before_the_claim_is_found_by_the_next_one(self) -> None:
        lease = await self.lease()
        await self.limit(concurrency="2")
        self.client.delete(self.base + "ready:normal")  # The bell that the limit rang for whoever blocks here.
        (job_id,) = await self.put()
        told: list[Claim] = []

        claim = await lease.pop(1, told.append)

        self.assertEqual((Claim([], True, None), []), (claim, told))
        self.assertEqual([job_id], await lease.active_ids())
        self.assertEqual([job_id], ids_of(await lease.claim(1, [job_id])))

    async def test_while_it_is_limited_it_blocks_for_a_bell_and_not_for_an_id(self) -> None:
        other, lease = await self.lease("other"), await self.lease()
        await self.limit(concurrency="1")
        first, then = await self.put(count=2)
        self.assertEqual([first], await self.claimed_jobs(other, 1))
        await lease.claim(1)
        self.assertTrue((await lease.claim(1)).is_limited)
        self.client.delete(self.base + "bells")  # That of the enqueue.
        pop = asyncio.create_task(lease.pop(20, is_limited=True))
        await self.until_blocked(1)

        await other.end_and_wait("finish", complete_record(first, 1, "noop", ""))

        async with asyncio.timeout(5):
            self.assertEqual([then], ids_of(await pop))

    async def test_a_hold_by_a_failure_or_a_snooze_rests_the_group_until_the_job_comes_back(self) -> None:
        for script, record in (
            ("fail", fail_record("", 0, ERROR, 60, holds_group=True)),
            ("snooze", snooze_record("", 0, ERROR, 60, holds_group=True)),
        ):
            with self.subTest(script):
                self.empty()
                lease = await self.lease()
                held, mine = await self.put("tenant-42", 2)
                (others,) = await self.put("tenant-43")
                self.assertEqual([held], await self.claimed_jobs(lease, 1))

                await lease.end_and_wait(script, record._replace(job_id=held, token=1))

                self.assertEqual([others], await self.claimed_jobs(lease))
                self.assertEqual("ready", await self.state(mine))
                until_ms = int(self.client.zscore(self.base + "resting", "tenant-42"))
                self.assertEqual((await self.record(held)).run_at_ms, until_ms)

    async def test_the_keeper_wakes_a_runner_when_the_rate_allows_the_next_start(self) -> None:
        await self.limit(rate="1/300")
        keeper, lease = await self.lease("keeper"), await self.lease()
        _, then = await self.put(count=2)
        await self.claimed_jobs(keeper, 1)
        self.assertIsNotNone((await keeper.claim(1)).ask_again_s)
        await lease.claim(1)
        self.client.delete(self.base + "bells")  # That of the enqueue.
        pop = asyncio.create_task(lease.pop(20, is_limited=True))
        await self.until_blocked(1)

        while await keeper.promote() is not None:
            await asyncio.sleep(0.01)

        async with asyncio.timeout(5):
            self.assertEqual([then], ids_of(await pop))


if __name__ == "__main__":
    unittest.main()
