"""Callbacks: an attempt is handed over to a service, which ends it later; and everything that may come in between."""

import os
import unittest
from collections.abc import Awaitable, Callable

from lib.commands.audit import find_faults
from lib.errors import CallbackGone, CallbackUnknown, WrongState
from lib.jobs.callback_key import CallbackKey, new_callback_key
from lib.jobs.job import ClaimedJob, Revision
from lib.queue.callback_store import AttemptOver
from lib.queue.end_record import fail_record, hand_over_record
from lib.queue.lease import Lease
from tests.redis.callback_races import CallbackRaces
from tests.redis.case import ERROR, KEEP_ALL, RedisCase, ending
from tests.redis.grouped import GroupedCase, Handed, Runner

AN_HOUR_S = 3600.0
RESULT = '{"rows":5}'
FAILED = '{"type":"Failed","message":"no paper"}'


class CallbackCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.callbacks = self.job_store.callbacks

    async def asked(self, lease: Lease) -> tuple[ClaimedJob, CallbackKey]:
        """A job that runs, and whose service has been asked."""
        job = await self.claimed(lease)
        return job, await self.callbacks.expect(job.job_id, job.token)

    async def hand_over(
        self, lease: Lease, job: ClaimedJob, *, within_s: float = AN_HOUR_S, is_last: bool = False
    ) -> bool:
        record = hand_over_record(job.job_id, job.token, within_s, is_last=is_last)
        return await lease.end_and_wait("hand_over", record)

    async def outside(
        self, *, within_s: float = AN_HOUR_S, is_last: bool = False
    ) -> tuple[Lease, ClaimedJob, CallbackKey]:
        """A job that waits for its callback."""
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)
        self.assertTrue(await self.hand_over(lease, job, within_s=within_s, is_last=is_last))
        return lease, job, key

    def deadline_ms(self, job_id: str) -> float | None:
        found: float | None = self.client.zscore(self.base + "outside", job_id)
        return found


