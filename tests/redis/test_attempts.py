"""finish, fail, snooze, release: what ends an attempt, and the fence that keeps others from doing so."""

import asyncio
import unittest
from collections.abc import Awaitable, Callable

from lib.jobs.job import ClaimedJob, Revision
from lib.queue.end_record import complete_record, complete_without_result, fail_record, release_record, snooze_record
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease
from tests.redis.case import ERROR, LosesReplies, RedisCase, ending, ids_of

SCRIPTS = ("finish", "fail", "snooze", "release")
AFTER = {"finish": "completed", "fail": "delayed", "snooze": "delayed", "release": "ready"}


class Fence(RedisCase):
    """Each of the four scripts, each way in which somebody may say what is not his to say."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease()

    async def test_the_owner_ends_its_attempt(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertTrue(was_ours)
                self.assertEqual((AFTER[script], []), (await self.state(job.job_id), await self.runner.active_ids()))

    async def test_said_twice_it_is_told_done_and_nothing_changes(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                await self.runner.end_and_wait(script, ending(script, job))
                before = self.dump()

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertTrue(was_ours)
                self.assertEqual(before, self.dump())

    async def test_said_again_after_the_next_claim_it_still_changes_nothing(self) -> None:
        for script in ("fail", "snooze", "release"):
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                await self.runner.end_and_wait(script, ending(script, job, delay_s=0))
                again = await self.claimed(self.runner)
                before = self.dump()

                await self.runner.end_and_wait(script, ending(script, job))

                self.assertEqual((before, 2), (self.dump(), again.token))

    async def test_another_runner_changes_nothing(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                other = await self.lease("other")
                job = await self.a_claimed_job()
                before = self.dump()

                was_ours = await other.end_and_wait(script, ending(script, job))

                self.assertFalse(was_ours)
                self.assertEqual(before, self.dump())

    async def test_another_token_changes_nothing(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                before = self.dump()

                for token in (0, job.token + 1, 10**15):
                    words = ending(script, ClaimedJob(job.job_id, token, 1, None, 0, b""))
                    self.assertFalse(await self.runner.end_and_wait(script, words))

                self.assertEqual(before, self.dump())

    async def test_after_a_reap_it_changes_nothing(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                await self.crash("w")
                before = self.dump()

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertFalse(was_ours)
                self.assertEqual(before, self.dump())

    async def test_after_a_reap_and_anothers_claim_it_changes_nothing(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                await self.crash("w")
                await self.claimed(await self.lease("other"))
                before = self.dump()

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertFalse(was_ours)
                self.assertEqual(before, self.dump())

    async def test_where_the_own_list_does_not_hold_the_id_it_changes_nothing(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                job = await self.a_claimed_job()
                self.client.lrem(self.base + "active:w", 1, job.job_id)
                before = self.dump()

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertFalse(was_ours)
                self.assertEqual(before, self.dump())
        self.client.flushall()

    async def test_a_job_that_is_gone_or_of_a_wrong_type_is_not_ours(self) -> None:
        for script in SCRIPTS:
            await self.fresh()
            self.client.set(f"{self.base}job:wrong", "x")
            for job_id in ("wrong", "q-" + "0" * 32, ""):
                words = ending(script, ClaimedJob(job_id, 1, 1, None, 0, b""))
                self.assertFalse(await self.runner.end_and_wait(script, words))
        self.client.flushall()

    async def test_a_completed_job_that_is_run_again_still_knows_the_token_that_completed_it(self) -> None:
        for is_claimed_again in (False, True):
            await self.fresh()
            job = await self.a_claimed_job()
            await self.runner.end_and_wait("finish", ending("finish", job))
            await self.job_store.retry(job.job_id)
            if is_claimed_again:
                await self.claimed(self.runner)
            before = self.dump()

            was_ours = await self.runner.end_and_wait("finish", ending("finish", job))

            self.assertEqual((True, before), (was_ours, self.dump()))

    async def test_jobs_that_end_out_of_turn_leave_the_others_as_they_were(self) -> None:
        ids = await self.enqueue_many(40)
        jobs = (await self.runner.claim(40)).jobs
        ends = [0, 2, 3, 7, 39, 20, 1]

        answers = await asyncio.gather(*[self.runner.end_and_wait("finish", ending("finish", jobs[i])) for i in ends])

        self.assertEqual([True] * len(ends), answers)
        self.assertEqual([ids[i] for i in reversed(range(40)) if i not in ends], self.list("active:w"))

    async def test_said_twice_in_one_call_it_is_done_once(self) -> None:
        job = await self.a_claimed_job()

        answers = await asyncio.gather(*[self.runner.end_and_wait("finish", ending("finish", job)) for _ in range(3)])

        self.assertEqual([True] * 3, answers)
        self.assertEqual({"completed noop": 1}, self.totals("completed"))

    def totals(self, event: str) -> dict[str, int]:
        totals = self.client.hgetall(self.base + "totals")
        return {name.decode(): int(count) for name, count in totals.items() if name.startswith(event.encode())}

    async def test_a_batch_is_answered_one_by_one(self) -> None:
        await self.enqueue_many(3)
        jobs = (await self.runner.claim(3)).jobs
        stale = ClaimedJob(jobs[1].job_id, 99, 1, None, 0, b"")

        answers = [
            asyncio.create_task(self.runner.end_and_wait("finish", ending("finish", job)))
            for job in (jobs[0], stale, jobs[2])
        ]

        self.assertEqual([True, False, True], [await answer for answer in answers])

    async def test_a_reply_that_was_lost_is_asked_for_again(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                await self.fresh()
                losing = LosesReplies(self.link)
                self.runner = await self.lease(link=losing)
                job = await self.a_claimed_job()
                losing.lose = 3

                was_ours = await self.runner.end_and_wait(script, ending(script, job))

                self.assertEqual((True, AFTER[script]), (was_ours, await self.state(job.job_id)))

    async def fresh(self) -> None:
        self.client.flushall()
        self.job_store = JobStore(self.link, self.keys)  # That names its queues again.
        self.runner = await self.lease()

    async def a_claimed_job(self) -> ClaimedJob:
        await self.enqueue()
        return await self.claimed(self.runner)


class Finish(RedisCase):
    async def test_an_attempt_that_completes_bears_no_error_of_the_one_before(self) -> None:
        job_id = await self.enqueue()
        runner = await self.lease()
        for script in ("fail", "finish"):
            job = await self.claimed(runner)
            await runner.end_and_wait(script, ending(script, job, delay_s=0))

        record = await self.record(job_id)

        told = [(attempt.outcome, attempt.error is None) for attempt in record.history]
        self.assertEqual([("retried", False), ("completed", True)], told)
        self.assertIsNone(record.error)

    async def test_a_finished_job_keeps_its_result_and_when_it_ended(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)

        await runner.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", '{"a":[1,"\\u001e"]}'))

        record = await self.record(job.job_id)
        self.assertEqual(("completed", {"a": [1, "\x1e"]}), (record.state, record.result))
        self.assertGreaterEqual(record.finished_ms or 0, record.started_ms or 1)
        self.assertEqual(["completed"], [line.outcome for line in record.history])

    async def test_a_result_that_could_not_be_kept_is_told_until_the_job_is_run_again(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)

        await runner.end_and_wait("finish", complete_without_result(job.job_id, job.token, "noop", "it is no JSON"))

        record = await self.record(job.job_id)
        self.assertEqual(
            (True, None, "it is no JSON"), (record.is_result_truncated, record.result, record.result_error)
        )

        await self.job_store.retry(job.job_id)
        await runner.end_and_wait("finish", ending("finish", await self.claimed(runner)))

        record = await self.record(job.job_id)
        self.assertEqual((False, "result", None), (record.is_result_truncated, record.result, record.result_error))

    async def test_five_hundred_at_once_are_counted(self) -> None:
        await self.enqueue_many(500)
        runner = await self.lease()
        jobs = (await runner.claim(500)).jobs

        for answer in [asyncio.create_task(runner.end_and_wait("finish", ending("finish", job))) for job in jobs]:
            self.assertTrue(await answer)

        self.assertEqual(500, (await self.queues.census("q")).totals["completed"])


class Fail(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.enqueue("high")
        self.runner = await self.lease()
        self.taken = await self.claimed(self.runner)
        self.client.delete(self.base + "ready:normal")

    async def test_a_failed_attempt_comes_back_after_its_delay(self) -> None:
        now_ms = await self.now_ms()

        await self.runner.end_and_wait("fail", fail_record(self.taken.job_id, self.taken.token, ERROR, 30))

        record = await self.record(self.taken.job_id)
        self.assertEqual(("delayed", 1, ERROR), (record.state, record.attempts, record.error))
        self.assertAlmostEqual(now_ms + 30_000, record.run_at_ms or 0, delta=2000)
        self.assertEqual([("retried", 1, ERROR)], [(a.outcome, a.attempt, a.error) for a in record.history])
        self.assertEqual([record.run_at_ms], [a.retry_ms for a in record.history])

    async def test_the_next_claim_counts_the_next_attempt(self) -> None:
        await self.runner.end_and_wait("fail", fail_record(self.taken.job_id, self.taken.token, ERROR, 0))

        job = await self.claimed(self.runner)

        self.assertEqual((2, 2), (job.attempt, job.token))

    async def test_without_a_delay_it_is_dead(self) -> None:
        await self.runner.end_and_wait("fail", fail_record(self.taken.job_id, self.taken.token, ERROR, None))

        record = await self.record(self.taken.job_id)
        self.assertEqual(("dead", ERROR, "dead"), (record.state, record.error, record.history[-1].outcome))
        self.assertIsNone(record.history[-1].retry_ms)
        self.assertIsNotNone(record.finished_ms)

    async def test_an_earlier_due_time_rings(self) -> None:
        await self.runner.end_and_wait("fail", fail_record(self.taken.job_id, self.taken.token, ERROR, 5))

        self.assertEqual(["bell"], self.list("ready:normal"))

    async def test_a_retry_keeps_its_priority(self) -> None:
        await self.runner.end_and_wait("fail", fail_record(self.taken.job_id, self.taken.token, ERROR, 0))

        await self.queues.upkeep.promote("q")

        self.assertEqual([self.taken.job_id], self.list("ready:high"))

    async def test_twenty_lines_of_history_are_kept(self) -> None:
        job = self.taken
        for _ in range(25):
            await self.runner.end_and_wait("fail", fail_record(job.job_id, job.token, ERROR, 0))
            job = await self.claimed(self.runner)

        history = (await self.record(job.job_id)).history

        self.assertEqual(list(range(6, 26)), [line.attempt for line in history])


class Snooze(RedisCase):
    async def test_a_snooze_gives_the_attempt_back_and_not_the_claim(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        for number in (1, 2, 3):
            job = await self.claimed(runner)
            self.assertEqual((1, number), (job.attempt, job.token))
            await runner.end_and_wait("snooze", snooze_record(job.job_id, job.token, ERROR, 0))

        record = await self.record(job.job_id)
        self.assertEqual((0, ["snoozed"] * 3), (record.attempts, [line.outcome for line in record.history]))

    async def test_history_says_when_it_was_due_again_though_somebody_had_it_run_at_once(self) -> None:
        job_id = await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", snooze_record(job_id, job.token, ERROR, 3600))
        due_ms = (await self.record(job_id)).run_at_ms

        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), due="now"))
        await self.claimed(runner)

        (line,) = (await self.record(job_id)).history
        self.assertEqual(("snoozed", due_ms), (line.outcome, line.retry_ms))

    async def test_history_says_since_when_the_job_was_ready_for_each_attempt(self) -> None:
        """Taken in, put off, asked for at once, given back, failed, dead, and run again by hand."""
        job_id = await self.enqueue()
        runner = await self.lease()
        ready = [(await self.record(job_id)).created_ms]
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", snooze_record(job_id, job.token, ERROR, 0))
        ready.append((await self.record(job_id)).run_at_ms)
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", snooze_record(job_id, job.token, ERROR, 3600))
        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), due="now"))
        ready.append((await self.record(job_id)).run_at_ms)
        job = await self.claimed(runner)
        await runner.end_and_wait("release", release_record(job_id, job.token))
        ready.append((await self.record(job_id)).run_at_ms)
        job = await self.claimed(runner)
        await runner.end_and_wait("fail", fail_record(job_id, job.token, ERROR, None))
        await self.job_store.retry(job_id)
        ready.append((await self.record(job_id)).run_at_ms)
        job = await self.claimed(runner)
        await runner.end_and_wait("finish", ending("finish", job))

        history = (await self.record(job_id)).history

        outcomes = ["snoozed", "snoozed", "released", "dead", "completed"]
        self.assertEqual(outcomes, [line.outcome for line in history])
        self.assertEqual(ready, [line.ready_ms for line in history])
        self.assertEqual([], [line for line in history if line.ready_ms and line.ready_ms > (line.started_ms or 0)])

    async def test_since_when_nobody_knows_its_type_is_told_from_the_first_time_on(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)
        self.assertIsNone(job.unknown_since_ms)
        since = []

        for _ in range(2):
            await runner.end_and_wait("snooze", snooze_record(job.job_id, job.token, ERROR, 0, is_unknown=True))
            job = await self.claimed(runner)
            since.append(job.unknown_since_ms)

        self.assertIsNotNone(since[0])
        self.assertEqual(since[0], since[1])

    async def test_an_attempt_that_begins_ends_the_time_for_which_nobody_could_run_it(self) -> None:
        """Else one that was put off once, ran for an hour and is put off again would be dead at that moment."""

        async def crash(runner: Lease, job: ClaimedJob) -> None:
            await self.crash(runner.runner_id)

        async def leave(runner: Lease, job: ClaimedJob) -> None:
            await self.queues.runners.reap(self.queue_name, runner.runner_id, is_crash=False, crash_limit=3)

        async def answer(runner: Lease, job: ClaimedJob) -> None:
            callbacks = self.job_store.callbacks
            await callbacks.fail(await callbacks.expect(job.job_id, job.token), '{"type":"Failed","message":""}', 0)

        def end(script: str) -> Callable[[Lease, ClaimedJob], Awaitable[object]]:
            return lambda runner, job: runner.end_and_wait(script, ending(script, job, delay_s=0))

        for number, begun in enumerate((end("fail"), end("snooze"), end("release"), crash, leave, answer)):
            with self.subTest(number):
                self.client.flushall()
                await self.enqueue()
                runner = await self.lease(f"w{number}")
                job = await self.claimed(runner)
                await runner.end_and_wait("snooze", snooze_record(job.job_id, job.token, ERROR, 0, is_unknown=True))
                job = await self.claimed(runner)
                self.assertIsNotNone(job.unknown_since_ms)

                await begun(runner, job)

                again = await self.claimed(await self.lease("another"))
                self.assertIsNone(again.unknown_since_ms)

    async def test_one_that_is_given_back_before_it_begins_is_unknown_since_the_same_time(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", snooze_record(job.job_id, job.token, ERROR, 0, is_unknown=True))
        job = await self.claimed(runner)

        await runner.end_and_wait("release", release_record(job.job_id, job.token, is_begun=False))

        self.assertEqual(job.unknown_since_ms, (await self.claimed(runner)).unknown_since_ms)

    async def test_one_that_is_changed_has_its_time_anew(self) -> None:
        await self.enqueue()
        runner = await self.lease()
        job = await self.claimed(runner)
        await runner.end_and_wait("snooze", snooze_record(job.job_id, job.token, ERROR, 60, is_unknown=True))

        await self.job_store.patch(job.job_id, lambda record: Revision(record.spec_text.decode(), None, "now"))

        self.assertIsNone((await self.claimed(runner)).unknown_since_ms)

    async def test_a_reason_that_is_no_utf8_spoils_neither_its_job_nor_the_others(self) -> None:
        await self.enqueue_many(2)
        runner = await self.lease()
        bad, good = (await runner.claim(2)).jobs

        answers = [
            asyncio.create_task(
                runner.end_and_wait(
                    "snooze", snooze_record(bad.job_id, bad.token, {"type": "X", "message": "lone \udc80"}, 60)
                )
            ),
            asyncio.create_task(runner.end_and_wait("snooze", snooze_record(good.job_id, good.token, ERROR, 60))),
        ]

        self.assertEqual([True, True], [await answer for answer in answers])


class Release(RedisCase):
    async def test_released_jobs_are_next_and_their_attempts_do_not_count(self) -> None:
        ids = await self.enqueue_many(3)
        runner = await self.lease()
        job = await self.claimed(runner)

        await runner.end_and_wait("release", ending("release", job))

        self.assertEqual(ids, self.list("ready:normal")[::-1])
        self.assertEqual(0, (await self.record(job.job_id)).attempts)
        again = await self.claimed(runner)
        self.assertEqual((ids[0], 1, 2), (again.job_id, again.attempt, again.token))

    async def test_a_released_job_rings_where_it_is_not_in_the_normal_list(self) -> None:
        await self.enqueue("low")
        runner = await self.lease()
        job = await self.claimed(runner)
        self.client.delete(self.base + "ready:normal")

        await runner.end_and_wait("release", ending("release", job))

        self.assertEqual(["bell"], self.list("ready:normal"))


class NotBegun(RedisCase):
    """A claim that was given back before its handler began leaves the job's expiry as it was."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease()
        self.job_id = await self.enqueue(expires_in_ms=60_000)

    async def claimed_and(self, *ends: str) -> None:
        """Claim it and give it back, each time by one of these: unbegun, unknown, released, snoozed, failed."""
        for end in ends:
            if await self.state(self.job_id) == "delayed":
                await self.make_due(self.job_id)
            job = await self.claimed(self.runner)
            words = {
                "unbegun": release_record(job.job_id, job.token, is_begun=False),
                "released": release_record(job.job_id, job.token),
                "unknown": snooze_record(job.job_id, job.token, ERROR, 60, is_unknown=True),
                "snoozed": snooze_record(job.job_id, job.token, ERROR, 60),
                "failed": fail_record(job.job_id, job.token, ERROR, 60),
            }
            script = {"unbegun": "release", "released": "release", "failed": "fail"}.get(end, "snooze")
            self.assertTrue(await self.runner.end_and_wait(script, words[end]))

    async def let_it_expire(self) -> None:
        """Its time is over; it need not be waited for."""
        self.client.hset(f"{self.base}job:{self.job_id}", "expires", 1)
        self.client.zadd(self.base + "expiring", {self.job_id: 1}, xx=True)

    async def test_it_expires_at_its_time(self) -> None:
        for ends in (("unbegun",), ("unknown",), ("unbegun", "unknown", "unbegun"), ("unknown", "unknown")):
            await self.claimed_and(*ends)
            await self.let_it_expire()

            self.assertEqual(([self.job_id], False), await self.queues.upkeep.expire("q"), ends)

            record = await self.record(self.job_id)
            self.assertEqual(("dead", "expired"), (record.state, (record.error or {}).get("type")), ends)
            self.job_id = await self.enqueue(expires_in_ms=60_000)

    async def test_a_claim_that_comes_to_it_too_late_ends_it(self) -> None:
        await self.claimed_and("unbegun", "unbegun")
        await self.let_it_expire()

        claim = await self.runner.claim(1)

        self.assertEqual(([], "dead"), (ids_of(claim), await self.state(self.job_id)))
        self.assertEqual((self.job_id,), claim.dead_ids)

    async def test_one_that_has_begun_does_not_expire_whatever_comes_behind(self) -> None:
        for ends in (("released",), ("failed", "unbegun"), ("unbegun", "snoozed", "unbegun"), ("failed", "unknown")):
            await self.claimed_and(*ends)
            await self.let_it_expire()
            await self.queues.upkeep.expire("q")
            if await self.state(self.job_id) == "delayed":
                await self.make_due(self.job_id)

            self.assertEqual([self.job_id], ids_of(await self.runner.claim(1)), ends)

            await self.crash("w")
            self.client.flushall()
            await self.asyncSetUp()

    async def test_a_claim_whose_reply_was_lost_was_not_begun_either(self) -> None:
        await self.runner.claim(1)
        job = (await self.runner.claim(1, [self.job_id])).jobs[0]
        await self.runner.end_and_wait("release", release_record(self.job_id, job.token, is_begun=False))
        await self.let_it_expire()

        claim = await self.runner.claim(1)

        self.assertEqual(([], "dead"), (ids_of(claim), await self.state(self.job_id)))

    async def test_run_again_by_a_caller_it_has_no_expiry(self) -> None:
        await self.claimed_and("unbegun")
        await self.let_it_expire()
        await self.queues.upkeep.expire("q")

        await self.job_store.retry(self.job_id)
        await self.claimed_and("unbegun")

        self.assertEqual(0, self.client.zcard(self.base + "expiring"))
        self.assertEqual([self.job_id], ids_of(await self.runner.claim(1)))

    async def test_one_that_never_expires_is_not_noted(self) -> None:
        self.client.flushall()
        self.runner, self.job_id = await self.lease(), await self.enqueue()
        await self.claimed_and("unbegun")

        self.assertEqual(0, self.client.exists(self.base + "expiring"))
        self.assertNotIn(b"unbegun", self.client.hkeys(f"{self.base}job:{self.job_id}"))


if __name__ == "__main__":
    unittest.main()
