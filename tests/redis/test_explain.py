"""explain: for each reason a job in Redis for which it holds, and how many jobs are before one."""

import unittest
from random import Random
from typing import Any

from lib import __version__
from lib.errors import JobNotFound, RedisKeysBroken
from lib.jobs.explanation import Explanation, explain
from lib.queue.end_record import fail_record, snooze_record
from lib.queue.explanation_facts import ExplanationFacts
from lib.queue.fleet import Fleet, Program
from lib.queue.lease import Lease
from lib.queue.notes import Notes
from lib.queue.runners import Vitals
from tests.redis.case import ERROR, RedisCase, ending


class ExplainCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.facts = ExplanationFacts(self.link, self.keys, self.queues.runners, lease_s=15.0)

    async def explained(self, job_id: str) -> Explanation:
        """Explained, and nothing in Redis has changed by it."""
        before = self.dump()
        found = explain(await self.facts.of(job_id))
        self.assertEqual(before, self.dump())
        return found

    async def ahead(self, job_id: str) -> tuple[int | None, str]:
        """How many jobs are before it, and how exactly that is known."""
        facts = await self.facts.of(job_id)
        return facts.ahead, facts.precision

    async def served_by(self, runner_id: str = "w", **about: Any) -> Lease:
        lease = Lease(self.link, self.a_link(), self.keys, self.queue_name, runner_id, Random(1))
        await lease.register(about)
        # A runner that is not in the fleet is taken for an older one, which knows no groups.
        await Fleet(self.link, self.keys).show([Program("runner", __version__, runner_id)], 60)
        await self.queues.runners.show([runner_id], 60)
        return lease