class HandOver(CallbackCase):
    async def test_the_job_is_blocked_until_its_deadline(self) -> None:
        _, job, _ = await self.outside()

        self.assertEqual("blocked", await self.state(job.job_id))
        self.assertAlmostEqual(await self.now_ms() + AN_HOUR_S * 1000, self.deadline_ms(job.job_id) or 0, delta=5000)

    async def test_the_runner_has_its_slot_back(self) -> None:
        lease, _, _ = await self.outside()
        other = await self.enqueue()

        self.assertEqual(other, (await self.claimed(lease)).job_id)

    async def test_sent_again_it_is_answered_as_at_first(self) -> None:
        lease, job, _ = await self.outside()

        self.assertTrue(await self.hand_over(lease, job))
        self.assertEqual("blocked", await self.state(job.job_id))

    async def test_of_an_attempt_that_is_over_it_changes_nothing(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, _ = await self.asked(lease)
        await self.crash("w")

        self.assertFalse(await self.hand_over(lease, job))
        self.assertEqual("ready", await self.state(job.job_id))

    async def test_a_job_that_was_to_be_cancelled_is(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)
        await self.job_store.cancel(job.job_id)

        self.assertTrue(await self.hand_over(lease, job))

        self.assertEqual("cancelled", await self.state(job.job_id))
        with self.assertRaises(CallbackGone):
            await self.callbacks.complete(key, RESULT)

    async def test_no_callback_is_expected_for_an_attempt_that_is_over(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job = await self.claimed(lease)
        await lease.end_and_wait("finish", ending("finish", job))

        with self.assertRaises(AttemptOver):
            await self.callbacks.expect(job.job_id, job.token)

    async def test_what_an_earlier_attempt_was_sent_does_not_end_one_that_asked_for_no_callback(self) -> None:
        _, job, old = await self.outside()
        await self.callbacks.fail(old, FAILED, 0)
        await self.make_due(job.job_id)
        lease = await self.lease("w2")
        again = await self.claimed(lease)
        await self.hand_over(lease, again, within_s=0, is_last=True)

        with self.assertRaises(CallbackGone):
            await self.callbacks.complete(old, RESULT)

        await self.queues.upkeep.take_back_overdue("q")
        self.assertEqual("dead", await self.state(job.job_id))

    async def test_redis_keeps_no_secret(self) -> None:
        _, _, key = await self.outside()

        self.assertNotIn(key.secret, str(self.dump()))
        self.assertIn(key.sha256, str(self.dump()))
        self.assertNotIn(key.secret, repr(key))


class Callback(CallbackCase):
    async def test_it_completes_the_job(self) -> None:
        _, job, key = await self.outside()

        taken = await self.callbacks.complete(key, RESULT)

        record = await self.record(job.job_id)
        self.assertEqual(("completed", False), taken)
        self.assertEqual(("completed", {"rows": 5}), (record.state, record.result))
        self.assertIsNone(self.deadline_ms(job.job_id))

    async def test_it_fails_the_attempt(self) -> None:
        _, job, key = await self.outside()

        taken = await self.callbacks.fail(key, FAILED, 60)

        record = await self.record(job.job_id)
        self.assertEqual(("delayed", False), taken)
        self.assertEqual(1, record.attempts)
        self.assertEqual({"type": "Failed", "message": "no paper"}, record.history[-1].error)
        self.assertEqual("retried", record.history[-1].outcome)

    async def test_it_makes_the_job_dead(self) -> None:
        _, job, key = await self.outside()

        self.assertEqual("dead", (await self.callbacks.fail(key, FAILED, None)).state)
        self.assertEqual({"type": "Failed", "message": "no paper"}, (await self.record(job.job_id)).error)

    async def test_it_puts_the_deadline_off(self) -> None:
        _, job, key = await self.outside(within_s=60)

        taken = await self.callbacks.extend(key, 7200, '{"fraction":0.5,"note":""}')

        self.assertEqual(("blocked", False), taken)
        self.assertAlmostEqual(await self.now_ms() + 7_200_000, self.deadline_ms(job.job_id) or 0, delta=5000)
        self.assertEqual({"fraction": 0.5, "note": ""}, (await self.record(job.job_id)).progress)

    async def test_no_extension_brings_the_deadline_forward(self) -> None:
        _, job, key = await self.outside(within_s=3600)
        deadline_ms = self.deadline_ms(job.job_id)

        await self.callbacks.extend(key, 60, "")

        self.assertEqual(deadline_ms, self.deadline_ms(job.job_id))

    async def test_the_same_comes_twice(self) -> None:
        _, job, key = await self.outside()
        await self.callbacks.complete(key, RESULT)

        self.assertEqual(("completed", True), await self.callbacks.complete(key, '"another"'))
        self.assertEqual({"rows": 5}, (await self.record(job.job_id)).result)

    async def test_another_outcome_comes_behind_the_first(self) -> None:
        for first, second in (("complete", "fail"), ("fail", "complete"), ("complete", "extend"), ("fail", "extend")):
            with self.subTest(f"{first}, then {second}"):
                self.client.flushall()
                _, _, key = await self.outside()
                calls: dict[str, Callable[[CallbackKey], Awaitable[object]]] = {
                    "complete": lambda key: self.callbacks.complete(key, RESULT),
                    "fail": lambda key: self.callbacks.fail(key, FAILED, 60),
                    "extend": lambda key: self.callbacks.extend(key, 60, ""),
                }
                await calls[first](key)
                before = self.dump()

                with self.assertRaises(CallbackGone):
                    await calls[second](key)
                self.assertEqual(before, self.dump())

    async def test_it_comes_before_the_runner_has_its_answer(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)

        self.assertEqual("completed", (await self.callbacks.complete(key, RESULT)).state)

        self.assertTrue(await self.hand_over(lease, job), "the runner's own end of the attempt is no fault")
        self.assertEqual({"rows": 5}, (await self.record(job.job_id)).result)

    async def test_a_failure_comes_before_the_runner_has_its_answer(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)
        await self.callbacks.fail(key, FAILED, 60)

        self.assertTrue(await self.hand_over(lease, job))
        self.assertEqual("delayed", await self.state(job.job_id))

    async def test_more_time_is_asked_for_before_the_runner_has_its_answer(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)

        self.assertEqual("active", (await self.callbacks.extend(key, 7200, "")).state)
        await self.hand_over(lease, job, within_s=60)

        self.assertAlmostEqual(await self.now_ms() + 7_200_000, self.deadline_ms(job.job_id) or 0, delta=5000)
        self.assertEqual("completed", (await self.callbacks.complete(key, RESULT)).state)

    async def test_what_the_runner_says_behind_it_changes_nothing(self) -> None:
        for script in ("finish", "fail", "release", "snooze"):
            with self.subTest(script):
                self.client.flushall()
                await self.enqueue()
                lease = await self.lease()
                job, key = await self.asked(lease)
                await self.callbacks.complete(key, RESULT)

                self.assertTrue(await lease.end_and_wait(script, ending(script, job)))
                record = await self.record(job.job_id)
                self.assertEqual(("completed", {"rows": 5}), (record.state, record.result))

    async def test_of_an_earlier_attempt_it_is_gone(self) -> None:
        _, job, old = await self.outside()
        await self.callbacks.fail(old, FAILED, 0)
        await self.make_due(job.job_id)
        lease = await self.lease("w2")
        again, new = await self.asked(lease)
        self.assertEqual(job.job_id, again.job_id)

        with self.assertRaises(CallbackGone):
            await self.callbacks.complete(old, RESULT)
        self.assertEqual("completed", (await self.callbacks.complete(new, RESULT)).state)

    async def test_between_two_attempts_the_earlier_one_is_gone(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job, key = await self.asked(lease)
        await self.crash("w")
        for _ in range(2):
            with self.assertRaises(CallbackGone):
                await self.callbacks.complete(key, RESULT)
            await self.lease("w2")
            await self.claimed(await self.lease("w2")) if await self.state(job.job_id) == "ready" else None

    async def test_behind_a_cancellation_it_is_gone(self) -> None:
        _, job, key = await self.outside()
        await self.job_store.cancel(job.job_id)

        with self.assertRaises(CallbackGone) as gone:
            await self.callbacks.complete(key, RESULT)
        self.assertIn("cancelled", gone.exception.detail)

    async def test_what_nobody_was_sent_is_unknown(self) -> None:
        _, job, key = await self.outside()
        other = new_callback_key(job.job_id, job.token, lambda letters: letters[0])
        before = self.dump()

        others = (other, other._replace(token=0), other._replace(token=7), key._replace(job_id=self.job().job_id))
        for forged in others:
            with self.subTest(forged.text), self.assertRaises(CallbackUnknown):
                await self.callbacks.complete(forged, RESULT)
            with self.subTest(forged.text), self.assertRaises(CallbackUnknown):
                await self.callbacks.check(forged)
        self.assertEqual(before, self.dump())

    async def test_a_guess_at_an_earlier_attempt_learns_nothing_of_the_job(self) -> None:
        _, job, old = await self.outside()
        await self.callbacks.fail(old, FAILED, 0)
        await self.make_due(job.job_id)
        _, new = await self.asked(await self.lease("w2"))

        await self.callbacks.check(old)
        await self.callbacks.check(new)

        with self.assertRaises(CallbackUnknown):
            await self.callbacks.complete(new_callback_key(job.job_id, old.token, lambda letters: letters[0]), RESULT)

    async def test_the_secrets_of_many_attempts_are_kept_and_no_more(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        job = await self.claimed(lease)
        keys = [await self.callbacks.expect(job.job_id, job.token) for _ in range(25)]

        for key in keys[4:24]:
            with self.assertRaises(CallbackGone):
                await self.callbacks.complete(key, RESULT)
        with self.assertRaises(CallbackUnknown):
            await self.callbacks.complete(keys[3], RESULT)
        self.assertEqual("completed", (await self.callbacks.complete(keys[24], RESULT)).state)

    async def test_a_job_that_asked_for_no_callback_has_none(self) -> None:
        job_id = await self.enqueue()
        key = new_callback_key(job_id, 1, lambda letters: letters[0])

        with self.assertRaises(CallbackUnknown):
            await self.callbacks.complete(key, RESULT)

    async def test_who_waits_for_the_end_is_told(self) -> None:
        _, job, key = await self.outside()
        self.client.hset(self.base + "followers", job.job_id, job.job_id)

        await self.callbacks.complete(key, RESULT)

        await self.job_store.notices.wait_until_idle()
        self.assertEqual({}, self.client.hgetall(self.base + "followers"))
        self.assertEqual(0, self.client.xlen(self.base + "notices"))


class Overdue(CallbackCase):
    async def take_back(self) -> list[str]:
        job_ids, is_more = await self.queues.upkeep.take_back_overdue("q")
        self.assertFalse(is_more)
        return job_ids

    async def test_the_job_runs_again(self) -> None:
        _, job, key = await self.outside(within_s=0)

        self.assertEqual([job.job_id], await self.take_back())

        record = await self.record(job.job_id)
        self.assertEqual(("ready", "callback_timeout"), (record.state, (record.history[-1].error or {})["type"]))
        with self.assertRaises(CallbackGone):
            await self.callbacks.complete(key, RESULT)
        self.assertEqual(2, (await self.claimed(await self.lease("w2"))).attempt)

    async def test_behind_the_last_attempt_it_is_dead(self) -> None:
        _, job, _ = await self.outside(within_s=0, is_last=True)

        await self.take_back()

        record = await self.record(job.job_id)
        self.assertEqual(("dead", "callback_timeout"), (record.state, (record.error or {})["type"]))

    async def test_one_that_has_time_left_waits_on(self) -> None:
        _, job, _ = await self.outside()

        self.assertEqual([], await self.take_back())
        self.assertEqual("blocked", await self.state(job.job_id))

    async def test_upkeep_sees_it(self) -> None:
        await self.outside(within_s=0)
        survey = await self.queues.upkeep.survey("q", KEEP_ALL)
        self.assertTrue(survey.is_overdue and survey.is_busy)

        await self.take_back()
        self.assertFalse((await self.queues.upkeep.survey("q", KEEP_ALL)).is_overdue)

    async def test_what_an_older_program_has_cancelled_is_forgotten_here(self) -> None:
        _, job, _ = await self.outside(within_s=0)
        self.client.zrem(self.base + "blocked", job.job_id)
        self.client.zadd(self.base + "cancelled", {job.job_id: 1})
        self.client.hset(self.base + "job:" + job.job_id, mapping={"state": "cancelled", "finished": 1})

        await self.take_back()

        self.assertIsNone(self.deadline_ms(job.job_id))
        self.assertEqual("cancelled", await self.state(job.job_id))


class Others(CallbackCase):
    """What else may be done to a job that waits for its callback."""

    async def test_cancelled_it_is_cancelled_at_once(self) -> None:
        _, job, _ = await self.outside()

        await self.job_store.cancel(job.job_id)

        self.assertEqual("cancelled", await self.state(job.job_id))
        self.assertIsNone(self.deadline_ms(job.job_id))

    async def test_it_can_not_be_changed(self) -> None:
        _, job, _ = await self.outside()

        with self.assertRaises(WrongState) as refused:
            await self.job_store.patch(
                job.job_id, lambda record: Revision(record.spec_text.decode(), "high", None, None)
            )
        self.assertIn("call back", refused.exception.detail)

    async def test_it_does_not_expire(self) -> None:
        await self.enqueue(expires_in_ms=1)
        lease = await self.lease()
        claimed = (await lease.claim(1)).jobs
        if not claimed:
            return  # It had expired before it was claimed.
        key = await self.callbacks.expect(claimed[0].job_id, claimed[0].token)
        await self.hand_over(lease, claimed[0])

        self.assertEqual(([], False), await self.queues.upkeep.expire("q"))
        self.assertEqual("completed", (await self.callbacks.complete(key, RESULT)).state)

    async def test_run_again_it_waits_for_a_callback_of_its_own(self) -> None:
        _, job, old = await self.outside()
        await self.callbacks.fail(old, FAILED, None)
        await self.job_store.retry(job.job_id)
        lease = await self.lease("w2")
        again, new = await self.asked(lease)
        await self.hand_over(lease, again)

        with self.assertRaises(CallbackGone):
            await self.callbacks.complete(old, RESULT)
        self.assertEqual("completed", (await self.callbacks.complete(new, RESULT)).state)

    async def test_its_unique_key_is_taken(self) -> None:
        first = self.job()._replace(unique_key="report")
        await self.job_store.enqueue(first)
        lease = await self.lease()
        job, _ = await self.asked(lease)
        await self.hand_over(lease, job)

        accepted = await self.job_store.enqueue(self.job()._replace(unique_key="report"))

        self.assertEqual(("duplicate", first.job_id), (accepted.outcome, accepted.job_id))

    async def test_replaced_it_runs_on_and_the_new_one_waits(self) -> None:
        await self.job_store.enqueue(self.job()._replace(unique_key="report"))
        lease = await self.lease()
        job, key = await self.asked(lease)
        await self.hand_over(lease, job)

        new = self.job()._replace(unique_key="report", unique_mode="replace")
        accepted = await self.job_store.enqueue(new)

        self.assertEqual(("superseding", job.job_id), (accepted.outcome, accepted.superseded_id))
        self.assertEqual(("blocked", "blocked"), (await self.state(job.job_id), await self.state(new.job_id)))
        self.assertEqual("completed", (await self.callbacks.complete(key, RESULT)).state)
        await self.job_store.notices.wait_until_idle()
        self.assertEqual("ready", await self.state(new.job_id))

    async def test_replaced_it_has_no_further_attempt(self) -> None:
        await self.job_store.enqueue(self.job()._replace(unique_key="report"))
        lease = await self.lease()
        job, key = await self.asked(lease)
        await self.hand_over(lease, job)
        new = self.job()._replace(unique_key="report", unique_mode="replace")
        await self.job_store.enqueue(new)

        self.assertEqual("cancelled", (await self.callbacks.fail(key, FAILED, 60)).state)

        self.assertEqual("superseded", ((await self.record(job.job_id)).error or {})["type"])
        await self.job_store.notices.wait_until_idle()
        self.assertEqual("ready", await self.state(new.job_id))


class Audit(CallbackCase):
    """What `worker.py --doctor --check` finds."""

    async def faults(self) -> list[str]:
        return await find_faults(self.link, self.keys)

    async def test_a_job_that_is_out_is_in_order(self) -> None:
        await self.job_store.enqueue(self.job()._replace(group="a"))
        runner = Runner(self.link, self.base, "w1")
        await runner.register()
        (job,) = (await runner.claim(1)).jobs
        key = await self.callbacks.expect(job.job_id, job.token)
        await runner.send_ends("hand_over", hand_over_record(job.job_id, job.token, AN_HOUR_S, is_last=False))
        self.assertEqual([], await self.faults())

        await self.callbacks.complete(key, RESULT)

        self.assertEqual([], await self.faults())

    async def test_what_somebody_broke_is_found_and_taken_back_at_its_deadline(self) -> None:
        _, job, _ = await self.outside(within_s=0)
        self.client.hdel(self.base + "job:" + job.job_id, "callback_token")
        self.client.zadd(self.base + "outside", {"q-gone": 1})
        without_token, gone = sorted(await self.faults(), key=lambda line: "gone" in line)
        self.assertIn(f"{job.job_id} waits for a callback that can't come", without_token)
        self.assertIn("q-gone is no job and stands in outside", gone)

        await self.queues.upkeep.take_back_overdue("q")

        self.assertEqual([], await self.faults())
        self.assertEqual("ready", await self.state(job.job_id))

    async def test_a_job_whose_service_was_sent_no_key_is_found(self) -> None:
        await self.enqueue()
        lease = await self.lease()
        await self.hand_over(lease, await self.claimed(lease))

        self.assertIn("has not asked for a callback_key", "".join(await self.faults()))

    async def test_a_blocked_job_that_waits_for_nothing_is_found(self) -> None:
        _, job, _ = await self.outside()
        self.client.zrem(self.base + "outside", job.job_id)

        self.assertIn("waits neither for jobs nor for a callback", "".join(await self.faults()))

        await self.job_store.cancel(job.job_id)


class Slots(GroupedCase):
    """A job that is out holds its slot in its group and in its queue."""

    async def out(self, group: str = "a", within_s: float = AN_HOUR_S) -> CallbackKey:
        runner = await self.runner("w1")
        (job,) = (await runner.claim(1)).jobs
        key = await self.job_store.callbacks.expect(job.job_id, job.token)
        await runner.send_ends("hand_over", hand_over_record(job.job_id, job.token, within_s, is_last=False))
        return key

    async def test_the_group_is_full_until_the_callback_comes(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 2)
        key = await self.out()
        other = await self.runner("w2")
        self.assertEqual([], (await other.claim(1)).ids)

        await self.job_store.callbacks.complete(key, RESULT)

        self.assertEqual(1, len((await other.claim(1)).ids))

    async def test_each_way_out_gives_the_slot_back(self) -> None:
        ways: dict[str, Callable[[CallbackKey], Awaitable[object]]] = {
            "complete": lambda key: self.job_store.callbacks.complete(key, RESULT),
            "fail": lambda key: self.job_store.callbacks.fail(key, FAILED, 60),
            "die": lambda key: self.job_store.callbacks.fail(key, FAILED, None),
            "cancel": lambda key: self.job_store.cancel(key.job_id),
        }
        for name, way in ways.items():
            with self.subTest(name):
                self.empty()
                await self.limit(group_concurrency="1")
                await self.put("a", 2)
                key = await self.out()

                await way(key)

                self.assertEqual(set(), self.lines().running.get("a", set()))
                self.assertEqual(1, len((await (await self.runner("w2")).claim(1)).ids))

    async def test_a_deadline_gives_the_slot_back(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 2)
        await self.out(within_s=0)

        await self.queues.upkeep.take_back_overdue("q")

        self.assertEqual(set(), self.lines().running.get("a", set()))
        self.assertEqual(1, len((await (await self.runner("w2")).claim(1)).ids))

    async def test_a_job_that_was_to_be_cancelled_gives_the_slot_back(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 2)
        runner = await self.runner("w1")
        (job,) = (await runner.claim(1)).jobs
        await self.job_store.callbacks.expect(job.job_id, job.token)
        await self.job_store.cancel(job.job_id)
        await runner.send_ends("hand_over", hand_over_record(job.job_id, job.token, AN_HOUR_S, is_last=False))

        self.assertEqual(set(), self.lines().running.get("a", set()))

    async def test_mending_leaves_the_slot(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 2)
        await self.out()

        await self.queues.upkeep.mend("q")

        self.assertEqual(1, len(self.lines().running["a"]))
        self.assertEqual([], (await (await self.runner("w2")).claim(1)).ids)

    async def test_it_counts_in_the_queues_own_concurrency(self) -> None:
        await self.limit(concurrency="1")
        await self.put("", 2)
        key = await self.out()
        other = await self.runner("w2")
        self.assertEqual([], (await other.claim(1)).ids)

        await self.job_store.callbacks.complete(key, RESULT)

        self.assertEqual(1, len((await other.claim(1)).ids))


class Strikes(GroupedCase):
    """A receiver that takes work, or says what became of it, is there: its group has no strikes any more."""

    async def struck(self) -> tuple[Runner, list[Handed]]:
        """A runner that has four jobs of the group, whose first got no answer."""
        await self.put("a", 6)
        runner = await self.runner("w1")
        first, *jobs = (await runner.claim(4)).jobs
        for job in jobs:
            await self.job_store.callbacks.expect(job.job_id, job.token)
        await runner.send_ends("fail", fail_record(first.job_id, first.token, ERROR, 60, strike="LinkLost: a"))
        self.assertIn("a", self.lines().strikes)
        return runner, jobs

    async def hand_over(self, runner: Runner, *jobs: Handed) -> None:
        records = [hand_over_record(job.job_id, job.token, AN_HOUR_S, is_last=False) for job in jobs]
        await runner.send_ends("hand_over", *records)

    async def test_a_202_ends_them(self) -> None:
        runner, jobs = await self.struck()

        await self.hand_over(runner, jobs[0])

        self.assertEqual(({}, {}), (self.lines().strikes, self.lines().held))

    async def test_a_callback_ends_them(self) -> None:
        await self.put("a", 2)
        runner = await self.runner("w1")
        out, failing = (await runner.claim(2)).jobs
        key = await self.job_store.callbacks.expect(out.job_id, out.token)
        await self.hand_over(runner, out)
        await runner.send_ends("fail", fail_record(failing.job_id, failing.token, ERROR, 60, strike="LinkLost: a"))
        self.assertIn("a", self.lines().strikes)

        await self.job_store.callbacks.fail(key, FAILED, 60)

        self.assertEqual({}, self.lines().strikes)

    async def test_what_is_out_does_not_keep_one_from_trying_whether_anybody_answers(self) -> None:
        await self.limit(group_concurrency="4")
        await self.put("a", 6)
        runner = await self.runner("w1")
        *out, failing = (await runner.claim(3)).jobs
        for job in out:
            await self.job_store.callbacks.expect(job.job_id, job.token)
        await self.hand_over(runner, *out)
        await runner.send_ends("fail", fail_record(failing.job_id, failing.token, ERROR, 60, strike="LinkLost: a"))
        self.client.hset(self.base + "strikes", "a", "1 1 1 LinkLost: a")
        self.client.hset(self.base + "held", "a", "1 " + failing.job_id)
        self.client.zadd(self.base + "resting", {"a": 1})

        tried = (await runner.claim(5)).jobs

        self.assertEqual(1, len(tried))
        self.assertEqual([], (await runner.claim(5)).jobs)


class Races(CallbackRaces):
    async def test_the_job_is_always_in_one_place_and_one_callback_counts(self) -> None:
        await self.race(100, int.from_bytes(os.urandom(3), "big"))


if __name__ == "__main__":
    unittest.main()
