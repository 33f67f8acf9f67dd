"""claim: which jobs a runner is handed, in which order, and what becomes of ids that are no jobs."""

import asyncio
import gc
import unittest
from typing import Any

from lib.errors import OutcomeUnknown, RedisKeysBroken
from lib.jobs.job import Revision
from lib.queue.end_record import complete_record
from lib.queue.lease import Lease, NotRegistered
from tests.redis.case import LosesReplies, RedisCase, ending, ids_of


class Claim(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease()

    async def test_high_comes_before_normal_before_low_and_each_in_the_order_it_came(self) -> None:
        ids = [await self.enqueue(priority) for priority in ("low", "normal", "high", "low", "normal", "high")]

        claim = await self.runner.claim(10)

        self.assertEqual([ids[i] for i in (2, 5, 1, 4, 0, 3)], ids_of(claim))

    async def test_a_claim_takes_no_more_than_its_limit(self) -> None:
        ids = await self.enqueue_many(5)

        first, second = await self.runner.claim(2), await self.runner.claim(10)

        self.assertEqual((ids[:2], ids[2:]), (ids_of(first), ids_of(second)))

    async def test_the_own_list_holds_what_was_claimed_the_first_one_at_its_right_end(self) -> None:
        ids = [await self.enqueue(priority) for priority in ("low", "normal", "high", "normal")]
        await self.job_store.cancel(ids[1])

        await self.runner.claim(10)

        self.assertEqual([ids[0], ids[3], ids[2]], self.list("active:w"))

    async def test_an_id_that_is_listed_twice_is_claimed_once(self) -> None:
        ids = await self.enqueue_many(3)
        self.client.rpush(self.base + "ready:normal", ids[2], ids[2])

        claim = await self.runner.claim(10)

        self.assertEqual([ids[2], ids[0], ids[1]], ids_of(claim))
        self.assertEqual((sorted(ids), []), (sorted(self.list("active:w")), self.list("ready:normal")))

    async def test_a_claimed_job_knows_its_token_attempt_and_spec(self) -> None:
        new = self.job()
        await self.job_store.enqueue(new)

        job = await self.claimed(self.runner)

        record = await self.record(new.job_id)
        self.assertEqual((1, 1, new.spec_text.encode()), (job.token, job.attempt, job.spec_text))
        self.assertEqual(("active", "w", 1, 1), (record.state, record.runner_id, record.attempts, record.token), record)
        self.assertEqual(job.now_ms, record.started_ms)

    async def test_a_claimed_job_knows_since_when_it_was_ready(self) -> None:
        waited = await self.enqueue()
        due = await self.enqueue(delay_ms=60_000)
        garbled = await self.enqueue()
        now_ms = await self.now_ms()
        self.client.zadd(self.base + "all", {waited: now_ms - 5_000, due: now_ms - 70_000})
        self.client.zadd(self.base + "delayed", {due: now_ms - 3_000})
        self.client.hset(f"{self.base}job:{garbled}", "since", "1,2\x1e3")

        claim = await self.runner.claim(10)

        ready_ms = {job.job_id: job.ready_ms for job in claim.jobs}
        self.assertEqual((now_ms - 5_000, now_ms - 3_000), (ready_ms[waited], ready_ms[due]))
        self.assertAlmostEqual(now_ms, ready_ms[garbled], delta=5_000)

    async def test_what_is_due_is_promoted_first(self) -> None:
        due = await self.enqueue("high", delay_ms=60_000)
        normal = await self.enqueue()
        await self.make_due(due)

        claim = await self.runner.claim(10)

        self.assertEqual([due, normal], ids_of(claim))

    async def test_a_claim_that_brings_nothing_says_when_the_next_job_is_due(self) -> None:
        self.assertIsNone((await self.runner.claim(1)).ask_again_s)

        await self.enqueue(delay_ms=1900)

        self.assertAlmostEqual(1.9, (await self.runner.claim(1)).ask_again_s or 0, delta=0.5)

    async def test_a_runner_that_leaves_work_behind_rings_on(self) -> None:
        for _ in range(2):
            await self.enqueue("high")
        self.client.delete(self.base + "ready:normal")

        await self.runner.claim(1)

        self.assertEqual(["bell"], self.list("ready:normal"))

    async def test_a_bell_is_no_job_and_takes_no_slot(self) -> None:
        high = await self.enqueue("high")
        self.assertEqual(["bell"], self.list("ready:normal"))

        claim = await self.runner.claim(2)

        self.assertEqual([high], ids_of(claim))
        self.assertEqual([[], []], [self.list("ready:normal"), self.list("quarantine")])

    async def test_a_runner_that_is_not_registered_is_refused_and_nothing_moves(self) -> None:
        await self.enqueue()
        stranger = Lease(self.link, self.link, self.keys, "q", "stranger", self.runner._rng)
        before = self.dump()

        with self.assertRaises(NotRegistered) as refused:
            await stranger.claim(1)

        self.assertTrue(refused.exception.is_forgotten)
        self.assertEqual(before, self.dump())

    async def test_a_runner_that_was_reaped_is_told_so(self) -> None:
        await self.enqueue()
        await self.crash("w")

        with self.assertRaises(NotRegistered) as refused:
            await self.runner.claim(1)

        self.assertFalse(refused.exception.is_forgotten)

    async def test_suspects_are_handed_out_to_none_but_who_asks_for_them(self) -> None:
        job_id = await self.enqueue()
        for runner_id in ("a", "b"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)

        ready = await self.runner.claim(1)
        suspects = await self.runner.claim(1, source="suspects")

        self.assertEqual(([], [job_id]), (ids_of(ready), ids_of(suspects)))

    async def test_a_popped_id_is_claimed_before_the_others(self) -> None:
        first, second = await self.enqueue_many(2)

        popped = self.popped(self.runner)
        claim = await self.runner.claim(2, [popped])

        self.assertEqual((first, [first, second]), (popped, ids_of(claim)))

    async def test_a_popped_job_that_was_cancelled_meanwhile_is_dropped(self) -> None:
        job_id = await self.enqueue()
        popped = self.popped(self.runner)
        await self.job_store.cancel(job_id)

        claim = await self.runner.claim(1, [popped])

        self.assertEqual(([], "cancelled"), (ids_of(claim), await self.state(job_id)))
        self.assertEqual([], await self.runner.active_ids())


class Strays(RedisCase):
    async def test_a_claim_whose_reply_was_lost_is_claimed_again_and_costs_no_attempt(self) -> None:
        losing = LosesReplies(self.link)
        runner = await self.lease(link=losing)
        ids = await self.enqueue_many(3)
        await self.runner_claims_in_vain(runner, losing)

        claim = await runner.claim(3, await runner.active_ids())

        self.assertEqual(sorted(ids), sorted(ids_of(claim)))
        self.assertEqual([(1, 2)] * 3, [(job.attempt, job.token) for job in claim.jobs])

    async def lost_claim_of_a_moved_job(self, runner: Lease) -> str:
        """A job whose reply was lost, and whose stale id stands in ready:normal: it was moved to ready:high before."""
        job_id = await self.enqueue()
        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), "high"))
        await runner.claim(1)
        self.assertEqual(([job_id], [job_id]), (self.list("ready:normal"), await runner.active_ids()))
        return job_id

    async def test_a_lost_claim_is_claimed_again_though_its_id_is_stale_in_the_normal_list(self) -> None:
        runner = await self.lease()
        job_id = await self.lost_claim_of_a_moved_job(runner)

        self.assertEqual([job_id], ids_of(await runner.claim(1, await runner.active_ids())))

        self.assertEqual(([job_id], [job_id]), (self.list("ready:normal"), await runner.active_ids()))

    async def test_a_lost_claim_is_claimed_once_though_its_stale_id_was_popped_as_well(self) -> None:
        runner = await self.lease()
        job_id = await self.lost_claim_of_a_moved_job(runner)
        self.assertEqual(job_id, self.popped(runner))

        self.assertEqual([job_id], ids_of(await runner.claim(5, await runner.active_ids())))

        self.assertEqual(([], [job_id]), (self.list("ready:normal"), await runner.active_ids()))

    async def test_the_lost_claims_token_ends_nothing_once_it_is_claimed_again(self) -> None:
        losing = LosesReplies(self.link)
        runner = await self.lease(link=losing)
        job_id = await self.enqueue()
        await self.runner_claims_in_vain(runner, losing)
        await runner.claim(1, await runner.active_ids())

        was_ours = await runner.end_and_wait("finish", complete_record(job_id, 1, "noop", ""))

        self.assertEqual((False, "active"), (was_ours, await self.state(job_id)))

    async def runner_claims_in_vain(self, runner: Lease, losing: LosesReplies) -> None:
        await runner.claim(0)  # Loads the script: else EVALSHA and EVAL are two calls.
        losing.lose = 1
        with self.assertRaises(OutcomeUnknown):
            await runner.claim(3)

    async def test_an_id_that_was_reaped_meanwhile_is_not_taken_from_a_list_that_no_longer_holds_it(self) -> None:
        runner, other = await self.lease("a"), await self.lease("b")
        job_id = await self.enqueue()
        popped = self.popped(runner)
        await self.crash("a")
        await runner.register({})
        taken = await other.claim(1)

        claim = await runner.claim(1, [popped])

        self.assertEqual(([job_id], []), (ids_of(taken), ids_of(claim)))

    async def test_a_job_in_the_own_list_that_another_runs_is_dropped_from_it(self) -> None:
        runner, other = await self.lease("a"), await self.lease("b")
        job_id = await self.enqueue()
        job = await self.claimed(other)
        self.client.lpush(self.base + "active:a", job_id)

        claim = await runner.claim(1, [job_id])

        self.assertEqual(([], []), (ids_of(claim), await runner.active_ids()))
        self.assertTrue(await other.end_and_wait("finish", ending("finish", job)))

    async def test_found_ids_that_are_not_there_are_passed_over(self) -> None:
        runner = await self.lease()

        claim = await runner.claim(1, ["nothing", "", "bell", "q-" + "0" * 32])

        self.assertEqual(([], []), (ids_of(claim), self.list("quarantine")))


