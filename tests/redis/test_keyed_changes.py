"""Changes under an idempotency key: the second one changes nothing, another request under it is refused."""

from lib.errors import IdempotencyKeyReused, WrongState
from lib.jobs.job import Keyed
from tests.redis.case import RedisCase, ending

KEY = Keyed("@anyone k", "f" * 32)


class KeyedChanges(RedisCase):
    async def a_dead_job(self) -> str:
        job_id = await self.enqueue()
        await self.die()
        return job_id

    async def die(self) -> None:
        runner = await self.lease()
        await runner.end_and_wait("fail", ending("fail", await self.claimed(runner), delay_s=None))

    async def test_a_retry_sent_again_runs_the_job_no_second_time(self) -> None:
        job_id = await self.a_dead_job()

        self.assertFalse(await self.job_store.retry(job_id, KEY))
        await self.die()
        self.assertTrue(await self.job_store.retry(job_id, KEY))

        self.assertEqual("dead", (await self.record(job_id)).state)
        self.assertFalse(await self.job_store.retry(job_id, KEY._replace(key="@anyone other")))
        self.assertEqual("ready", (await self.record(job_id)).state)

    async def test_a_cancel_sent_again_is_answered_and_cancels_nothing_that_runs_again(self) -> None:
        job_id = await self.enqueue(delay_ms=60_000)

        self.assertFalse(await self.job_store.cancel(job_id, keyed=KEY))
        self.assertTrue(await self.job_store.cancel(job_id, keyed=KEY))
        await self.job_store.retry(job_id)
        self.assertTrue(await self.job_store.cancel(job_id, keyed=KEY))

        self.assertEqual("ready", (await self.record(job_id)).state)

    async def test_a_cancel_of_what_runs_is_kept_as_well(self) -> None:
        job_id = await self.enqueue()
        await self.claimed(await self.lease())

        self.assertEqual([False, True], [await self.job_store.cancel(job_id, keyed=KEY) for _ in range(2)])

    async def test_a_queue_that_was_resumed_since_is_not_paused_by_a_pause_sent_again(self) -> None:
        await self.enqueue()

        self.assertFalse(await self.queues.adjust("q", {"paused": True}, KEY))
        await self.queues.adjust("q", {"paused": False})
        self.assertTrue(await self.queues.adjust("q", {"paused": True}, KEY))

        self.assertFalse((await self.queues.census("q")).settings["paused"])

    async def test_a_key_is_one_requests_whatever_that_asked_for(self) -> None:
        job_id = await self.a_dead_job()
        other = KEY._replace(fingerprint="e" * 32)
        await self.enqueue(idempotency_key=KEY.key, fingerprint="d" * 32)

        for keyed in (KEY, other):
            with self.assertRaises(IdempotencyKeyReused):
                await self.job_store.retry(job_id, keyed)
            with self.assertRaises(IdempotencyKeyReused):
                await self.job_store.cancel(job_id, keyed=keyed)
            with self.assertRaises(IdempotencyKeyReused):
                await self.queues.adjust("q", {"paused": True}, keyed)

        self.assertEqual("dead", (await self.record(job_id)).state)

    async def test_what_was_refused_is_not_kept(self) -> None:
        job_id = await self.enqueue()
        with self.assertRaises(WrongState):
            await self.job_store.retry(job_id, KEY)

        await self.die()

        self.assertFalse(await self.job_store.retry(job_id, KEY))
