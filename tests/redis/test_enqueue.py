"""enqueue: a commit is taken in once, whatever becomes of its reply, and every job begins in its right place."""

import asyncio
import unittest
from typing import Any

from lib.errors import NotReplicated, OutcomeUnknown, RedisUnavailable
from lib.queue.job_store import JobStore
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.private_redis import PrivateRedis
from tests.redis.case import LosesReplies, RedisCase, Through


class Enqueue(RedisCase):
    async def test_nothing_is_kept_of_queues_that_nobody_uses_any_more(self) -> None:
        now_s = 0.0
        queue = JobStore(self.link, self.keys, clock=lambda: now_s)
        for number in range(50):
            await queue.enqueue(self.job(queue=f"q{number}"))

        now_s = 31.0
        for _ in range(2):
            await asyncio.gather(*[queue.enqueue(self.job(queue="q7")) for _ in range(3)])

        self.assertEqual((["q7"], ["q7"]), (list(queue._enqueuer._committers), list(queue._enqueuer._named_at_s)))
        self.assertEqual(7, (await self.queues.census("q7")).totals["enqueued"])

    async def test_a_job_waits_with_its_spec_in_the_list_of_its_priority(self) -> None:
        for priority in ("high", "normal", "low"):
            job = self.job(priority)

            await self.job_store.enqueue(job)

            record = await self.record(job.job_id)
            self.assertIn(job.job_id, self.list(f"ready:{priority}"))
            self.assertEqual(("ready", job.spec_text), (record.state, record.spec.to_text() if record.spec else ""))
            self.assertEqual((0, 0, None), (record.attempts, record.token, record.started_ms))

    async def test_a_queues_name_stands_before_its_first_job_does(self) -> None:
        await self.enqueue()

        self.assertEqual(["q"], await self.queues.names())

    async def test_a_delayed_job_is_due_that_long_after_redis_own_time(self) -> None:
        before_ms = await self.now_ms()

        job_id = await self.enqueue(delay_ms=60_000)

        record = await self.record(job_id)
        self.assertEqual("delayed", record.state)
        self.assertIn((record.run_at_ms or 0) - before_ms, range(60_000, 61_000))

    async def test_a_run_at_in_the_past_is_ready_at_once(self) -> None:
        for run_at_ms in (0, 1, await self.now_ms() - 1):
            self.assertEqual("ready", await self.state(await self.enqueue(run_at_ms=run_at_ms)))

    async def test_a_run_at_in_the_future_is_kept_to_the_millisecond(self) -> None:
        run_at_ms = await self.now_ms() + 123_456

        record = await self.record(await self.enqueue("high", run_at_ms=run_at_ms))

        self.assertEqual(("delayed", run_at_ms), (record.state, record.run_at_ms))

    async def test_what_arrives_together_goes_in_few_calls_and_in_order(self) -> None:
        link = LosesReplies(self.link)
        self.job_store = JobStore(link, self.keys)

        ids = await self.enqueue_many(1200)

        calls = [command for command in link.sent if command[0] in ("EVALSHA", "EVAL")]
        self.assertLessEqual(len(calls), 4)
        self.assertEqual(ids, self.list("ready:normal")[::-1])

    async def test_jobs_of_different_queues_do_not_mix(self) -> None:
        one, other = self.job(queue="one"), self.job(queue="other")

        await asyncio.gather(self.job_store.enqueue(one), self.job_store.enqueue(other))

        self.assertEqual([one.job_id.encode()], self.client.lrange("wb:{one}:ready:normal", 0, -1))
        self.assertEqual([other.job_id.encode()], self.client.lrange("wb:{other}:ready:normal", 0, -1))


class FailsOver(Through):
    """A link to a server; what it is told another one is told, too, as long as it `replicates`. After the first script
    that was not, the other one is promoted and answers."""

    def __init__(self, link: RedisLink, other: RedisLink) -> None:
        super().__init__(link)
        self._other = other
        self.replicates = True

    async def call(self, *command: Argument) -> Any:
        reply = await self._link.call(*command)
        if self.replicates:
            await self._other.call(*command)
        elif command[0] in ("EVALSHA", "EVAL"):
            self._link = self._other
        return reply