class Reasons(ExplainCase):
    async def test_a_job_that_has_ended_is_finished(self) -> None:
        runner = await self.served_by()
        done, dead, cancelled = await self.enqueue_many(3)
        first, second = (await runner.claim(2)).jobs
        await runner.end_and_wait("finish", ending("finish", first))
        await runner.end_and_wait("fail", fail_record(second.job_id, second.token, ERROR, None))
        await self.job_store.cancel(cancelled)

        found = [await self.explained(job_id) for job_id in (done, dead, cancelled)]

        self.assertEqual({"finished"}, {one.reason for one in found})
        self.assertEqual(["completed", "dead", "cancelled"], [one.state for one in found])
        self.assertIn("ValueError: as it was told to", found[1].detail)
        self.assertNotIn(None, [one.since_ms for one in found])

    async def test_a_job_that_runs_is_running(self) -> None:
        runner = await self.served_by("w")
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        notes = Notes(job_id, job.token)
        notes.set_progress(0.5, "half-way")
        runner.note(notes)
        await runner.wait_until_idle()
        await self.job_store.cancel(job_id)

        found = await self.explained(job_id)

        record = await self.record(job_id)
        assert record.started_ms is not None
        self.assertEqual(
            ("running", record.started_ms, record.started_ms + 60_000), (found.reason, found.since_ms, found.until_ms)
        )
        for words in ("attempt 1 of 5 runs on w since", "of its timeout_s of 60 are left", "50 % done: half-way"):
            self.assertIn(words, found.detail)
        self.assertIn("asked to stop at", found.detail)
        self.assertNotIn("its worker", found.detail)

    async def test_a_running_job_whose_worker_is_not_heard_of_says_so(self) -> None:
        runner = await self.served_by("w")
        job_id = await self.enqueue()
        await self.claimed(runner)
        self.client.hset(self.base + "beats", "w", f"1:{await self.now_ms() - 9000}")

        late = await self.explained(job_id)

        self.assertIn("its worker was last heard of 9.", late.detail)

    async def test_a_failed_attempt_waits_for_the_next_one(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        await runner.end_and_wait("fail", fail_record(job_id, job.token, ERROR, 60.0))

        found = await self.explained(job_id)

        self.assertEqual(("retry_backoff", (await self.record(job_id)).run_at_ms), (found.reason, found.until_ms))
        self.assertIn("attempt 1 of 5 failed: ValueError: as it was told to", found.detail)

    async def test_a_job_of_a_type_that_no_runner_knows(self) -> None:
        runner = await self.served_by("w")
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        reason = {"type": "unknown_type", "message": "this worker knows no job type noop"}
        await runner.end_and_wait("snooze", snooze_record(job_id, job.token, reason, 10.0, is_unknown=True))

        found = await self.explained(job_id)

        self.assertEqual(("unknown_type", (await self.record(job_id)).run_at_ms), (found.reason, found.until_ms))
        self.assertIn("the worker w can't run it", found.detail)

    async def test_a_delayed_job_and_one_that_its_handler_put_off(self) -> None:
        runner = await self.served_by()
        put_off = await self.enqueue()
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", ending("snooze", job))
        delayed = await self.enqueue(delay_ms=60_000)

        found = [await self.explained(job_id) for job_id in (delayed, put_off)]

        self.assertEqual(["delayed"] * 2, [one.reason for one in found])
        self.assertIn("its handler put it off", found[1].detail)
        self.assertEqual((await self.record(delayed)).run_at_ms, found[0].until_ms)

    async def test_a_job_of_a_paused_queue(self) -> None:
        await self.enqueue()
        job_id = await self.enqueue()
        await self.queues.adjust("q", {"paused": True})

        found = await self.explained(job_id)

        self.assertEqual(("queue_paused", 1, None), (found.reason, found.ahead, found.eta_s))

    async def test_a_job_that_no_worker_serves_names_the_queues_that_are_served(self) -> None:
        job_id = await self.enqueue()
        nobody = await self.explained(job_id)
        self.queue_name = "other"
        await self.served_by("elsewhere")
        elsewhere = await self.explained(job_id)

        self.assertEqual(["no_worker"] * 2, [nobody.reason, elsewhere.reason])
        self.assertIn("no worker lives", nobody.detail)
        self.assertIn("no live worker serves q (live workers serve other)", elsewhere.detail)

    async def test_a_worker_whose_beats_have_ended_serves_nothing(self) -> None:
        await self.served_by("w", lease_s=15)
        job_id = await self.enqueue()
        self.assertEqual("waiting_its_turn", (await self.explained(job_id)).reason)

        self.client.hset(self.base + "beats", "w", f"9:{await self.now_ms() - 15_001}")

        self.assertEqual("no_worker", (await self.explained(job_id)).reason)

    async def test_a_worker_that_drains_takes_no_more_jobs(self) -> None:
        await self.served_by("w")
        job_id = await self.enqueue()

        self.client.hset(self.base + "vitals", "w", "1000 running")
        self.assertEqual("waiting_its_turn", (await self.explained(job_id)).reason)
        await self.queues.runners.beat("q", ["w"], {"w": Vitals(1000, is_draining=True)})
        self.assertEqual("no_worker", (await self.explained(job_id)).reason)

    async def test_an_isolation_runner_serves_suspects_alone(self) -> None:
        await self.served_by("w.alone")
        job_id = await self.enqueue()
        self.assertEqual("no_worker", (await self.explained(job_id)).reason)

        for runner_id in ("a", "b"):
            await self.claimed(await self.served_by(runner_id))
            await self.crash(runner_id)
        later = await self.enqueue()

        self.assertEqual(("suspected", 0), ((await self.explained(job_id)).reason, (await self.ahead(job_id))[0]))
        self.assertEqual("no_worker", (await self.explained(later)).reason)

    async def test_a_job_that_waits_its_turn_says_how_long_at_this_pace(self) -> None:
        runner = await self.served_by("a", concurrency=30)
        await self.served_by("b", concurrency=10)
        await self.enqueue_many(9)
        for job in (await runner.claim(4)).jobs:
            await runner.end_and_wait("finish", ending("finish", job))
        job_id = await self.enqueue()

        found = await self.explained(job_id)

        self.assertEqual(("waiting_its_turn", 5, "exact", 75, "ends_of_last_minute"), (found.reason, *found[2:6]))
        self.assertEqual(
            "5 jobs of q are before it; 4 a minute ended there lately, with 2 runners for 40 at once", found.detail
        )

    async def test_a_job_whose_time_has_come_is_about_to_be_ready(self) -> None:
        await self.served_by()
        job_id = await self.enqueue(delay_ms=60_000)
        await self.make_due(job_id)

        found = await self.explained(job_id)

        self.assertEqual(("waiting_its_turn", None, "delayed"), (found.reason, found.ahead, found.state))

    async def test_an_id_without_a_job_is_not_found(self) -> None:
        for job_id in (self.ids.new("q", "request"), "no-id", "", "q-" + "0" * 31):
            with self.assertRaises(JobNotFound):
                await self.facts.of(job_id)

    async def test_a_broken_list_is_told_of(self) -> None:
        job_id = await self.enqueue("high")
        self.client.delete(self.base + "ready:high")
        self.client.set(self.base + "ready:high", "no list")

        with self.assertRaises(RedisKeysBroken):
            await self.facts.of(job_id)

        self.client.delete(self.base + "ready:high")
        await self.served_by()
        found = await self.explained(job_id)
        self.assertIn("it stands in no list of q", found.detail)
        self.client.lpush(self.base + "ready:high", job_id)


if __name__ == "__main__":
    unittest.main()
