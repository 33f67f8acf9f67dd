"""Many jobs, changed as they were read: what has changed since is left alone, and says so."""

import unittest

from lib.errors import IdempotencyKeyReused, JobNotFound, WrongState
from lib.jobs.job import Keyed
from lib.queue.bulk_changes import ChangeOutcome
from tests.redis.case import RedisCase, ending, ids_of

DONE = ChangeOutcome("done", None)


class BulkCase(RedisCase):
    async def dead(self, count: int = 1) -> list[str]:
        await self.enqueue_many(count)
        return await self.kill(count)

    async def kill(self, count: int) -> list[str]:
        """Have the next jobs that are ready die."""
        runner = await self.lease()
        jobs = (await runner.claim(count)).jobs
        for job in jobs:
            await runner.end_and_wait("fail", ending("fail", job, delay_s=None))
        return [job.job_id for job in jobs]


class AsRead(BulkCase):
    async def test_a_job_that_was_run_again_meanwhile_and_has_completed_does_not_run_once_more(self) -> None:
        (job_id,) = await self.dead()
        records = await self.job_store.read_many([job_id])
        await self.job_store.retry(job_id)
        runner = await self.lease()
        await runner.end_and_wait("finish", ending("finish", await self.claimed(runner)))

        for change in (self.job_store.in_bulk.retry, self.job_store.in_bulk.delete):
            (outcome,) = await change(records, only_as_read=True)

            self.assertEqual("changed", outcome.word)
            self.assertIsInstance(outcome.refusal, WrongState)
        self.assertEqual("completed", await self.state(job_id))

    async def test_a_job_that_has_died_again_meanwhile_is_another_one(self) -> None:
        (job_id,) = await self.dead()
        records = await self.job_store.read_many([job_id])
        self.client.hset(f"{self.base}job:{job_id}", "finished", str((records[0].finished_ms or 0) + 1))

        (outcome,) = await self.job_store.in_bulk.retry(records, only_as_read=True)

        self.assertEqual("changed", outcome.word)
        self.assertEqual([DONE], await self.job_store.in_bulk.retry(records, only_as_read=False))

    async def test_a_job_that_runs_by_now_is_not_asked_to_stop(self) -> None:
        await self.enqueue_many(2)
        records = await self.job_store.read_many([*self.states()])
        runner = await self.lease()
        (active,) = ids_of(await runner.claim(1))

        outcomes = await self.job_store.in_bulk.cancel(records, only_as_read=True)

        words = {record.job_id: outcome.word for record, outcome in zip(records, outcomes, strict=True)}
        self.assertEqual({active: "changed"}, {job_id: word for job_id, word in words.items() if word != "done"})
        self.assertEqual(set(), await runner.cancel_requests())
        self.assertEqual(["active", "cancelled"], sorted(self.states().values()))

    async def test_each_has_the_outcome_that_it_would_have_alone(self) -> None:
        (dead,) = await self.dead()
        ready = await self.enqueue()
        records = await self.job_store.read_many([dead, ready])
        gone = records[0]._replace(job_id="q-" + "0" * 32)

        retried = await self.job_store.in_bulk.retry([*records, gone], only_as_read=False)

        self.assertEqual(["done", "ready", ""], [outcome.word for outcome in retried])
        self.assertEqual([None, WrongState, JobNotFound], [one.refusal and type(one.refusal) for one in retried])

    async def test_a_hundred_that_are_read_and_run_again_keep_their_order_and_count_once(self) -> None:
        ids = await self.dead(100)
        records = await self.job_store.read_many(ids)

        self.assertEqual([DONE] * 100, await self.job_store.in_bulk.retry(records, only_as_read=True))
        second = await self.job_store.in_bulk.retry(records, only_as_read=True)

        self.assertEqual({"changed"}, {outcome.word for outcome in second})
        self.assertEqual(ids, ids_of(await (await self.lease("again")).claim(100)))


class Kept(BulkCase):
    async def test_an_answer_is_kept_under_its_key_and_given_again(self) -> None:
        keyed, kept = Keyed("ops nightly", "print"), self.job_store.kept_answers

        first = await kept.begin("q", keyed)
        broken_off = await kept.begin("q", keyed)
        await kept.keep("q", keyed, '{"matched":3,"reason":"ü "}')
        again = await kept.begin("q", keyed)

        self.assertEqual((False, ""), (first.is_again, first.answer))
        self.assertEqual((first.began_ms, True, ""), broken_off)
        self.assertEqual('{"matched":3,"reason":"ü "}', again.answer)

    async def test_a_key_of_another_request_is_refused_of_whatever_kind_that_was(self) -> None:
        kept, keyed = self.job_store.kept_answers, Keyed("ops nightly", "print")
        (job_id,) = await self.dead()
        await self.job_store.retry(job_id, Keyed("ops retry", "print-of-retry"))
        await kept.begin("q", keyed)

        for other in (Keyed("ops nightly", "other"), Keyed("ops retry", "print")):
            with self.assertRaises(IdempotencyKeyReused):
                await kept.begin("q", other)
        with self.assertRaises(IdempotencyKeyReused):
            await self.job_store.cancel(job_id, keyed=Keyed("ops nightly", "print-of-cancel"))

    async def test_without_a_key_nothing_is_written(self) -> None:
        begun = await self.job_store.kept_answers.begin("q", Keyed())
        await self.job_store.kept_answers.keep("q", Keyed(), "{}")

        self.assertEqual((False, ""), (begun.is_again, begun.answer))
        self.assertEqual([], self.key_names())


if __name__ == "__main__":
    unittest.main()
