"""Strikes: a group whose jobs get no answer rests, longer each time, and then one of its jobs tries."""

import unittest

from lib.errors import GroupNotFound
from lib.jobs.group_strikes import GroupStrikes, strikes_from
from lib.queue.end_record import hand_over_record
from lib.queue.explanation_facts import ExplanationFacts
from lib.queue.group_store import Group
from tests.redis.grouped import NO_ANSWER, GroupedCase, Handed, Runner

HOST = "host:443"


class StrikesCase(GroupedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.claimer: Runner = await self.runner()

    def strikes(self, group: str = HOST) -> GroupStrikes | None:
        return strikes_from(self.lines().strikes.get(group, ""))

    def known(self, group: str = HOST) -> GroupStrikes:
        found = self.strikes(group)
        assert found is not None, f"{group} has no strikes"
        return found

    async def shown(self, group: str = HOST) -> Group:
        return await self.queues.groups.read("q", group)

    async def claim_one(self) -> Handed:
        (job,) = (await self.claimer.claim(1)).jobs
        return job

    async def end_rest(self, group: str = HOST) -> None:
        """The time until which the group rests is over."""
        past_ms = await self.now_ms() - 1
        self.client.zadd(self.base + "resting", {group: past_ms})
        held_until, _, job_id = self.lines().held[group].partition(" ")
        self.client.hset(self.base + "held", group, f"{past_ms} {job_id}")
        text = self.lines().strikes[group].replace(f" {held_until} ", f" {past_ms} ")
        self.client.hset(self.base + "strikes", group, text)

    async def probe(self) -> Handed:
        """The job that tries, once the rest is over."""
        await self.end_rest()
        (job,) = (await self.claimer.claim(9)).jobs
        return job


class Striking(StrikesCase):
    async def test_an_attempt_without_an_answer_has_its_group_rest_for_a_second(self) -> None:
        await self.put(HOST, 3)
        await self.put("other", 3)
        job = await self.claim_one()

        await self.claimer.strike(job)

        known, shown = self.known(), await self.shown()
        self.assertEqual((1, 1000, NO_ANSWER), (known.times, known.until_ms - known.last_ms, known.words))
        self.assertEqual(("hold", known.until_ms, known), (shown.limited_by, shown.until_ms, shown.strikes))
        self.assertEqual(3, len((await self.claimer.claim(9)).jobs))
        self.assertEqual((0, 3), (self.running(HOST), self.running("other")))

    async def test_attempts_that_fail_together_are_one_strike(self) -> None:
        await self.put(HOST, 20)
        jobs = (await self.claimer.claim(20)).jobs

        for some in (jobs[:10], jobs[10:15], jobs[15:]):
            await self.claimer.strike(*some)

        self.assertEqual(1, self.known().times)

    async def test_the_rests_grow_to_five_minutes_and_one_job_tries_after_each(self) -> None:
        await self.put(HOST, 20)
        job, rests_ms = await self.claim_one(), []

        for _ in range(11):
            await self.claimer.strike(job)
            known = self.known()
            rests_ms.append(known.until_ms - known.last_ms)
            job = await self.probe()

        self.assertEqual([*(1000 * 2**n for n in range(9)), 300_000, 300_000], rests_ms)

    async def test_a_job_that_is_dead_of_it_strikes_as_well(self) -> None:
        await self.put(HOST, 2)

        await self.claimer.strike(await self.claim_one(), delay_ms=None)

        self.assertEqual(1, self.known().times)
        self.assertEqual([], (await self.claimer.claim(9)).jobs)

    async def test_a_job_that_is_cancelled_meanwhile_strikes_as_well(self) -> None:
        (job_id,) = await self.put(HOST)
        job = await self.claim_one()
        await self.job_store.cancel(job_id)

        await self.claimer.strike(job)

        self.assertEqual("cancelled", (await self.job_store.read(job_id)).state)
        self.assertEqual(1, self.known().times)

    async def test_a_job_of_no_group_strikes_nobody(self) -> None:
        await self.put()

        await self.claimer.strike(await self.claim_one())

        self.assertEqual({}, self.lines().strikes)

    async def test_a_failure_of_another_kind_neither_adds_nor_clears(self) -> None:
        await self.put(HOST, 5)
        await self.claimer.strike(await self.claim_one())
        probe = await self.probe()
        before = self.known()

        await self.claimer.end("fail", probe)

        self.assertEqual(before, self.known())
        self.assertEqual(1, len((await self.claimer.claim(9)).jobs))

    async def test_words_of_any_kind_stand_behind_the_numbers(self) -> None:
        await self.put(HOST)

        await self.claimer.strike(await self.claim_one(), words=f"Gone: 12 \x1e\x1f\x03\n é{'x' * 300}")

        self.assertEqual(f"Gone: 12      é{'x' * 185}", self.known().words)

    async def test_a_longer_hold_by_a_job_stays(self) -> None:
        await self.put(HOST, 5)
        first, second, third = (await self.claimer.claim(3)).jobs
        await self.claimer.hold(first, 60_000)
        held = self.lines().held[HOST]

        await self.claimer.strike(second)
        self.assertEqual(held, self.lines().held[HOST])
        await self.claimer.end("finish", third)

        self.assertEqual((held, None), (self.lines().held[HOST], self.strikes()))
        self.assertEqual("hold", (await self.shown()).limited_by)

    async def test_a_clock_that_is_set_back_stops_no_counting(self) -> None:
        await self.put(HOST, 3)
        ahead_ms = await self.now_ms() + 3_600_000
        self.client.hset(self.base + "strikes", HOST, f"2 {ahead_ms} {ahead_ms} x")

        await self.claimer.strike(await self.claim_one())

        self.assertEqual(3, self.known().times)


class Ending(StrikesCase):
    async def test_a_success_ends_the_strikes_and_their_rest_at_once(self) -> None:
        await self.limit(group_concurrency="3")
        await self.put(HOST, 9)
        first, second, third = (await self.claimer.claim(3)).jobs
        await self.claimer.strike(first)
        self.assertEqual([], (await self.claimer.claim(9)).jobs)

        await self.claimer.end("finish", second)

        self.assertEqual((None, {}, {}), (self.strikes(), self.lines().held, self.lines().resting))
        self.assertEqual(2, len((await self.claimer.claim(9)).jobs))
        await self.claimer.end("finish", third)
        self.assertEqual(1, len((await self.claimer.claim(9)).jobs))

    async def test_a_probe_that_goes_well_gives_the_group_its_concurrency_back(self) -> None:
        await self.put(HOST, 9)
        await self.claimer.strike(await self.claim_one())
        probe = await self.probe()
        self.assertEqual("concurrency", (await self.shown()).limited_by)

        await self.claimer.end("finish", probe)

        self.assertEqual(7, len((await self.claimer.claim(9)).jobs))

    async def test_a_success_wakes_an_idle_runner(self) -> None:
        await self.put(HOST, 3)
        first, second = (await self.claimer.claim(2)).jobs
        await self.claimer.strike(first)
        self.client.delete(self.base + "ready:normal")

        await self.claimer.end("finish", second)

        self.assertEqual([b"bell"], self.client.lrange(self.base + "ready:normal", 0, -1))

    async def test_a_success_of_another_group_ends_nothing(self) -> None:
        await self.put(HOST)
        await self.put("other")
        await self.put()
        jobs = {self.client.hget(f"{self.base}job:{job.job_id}", "group"): job for job in await self.all_jobs()}
        await self.claimer.strike(jobs.pop(HOST.encode()))

        await self.claimer.end("finish", *jobs.values())

        self.assertEqual(1, self.known().times)

    async def all_jobs(self) -> list[Handed]:
        return (await self.claimer.claim(9)).jobs

    async def test_a_release_ends_strikes_whose_rest_is_over_too(self) -> None:
        await self.put(HOST, 5)
        await self.claimer.strike(await self.claim_one())
        await self.probe()

        released, _ = await self.queues.groups.release("q", HOST)

        self.assertEqual((None, None), (released.strikes, released.limited_by))
        self.assertEqual(3, len((await self.claimer.claim(9)).jobs))
        with self.assertRaises(GroupNotFound):
            await self.queues.groups.release("q", HOST)

    async def test_the_rest_ends_by_itself_at_its_time(self) -> None:
        await self.put(HOST, 2)
        await self.claimer.strike(await self.claim_one())

        reply = await self.claimer.claim(9)

        self.assertEqual([], reply.jobs)
        assert reply.wait_ms is not None
        self.assertAlmostEqual(1000, reply.wait_ms, delta=900)


class Upkeep(StrikesCase):
    async def mend(self) -> None:
        for _ in range(2):
            await self.call("mend", 100)

    async def test_a_group_without_jobs_keeps_its_strikes_for_a_day(self) -> None:
        await self.put(HOST)
        await self.claimer.strike(await self.claim_one())
        await self.end_rest()

        await self.mend()
        self.assertEqual((1, {HOST}), (self.known().times, self.lines().groups))
        text = self.lines().strikes[HOST].replace(str(self.known().last_ms), str(await self.now_ms() - 86_400_001))
        self.client.hset(self.base + "strikes", HOST, text)
        await self.mend()

        self.assertEqual(({}, set[str]()), (self.lines().strikes, self.lines().groups))

    async def test_a_rest_that_a_clock_set_back_made_long_is_cut_short(self) -> None:
        await self.put(HOST, 2)
        await self.claimer.strike(await self.claim_one())
        known, an_hour_ms = self.known(), 3_600_000
        job_id = self.lines().held[HOST].partition(" ")[2]
        until_ms = known.until_ms + an_hour_ms
        self.client.hset(
            self.base + "strikes", HOST, f"{known.times} {known.last_ms + an_hour_ms} {until_ms} {known.words}"
        )
        self.client.hset(self.base + "held", HOST, f"{until_ms} {job_id}")
        self.client.zadd(self.base + "resting", {HOST: until_ms})

        await self.mend()

        self.assertEqual(1, len((await self.claimer.claim(9)).jobs), "one tries whether anybody answers")

    async def test_what_somebody_wrote_there_counts_for_nothing_and_goes(self) -> None:
        await self.put(HOST, 2)
        self.client.hset(self.base + "strikes", HOST, "many")
        jobs = (await self.claimer.claim(9)).jobs
        self.assertEqual((2, None), (len(jobs), (await self.shown()).strikes))
        await self.claimer.end("finish", *jobs)

        await self.mend()

        self.assertEqual({}, self.lines().strikes)

    async def test_a_key_of_another_type_stops_no_job_and_is_put_aside(self) -> None:
        await self.put(HOST, 3)
        jobs = (await self.claimer.claim(2)).jobs
        self.client.set(self.base + "strikes", "x")

        await self.claimer.strike(jobs[0])
        await self.claimer.end("finish", jobs[1])
        await self.mend()

        self.assertFalse(self.client.exists(self.base + "strikes"))
        self.client.delete(self.base + "broken")

    async def test_a_removed_queue_leaves_none(self) -> None:
        await self.put(HOST)
        await self.claimer.strike(await self.claim_one(), delay_ms=None)
        (job_id,) = self.lines().jobs
        await self.job_store.delete(job_id)
        self.client.delete(self.base + "workers")

        await self.queues.remove("q")

        self.assertFalse(self.client.exists(self.base + "strikes"))


class Explained(StrikesCase):
    async def test_a_rest_and_a_probe_are_told(self) -> None:
        facts = ExplanationFacts(self.link, self.keys, self.queues.runners, lease_s=15)
        *_, last = await self.put(HOST, 5)
        await self.claimer.strike(await self.claim_one())

        resting = await facts.of(last)
        await self.probe()
        probed = await facts.of(last)

        self.assertEqual((1, 1), (resting.strikes and resting.strikes.times, probed.strikes and probed.strikes.times))
        assert resting.hold is not None and resting.strikes is not None
        self.assertEqual(resting.strikes.until_ms, resting.hold.until_ms)
        assert probed.full_group is not None
        self.assertEqual((None, 1, 1), (probed.hold, probed.full_group.limit, probed.full_group.running))

    async def test_what_is_outside_is_not_told_as_the_probe(self) -> None:
        facts = ExplanationFacts(self.link, self.keys, self.queues.runners, lease_s=15)
        await self.limit(group_concurrency="3")
        *_, last = await self.put(HOST, 6)
        out = (await self.claimer.claim(2)).jobs
        for job in out:
            await self.job_store.callbacks.expect(job.job_id, job.token)
        records = [hand_over_record(job.job_id, job.token, 3600, is_last=False) for job in out]
        await self.claimer.send_ends("hand_over", *records)
        await self.claimer.strike(await self.claim_one())
        probe = await self.probe()

        full = (await facts.of(last)).full_group
        assert full is not None
        self.assertEqual((3, 3), (full.limit, full.running), "so many may run at once, strikes or not")

        await self.limit(group_concurrency="5")
        full = (await facts.of(last)).full_group
        assert full is not None
        self.assertEqual((1, 1, (probe.job_id,)), (full.limit, full.running, full.job_ids))


if __name__ == "__main__":
    unittest.main()
