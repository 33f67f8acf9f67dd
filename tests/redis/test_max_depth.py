"""max_depth: never more wait than it allows. Pause: nothing is handed out, nothing is lost, nothing loses its place."""

import asyncio
import unittest

from lib.errors import QueueFull, QueueNotFound
from lib.jobs.job import NewJob
from lib.queue.job_store import JobStore
from tests.redis.case import RedisCase, ending, ids_of


class MaxDepth(RedisCase):
    async def bound(self, max_depth: int | None) -> None:
        self.client.sadd("wb:queues", "q")
        await self.queues.adjust("q", {"max_depth": max_depth})

    async def waiting(self) -> int:
        counts = (await self.queues.census("q")).counts
        return counts["ready"] + counts["delayed"]

    async def outcomes(self, jobs: list[NewJob], queue: JobStore | None = None) -> list[str]:
        """`new`, `full` … for each, all sent at once."""
        queue = queue or self.job_store
        answers = await asyncio.gather(*[queue.enqueue(job) for job in jobs], return_exceptions=True)
        return ["full" if isinstance(one, QueueFull) else getattr(one, "outcome", repr(one)) for one in answers]

    async def test_what_comes_beyond_it_is_refused_one_by_one(self) -> None:
        await self.bound(5)

        outcomes = await self.outcomes([self.job(priority) for priority in ("high", "normal", "low") * 3])

        self.assertEqual(["new"] * 5 + ["full"] * 4, outcomes)
        self.assertEqual(5, await self.waiting())

    async def test_many_commits_of_many_processes_never_take_in_more(self) -> None:
        await self.bound(700)
        processes = [JobStore(self.a_link(), self.keys) for _ in range(4)]

        found = await asyncio.gather(
            *[self.outcomes([self.job() for _ in range(600)], process) for process in processes]
        )

        self.assertEqual(700, sum(outcomes.count("new") for outcomes in found))
        self.assertEqual(700, await self.waiting())

    async def test_delayed_jobs_count_and_active_and_finished_ones_do_not(self) -> None:
        await self.bound(4)
        runner = await self.lease()
        await self.outcomes([self.job(), self.job(), self.job(delay_ms=60_000), self.job(delay_ms=60_000)])
        self.assertEqual(["full"], await self.outcomes([self.job(delay_ms=5)]))

        (first, _) = (await runner.claim(2)).jobs
        self.assertEqual(["new"] * 2 + ["full"], await self.outcomes([self.job(), self.job(), self.job()]))
        await runner.end_and_wait("finish", ending("finish", first))
        await self.job_store.cancel(self.list("ready:normal")[0])

        self.assertEqual(["new", "full"], await self.outcomes([self.job(), self.job()]))

    async def test_one_that_was_popped_and_not_claimed_still_waits_and_a_bell_does_not(self) -> None:
        runner = await self.lease()
        await self.bound(1)
        job_id = await self.enqueue()
        self.assertEqual(job_id, self.popped(runner))
        self.assertEqual(["full"], await self.outcomes([self.job()]))

        await runner.claim(1, [job_id])
        self.assertEqual(["new"], await self.outcomes([self.job("high")]))
        self.assertEqual("bell", self.popped(runner))
        self.assertEqual(["full"], await self.outcomes([self.job()]))
        await runner.claim(0, ["bell"])

    async def test_a_job_that_is_there_already_is_answered_at_the_limit_too(self) -> None:
        unique = self.job(unique_key="u", unique_ttl_ms=60_000)
        keyed = self.job(idempotency_key="- k", fingerprint="f")
        await self.outcomes([unique, keyed])
        await self.bound(2)

        again = [self.job(unique_key="u", unique_ttl_ms=60_000), self.job(idempotency_key="- k", fingerprint="f")]

        self.assertEqual(["duplicate", "replayed-new"], await self.outcomes(again))

    async def test_a_refused_job_leaves_no_key_behind(self) -> None:
        await self.bound(0)
        job = self.job(unique_key="u", unique_ttl_ms=60_000, idempotency_key="- k", fingerprint="f")
        self.assertEqual(["full"], await self.outcomes([job]))
        await self.bound(None)

        self.assertEqual(["new"], await self.outcomes([job]))

    async def test_what_comes_back_is_let_in(self) -> None:
        runner = await self.lease()
        await self.enqueue_many(3)
        released, dead, crashed = (await runner.claim(3)).jobs
        await runner.end_and_wait("fail", ending("fail", dead, delay_s=None))
        await self.enqueue(delay_ms=1)
        await self.bound(0)

        await self.job_store.retry(dead.job_id)
        await runner.end_and_wait("release", ending("release", released))
        await self.crash("w")

        self.assertEqual("ready", await self.state(crashed.job_id))
        self.assertEqual(4, await self.waiting())

    async def test_the_pause_asked_for_goes_by_what_was_drained_in_the_last_minute(self) -> None:
        async def refused() -> list[int]:
            answers = await asyncio.gather(
                *[self.job_store.enqueue(self.job()) for _ in range(3)], return_exceptions=True
            )
            return [int(dict(fault.headers)["Retry-After"]) for fault in answers if isinstance(fault, QueueFull)]

        await self.bound(0)
        self.assertEqual([60] * 3, await refused(), "nothing is drained")

        minute = await self.now_ms() // 60_000
        for at in (minute - 1, minute, minute + 1):
            self.client.hset(f"{self.base}minute:{at}", mapping={"completed": 20, "dead": 10})
        # 30 to 60 a minute, as the last minute counts in part.
        for seconds, possible in zip(await refused(), (range(1, 3), range(2, 5), range(3, 7)), strict=True):
            self.assertIn(seconds, possible)

        for at in (minute - 1, minute, minute + 1):
            self.client.hset(f"{self.base}minute:{at}", mapping={"completed": 10**9, "dead": 0})
        self.assertEqual([1] * 3, await refused())

    async def test_it_is_shown_and_taken_away(self) -> None:
        await self.bound(3)
        self.assertEqual(3, (await self.queues.census("q")).settings["max_depth"])

        await self.bound(None)

        self.assertIsNone((await self.queues.census("q")).settings["max_depth"])
        self.assertEqual(["new"] * 5, await self.outcomes([self.job() for _ in range(5)]))

    async def test_a_queue_that_is_not_there_can_not_be_bounded(self) -> None:
        with self.assertRaises(QueueNotFound):
            await self.queues.adjust("nobody", {"max_depth": 1})

    async def test_a_queue_is_bounded_before_its_first_job(self) -> None:
        await self.queues.adjust("q", {"max_depth": 1}, begins=True)

        self.assertEqual((["q"], 1), (await self.queues.names(), (await self.queues.census("q")).settings["max_depth"]))
        await self.enqueue()
        with self.assertRaises(QueueFull):
            await self.enqueue()


