"""explain of jobs that wait for a callback, and what it says beside the reason: of deadlines, of places that are taken,
and of the schedule that queued a job."""

import unittest

from lib.jobs.explanation_words import at
from lib.jobs.schedule import Schedule
from lib.queue.end_record import fail_record
from tests.redis.case import ERROR
from tests.redis.schedule_case import ScheduleCase, every
from tests.redis.test_callbacks import AN_HOUR_S, CallbackCase
from tests.redis.test_explain import ExplainCase
from tests.redis.test_replace import ReplaceCase


class Callbacks(ExplainCase, CallbackCase):
    async def test_a_job_that_was_handed_over_waits_for_its_callback_and_longer_where_the_service_asks_for_it(
        self,
    ) -> None:
        _, job, key = await self.outside(within_s=60)

        found = await self.explained(job.job_id)
        await self.callbacks.extend(key, 2 * AN_HOUR_S, '{"fraction":0.5,"note":"half"}')
        extended = await self.explained(job.job_id)

        self.assertEqual(("waiting_for_callback", "blocked"), (found.reason, found.state))
        self.assertAlmostEqual(await self.now_ms() + 60_000, found.until_ms or 0, delta=5000)
        self.assertIn("attempt 1 of 5 was handed over at ", found.detail)
        self.assertEqual(self.deadline_ms(job.job_id), extended.until_ms)
        self.assertAlmostEqual(await self.now_ms() + 2 * AN_HOUR_S * 1000, extended.until_ms or 0, delta=5000)
        self.assertIn("50 % done: half", extended.detail)

    async def test_one_whose_service_said_that_it_failed_waits_for_the_next_attempt(self) -> None:
        _, job, key = await self.outside()
        await self.callbacks.fail(key, '{"type":"Failed","message":"no paper"}', 60.0)

        found = await self.explained(job.job_id)

        self.assertEqual("retry_backoff", found.reason)
        self.assertIn("attempt 1 of 5 failed: Failed: no paper", found.detail)


class Beside(ExplainCase):
    async def test_it_says_how_many_places_of_the_workers_are_taken(self) -> None:
        runner = await self.served_by("a", concurrency=3)
        await self.served_by("b", concurrency=1)
        await self.enqueue_many(6)
        await runner.claim(2)
        job_id = await self.enqueue()
        some = await self.explained(job_id)
        await (await self.served_by("b", concurrency=1)).claim(2)  # One of them ahead of a free slot.
        await runner.claim(1)

        every = await self.explained(job_id)

        self.assertIn("with 2 runners for 4 at once, 2 of which are taken", some.detail)
        self.assertIn("with 2 runners for 4 at once, and all are taken", every.detail)

    async def test_a_job_that_may_wait_so_long_says_until_when(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue(expires_in_ms=60_000, give_up_ms=120_000)
        record = await self.record(job_id)

        waiting = await self.explained(job_id)
        job = await self.claimed(runner)
        running = await self.explained(job_id)
        await runner.end_and_wait("fail", fail_record(job_id, job.token, ERROR, 60.0))
        failed = await self.explained(job_id)

        self.assertIn(f"it is dead if it has not begun by {at(record.expires_ms)}, in ", waiting.detail)
        given_up = f"no attempt begins after {at(record.gives_up_ms)} (give_up_after_s)"
        self.assertTrue(waiting.detail.endswith(given_up), waiting.detail)
        self.assertTrue(failed.detail.endswith(given_up), failed.detail)
        self.assertNotIn("not begun", running.detail + failed.detail)
        self.assertNotIn("give_up_after_s", running.detail)

    async def test_a_debounced_job_says_how_long_it_may_be_put_off(self) -> None:
        await self.served_by()
        job_id = await self.enqueue(unique_key="k", unique_mode="debounce", unique_ttl_ms=300_000, delay_ms=60_000)

        found = await self.explained(job_id)

        self.assertEqual("delayed", found.reason)
        due_by = self.client.hget(f"{self.base}job:{job_id}", "due_by")
        self.assertIn(f"each further request under its unique key puts it off, until {at(int(due_by))}", found.detail)

    async def test_a_cancelled_job_says_when_and_that_no_attempt_was_made(self) -> None:
        await self.served_by()
        job_id = await self.enqueue(delay_ms=60_000)
        await self.job_store.cancel(job_id)

        found = await self.explained(job_id)

        self.assertEqual(("finished", f"cancelled at {at(found.since_ms)}"), found[:2])


class Superseded(ExplainCase, ReplaceCase):
    async def test_one_whose_place_another_took_gets_no_further_attempt_and_that_one_waits_for_its_end(self) -> None:
        lease, job = await self.running(1)
        second = await self.post(2)

        first, new = await self.explained(job.job_id), await self.explained(second.job_id)
        await self.end(lease, job, "fail", delay_s=0)
        ended = await self.explained(job.job_id)

        self.assertEqual(["running", "waiting_for_jobs", "finished"], [one.reason for one in (first, new, ended)])
        taken = f"no attempt comes after this one, because {second.job_id} has taken its unique key"
        self.assertTrue(first.detail.endswith(taken), first.detail)
        self.assertIn(f"1 of 1 job has not ended: {job.job_id} (active for ", new.detail)
        self.assertIn("superseded: ", ended.detail)


class Scheduled(ExplainCase, ScheduleCase):
    async def fired(self, schedule: Schedule) -> str:
        """The job of a slot that was due."""
        await self.put(schedule)
        await self.bring_now()
        (taken,) = await self.take()
        assert taken.job_id is not None
        return taken.job_id

    async def test_a_job_says_which_slot_it_is_for_and_when_its_schedule_queues_the_next_one(self) -> None:
        await self.served_by()
        job_id = await self.fired(every(60))
        spec, next_ms = await self.spec(job_id), self.client.zscore(self.base + "slots", "s")

        found = await self.explained(job_id)

        self.assertEqual("waiting_its_turn", found.reason)
        self.assertIn(f"the schedule s, which queues the next one at {at(int(next_ms))}, in ", found.detail)
        self.assertTrue(found.detail.endswith(f"queued it for {at(spec.scheduled_for)}"), found.detail)

    async def test_it_says_so_where_the_schedule_is_paused_or_gone(self) -> None:
        await self.served_by()
        job_id = await self.fired(every(60))

        await self.put(every(60, paused=True))
        paused = await self.explained(job_id)
        await self.schedules.delete("s")
        gone = await self.explained(job_id)

        self.assertIn("the schedule s, which is paused or has ended, queued it for ", paused.detail)
        self.assertIn("the schedule s, which this queue has no more, queued it for ", gone.detail)


if __name__ == "__main__":
    unittest.main()
