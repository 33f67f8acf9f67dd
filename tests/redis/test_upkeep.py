"""Upkeep's rounds over many queues: what hundreds of idle ones cost, and that one in which something moves is seen."""

import unittest
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from lib.jobs.job import Revision
from lib.queue.bulkheads import Bulkheads
from lib.queue.epochs import MARKERS_A_CHECK, NAMES_A_CHECK, Epochs
from lib.queue.job_store import JobStore
from lib.queue.notices import Notices
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_names import NAMES_AT_ONCE, Walk
from lib.queue.queue_store import QueueStore
from lib.queue.schedule_slots import ScheduleSlots
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from lib.settings import config
from lib.work.supervisor.clock import ScheduleClock
from lib.work.supervisor.rota import ASLEEP_S, AWAKE_S
from lib.work.supervisor.upkeep import Upkeep
from tests.a_log import ALog
from tests.redis.case import RedisCase, Through, until
from tests.redis.schedule_case import Tasks

MANY = 500


class Counted(Through):
    """A link that counts commands by their first word."""

    def __init__(self, link: RedisLink) -> None:
        super().__init__(link)
        self.calls: Counter[str] = Counter()

    async def call(self, *command: Argument) -> Any:
        self.calls[str(command[0])] += 1
        return await super().call(*command)