class Paused(RedisCase):
    async def pause(self, is_paused: bool = True) -> None:
        await self.queues.adjust("q", {"paused": is_paused})

    async def test_nothing_is_handed_out_until_it_goes_on(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        await self.pause()

        for source in ("ready", "suspects"):
            claim = await runner.claim(5, (), source)
            self.assertEqual(([], True, False), (claim.jobs, claim.is_paused, claim.is_more))
        self.assertTrue((await self.queues.census("q")).settings["paused"])
        await self.pause(False)

        self.assertEqual([job_id], ids_of(await runner.claim(5)))

    async def test_what_was_popped_meanwhile_goes_back_to_the_front(self) -> None:
        runner = await self.lease()
        first, second = await self.enqueue_many(2)
        await self.pause()
        self.assertEqual(first, self.popped(runner))

        claim = await runner.claim(5, [first])
        self.assertEqual((True, []), (claim.is_paused, claim.jobs))
        self.assertEqual([second, first], self.list("ready:normal"))
        self.assertEqual([], await runner.active_ids())
        await self.pause(False)

        self.assertEqual([first, second], ids_of(await runner.claim(5)))

    async def test_a_bell_and_a_cancelled_job_are_dropped_as_ever(self) -> None:
        runner = await self.lease()
        cancelled = await self.enqueue()
        await self.pause()
        await self.job_store.cancel(cancelled)
        self.assertEqual(cancelled, self.popped(runner))
        await self.enqueue("high")
        self.assertEqual("bell", self.popped(runner))

        await runner.claim(5, [cancelled, "bell"])

        self.assertEqual([], await runner.active_ids())
        self.assertEqual("cancelled", await self.state(cancelled))

    async def test_a_claim_whose_reply_was_lost_is_handed_out_all_the_same(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        await runner.claim(1)
        await self.pause()

        claim = await runner.claim(5, await runner.active_ids())

        self.assertEqual([(job_id, 1)], [(job.job_id, job.attempt) for job in claim.jobs])


if __name__ == "__main__":
    unittest.main()
