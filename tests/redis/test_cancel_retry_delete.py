"""cancel, retry, delete: what a caller may do to a job, in each of its states."""

import unittest
from typing import Any

from lib.errors import JobNotFound, WrongState
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.queue.end_record import complete_record, fail_record
from tests.redis.case import ERROR, TRACE, RedisCase, ending, ids_of


class InState(RedisCase):
    """Makes a job of each state."""

    async def a_job(self, state: str) -> str:
        if state in ("ready", "cancelled"):
            job_id = await self.enqueue()
        elif state == "delayed":
            job_id = await self.enqueue(delay_ms=60_000)
        else:
            job_id = await self.enqueue("high")
        if state == "cancelled":
            await self.job_store.cancel(job_id)
        if state in ("active", "completed", "dead"):
            self.runner = await self.lease()
            (self.taken,) = (await self.runner.claim(1)).jobs
            self.assertEqual(job_id, self.taken.job_id)
        if state == "completed":
            await self.runner.end_and_wait("finish", complete_record(job_id, self.taken.token, "noop", "1"))
        if state == "dead":
            await self.runner.end_and_wait("fail", fail_record(job_id, self.taken.token, ERROR, None))
        return job_id


class Cancel(InState):
    async def test_a_job_that_waits_is_cancelled_at_once(self) -> None:
        for state in ("ready", "delayed"):
            job_id = await self.a_job(state)

            await self.job_store.cancel(job_id)

            record = await self.record(job_id)
            self.assertEqual("cancelled", record.state)
            self.assertIsNotNone(record.finished_ms)

    async def test_a_job_that_runs_is_asked_to_stop(self) -> None:
        job_id = await self.a_job("active")

        await self.job_store.cancel(job_id)

        record = await self.record(job_id)
        self.assertEqual("active", record.state)
        self.assertIsNotNone(record.cancel_requested_ms)
        self.assertEqual({job_id}, await self.runner.cancel_requests())

    async def test_a_cancel_that_is_forced_is_marked_until_the_job_is_run_again(self) -> None:
        job_id = await self.a_job("active")
        await self.job_store.cancel(job_id)

        await self.job_store.cancel(job_id, is_forced=True)

        self.assertEqual({job_id, f"!{job_id}"}, await self.runner.cancel_requests())
        await self.runner.end_and_wait("fail", ending("fail", self.taken))
        await self.job_store.retry(job_id)
        self.assertEqual(set(), await self.runner.cancel_requests())

    async def test_of_a_job_that_waits_a_forced_cancel_is_a_cancel(self) -> None:
        for state in ("ready", "delayed"):
            job_id = await self.a_job(state)

            await self.job_store.cancel(job_id, is_forced=True)

            self.assertEqual("cancelled", await self.state(job_id))

    async def test_one_without_a_worker_is_asked_all_the_same(self) -> None:
        job_id = await self.enqueue()
        self.client.hset(f"{self.base}job:{job_id}", "state", "active")

        await self.job_store.cancel(job_id)

        self.assertIsNotNone((await self.record(job_id)).cancel_requested_ms)
        self.client.flushall()

    async def test_asked_twice_it_keeps_the_first_time(self) -> None:
        job_id = await self.a_job("active")
        await self.job_store.cancel(job_id)
        first = (await self.record(job_id)).cancel_requested_ms

        await self.job_store.cancel(job_id)

        self.assertEqual(first, (await self.record(job_id)).cancel_requested_ms)

    async def test_a_job_that_was_asked_to_stop_may_still_complete(self) -> None:
        job_id = await self.a_job("active")
        await self.job_store.cancel(job_id)

        await self.runner.end_and_wait("finish", ending("finish", self.taken))

        self.assertEqual("completed", await self.state(job_id))

    async def test_a_job_that_was_asked_to_stop_does_not_run_again(self) -> None:
        for script in ("fail", "snooze", "release"):
            job_id = await self.a_job("active")
            await self.job_store.cancel(job_id)

            was_ours = await self.runner.end_and_wait(script, ending(script, self.taken))

            self.assertEqual((True, "cancelled"), (was_ours, await self.state(job_id)))

    async def test_a_job_that_was_asked_to_stop_and_whose_runner_dies_is_cancelled(self) -> None:
        for is_crash in (True, False):
            job_id = await self.a_job("active")
            await self.job_store.cancel(job_id)

            await self.queues.runners.reap("q", "w", is_crash=is_crash, crash_limit=3)

            self.assertEqual("cancelled", await self.state(job_id))

    async def test_a_job_that_has_ended_can_not_be_cancelled(self) -> None:
        for state in ("completed", "dead", "cancelled"):
            job_id = await self.a_job(state)
            before = self.dump()

            with self.assertRaises(WrongState) as refused:
                await self.job_store.cancel(job_id)

            self.assertIn(state, refused.exception.detail)
            self.assertEqual(before, self.dump())

    async def test_a_job_that_is_not_there_is_not_found(self) -> None:
        for job_id in ("q-" + "0" * 32, "no id", "", "q-0123", "Q-" + "0" * 32, "q-" + "0" * 31 + "\n"):
            for change in (
                self.job_store.cancel,
                self.job_store.retry,
                self.job_store.delete,
                self.job_store.read,
                self.job_store.log_of,
            ):
                with self.assertRaises(JobNotFound):
                    await change(job_id)


