"""A blocked job, as a later version leaves it in Redis: counted and shown, and neither run, changed, ended nor lost.

later_version.py blocks it, and frees it when it may run; nothing that this version does in between may hinder that.
"""

import unittest
from collections.abc import Awaitable, Callable

from lib.commands import audit
from lib.errors import QueueFull, QueueInUse, WrongState
from lib.queue.listing import Wanted
from lib.queue.upkeep_steps import Retention
from tests.redis import later_version
from tests.redis.case import RedisCase, ids_of
from tests.system.oracle import assert_sound, counts

KEEP_NOTHING = Retention(0, 0, 0, 0)


class BlockedCase(RedisCase):
    async def block(self, job_id: str) -> str:
        self.assertTrue(later_version.block(self.client, self.base, job_id))
        return job_id

    async def blocked(self, priority: str = "normal", **options: int) -> str:
        """The id of a job that was blocked from the start: it stands in no list."""
        return await self.block(await self.enqueue(priority, delay_ms=60_000, **options))

    def free(self, job_id: str) -> None:
        self.assertTrue(later_version.free(self.client, self.base, job_id))

    async def assert_still_blocked(self, *ids: str) -> None:
        self.assertEqual(["blocked"] * len(ids), [await self.state(job_id) for job_id in ids])
        assert_sound(self.client)


class Shown(BlockedCase):
    async def test_it_is_counted_as_itself_and_not_as_ready(self) -> None:
        await self.blocked()
        await self.enqueue()

        census = await self.queues.census("q")

        self.assertEqual((1, 0, 1), tuple(census.counts[state] for state in ("ready", "delayed", "blocked")))
        self.assertEqual({"ready": 1, "blocked": 1}, counts(self.client))

    async def test_it_is_listed_by_its_state_and_read(self) -> None:
        job_id = await self.blocked()
        await self.enqueue()

        page = await self.job_store.page(["q"], Wanted("blocked"), None, 50)

        self.assertEqual([job_id], [place.job_id for place in page.jobs])
        record = await self.record(job_id)
        self.assertEqual(("blocked", None, None), (record.state, record.started_ms, record.finished_ms))

    async def test_the_audit_knows_its_place(self) -> None:
        job_id = await self.blocked()
        self.assertEqual([], await audit.find_faults(self.link, self.keys))

        self.client.zrem(self.base + "blocked", job_id)

        self.assertEqual(
            [f"q: {job_id} is blocked and stands in no place"], await audit.find_faults(self.link, self.keys)
        )
        self.client.zadd(self.base + "blocked", {job_id: 1})

    async def test_it_takes_no_room_under_max_depth(self) -> None:
        await self.blocked()
        await self.queues.adjust("q", {"max_depth": 1})

        self.assertEqual("new", (await self.job_store.enqueue(self.job())).outcome)
        with self.assertRaises(QueueFull):
            await self.job_store.enqueue(self.job())


class Refused(BlockedCase):
    async def assert_refused(self, change: Callable[[], Awaitable[object]]) -> None:
        with self.assertRaisesRegex(WrongState, "^the job is blocked; .*newer version"):
            await change()

    async def test_a_queue_that_holds_one_is_not_removed(self) -> None:
        job_id = await self.blocked()

        with self.assertRaisesRegex(QueueInUse, "1 blocked"):
            await self.queues.remove("q")

        await self.assert_still_blocked(job_id)

    async def test_it_keeps_its_unique_key(self) -> None:
        job = self.job()._replace(unique_key="report", delay_ms=60_000)
        await self.job_store.enqueue(job)
        await self.block(job.job_id)

        accepted = await self.job_store.enqueue(self.job()._replace(unique_key="report"))

        self.assertEqual(("duplicate", job.job_id), (accepted.outcome, accepted.job_id))

    async def test_no_job_is_run_again_under_the_unique_key_that_it_holds(self) -> None:
        first, second = (self.job()._replace(unique_key="report") for _ in range(2))
        for job in (first, second):
            await self.job_store.enqueue(job)
            if job is first:
                await self.job_store.cancel(first.job_id)
        await self.block(second.job_id)
        spec = first.spec_text.replace('"payload"', '"unique_key":"report","payload"')
        self.client.hset(f"{self.base}job:{first.job_id}", "spec", spec)

        with self.assertRaisesRegex(WrongState, f"the job {second.job_id} holds the same unique key"):
            await self.job_store.retry(first.job_id)


class Met(BlockedCase):
    """The id of a blocked job is stale in a ready list, and is met there."""

    async def assert_freed_and_claimed(self, *ids: str) -> None:
        """Freed, each is ready in one place, and is handed out once."""
        for job_id in ids:
            self.free(job_id)
        assert_sound(self.client)
        claim = await (await self.lease("later")).claim(10)
        self.assertEqual(set(ids), set(ids_of(claim)))

    async def test_claim_drops_it_strikes_its_letter_and_it_is_not_lost(self) -> None:
        ids = [await self.block(await self.enqueue(priority)) for priority in ("high", "normal", "low")]

        claim = await (await self.lease()).claim(10)

        self.assertEqual([], claim.jobs)
        await self.assert_still_blocked(*ids)
        self.assertNotIn("listed", self.job_fields())
        self.assertEqual([], await self.queues.quarantine("q"))
        await self.assert_freed_and_claimed(*ids)

    async def test_freed_before_it_is_met_it_has_its_place_again(self) -> None:
        ids = [await self.block(await self.enqueue()) for _ in range(3)]

        await self.assert_freed_and_claimed(*ids)

    async def test_a_runner_that_has_popped_it_drops_it(self) -> None:
        job_id = await self.block(await self.enqueue())
        runner = await self.lease()
        self.assertEqual(job_id, self.popped(runner))

        self.assertEqual([], (await runner.claim(1, source="popped")).jobs)

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)

    async def test_a_paused_queue_drops_one_that_was_popped_and_puts_none_back(self) -> None:
        job_id = await self.block(await self.enqueue())
        runner = await self.lease()
        self.popped(runner)
        await self.queues.adjust("q", {"paused": True})

        await runner.claim(1, [job_id])

        await self.assert_still_blocked(job_id)
        self.assertEqual([], self.list("ready:normal"))
        await self.queues.adjust("q", {"paused": False})
        await self.assert_freed_and_claimed(job_id)

    async def test_reap_drops_one_that_a_dead_runner_had_popped(self) -> None:
        job_id = await self.block(await self.enqueue())
        self.popped(await self.lease())

        await self.crash("w")

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)

    async def test_a_suspect_is_dropped_from_the_suspects(self) -> None:
        job_id = await self.enqueue()
        for runner_id in ("w1", "w2"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)
        self.assertEqual([job_id], self.list("suspects"))
        await self.block(job_id)

        await (await self.lease("x.alone")).claim(1, source="suspects")

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)


class Upkeep(BlockedCase):
    async def test_one_that_is_left_among_the_delayed_is_not_made_ready(self) -> None:
        job_id = await self.blocked()
        self.client.zadd(self.base + "delayed", {job_id: 1})

        await self.queues.upkeep.promote("q")

        await self.assert_still_blocked(job_id)
        self.assertNotIn(job_id, self.list("ready:normal"))


if __name__ == "__main__":
    unittest.main()