class Large(RedisCase):
    """One claim hands out a MiB of specs and no more, however many jobs it is for: Redis and the link have others."""

    async def enqueue_large(self, count: int, size_bytes: int = 400_000, **times: Any) -> list[str]:
        jobs = [self.job(**times) for _ in range(count)]
        jobs = [job._replace(spec_text=job.spec_text[:-3] + f'"text":"{"x" * size_bytes}"}}}}') for job in jobs]
        for job in jobs:
            await self.job_store.enqueue(job)
        return [job.job_id for job in jobs]

    async def test_a_claim_of_large_jobs_stops_after_a_mebibyte_and_says_that_there_are_more(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_large(7)

        claims = [await runner.claim(10) for _ in range(3)]

        self.assertEqual([ids[:3], ids[3:6], ids[6:]], [ids_of(claim) for claim in claims])
        self.assertEqual([True, True, False], [claim.is_more for claim in claims])

    async def test_a_job_larger_than_that_is_handed_out_alone(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_large(2, 3_000_000)

        self.assertEqual([[ids[0]], [ids[1]]], [ids_of(await runner.claim(10)) for _ in range(2)])

    async def test_the_order_of_priorities_holds_from_one_claim_to_the_next(self) -> None:
        runner = await self.lease()
        normal, expiring = await self.enqueue_large(2), await self.enqueue_large(2, expires_in_ms=60_000)
        high = [await self.enqueue("high") for _ in range(3)]

        claims = [await runner.claim(10), await runner.claim(10)]

        self.assertEqual([[*high, *normal, expiring[0]], expiring[1:]], [ids_of(claim) for claim in claims])

    async def test_others_are_woken_for_what_it_leaves(self) -> None:
        runner = await self.lease()
        for job in [self.job("high") for _ in range(4)]:
            large = job._replace(spec_text=job.spec_text[:-3] + f'"text":"{"x" * 400_000}"}}}}')
            await self.job_store.enqueue(large)
        self.client.delete(self.base + "ready:normal")

        await runner.claim(10)

        self.assertEqual((1, ["bell"]), (len(self.list("ready:high")), self.list("ready:normal")))

    async def test_strays_are_handed_out_by_the_same_measure_and_the_rest_stays_where_it_is(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_large(5)
        for _ in range(2):
            await runner.claim(10)
        other = await self.enqueue()

        first = await runner.claim(10, ids)
        second = await runner.claim(10, ids[3:])

        self.assertEqual(([*ids[:3]], [*ids[3:], other]), (ids_of(first), ids_of(second)))
        self.assertEqual((True, False), (first.is_more, second.is_more))
        self.assertEqual({*ids, other}, set(await runner.active_ids()))


class Garbage(RedisCase):
    """Ids and hashes that somebody wrote by hand. A runner gets past them, and a person can look at them."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease()

    async def asyncTearDown(self) -> None:
        for key in self.client.scan_iter(self.base + "job:*"):
            raw = bytes(key)
            if b"job:q-" not in raw or self.client.type(raw) != b"hash":
                self.client.delete(raw)
        await super().asyncTearDown()

    async def test_an_expiry_that_is_no_number_does_not_stop_a_claim(self) -> None:
        job_id = await self.enqueue()
        self.client.hset(f"{self.base}job:{job_id}", "expires", "soon")

        self.assertEqual([job_id], ids_of(await self.runner.claim(1)))

    def push(self, raw_id: bytes | str) -> None:
        self.client.rpush(self.base + "ready:normal", raw_id)

    def quarantined(self) -> list[bytes]:
        return [bytes(item).split(b"\x1f")[0] for item in self.client.lrange(self.base + "quarantine", 0, -1)]

    async def test_ids_without_a_job_are_quarantined_and_good_ones_behind_them_claimed(self) -> None:
        bad = [b"", b"x" * 1000, b"\x00\xff\xfe", b"a\x1eb\x1fc", b"q-" + b"0" * 32, b"{}", "ü€".encode(), b"bell2"]
        good = await self.enqueue()
        for raw_id in bad:
            self.push(raw_id)

        claim = await self.runner.claim(10)

        self.assertEqual([good], ids_of(claim))
        self.assertEqual(
            sorted(raw_id[:256] for raw_id in bad if b"\x1f" not in raw_id),
            sorted(item for item in self.quarantined() if not item.startswith(b"a\x1e")),
        )
        self.assertEqual(len(bad), len(self.quarantined()))
        self.assertEqual([good], await self.runner.active_ids())

    async def test_a_job_key_of_the_wrong_type_is_quarantined(self) -> None:
        good = await self.enqueue()
        for number, make in enumerate((self.client.set, self.client.lpush, self.client.sadd)):
            make(f"{self.base}job:wrong-{number}", "x")
            self.push(f"wrong-{number}")

        claim = await self.runner.claim(10)

        self.assertEqual(([good], 3), (ids_of(claim), len(self.quarantined())))

    async def test_a_job_without_a_spec_or_with_separators_in_it_is_dead_as_unreadable(self) -> None:
        for damage in (b"a\x1eb", b"a\x1fb", None):
            job_id = await self.enqueue()
            if damage is None:
                self.client.hdel(f"{self.base}job:{job_id}", "spec")
            else:
                self.client.hset(f"{self.base}job:{job_id}", "spec", damage)
            good = await self.enqueue()

            claim = await self.runner.claim(10)

            record = await self.record(job_id)
            self.assertEqual([good], ids_of(claim))
            self.assertEqual(("dead", "unreadable"), (record.state, (record.error or {}).get("type")))

    async def test_where_a_bad_one_can_not_be_buried_those_behind_it_are_left_to_other_runners(self) -> None:
        ids = await self.enqueue_many(4)
        self.client.hdel(f"{self.base}job:{ids[1]}", "spec")
        self.client.set(self.base + "dead", "x")

        with self.assertRaises(RedisKeysBroken):
            await self.runner.claim(10)

        self.assertEqual(([ids[1], ids[0]], ids[:1:-1]), (self.list("active:w"), self.list("ready:normal")))
        self.client.delete(self.base + "dead")
        self.assertEqual([ids[0], *ids[2:]], ids_of(await self.runner.claim(10, ids[:2])))

    async def test_a_hash_under_an_id_that_is_none_is_quarantined(self) -> None:
        raw_id = b"No Job\x1e"
        self.client.hset(self.base.encode() + b"job:" + raw_id, mapping={"state": "ready", "spec": "{}"})
        self.push(raw_id)

        claim = await self.runner.claim(1)

        self.assertEqual(([], [raw_id]), (ids_of(claim), self.quarantined()))

    async def test_a_thousand_bad_ids_do_not_hold_up_one_claim_for_long_and_are_worked_off(self) -> None:
        good = await self.enqueue("low")
        self.client.delete(self.base + "ready:normal")
        self.client.rpush(self.base + "ready:normal", *[f"bad-{number}" for number in range(1000)])

        claims = [await self.runner.claim(1)]
        while claims[-1].is_more:
            claims.append(await self.runner.claim(1))

        self.assertEqual([good], ids_of(claims[-1]))
        self.assertGreater(len(claims), 4)

    async def test_the_quarantine_keeps_the_last_thousand(self) -> None:
        self.client.rpush(self.base + "ready:normal", *[f"bad-{number}" for number in range(1100)])

        while (await self.runner.claim(1)).is_more:
            pass

        self.assertEqual(1000, len(self.quarantined()))

    async def test_counters_that_make_no_sense_do_not_stop_a_claim(self) -> None:
        job_id = await self.enqueue()
        self.client.hset(f"{self.base}job:{job_id}", mapping={"claims": "many", "attempts": "-"})

        job = await self.claimed(self.runner)

        self.assertEqual((1, 1), (job.token, job.attempt))


class Tombstones(RedisCase):
    async def test_a_job_cancelled_while_it_waits_is_dropped_by_the_next_claim(self) -> None:
        runner = await self.lease()
        cancelled, other = await self.enqueue_many(2)
        await self.job_store.cancel(cancelled)

        claim = await runner.claim(10)

        self.assertEqual(([other], "cancelled"), (ids_of(claim), await self.state(cancelled)))
        self.assertNotIn(b"listed", self.client.hkeys(f"{self.base}job:{cancelled}"))

    async def test_a_job_deleted_while_its_id_is_listed_leaves_nothing_once_claim_meets_it(self) -> None:
        runner = await self.lease()
        deleted, other = await self.enqueue_many(2)
        await self.job_store.cancel(deleted)
        await self.job_store.delete(deleted)

        claim = await runner.claim(10)

        self.assertEqual([other], ids_of(claim))
        self.assertEqual((0, []), (self.client.hlen(self.base + "gone"), self.list("quarantine")))


class Pop(RedisCase):
    async def runner(self, runner_id: str = "w") -> Lease:
        runner = await self.lease(runner_id)
        await runner.claim(0)  # Loads the script: a pop does not.
        return runner

    async def test_a_pop_ends_when_it_is_told_to(self) -> None:
        runner = await self.runner()
        popping = asyncio.create_task(runner.pop(30))
        await self.until_blocked(1)

        await runner.end_pop()

        self.assertEqual([], ids_of(await asyncio.wait_for(popping, 5)))

    async def test_a_pop_whose_link_is_cut_raises_once_and_asyncio_has_no_complaint(self) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        runner = await self.runner()
        popping = asyncio.create_task(runner.pop(30))
        await self.until_blocked(1)

        for node in self.redis.clients:
            for client in node.client_list():
                if client["cmd"] == "brpoplpush":
                    node.client_kill(client["addr"])

        with self.assertRaises(OutcomeUnknown):
            await popping
        del popping
        gc.collect()
        await asyncio.sleep(0)
        self.assertEqual([], told)

    async def test_ending_a_pop_that_is_over_does_nothing(self) -> None:
        runner = await self.runner()
        job_id = await self.enqueue()
        claim = await runner.pop(1)

        await runner.end_pop()

        self.assertEqual(([job_id], [job_id]), (ids_of(claim), await runner.active_ids()))

    async def test_several_blocked_runners_each_get_one_of_a_batch(self) -> None:
        runners = [await self.runner(f"w{number}") for number in range(4)]
        popping = [asyncio.create_task(runner.pop(10)) for runner in runners]
        await self.until_blocked(4)

        ids = await self.enqueue_many(4)

        popped = [job_id for claim in await asyncio.gather(*popping) for job_id in ids_of(claim)]
        self.assertEqual(sorted(ids), sorted(popped))

    async def test_a_popped_job_is_claimed_at_once_and_alone(self) -> None:
        runner = await self.runner()
        first, _ = await self.enqueue_many(2)

        taken: list[object] = []
        claim = await runner.pop(1, taken.append)

        self.assertEqual(([first], [first], [claim]), (ids_of(claim), await runner.active_ids(), taken))
        self.assertEqual([(1, 1)], [(job.token, job.attempt) for job in claim.jobs])

    async def test_what_fails_in_taking_a_claim_comes_out_of_the_pop(self) -> None:
        runner = await self.runner()
        await self.enqueue()

        def fail(claim: object) -> None:
            raise LookupError(claim)

        with self.assertRaises(LookupError):
            await runner.pop(1, fail)

    async def test_a_pop_that_brings_nothing_takes_up_none_of_the_jobs_in_hand(self) -> None:
        runner = await self.runner()
        await self.enqueue()
        job = await self.claimed(runner)

        claim = await runner.pop(0.05)

        self.assertEqual([], claim.jobs)
        self.assertTrue(await runner.end_and_wait("finish", ending("finish", job)))

    async def test_behind_a_bell_the_job_is_claimed_that_it_was_rung_for(self) -> None:
        runner = await self.runner()
        job_id = await self.enqueue("low")

        claim = await runner.pop(1)

        self.assertEqual(([job_id], [job_id]), (ids_of(claim), await runner.active_ids()))

    async def test_behind_a_pop_it_is_said_whether_any_other_job_is_ready(self) -> None:
        runner = await self.runner()
        said = []
        for priority in ("low", "high", "normal"):
            await self.enqueue(priority)
            await self.enqueue()
            said += [(await runner.pop(1)).is_empty for _ in range(2)]
        await self.enqueue(delay_ms=2000)
        said.append((await runner.pop(1)).is_empty)  # A bell.
        await self.enqueue()
        claim = await runner.pop(1)

        self.assertEqual([False, True, False, True, False, True, False], said)
        self.assertTrue(claim.is_empty)
        self.assertTrue(0 < (claim.ask_again_s or 0) <= 2)

    async def test_a_popped_job_that_was_cancelled_takes_no_slot(self) -> None:
        runner = await self.runner()
        cancelled, other = await self.enqueue_many(2)
        await self.job_store.cancel(cancelled)

        claim = await runner.pop(1)

        self.assertEqual(([other], [other]), (ids_of(claim), await runner.active_ids()))

    async def test_what_is_popped_while_the_queue_is_paused_goes_back_to_the_front(self) -> None:
        runner = await self.runner()
        first, second = await self.enqueue_many(2)
        self.client.hset(self.base + "meta", "paused", 1)

        claim = await runner.pop(1)

        self.assertEqual((True, []), (claim.is_paused, claim.jobs))
        self.assertEqual(([second, first], []), (self.list("ready:normal"), await runner.active_ids()))

    async def test_a_pop_of_a_runner_that_was_reaped_tells_it_and_leaves_the_job_a_stray(self) -> None:
        runner = await self.runner()
        await self.crash("w")
        job_id = await self.enqueue()

        with self.assertRaises(NotRegistered):
            await runner.pop(1)

        self.assertEqual(("ready", [job_id]), (await self.state(job_id), await runner.active_ids()))

    async def test_a_pop_whose_script_redis_has_forgotten_leaves_a_stray_and_says_that_there_is_more(self) -> None:
        runner = await self.runner()
        job_id = await self.enqueue()
        self.client.script_flush()
        taken: list[object] = []

        claim = await runner.pop(1, taken.append)

        self.assertEqual((True, [], []), (claim.is_more, claim.jobs, taken))
        self.assertEqual([job_id], ids_of(await runner.claim(1, await runner.active_ids())))


if __name__ == "__main__":
    unittest.main()