class Retry(InState):
    async def test_a_finished_job_is_ready_again_as_if_new(self) -> None:
        for state in ("completed", "dead", "cancelled"):
            job_id = await self.a_job(state)

            await self.job_store.retry(job_id)

            record = await self.record(job_id)
            self.assertEqual(
                ("ready", 0, None, None, None),
                (record.state, record.attempts, record.result, record.error, record.finished_ms),
            )
            self.assertIsNone(record.cancel_requested_ms)
            await (await self.lease("clears_away")).claim(1)

    async def test_its_history_and_its_tokens_go_on(self) -> None:
        job_id = await self.a_job("dead")

        await self.job_store.retry(job_id)
        job = await self.claimed(self.runner)

        self.assertEqual((1, 2), (job.attempt, job.token))
        self.assertEqual([("dead", ERROR)], [(a.outcome, a.error) for a in (await self.record(job_id)).history])

    async def test_a_cancelled_job_that_is_still_listed_is_listed_once(self) -> None:
        runner = await self.lease()
        job_id = await self.a_job("cancelled")

        await self.job_store.retry(job_id)

        self.assertEqual([job_id], self.list("ready:normal"))
        self.assertEqual([[job_id], []], [ids_of(await runner.claim(1)), ids_of(await runner.claim(1))])

    async def test_a_cancelled_job_that_claim_has_dropped_is_listed_again(self) -> None:
        runner = await self.lease()
        job_id = await self.a_job("cancelled")
        await runner.claim(1)

        await self.job_store.retry(job_id)

        self.assertEqual([job_id], ids_of(await runner.claim(1)))

    async def test_a_job_cancelled_in_a_runners_hands_and_retried_runs_once(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        popped = self.popped(runner)
        await self.job_store.cancel(job_id)
        await self.job_store.retry(job_id)

        claim = await runner.claim(2, [popped])

        self.assertEqual([job_id], ids_of(claim))

    async def test_a_job_that_was_asked_to_stop_and_is_run_again_is_not_asked_any_more(self) -> None:
        job_id = await self.a_job("active")
        await self.job_store.cancel(job_id)
        await self.runner.end_and_wait("fail", ending("fail", self.taken))

        await self.job_store.retry(job_id)
        await self.claimed(self.runner)

        self.assertEqual(set(), await self.runner.cancel_requests())

    async def test_a_job_that_has_not_ended_can_not_be_run_again(self) -> None:
        for state in ("ready", "delayed", "active"):
            job_id = await self.a_job(state)
            before = self.dump()

            with self.assertRaises(WrongState):
                await self.job_store.retry(job_id)

            self.assertEqual(before, self.dump())

    async def test_a_job_whose_unique_key_another_one_holds_can_not_be_run_again(self) -> None:
        for times in ({}, {"delay_ms": 60_000}):
            first, second = self.unique_job(), self.unique_job(**times)
            await self.job_store.enqueue(first)
            await self.job_store.cancel(first.job_id)
            await self.job_store.enqueue(second)
            before = self.dump()

            with self.assertRaises(WrongState) as refused:
                await self.job_store.retry(first.job_id)

            self.assertIn(second.job_id, refused.exception.detail)
            self.assertEqual(before, self.dump())
            await self.job_store.cancel(second.job_id)

    async def test_a_job_that_is_run_again_holds_its_unique_key_again(self) -> None:
        first, second, third = (self.unique_job() for _ in range(3))
        await self.job_store.enqueue(first)
        await self.job_store.cancel(first.job_id)
        await self.job_store.enqueue(second)
        await self.job_store.cancel(second.job_id)

        await self.job_store.retry(first.job_id)

        self.assertEqual(("duplicate", first.job_id), (await self.job_store.enqueue(third))[1::-1])
        self.assertAlmostEqual(7_000, self.client.pttl(self.base + "unique:k ü"), delta=1_000)

    async def test_a_unique_key_whose_time_nobody_noted_is_held_for_a_day(self) -> None:
        job = self.unique_job()
        await self.job_store.enqueue(job)
        await self.job_store.cancel(job.job_id)
        self.client.hdel(f"{self.base}job:{job.job_id}", "unique_ttl")
        self.client.set(self.base + "unique:k ü", "q-garbage")

        await self.job_store.retry(job.job_id)

        self.assertAlmostEqual(86_400_000, self.client.pttl(self.base + "unique:k ü"), delta=10_000)

    async def test_a_key_that_was_taken_for_a_day_costs_the_job_no_field(self) -> None:
        job = self.unique_job()._replace(unique_ttl_ms=86_400_000)
        await self.job_store.enqueue(job)

        self.assertEqual([b"spec", b"state"], sorted(self.client.hkeys(f"{self.base}job:{job.job_id}")))

    def unique_job(self, **times: Any) -> NewJob:
        spec = JobSpec("noop", {}, "request", TRACE, 5, 60.0, Backoff(), unique_key="k ü")
        job_id = self.ids.new("q", "request")
        return NewJob(job_id, "normal", spec.to_text(), unique_key="k ü", unique_ttl_ms=7_000, **times)

    async def test_at_maxmemory_a_job_is_run_again_all_the_same(self) -> None:
        """Nothing comes in by it; who frees memory may have to run a job for that."""
        dead, unique = await self.a_job("dead"), self.unique_job()
        await self.job_store.enqueue(unique)
        await self.job_store.cancel(unique.job_id)
        jobs = [dead, unique.job_id]
        self.addCleanup(self.configure, "maxmemory", 0)
        self.configure("maxmemory", 1)

        for job_id in jobs:
            await self.job_store.retry(job_id)

        self.assertEqual(["ready", "ready"], [await self.state(job_id) for job_id in jobs])

    async def test_a_high_job_that_is_run_again_rings(self) -> None:
        job_id = await self.a_job("dead")
        self.client.delete(self.base + "ready:normal")

        await self.job_store.retry(job_id)

        self.assertEqual([[job_id], ["bell"]], [self.list("ready:high"), self.list("ready:normal")])


class Delete(InState):
    async def test_a_finished_job_leaves_nothing(self) -> None:
        for state in ("completed", "dead"):
            job_id = await self.a_job(state)

            await self.job_store.delete(job_id)

            self.assertEqual([], [key for key in self.key_names() if job_id in str(key)])
            with self.assertRaises(JobNotFound):
                await self.job_store.read(job_id)

    async def test_a_cancelled_job_that_is_listed_leaves_a_tombstone(self) -> None:
        job_id = await self.a_job("cancelled")

        await self.job_store.delete(job_id)

        self.assertEqual({job_id.encode(): b"1"}, self.client.hgetall(self.base + "gone"))

    async def test_a_tombstone_in_a_dead_runners_list_is_taken_away_with_it(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        self.popped(runner)
        await self.job_store.cancel(job_id)
        await self.job_store.delete(job_id)

        await self.crash("w")

        self.assertEqual([0, 0], [self.client.hlen(self.base + "gone"), self.client.llen(self.base + "quarantine")])

    async def test_a_job_that_has_not_ended_can_not_be_deleted(self) -> None:
        for state in ("ready", "delayed", "active"):
            job_id = await self.a_job(state)
            before = self.dump()

            with self.assertRaises(WrongState):
                await self.job_store.delete(job_id)

            self.assertEqual(before, self.dump())


if __name__ == "__main__":
    unittest.main()