class Promotions(RedisCase):
    async def test_a_server_that_was_promoted_without_the_commit_confirms_none_though_it_has_the_one_before(
        self,
    ) -> None:
        with PrivateRedis() as other:
            link = FailsOver(self.link, self.a_link(other.url))
            self.job_store = JobStore(link, self.keys, ack_replicas=1)
            # Neither has a replica here; but both have this process's first commit.
            with self.assertRaises(NotReplicated):
                await self.enqueue()
            link.replicates = False

            with self.assertRaises(OutcomeUnknown):
                await self.enqueue()

            self.assertEqual((2, 1), (len(self.states()), other.client.llen(self.base + "ready:normal")))


class Replies(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.losing = LosesReplies(self.link)
        self.job_store = JobStore(self.losing, self.keys)
        await self.enqueue()  # Loads the script and writes the queue's name.

    async def test_a_commit_whose_reply_was_lost_is_sent_again_and_runs_once(self) -> None:
        self.losing.lose = 1

        await self.enqueue("high")

        self.assertEqual(2, len(self.states()))
        self.assertEqual(2, (await self.queues.census("q")).totals["enqueued"])

    async def test_a_commit_whose_reply_is_lost_twice_is_of_unknown_outcome(self) -> None:
        self.losing.lose = 2

        with self.assertRaises(OutcomeUnknown):
            await self.enqueue()

        self.assertEqual(2, len(self.states()))

    async def test_a_commit_that_arrives_after_a_later_one_is_not_run(self) -> None:
        """It lay in the buffer of a dead connection; who sent it was told that its outcome is unknown."""
        job = self.job()
        self.losing.lose = 2
        with self.assertRaises(OutcomeUnknown):
            await self.job_store.enqueue(job)
        late = self.losing.sent[-1]
        await self.enqueue()
        before = self.dump()

        answer = await self.link.call(*late)

        self.assertEqual(b"superseded", answer)
        self.assertEqual(before, self.dump())

    async def test_while_one_commit_fails_those_behind_it_are_told_at_once(self) -> None:
        self.losing.lose = 2

        answers = await asyncio.gather(*[self.enqueue() for _ in range(600)], return_exceptions=True)

        kinds = [type(answer) for answer in answers]
        self.assertEqual([OutcomeUnknown] * 500 + [RedisUnavailable] * 100, kinds)

    async def test_the_next_commit_after_a_failed_one_is_taken_in(self) -> None:
        self.losing.lose = 2
        with self.assertRaises(OutcomeUnknown):
            await self.enqueue()

        job_id = await self.enqueue()

        self.assertEqual("ready", await self.state(job_id))


class Bells(RedisCase):
    async def test_high_and_low_jobs_ring_for_a_runner_that_blocks_on_normal(self) -> None:
        for priority in ("high", "low"):
            self.client.flushall()
            lease = await self.lease()
            await lease.claim(0)  # Loads the script: a pop does not.
            popping = asyncio.create_task(lease.pop(5))
            await self.until_blocked(1)

            job_id = await self.enqueue(priority)

            self.assertEqual([job_id], [job.job_id for job in (await popping).jobs])

    async def test_there_is_one_bell_however_many_ring(self) -> None:
        for _ in range(5):
            await self.enqueue("high")

        self.assertEqual(["bell"], self.list("ready:normal"))

    async def test_nobody_rings_where_a_normal_job_is_there_to_be_popped(self) -> None:
        normal = await self.enqueue()

        await self.enqueue("low")

        self.assertEqual([normal], self.list("ready:normal"))

    async def test_a_new_earliest_due_time_rings_and_a_later_one_does_not(self) -> None:
        await self.enqueue(delay_ms=60_000)
        self.assertEqual(["bell"], self.list("ready:normal"))
        self.client.delete(self.base + "ready:normal")

        await self.enqueue(delay_ms=120_000)
        self.assertEqual([], self.list("ready:normal"))

        await self.enqueue(delay_ms=30_000)
        self.assertEqual(["bell"], self.list("ready:normal"))


class Refused(RedisCase):
    async def asyncTearDown(self) -> None:
        self.configure("maxmemory", 0)
        await super().asyncTearDown()

    async def test_at_maxmemory_a_new_job_is_refused_whole_and_work_goes_on(self) -> None:
        job_id = await self.enqueue()
        lease = await self.lease()
        self.configure("maxmemory", 1)

        with self.assertRaises(RedisUnavailable) as refused:
            await self.enqueue()
        job = await self.claimed(lease)

        self.assertIn("maxmemory", str(refused.exception))
        self.assertEqual((job_id, [job_id]), (job.job_id, list(self.states())))


if __name__ == "__main__":
    unittest.main()