class Rounds(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.tasks = Tasks()
        self.addAsyncCleanup(self.tasks.end)
        self.counted = Counted(self.link)
        self.upkeep = self.an_upkeep(self.counted)
        self.now_s = 0.0

    def an_upkeep(self, link: RedisLink) -> Upkeep:
        log = ALog(self)
        settings = config.load({"WORKER_QUEUES": "own=1", "LEASE_S": "2"}, Path("/nonexistent"))
        queues = QueueStore(link, self.keys)
        outcomes, walk = OutcomeLog(JobStore(link, self.keys), log), Walk(link, self.keys, page=NAMES_AT_ONCE)
        bulkheads = Bulkheads(log)
        slots = ScheduleSlots(link, self.keys, self.ids, JobStore(link, self.keys).workflows)
        clock = ScheduleClock(slots, log, bulkheads, Random(1), self.tasks.add)
        return Upkeep(queues, walk, outcomes, settings, log, bulkheads, Random(1), clock, Notices(link, self.keys))

    async def rounds(self, count: int) -> Counter[str]:
        """So many rounds, a second apart. Gives what they asked of Redis."""
        self.counted.calls.clear()
        for _ in range(count):
            await self.upkeep.round(self.now_s)
            self.now_s += 1
        return +self.counted.calls

    def idle(self, count: int) -> list[str]:
        """So many queues, used long ago."""
        names = [f"idle-{number}" for number in range(count)]
        self.client.sadd("wb:queues", *names)
        return names

    async def test_hundreds_of_idle_queues_cost_as_much_as_a_few_dozen(self) -> None:
        self.idle(MANY)
        await self.rounds(3)

        asked = await self.rounds(100)

        self.assertLess(asked.total() / 100, MANY / (ASLEEP_S / 2) + 10, asked)
        self.assertGreater(asked["EVALSHA"], 100 + MANY * 100 / ASLEEP_S)

    async def test_those_that_were_just_used_are_idle_when_they_are_not_any_more(self) -> None:
        await self.queues.add([f"idle-{number}" for number in range(30)])
        awake = await self.rounds(int(AWAKE_S))
        await self.rounds(2)

        asleep = await self.rounds(int(AWAKE_S))

        self.assertGreater(awake["EVALSHA"], 30 * AWAKE_S)
        self.assertLess(asleep["EVALSHA"], AWAKE_S + 30 * AWAKE_S / (ASLEEP_S / 2) + 1)

    async def test_what_begins_to_be_used_is_looked_at_in_the_next_round_and_for_a_while(self) -> None:
        name = self.idle(MANY)[77]
        await self.rounds(10)

        await self.job_store.enqueue(self.job(queue=name, delay_ms=60_000))
        self.client.zadd(f"wb:{{{name}}}:delayed", dict.fromkeys(self.ids_in(name), await self.now_ms() - 1))
        await self.rounds(1)

        self.assertEqual(0, self.client.zcard(f"wb:{{{name}}}:delayed"))
        await self.job_store.enqueue(self.job(queue=name, expires_in_ms=1))
        for _ in range(int(AWAKE_S) - 2):
            await self.rounds(1)
        self.assertEqual(1, self.client.zcard(f"wb:{{{name}}}:dead"))

    async def test_a_runner_that_begins_to_serve_a_queue_is_watched_from_the_next_round_on(self) -> None:
        self.idle(MANY)
        self.queue_name, self.base = "idle-7", self.keys.base("idle-7")
        await self.rounds(10)

        await self.lease("dead")
        await self.rounds(4)

        self.assertFalse(self.client.hexists(self.base + "workers", "dead"))

    async def test_a_job_that_is_put_forward_in_a_queue_that_sleeps_wakes_it(self) -> None:
        await self.enqueue(delay_ms=3_600_000)
        (job_id,) = self.ids_in("q")
        await self.rounds(int(AWAKE_S) + 2)

        late = JobStore(self.link, self.keys)
        await late.patch(job_id, lambda record: Revision(record.spec_text.decode(), None, 1 + (record.created_ms or 0)))
        await self.rounds(2)

        self.assertEqual("ready", await self.state(job_id))

    async def test_one_that_was_waiting_for_its_time_is_promoted_when_that_comes(self) -> None:
        await self.rounds(1)
        job_id = await self.enqueue(delay_ms=300)
        await self.rounds(1)
        self.assertEqual("delayed", await self.state(job_id))

        async def is_ready() -> bool:
            await self.rounds(1)
            return await self.state(job_id) == "ready"

        await until(is_ready, "it is promoted")

    async def test_a_broken_set_of_times_costs_a_wait_and_no_queue(self) -> None:
        self.client.set(self.keys.moved, "no set")
        await self.enqueue(expires_in_ms=1)

        await self.rounds(3)

        self.assertEqual(1, self.client.zcard(self.base + "dead"))
        self.client.delete(self.keys.moved)

    def ids_in(self, queue: str) -> list[str]:
        found: Any = self.client.zrange(f"wb:{{{queue}}}:all", 0, -1)
        return [job_id.decode() for job_id in found]


class Looks(RedisCase):
    """Epochs over many queues."""

    async def test_a_look_asks_for_a_few_markers_and_sees_a_flush_at_once_and_whole(self) -> None:
        names = [f"q{number}" for number in range(300)]
        await self.queues.add(names)
        link = Counted(self.link)
        epochs = Epochs(link, self.keys)
        await epochs.check()
        link.calls.clear()

        for _ in range(20):
            self.assertIsNone(await epochs.check())
        self.assertLessEqual(link.calls["GET"], 20 * MARKERS_A_CHECK)
        self.assertLessEqual(link.calls.total(), 20 * (MARKERS_A_CHECK + 2))
        for node in self.redis.clients:
            node.flushall()

        loss = await epochs.check()
        self.assertEqual(set(names), set(loss.queues) if loss else None)

    async def test_one_queue_that_is_lost_among_many_is_seen_when_its_turn_comes(self) -> None:
        await self.queues.add([f"q{number}" for number in range(100)])
        epochs = Epochs(self.link, self.keys)
        await epochs.check()
        self.client.delete("wb:{q77}:epoch")

        found = [await epochs.check() for _ in range(100 // MARKERS_A_CHECK + 1)]

        self.assertEqual([("q77",)], [loss.queues for loss in found if loss])

    async def test_one_that_is_new_among_many_has_its_marker_soon(self) -> None:
        await self.queues.add([f"q{number}" for number in range(500)])
        epochs = Epochs(self.link, self.keys)
        await epochs.check()

        await self.queues.add(["new"])
        for _ in range(2 * 500 // NAMES_A_CHECK):
            await epochs.check()

        self.assertTrue(self.client.exists("wb:{new}:epoch"))


if __name__ == "__main__":
    unittest.main()
