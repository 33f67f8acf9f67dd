"""The streams of many queues, followed at once: no event is missed, and idle queues cost next to nothing."""

import asyncio
import os
import unittest
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lib.queue.event_stream import QUEUES_A_READ, EventStream
from lib.queue.keys import RedisKeys
from lib.queue.new_entries import BLOCK_S
from lib.queue.queue_store import QueueStore
from lib.queue.upkeep_steps import Retention
from lib.redis_link.link import open_link
from tests import ON_CLUSTER
from tests.private_redis import PrivateRedis
from tests.redis.case import RedisCase, until

MANY = 120


class Following(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.events = EventStream(self.link, self.keys, self.queues)
        self.addAsyncCleanup(self.events.close)
        self.names = [f"q{number}" for number in range(MANY)]

    async def enqueue_in(self, queue: str) -> None:
        await self.job_store.enqueue(self.job(queue=queue))

    async def until_it_is(self, condition: Callable[[], Any], what: str) -> None:
        async def asked() -> Any:
            return condition()

        await until(asked, what)

    async def until_followed(self, queues: list[str]) -> None:
        await self.until_it_is(lambda: set(self.events.newest) == set(queues), "all queues are followed")

    async def expect_news_of(self, queue: str) -> None:
        """Bring an entry about, and wait until it is known."""
        before = self.events.newest[queue]
        await self.enqueue_in(queue)
        await self.until_it_is(lambda: self.events.newest.get(queue, before) > before, f"{queue} is told of")

    def calls(self, command: str) -> int:
        """How often Redis has run the command, on all its nodes."""
        found = [node.info("commandstats").get(f"cmdstat_{command}", {"calls": 0}) for node in self.redis.clients]
        return sum(int(one["calls"]) for one in found)


class Many(Following):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.queues.add(self.names)

    async def test_a_new_entry_in_any_of_them_wakes_the_reader(self) -> None:
        with self.events.reader(None) as news:
            await self.until_followed(self.names)
            for name in ("q7", "q119", "q0", "q7"):
                before = self.events.newest[name]
                news.clear()
                await self.enqueue_in(name)
                await asyncio.wait_for(news.wait(), 5)

                self.assertGreater(self.events.newest[name], before)

    async def test_a_reader_of_one_is_woken_by_that_one_alone(self) -> None:
        with self.events.reader(None), self.events.reader(frozenset({"q3"})) as of_one:
            await self.until_followed(self.names)
            of_one.clear()
            await self.expect_news_of("q4")
            self.assertFalse(of_one.is_set())

            await self.enqueue_in("q3")
            await asyncio.wait_for(of_one.wait(), 5)

    async def test_idle_ones_are_not_asked_one_by_one(self) -> None:
        """A Cluster can't be asked otherwise: there each idle queue of many is asked at most every third turn."""
        with self.events.reader(None):
            await self.until_followed(self.names)
            # The first call of all: from then on nothing but the waiting goes on.
            before_ms, before = await self.now_ms(), self.calls("xrevrange")
            names_read = self.calls("scard")
            await self.until_it_is(lambda: self.calls("scard") >= names_read + 10, "ten looks for new queues")
            asked, took_s = self.calls("xrevrange") - before, (await self.now_ms() - before_ms) / 1000

        most = MANY * took_s * 10 / 2 if ON_CLUSTER in os.environ else 0
        self.assertLessEqual(asked, most)

    async def test_a_connection_that_is_cut_while_it_waits_loses_nothing(self) -> None:
        with self.events.reader(frozenset({"q5"})):
            await self.until_followed(["q5"])
            await self.until_blocked(1)
            before = self.events.newest["q5"]
            for node in self.redis.clients:
                for client in [one for one in node.client_list() if one["cmd"] == "xread"]:
                    node.client_kill_filter(_id=client["id"])
            await self.enqueue_in("q5")

            await self.until_it_is(lambda: self.events.newest["q5"] > before, "q5 is told of")
            await self.until_blocked(1)

    async def test_one_whose_stream_is_broken_holds_up_no_other(self) -> None:
        self.client.set(self.keys.events("q1"), "no stream")
        with self.events.reader(None):
            await self.until_followed([name for name in self.names if name != "q1"])
            await self.expect_news_of("q2")

            self.client.delete(self.keys.events("q1"))
            await self.until_followed(self.names)


class VeryMany(Following):
    async def test_more_queues_than_one_read_names_are_all_followed(self) -> None:
        names = [f"q{number:03}" for number in range(QUEUES_A_READ + 20)]
        await self.queues.add(names)
        with self.events.reader(None):
            await self.until_followed(names)
            for name in (names[0], names[-1]):
                await self.expect_news_of(name)


class ComeAndGone(Following):
    async def test_a_queue_that_begins_is_followed_and_one_that_is_removed_is_not(self) -> None:
        await self.queues.add(["first"])
        with self.events.reader(None):
            await self.until_followed(["first"])
            await self.enqueue_in("second")
            await self.until_followed(["first", "second"])
            await self.queues.remove("first")
            await self.until_followed(["second"])

            self.assertEqual([], self.key_names("wb:{first}:*"))

    async def test_after_redis_was_emptied_queues_begin_again(self) -> None:
        await self.queues.add(["q"])
        with self.events.reader(None):
            await self.until_followed(["q"])
            self.client.flushall()
            await self.until_followed([])
            await self.enqueue_in("q")
            await self.until_followed(["q"])
            await self.expect_news_of("q")

    async def test_nothing_is_asked_once_the_last_reader_has_left(self) -> None:
        await self.queues.add(["q"])
        with self.events.reader(None):
            await self.until_followed(["q"])
        await self.until_it_is(lambda: not self.events.newest, "the queue is followed no more")

        await self.until_it_is(lambda: self.blocked_clients() == 0, "no read waits")


class Failover(unittest.IsolatedAsyncioTestCase):
    """Another Redis takes the place of one that hangs, and whose connections stay open."""

    async def test_no_read_goes_on_waiting_for_the_one_that_hangs(self) -> None:
        old, new = self.enterContext(PrivateRedis()), self.enterContext(PrivateRedis())
        address = Path(self.enterContext(TemporaryDirectory(prefix="wb-"))) / "s"
        address.symlink_to(old.path)
        keys = RedisKeys("wb")
        link = open_link(f"unix://{address}", timeout_s=0.3)
        self.addAsyncCleanup(link.close)
        events = EventStream(link, keys, QueueStore(link, keys))
        self.addAsyncCleanup(events.close)
        for redis in (old, new):
            redis.client.sadd(keys.queues, "q")
        with events.reader(None):
            await self.until_read(old)
            old.freeze()
            address.unlink()
            address.symlink_to(new.path)
            await self.until_read(new)

            self.assertTrue(new.client.exists(keys.base("q") + "listened"))

    async def until_read(self, redis: PrivateRedis) -> None:
        """Wait until a read waits there: for less time than that read may wait."""
        async with asyncio.timeout(BLOCK_S):
            while not redis.client.info("clients")["blocked_clients"]:
                await asyncio.sleep(0.01)


class Numbers(Following):
    """What changes a queue's census and no job's state."""

    async def change_all(self) -> None:
        job_id = await self.enqueue()
        await self.job_store.cancel(job_id)
        await self.queues.adjust("q", {"paused": True})
        await self.lease("runner")
        await self.crash("runner")
        await self.job_store.delete(job_id)
        await self.job_store.cancel(await self.enqueue())
        await self.queues.upkeep.trim("q", Retention(0, 0, 0))

    async def test_it_is_told_as_an_entry_of_no_job(self) -> None:
        await self.queues.add(["q"])
        _, newest = await self.events.listen(["q"])
        await self.change_all()

        has_gap, entries = await self.events.entries_behind("q", newest["q"])

        told = [entry.by for entry in entries if entry.state == "listened"]
        self.assertEqual(["adjust", "register", "reap", "forget", "forget"], told)
        self.assertEqual([[]] * 5, [entry.job_ids for entry in entries if entry.state == "listened"])
        self.assertFalse(has_gap or any(entry.is_gap for entry in entries))

    async def test_to_nobody_it_is_not_told(self) -> None:
        await self.queues.add(["q"])
        await self.change_all()

        found: Any = self.client.xrange(self.keys.events("q"))
        self.assertNotIn(b"listened", [fields[b"state"] for _, fields in found])


if __name__ == "__main__":
    unittest.main()
