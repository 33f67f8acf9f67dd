"""A queue that is removed: when it may be, what is left of it, and who comes at the same moment."""

import asyncio
import unittest
from collections.abc import Awaitable, Callable
from typing import Any

from lib.errors import OutcomeUnknown, QueueInUse, QueueNotFound
from lib.jobs import queue_settings
from lib.queue.epochs import Epochs
from lib.queue.event_stream import EventStream
from lib.queue.job_store import JobStore
from lib.queue.keys import TYPES
from lib.queue.queue_store import QueueStore
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import LIMIT_S, LosesReplies, RedisCase, Through, ending, until


class Before(Through):
    """A link at whose call number `at` somebody else comes first."""

    def __init__(self, link: RedisLink, at: int, step: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(link)
        self._at = at
        self._step = step
        self.calls = 0

    async def call(self, *command: Argument) -> Any:
        self.calls += 1
        if self.calls == self._at:
            await self._step()
        return await super().call(*command)


class RemoveCase(RedisCase):
    async def emptied(self) -> None:
        """A queue that took jobs, ran them, and holds none any more."""
        runner = await self.lease()
        await self.enqueue("high")
        await self.enqueue("low", delay_ms=60_000, expires_in_ms=90_000)
        cancelled = await self.enqueue()
        await self.job_store.cancel(cancelled)
        (job,) = (await runner.claim(1)).jobs
        await runner.end_and_wait("finish", ending("finish", job))
        await self.queues.adjust("q", {"paused": True, "max_depth": 5})
        for job_id in (job.job_id, cancelled):
            await self.job_store.delete(job_id)
        for record in await self.job_store.read_many([name.partition(":job:")[2] for name in self.jobs()]):
            await self.job_store.cancel(record.job_id)
            await self.job_store.delete(record.job_id)
        await self.crash("w")

    def jobs(self) -> list[str]:
        return [key.decode() for key in self.key_names("wb:{q}:job:*")]

    def names(self) -> set[bytes]:
        found: Any = self.client.smembers("wb:queues")
        return set(found)

    async def remove(self) -> None:
        await self.queues.remove("q", self.job_store.prepare_removal("q"))


class Removed(RemoveCase):
    async def test_nothing_of_it_is_left(self) -> None:
        await self.emptied()
        await Epochs(self.link, self.keys).check()
        for name, kind in TYPES.items():
            if not self.client.exists(self.base + name):
                garbage = {"list": self.client.lpush, "hash": lambda key, it: self.client.hset(key, it, it)}
                garbage.get(kind, lambda *_: None)(self.base + name, "left-by-hand")
        self.client.setex(self.base + "listened", 60, "1")
        self.client.setex(self.base + "observed:w", 60, "1")
        self.assertGreater(len(self.key_names("wb:{q}:*")), 10)

        await self.remove()

        self.assertEqual([], self.key_names("wb:{q}:*"))
        self.assertEqual((set(), 0), (self.names(), self.client.zcard(self.keys.moved)))
        with self.assertRaises(QueueNotFound):
            await self.queues.census("q")
        with self.assertRaises(QueueNotFound):
            await self.remove()

    async def test_a_key_of_its_numbers_that_somebody_broke_goes_with_it(self) -> None:
        await self.queues.add(["q"])
        self.client.set(f"{self.base}rollups", "x")

        await self.queues.remove("q")

        self.assertEqual([], self.key_names(f"{self.base}*"))

    async def test_a_job_begins_it_anew_without_its_settings_and_numbers(self) -> None:
        await self.emptied()
        await self.remove()

        await self.enqueue()

        census = await self.queues.census("q")
        self.assertEqual(queue_settings.shown({}), census.settings)
        self.assertEqual({"enqueued": 1}, census.totals)

    async def test_one_that_holds_any_job_or_is_served_stays_as_it_is(self) -> None:
        kept = {
            "1 ready": await self.enqueue(),
            "1 delayed": await self.enqueue(delay_ms=60_000),
        }
        for said, job_id in kept.items():
            for step, words in ((None, said), (self.job_store.cancel, "1 cancelled")):
                if step:
                    await step(job_id)
                before = self.dump()
                with self.assertRaises(QueueInUse) as refused:
                    await self.remove()
                self.assertIn(words, str(refused.exception))
                self.assertEqual((before, {b"q"}), (self.dump(), self.names()))
            await self.job_store.delete(job_id)
        await self.lease("alive")

        with self.assertRaises(QueueInUse) as refused:
            await self.remove()

        self.assertIn("1 runners serve the queue q: take it out of WORKER_QUEUES", str(refused.exception))
        await self.crash("alive")
        await self.remove()

    async def test_a_ghost_serves_nothing_and_what_it_holds_is_a_job(self) -> None:
        await self.enqueue()
        job = await self.claimed(await self.lease("ghost"))
        self.client.hset(self.base + "beats", "ghost", "7:1")
        with self.assertRaises(QueueInUse) as refused:
            await self.remove()
        self.assertIn("1 active", str(refused.exception))
        await self.crash("ghost")
        await self.job_store.cancel(job.job_id)
        await self.job_store.delete(job.job_id)
        await self.lease("ghost")
        self.client.hset(self.base + "beats", "ghost", "7:1")

        await self.remove()

        self.assertEqual([], self.key_names("wb:{q}:*"))
        self.assertEqual({"ghost": False}, await self.queues.runners.beat("q", ["ghost"]))

    async def test_the_others_keep_theirs(self) -> None:
        await self.job_store.enqueue(self.job(queue="q2"))
        await self.emptied()
        before = self.key_names("wb:{q2}:*")

        await self.remove()

        self.assertEqual((sorted(before), {b"q2"}), (sorted(self.key_names("wb:{q2}:*")), self.names()))


class Unheard(RemoveCase):
    """It is no loss, in no process."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.observers = [Epochs(self.a_link(), self.keys) for _ in range(3)]

    async def losses(self) -> list[tuple[str, ...]]:
        found = [await observer.check() for observer in self.observers]
        return [loss.queues for loss in found if loss]

    async def test_nobody_takes_it_for_a_loss_whether_or_not_it_begins_anew(self) -> None:
        for begins_anew in (False, True):
            await self.emptied()
            await self.losses()
            await self.remove()
            if begins_anew:
                await self.enqueue()
                await Epochs(self.link, self.keys).check()

            self.assertEqual([], await self.losses() + await self.losses())
            for job_id in [name.partition(":job:")[2] for name in self.jobs()]:
                await self.job_store.cancel(job_id)
                await self.job_store.delete(job_id)

    async def test_nor_where_somebody_looks_between_any_two_of_its_steps(self) -> None:
        heard: list[Any] = []

        async def look() -> None:
            heard.extend(await self.losses())

        for at in range(1, 12):
            await self.emptied()
            await self.losses()
            link = Before(self.link, at, look)
            await QueueStore(link, self.keys).remove("q", self.job_store.prepare_removal("q"))
            await look()
            self.assertEqual(([], [], set()), (heard, self.key_names("wb:{q}:*"), self.names()), at)
        self.assertLess(link.calls, at)

    async def test_a_marker_that_is_given_at_that_moment_does_not_stay(self) -> None:
        removals = 0
        for at in range(1, 8):
            await self.emptied()
            link = Before(self.link, at, self.remove)
            self.assertIsNone(await Epochs(link, self.keys).check())
            if link.calls < at:
                await self.remove()  # It was through with its look.
            else:
                removals += 1
            self.assertEqual([], self.key_names("wb:{q}:*"), at)
        self.assertLess(4, removals)

    async def test_a_loss_of_what_began_anew_is_one(self) -> None:
        await self.emptied()
        await self.losses()
        await self.remove()
        await self.enqueue()
        await self.losses()

        self.client.delete(*self.key_names("wb:{q}:*"))

        self.assertEqual([("q",)] * 3, await self.losses())

    async def test_whoever_reads_its_events_does_not_make_it_again(self) -> None:
        transitions = EventStream(self.link, self.keys, self.queues)
        await self.enqueue()
        await transitions.listen(await transitions.names(frozenset({"q"})))
        (job_id,) = [name.partition(":job:")[2] for name in self.jobs()]
        await self.job_store.cancel(job_id)
        await self.job_store.delete(job_id)
        await self.remove()

        with transitions.reader(frozenset({"q"})) as news:
            await asyncio.wait_for(self.looked_thrice(transitions), 5)
            news.clear()
            self.assertEqual([], self.key_names("wb:{q}:*"))
            await self.enqueue()
            await asyncio.wait_for(news.wait(), 5)
        await transitions.close()

    async def looked_thrice(self, transitions: EventStream) -> None:
        for _ in range(3):
            await transitions._look()


class AtTheSameMoment(RemoveCase):
    """A job or a runner that comes between any two steps of the removal is there, and so is the queue's name."""

    async def sweep(self, come: Callable[[], Awaitable[Any]], is_there: Callable[[], bool]) -> None:
        outcomes = set()
        for at in range(1, 12):
            for node in self.redis.clients:
                node.flushall()
            await self.emptied()
            await Epochs(self.link, self.keys).check()
            link = Before(self.link, at, come)
            try:
                await QueueStore(link, self.keys).remove("q", self.job_store.prepare_removal("q"))
                outcomes.add("removed")
            except QueueInUse:
                outcomes.add("in use")
            if link.calls < at:
                break
            self.assertTrue(is_there(), at)
            self.assertEqual({b"q"}, self.names(), at)
            await self.unnoted(at)
        self.assertEqual({"removed", "in use"}, outcomes)
        self.assertLess(5, at)

    async def unnoted(self, at: int) -> None:
        """Were it lost now, that would be told."""
        observer = Epochs(self.link, self.keys)
        await observer.check()
        marker: Any = self.client.get(self.base + "epoch")
        self.assertFalse(self.client.exists(self.keys.removed(marker.decode())), at)

    async def test_a_job_from_a_server_that_named_the_queue_a_moment_ago(self) -> None:
        job = self.job()
        server = JobStore(self.a_link(), self.keys)

        async def come() -> None:
            server._enqueuer._named_at_s["q"] = server._enqueuer._clock()
            await server.enqueue(job._replace(job_id=self.ids.new("q", "request")))

        await self.sweep(come, lambda: len(self.jobs()) == 1)

    async def test_a_delayed_job_from_a_server_whose_reply_was_lost(self) -> None:
        async def come() -> None:
            link = LosesReplies(self.link)
            link.lose = 1
            server = JobStore(link, self.keys)
            server._enqueuer._named_at_s["q"] = server._enqueuer._clock()
            await server.enqueue(self.job(delay_ms=60_000))

        await self.sweep(come, lambda: len(self.jobs()) == 1)

    async def test_a_worker_that_begins_to_serve_it(self) -> None:
        async def come() -> None:
            lease = await self.lease("new")
            await lease.claim(1)

        await self.sweep(come, lambda: bool(self.client.hexists(self.base + "workers", "new")))

    async def test_a_job_behind_it_from_a_server_to_which_the_queue_is_named_still(self) -> None:
        for lost in (0, 1):
            link = LosesReplies(self.link)
            server = JobStore(link, self.keys)
            await self.emptied()
            await self.remove()
            server._enqueuer._named_at_s["q"] = server._enqueuer._clock()
            link.lose = lost

            await server.enqueue(job := self.job())

            self.assertEqual({b"q"}, self.names())
            await server.cancel(job.job_id)
            await server.delete(job.job_id)

    async def test_many_posts_while_it_is_removed_again_and_again_lose_none(self) -> None:
        """Each job that was accepted is there to be cancelled, and its queue is named while it is."""
        servers = [JobStore(self.a_link(), self.keys) for _ in range(3)]
        removed = 0

        async def is_named() -> bool:
            return self.names() == {b"q"}

        async def post(server: JobStore) -> None:
            while removed < 8:
                job = self.job()
                await server.enqueue(job)
                await until(is_named, "the queue of a job that was accepted is named")
                await server.cancel(job.job_id)
                await server.delete(job.job_id)

        busy = [asyncio.create_task(post(server)) for server in servers]
        async with asyncio.timeout(LIMIT_S):
            while removed < 8:
                try:
                    await self.queues.remove("q")
                    removed += 1
                except (QueueInUse, QueueNotFound):
                    pass
            await asyncio.gather(*busy)

        self.assertEqual([], self.jobs())

    async def test_a_reply_that_is_lost_is_no_word_that_nothing_was_done(self) -> None:
        await self.emptied()
        link = LosesReplies(self.link, "SREM")
        link.lose = 1

        with self.assertRaises(OutcomeUnknown):
            await QueueStore(link, self.keys).remove("q")

        self.assertEqual(set(), self.names())


if __name__ == "__main__":
    unittest.main()
