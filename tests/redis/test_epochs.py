"""What is noticed of a Redis that has lost what it held, and what is not taken for it."""

import asyncio
import unittest
from typing import Literal

from lib.errors import RedisUnavailable
from lib.queue.epochs import WARNED_FOR_S, Epochs, Loss
from lib.queue.job_store import JobStore
from tests.private_cluster import PrivateCluster
from tests.private_redis import PrivateRedis
from tests.redis.case import RedisCase, until


class Emptied(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.now_s = 0.0
        self.epochs = self.an_observer()

    def an_observer(self) -> Epochs:
        return Epochs(self.link, self.keys, lambda: self.now_s)

    async def test_a_flush_is_seen_once_and_named_for_what_it_is(self) -> None:
        await self.enqueue()
        await self.job_store.enqueue(self.job(queue="other"))
        self.assertIsNone(await self.epochs.check())

        self.client.flushall()
        loss = await self.epochs.check()

        assert loss is not None
        is_cluster = isinstance(self.redis, PrivateCluster)
        self.assertEqual({"q", "other"}, set(loss.queues))
        self.assertIs(None if is_cluster else False, loss.was_restarted)
        self.assertIn("was emptied" if is_cluster else "FLUSHALL", loss.text)
        self.assertIsNone(await self.epochs.check())

    async def test_what_came_after_the_flush_does_not_hide_it(self) -> None:
        await self.enqueue()
        observers = [self.an_observer() for _ in range(3)]
        for observer in observers:
            await observer.check()

        for _ in range(3):
            self.client.flushall()
            self.job_store.forget_names()
            await self.enqueue()

            seen = [await observer.check() for observer in (*observers, self.an_observer())]

            self.assertEqual([True, True, True, False], [loss is not None for loss in seen])

    async def test_looking_at_once_all_see_one_marker(self) -> None:
        await self.enqueue()
        observers = [Epochs(self.a_link(), self.keys) for _ in range(8)]

        for _ in range(3):
            self.assertEqual([None] * 8, await asyncio.gather(*[observer.check() for observer in observers]))

    async def test_a_first_look_a_new_queue_and_a_reaped_runner_are_no_loss(self) -> None:
        self.assertIsNone(await self.epochs.check())
        await self.enqueue()
        self.assertIsNone(await self.epochs.check())
        await self.lease()
        await self.crash("w")
        await self.job_store.enqueue(self.job(queue="new"))

        self.assertIsNone(await self.epochs.check())
        self.assertEqual([], self.epochs.warnings)

    async def test_the_keys_of_one_queue_deleted_by_hand_are_a_loss_of_that_queue(self) -> None:
        await self.enqueue()
        await self.job_store.enqueue(self.job(queue="kept"))
        await self.epochs.check()

        self.client.delete(*self.key_names("wb:{q}:*"))
        loss = await self.epochs.check()

        self.assertEqual(("q",), loss.queues if loss else None)

    async def test_a_marker_of_the_wrong_type_stops_nobody(self) -> None:
        await self.enqueue()
        self.client.lpush(self.base + "epoch", "x")

        self.assertEqual([None, None], [await self.epochs.check() for _ in range(2)])

    async def test_it_is_told_for_an_hour(self) -> None:
        await self.enqueue()
        await self.epochs.check()
        self.client.flushall()
        await self.epochs.check()

        self.now_s = 120.0
        (warning,) = self.epochs.warnings
        self.assertTrue(warning.text.startswith("Redis was emptied"), warning)
        self.assertIn("let nobody use this Redis whose user may flush it", warning.what_to_do)
        self.assertEqual("redis_emptied", warning.code)
        self.assertAlmostEqual(await self.now_ms(), warning.since_ms or 0, delta=10_000)
        self.now_s = WARNED_FOR_S + 1
        self.assertEqual([], self.epochs.warnings)

    async def test_after_it_the_next_job_names_its_queue_again(self) -> None:
        await self.enqueue()
        self.client.flushall()

        self.job_store.forget_names()
        await self.enqueue()

        self.assertEqual({b"q"}, self.client.smembers("wb:queues"))


async def seen(epochs: Epochs) -> list[Loss | None]:
    """What a look sees, in a list; nothing while Redis is away."""
    try:
        return [await epochs.check()]
    except RedisUnavailable:
        return []


class Restarted(RedisCase):
    async def test_a_restart_without_its_data_is_told_from_a_flush(self) -> None:
        loss = await self.seen_after_a_restart("no")

        self.assertTrue(loss and loss.was_restarted)

    async def test_a_restart_with_its_data_is_no_loss(self) -> None:
        self.assertIsNone(await self.seen_after_a_restart("always"))

    async def seen_after_a_restart(self, aof: Literal["no", "always"]) -> Loss | None:
        with PrivateRedis(aof=aof) as redis:
            link = self.a_link(redis.url)
            await JobStore(link, self.keys).enqueue(self.job())
            epochs = Epochs(link, self.keys)
            for _ in range(2):
                await epochs.check()
                self.assertFalse(epochs.is_another_run)

            redis.kill()
            redis.start()

            (loss,) = await until(lambda: seen(epochs), "Redis answers again")
            self.assertTrue(epochs.is_another_run)
            await epochs.check()
            self.assertFalse(epochs.is_another_run)
            return loss  # type: ignore[no-any-return]


if __name__ == "__main__":
    unittest.main()
