"""What is kept of finished jobs: so many of each kind, for so long, and single jobs for a time of their own."""

import unittest
from collections.abc import Awaitable, Callable

from lib.queue.upkeep_steps import Retention
from tests.redis.case import KEEP_ALL, RedisCase, ending

FINISHED = ("completed", "dead", "cancelled")
LEAST_MS = 3_000


class Counts(RedisCase):
    async def test_of_each_kind_the_oldest_over_its_count_go(self) -> None:
        ids = await self.enqueue_many(60)
        runner = await self.lease()
        jobs = (await runner.claim(40)).jobs
        for job in jobs[:20]:
            await runner.end_and_wait("finish", ending("finish", job))
        for job in jobs[20:]:
            await runner.end_and_wait("fail", ending("fail", job, delay_s=None))
        for job_id in ids[40:]:
            await self.job_store.cancel(job_id)
        for number, job_id in enumerate(ids):
            self.client.zadd(self.base + FINISHED[number // 20], {job_id: 10**12 + number})
        keep = Retention(7, 10**9, 10**9, 5)
        for broken in ("completed", "dead", "cancelled"):
            others = Retention(7 if broken != "dead" else 100, 10**9, 10**9, 5 if broken == "dead" else 100)
            self.assertTrue((await self.queues.upkeep.survey("q", others)).is_trimmable, broken)

        while await self.queues.upkeep.trim("q", keep):
            pass

        self.assertEqual({*ids[13:20], *ids[35:40], *ids[53:]}, set(self.states()))
        self.assertFalse((await self.queues.upkeep.survey("q", keep)).is_trimmable)


class Retain(RedisCase):
    """`retain_ms`: however a job ends, its record goes by its own time; and no other's with it."""

    async def a_job(self, retain_ms: int | None = 0) -> str:
        return await self.enqueue(retain_ms=retain_ms)

    def end(self, script: str) -> Callable[[str], Awaitable[object]]:
        async def end(job_id: str) -> None:
            runner = await self.lease()
            job = await self.claimed(runner)
            if script in ("snooze", "release"):
                await self.job_store.cancel(job_id)
            await runner.end_and_wait(script, ending(script, job, delay_s=None))

        return end

    async def fail_when_cancelled(self, job_id: str) -> None:
        runner = await self.lease()
        job = await self.claimed(runner)
        await self.job_store.cancel(job_id)
        await runner.end_and_wait("fail", ending("fail", job))

    async def reap_when_cancelled(self, job_id: str) -> None:
        await self.claimed(await self.lease())
        await self.job_store.cancel(job_id)
        await self.crash("w")

    async def reap_alone(self, job_id: str) -> None:
        await self.claimed(await self.lease("w.alone"))
        await self.crash("w.alone", crash_limit=1)

    async def cancel(self, job_id: str) -> None:
        await self.job_store.cancel(job_id)
        await (await self.lease()).claim(1)

    async def expire(self, job_id: str) -> None:
        self.client.hset(f"{self.base}job:{job_id}", "expires", 1)
        self.client.zadd(self.base + "expiring", {job_id: 1})
        await self.queues.upkeep.expire("q")
        await (await self.lease()).claim(1)

    async def expire_in_claim(self, job_id: str) -> None:
        self.client.hset(f"{self.base}job:{job_id}", "expires", 1)
        await (await self.lease()).claim(1)

    async def bury(self, job_id: str) -> None:
        self.client.hset(f"{self.base}job:{job_id}", "spec", "\x1e")
        await (await self.lease()).claim(1)

    async def test_whatever_the_end_the_record_goes_three_seconds_after_it_at_the_earliest(self) -> None:
        ends = (
            *(self.end("finish"), self.end("fail"), self.end("snooze"), self.end("release")),
            *(self.fail_when_cancelled, self.reap_when_cancelled, self.reap_alone, self.cancel),
            *(self.expire, self.expire_in_claim, self.bury),
        )
        for number, end in enumerate(ends):
            for retain_ms, kept_ms in ((0, LEAST_MS), (60_000, 60_000)):
                with self.subTest(number, retain_ms=retain_ms):
                    self.client.flushall()
                    job_id = await self.a_job(retain_ms)
                    await end(job_id)
                    record = await self.record(job_id)
                    self.assertIn(record.state, FINISHED)

                    gone_ms = self.client.zscore(self.base + "fading", job_id)

                    self.assertEqual((record.finished_ms or 0) + kept_ms, gone_ms)
                    await self.trimmed(job_id)

    async def trimmed(self, job_id: str) -> None:
        """It goes when its time has come, and not before."""
        other = await self.a_job(None)
        await self.job_store.cancel(other)
        await self.queues.upkeep.trim("q", KEEP_ALL)
        self.assertEqual({job_id, other}, set(self.states()))
        self.assertFalse((await self.queues.upkeep.survey("q", KEEP_ALL)).is_trimmable)
        self.client.zadd(self.base + "fading", {job_id: 1})
        self.assertTrue((await self.queues.upkeep.survey("q", KEEP_ALL)).is_trimmable)
        await self.queues.upkeep.trim("q", KEEP_ALL)
        self.assertEqual({other}, set(self.states()))
        self.assertFalse((await self.queues.upkeep.survey("q", KEEP_ALL)).is_trimmable)
        self.assertEqual(0, self.client.exists(self.base + "fading"))

    async def test_the_queues_own_retention_may_be_shorter(self) -> None:
        job_id = await self.a_job(60_000)
        await self.job_store.cancel(job_id)

        await self.queues.upkeep.trim("q", Retention(0, 10**9, 10**9))

        self.assertEqual({}, self.states())

    async def test_one_that_is_run_again_stays_and_goes_after_its_next_end(self) -> None:
        job_id = await self.a_job()
        await self.job_store.cancel(job_id)
        await self.job_store.retry(job_id)
        self.assertEqual(0, self.client.exists(self.base + "fading"))

        await self.end("finish")(job_id)

        self.assertEqual(1, self.client.zcard(self.base + "fading"))

    async def test_one_that_a_version_before_ran_again_is_not_taken_away(self) -> None:
        job_id = await self.a_job()
        await self.job_store.cancel(job_id)
        await self.job_store.retry(job_id)
        self.client.zadd(self.base + "fading", {job_id: 1})

        await self.queues.upkeep.trim("q", KEEP_ALL)

        self.assertEqual({job_id: "ready"}, self.states())
        self.assertEqual(0, self.client.exists(self.base + "fading"))

    async def test_one_that_is_deleted_leaves_nothing(self) -> None:
        job_id = await self.a_job()
        await self.job_store.cancel(job_id)

        await self.job_store.delete(job_id)

        self.assertEqual([], [key for key in self.key_names() if b"fading" in key])

    async def test_many_go_in_bites(self) -> None:
        ids = await self.enqueue_many(250, retain_ms=0)
        for job_id in ids:
            await self.job_store.cancel(job_id)
        self.client.zadd(self.base + "fading", dict.fromkeys(ids, 1))

        bites = [await self.queues.upkeep.trim("q", KEEP_ALL) for _ in range(2)]

        self.assertEqual(([True, False], {}), (bites, self.states()))

    async def test_what_somebody_wrote_for_it_by_hand_costs_no_job_its_end(self) -> None:
        for odd in (b"", b"-1", b"soon", b"1e300", b"9" * 300, b"\xff"):
            job_id = await self.a_job()
            self.client.hset(f"{self.base}job:{job_id}", "retain", odd)

            await self.end("finish")(job_id)

            self.assertEqual("completed", await self.state(job_id))
        self.assertEqual(0, self.client.exists(self.base + "fading"))


if __name__ == "__main__":
    unittest.main()
