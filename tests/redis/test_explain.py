"""explain: for each reason a job in Redis for which it holds, and how many jobs are before one."""

import asyncio
import unittest
from random import Random
from typing import Any

from lib import __version__
from lib.errors import JobNotFound, RedisKeysBroken
from lib.jobs.explanation import Explanation, explain
from lib.jobs.job import Revision
from lib.queue.end_record import fail_record, snooze_record
from lib.queue.explanation_facts import MOST_LOOKED_INTO, MOST_SEARCHED, ExplanationFacts
from lib.queue.fleet import Fleet, Program
from lib.queue.lease import Lease
from lib.queue.notes import Notes
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

        self.assertEqual(("waiting_its_turn", 5, False, 75), (found.reason, *found[2:5]))
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


class Places(ExplainCase):
    async def test_high_goes_before_normal_and_normal_before_low(self) -> None:
        low, high, normal = [await self.enqueue_many_of(priority, 3) for priority in ("low", "high", "normal")]

        found = [[await self.ahead(job_id) for job_id in ids] for ids in (high, normal, low)]

        self.assertEqual([[(3 * at + n, "exact") for n in range(3)] for at in range(3)], found)
        runner = await self.served_by()
        claimed = [job.job_id for job in (await runner.claim(9)).jobs]
        self.assertEqual([*high, *normal, *low], claimed)

    async def enqueue_many_of(self, priority: str, count: int) -> list[str]:
        return [await self.enqueue(priority) for _ in range(count)]

    async def test_of_a_thousand_jobs_the_three_hundred_that_were_cancelled_are_not_counted(self) -> None:
        ids = [*await self.enqueue_many(500), *await self.enqueue_many(501)]
        order = self.list("ready:normal")[::-1]
        self.assertEqual(set(ids), set(order))
        cancelled = Random(7).sample(order[:1000], 300)
        await asyncio.gather(*[self.job_store.cancel(job_id) for job_id in cancelled])

        found = await self.ahead(order[1000])

        self.assertEqual((700, "exact"), found)
        runner = await self.served_by()
        before = [job.job_id for _ in range(8) for job in (await runner.claim(100)).jobs]
        self.assertEqual(700, before.index(order[1000]))

    async def test_jobs_that_were_delayed_deleted_or_moved_are_not_before_it(self) -> None:
        ids = await self.enqueue_many_of("normal", 5)
        await self.job_store.cancel(ids[0])
        await self.job_store.delete(ids[0])
        await self.job_store.patch(ids[1], lambda record: self.revision(record.spec_text, "low"))
        await self.job_store.patch(ids[2], lambda record: self.revision(record.spec_text, None, due=10**14))
        self.client.rpush(self.base + "ready:normal", "bell")

        self.assertEqual([(0, "exact"), (1, "exact")], [await self.ahead(job_id) for job_id in ids[3:]])
        self.assertEqual((2, "exact"), await self.ahead(ids[1]))

    def take_out_bells(self) -> None:
        self.client.lrem(self.base + "ready:normal", 0, "bell")

    def revision(self, spec_text: bytes, priority: str | None, *, due: int | None = None) -> Revision:
        return Revision(spec_text.decode(), priority, due)

    async def test_beyond_a_thousand_the_cancelled_ones_are_counted_as_well(self) -> None:
        await self.served_by()
        high = (await self.enqueue_many(600, priority="high"))[0]
        await self.enqueue_many(500)
        self.take_out_bells()
        last = self.list("ready:normal")[0]
        await self.job_store.cancel(high)

        found = await self.explained(last)

        self.assertEqual((1099, False), (found.ahead, found.is_ahead_at_least))
        self.assertIn("at most 1,099 jobs", found.detail)

    async def test_beyond_ten_thousand_places_there_are_at_least_so_many(self) -> None:
        await self.enqueue("high")
        ids = await self.enqueue_many(MOST_SEARCHED + 1)
        self.take_out_bells()
        first_of_all = self.list("ready:normal")
        self.assertEqual(len(ids), len(first_of_all))

        beyond, within = [await self.ahead(job_id) for job_id in first_of_all[:2]]
        looked_into = await self.ahead(first_of_all[-MOST_LOOKED_INTO])

        self.assertEqual((MOST_SEARCHED + 1, "least"), beyond)
        self.assertEqual((MOST_SEARCHED, "most"), within)
        self.assertEqual((MOST_LOOKED_INTO, "exact"), looked_into)

    async def test_a_job_that_a_runner_has_popped_and_not_claimed_yet_is_taken(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue()
        self.assertEqual(job_id, self.popped(runner))

        found = await self.explained(job_id)

        self.assertEqual(("waiting_its_turn", 0, 0), (found.reason, found.ahead, found.eta_s))
        self.assertIn("a worker has just taken it", found.detail)
        await runner.claim(1, [job_id])
        self.assertEqual("running", (await self.explained(job_id)).reason)

    async def test_a_job_that_was_given_back_is_next(self) -> None:
        runner = await self.served_by()
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        await self.enqueue_many(3)
        await runner.end_and_wait("release", ending("release", job))

        self.assertEqual((0, "exact"), await self.ahead(job_id))


if __name__ == "__main__":
    unittest.main()
