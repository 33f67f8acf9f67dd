"""reap, beats, survey: how a dead runner's jobs come back, and what tells it from one that lives."""

import asyncio
import unittest

from lib.queue.end_record import release_record
from lib.queue.lease import Lease
from lib.queue.notes import Notes
from lib.queue.queue_store import QueueStore
from tests.redis.case import KEEP_ALL, RedisCase, ending, ids_of, until


class Reap(RedisCase):
    async def test_after_one_crash_a_job_is_ready_again_and_the_attempt_counts(self) -> None:
        job_id = await self.enqueue("low")
        await self.claimed(await self.lease("a"))

        handled = await self.crash("a")

        record = await self.record(job_id)
        self.assertEqual((1, "ready", 1), (handled, record.state, record.attempts))
        self.assertEqual([job_id], self.list("ready:low"))
        self.assertEqual(["crashed"], [line.outcome for line in record.history])
        job = await self.claimed(await self.lease("b"))
        self.assertEqual((2, 2), (job.attempt, job.token))

    async def test_at_its_second_crash_a_job_is_a_suspect(self) -> None:
        job_id = await self.enqueue()
        for runner_id in ("a", "b"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)

        self.assertEqual(([job_id], "ready"), (self.list("suspects"), await self.state(job_id)))

    async def test_a_third_crash_alone_is_its_end(self) -> None:
        job_id = await self.a_suspect()
        await (await self.lease("c.alone")).claim(1, source="suspects")

        await self.crash("c.alone")

        record = await self.record(job_id)
        self.assertEqual(("dead", "worker_lost"), (record.state, (record.error or {})["type"]))

    async def test_a_third_crash_among_others_convicts_nobody(self) -> None:
        job_id = await self.a_suspect()
        await (await self.lease("c")).claim(1, source="suspects")

        await self.crash("c")

        self.assertEqual(([job_id], "ready"), (self.list("suspects"), await self.state(job_id)))

    async def test_a_crash_alone_below_the_limit_is_not_the_end(self) -> None:
        job_id = await self.a_suspect()
        await (await self.lease("c.alone")).claim(1, source="suspects")

        await self.crash("c.alone", crash_limit=4)

        self.assertEqual([job_id], self.list("suspects"))

    async def test_a_suspect_whose_host_vanished_is_convicted_only_where_it_does_so_each_time(self) -> None:
        job_id = await self.a_suspect()

        states = []
        for crashes in range(3, 7):
            alone = await self.lease(f"{crashes}.alone")
            await alone.claim(1, source="suspects")
            (beat,) = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats.values()
            await self.queues.runners.reap("q", alone.runner_id, beat_seen=beat, crash_limit=3)
            states.append(await self.state(job_id))

        self.assertEqual(["ready"] * 3 + ["dead"], states)

    async def test_so_many_crashes_as_the_limit_says_are_a_jobs_end_and_the_last_one_is_alone(self) -> None:
        for limit in (2, 3, 5):
            job_id = await self.enqueue()
            runner_ids: list[str] = []
            while await self.state(job_id) == "ready":
                source = "suspects" if self.list("suspects") else "ready"
                runner_ids.append(f"{limit}-{len(runner_ids)}{'.alone' if source == 'suspects' else ''}")
                await (await self.lease(runner_ids[-1])).claim(1, source=source)
                await self.crash(runner_ids[-1], crash_limit=limit)

            self.assertEqual(("dead", limit), (await self.state(job_id), len(runner_ids)))
            self.assertTrue(runner_ids[-1].endswith(".alone"))

    async def test_a_suspect_that_gets_on_is_run_again_however_often_its_runner_crashes(self) -> None:
        job_id = await self.a_suspect()

        for row in range(1, 8):
            await self.crash_alone(checkpoint=row)
            self.assertEqual(([job_id], "ready"), (self.list("suspects"), await self.state(job_id)), row)

        record = await self.record(job_id)
        self.assertEqual((7, 9), (record.checkpoint, record.attempts))
        self.assertEqual(["crashed"] * 9, [line.outcome for line in record.history])

    async def test_a_suspect_that_got_on_and_does_so_no_more_is_convicted_as_any_other(self) -> None:
        for repeated in (None, 5):  # No checkpoint, and the one that the attempt was given.
            job_id = await self.a_suspect()
            for row in range(1, 6):
                await self.crash_alone(checkpoint=row)

            await self.crash_alone(checkpoint=repeated)

            record = await self.record(job_id)
            self.assertEqual(("dead", 5), (record.state, record.checkpoint))
            self.assertEqual("worker_lost", (record.error or {})["type"])

    async def test_a_checkpoint_of_an_earlier_attempt_acquits_nobody(self) -> None:
        job_id = await self.enqueue()
        for runner_id, row in (("a", None), ("b", 7)):
            await self.claim_and_save(await self.lease(runner_id), "ready", row)
            await self.crash(runner_id)

        await self.crash_alone(checkpoint=None)

        self.assertEqual("dead", await self.state(job_id))

    async def test_a_job_that_gets_on_among_others_is_a_suspect_at_its_second_crash(self) -> None:
        job_id = await self.enqueue()
        for row, runner_id in enumerate(("a", "b")):
            await self.claim_and_save(await self.lease(runner_id), "ready", row)
            await self.crash(runner_id)

        self.assertEqual([job_id], self.list("suspects"))

    async def is_behind(self, ms: int) -> bool:
        return await self.now_ms() > ms

    async def crash_alone(self, checkpoint: int | None) -> None:
        """The suspect runs alone, saves that checkpoint (None: none), and takes its runner down.

        It is claimed in a later millisecond than its last checkpoint was written."""
        last_ms = await self.now_ms()
        await until(lambda: self.is_behind(last_ms), "a millisecond later")
        lease = await self.lease("c.alone")
        await self.claim_and_save(lease, "suspects", checkpoint)
        await self.crash("c.alone")

    async def claim_and_save(self, lease: Lease, source: str, checkpoint: int | None) -> None:
        (job,) = (await lease.claim(1, source=source)).jobs
        if checkpoint is not None:
            notes = Notes(job.job_id, job.token)
            notes.set_checkpoint(str(checkpoint))
            lease.note(notes)
            await lease.wait_until_idle()

    async def test_a_suspect_that_completes_is_done(self) -> None:
        job_id = await self.a_suspect()
        alone = await self.lease("c.alone")
        (job,) = (await alone.claim(1, source="suspects")).jobs

        await alone.end_and_wait("finish", ending("finish", job))

        self.assertEqual("completed", await self.state(job_id))

    async def test_a_suspect_that_its_runner_gives_back_is_one_still_and_the_next(self) -> None:
        for way in ("released", "unbegun", "signed-off"):
            first, second = await self.a_suspect(), await self.a_suspect()
            alone = await self.lease(f"{way}.alone")
            (job,) = (await alone.claim(1, source="suspects")).jobs

            if way == "signed-off":
                await self.queues.runners.reap("q", alone.runner_id, is_crash=False, crash_limit=3)
            else:
                await alone.end_and_wait("release", release_record(job.job_id, job.token, is_begun=way == "released"))

            self.assertEqual((first, [second, first]), (job.job_id, self.list("suspects")), way)
            self.assertEqual(2, (await self.record(first)).attempts)
            self.assertEqual([], ids_of(await (await self.lease("d")).claim(10)))
            self.assertEqual([first, second], [await self.run_alone() for _ in range(2)])

    async def run_alone(self) -> str:
        """The next suspect is run to its end. Gives its id."""
        alone = await self.lease("c.alone")
        (job,) = (await alone.claim(1, source="suspects")).jobs
        await alone.end_and_wait("finish", ending("finish", job))
        return job.job_id

    async def a_suspect(self) -> str:
        job_id = await self.enqueue()
        for runner_id in ("a", "b"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)
        return job_id

    async def test_a_clean_leave_gives_the_attempt_back_and_the_order(self) -> None:
        ids = await self.enqueue_many(5)
        await (await self.lease("a")).claim(3)

        await self.queues.runners.reap("q", "a", is_crash=False, crash_limit=3)

        self.assertEqual(ids, self.list("ready:normal")[::-1])
        self.assertEqual([0] * 5, [(await self.record(job_id)).attempts for job_id in ids])

    async def test_a_stray_that_was_never_claimed_costs_nothing(self) -> None:
        job_id = await self.enqueue()
        self.popped(await self.lease("a"))

        handled = await self.crash("a")

        record = await self.record(job_id)
        self.assertEqual((1, "ready", 0, []), (handled, record.state, record.attempts, list(record.history)))

    async def test_a_bell_in_a_dead_runners_list_goes(self) -> None:
        await self.enqueue("high")
        self.popped(await self.lease("a"))

        await self.crash("a")

        self.assertEqual([[], []], [self.list("active:a"), self.list("quarantine")])

    async def test_what_is_no_job_in_a_dead_runners_list_is_quarantined(self) -> None:
        await self.lease("a")
        self.client.lpush(self.base + "active:a", "garbage", b"\xff\x00")

        await self.crash("a")

        self.assertEqual((0, 2), (self.client.llen(self.base + "active:a"), self.client.llen(self.base + "quarantine")))

    async def test_more_than_one_bite_is_taken_back_whole(self) -> None:
        ids = await self.enqueue_many(450)
        await (await self.lease("a")).claim(450)

        handled = await self.crash("a")

        self.assertEqual((450, sorted(ids)), (handled, sorted(self.list("ready:normal"))))

    async def test_two_reapers_at_once_return_each_job_once(self) -> None:
        ids = await self.enqueue_many(300)
        await (await self.lease("a")).claim(300)

        handled = await asyncio.gather(*[self.crash("a") for _ in range(4)])

        self.assertEqual(300, sum(handled))
        self.assertEqual(sorted(ids), sorted(self.list("ready:normal")))
        self.assertEqual({1}, {len((await self.record(job_id)).history) for job_id in ids[:20]})

    async def test_reaping_twice_changes_nothing(self) -> None:
        await self.enqueue_many(3)
        await (await self.lease("a")).claim(3)
        await self.crash("a")
        before = self.dump()

        self.assertEqual(0, await self.crash("a"))

        self.assertEqual(before, self.dump())

    async def test_a_runner_that_has_beaten_since_is_alive(self) -> None:
        runner = await self.lease("a")
        await self.enqueue()
        job = await self.claimed(runner)
        seen = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats["a"]
        await self.queues.runners.beat("q", ["a"])

        handled = await self.queues.runners.reap("q", "a", beat_seen=seen, crash_limit=3)

        self.assertIsNone(handled)
        self.assertTrue(await runner.end_and_wait("finish", ending("finish", job)))

    async def test_a_runner_that_has_not_beaten_since_is_reaped(self) -> None:
        await self.enqueue()
        job = await self.claimed(await self.lease("a"))
        seen = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats["a"]

        handled = await self.queues.runners.reap("q", "a", beat_seen=seen, crash_limit=3)

        self.assertEqual([job.job_id], handled)

    async def test_a_pop_that_comes_after_the_reap_is_found_in_the_grave(self) -> None:
        runner = await self.lease("a")
        await self.crash("a")
        job_id = await self.enqueue()
        self.popped(runner)

        graves = (await self.queues.upkeep.survey("q", KEEP_ALL)).dead_runners
        await self.crash("a")

        self.assertEqual((["a"], [job_id]), (graves, self.list("ready:normal")))
        self.assertEqual([], (await self.queues.upkeep.survey("q", KEEP_ALL)).dead_runners)


class Beats(RedisCase):
    async def test_a_beat_moves_the_counter_of_those_that_are_registered(self) -> None:
        await self.lease("a")
        await self.lease("b")
        before = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats

        beaten = await self.queues.runners.beat("q", ["a", "stranger"])

        after = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats
        self.assertEqual({"a": True, "stranger": False}, beaten)
        self.assertNotEqual(before["a"], after["a"])
        self.assertEqual((before["b"], {"a", "b"}), (after["b"], set(after)))

    async def test_a_reaped_runners_beat_brings_it_not_back(self) -> None:
        await self.lease("a")
        await self.crash("a")

        self.assertEqual({"a": False}, await self.queues.runners.beat("q", ["a"]))

        self.assertEqual([], await self.queues.runners.roster("q"))

    async def test_the_roster_tells_of_each_runner(self) -> None:
        runner = await self.lease("a")
        await self.enqueue_many(2)
        await runner.claim(2)

        (seen,) = await self.queues.runners.roster("q")

        self.assertEqual(("a", {"pid": 1}, 2), (seen.runner_id, seen.about, seen.active))
        self.assertLess(seen.beat_age_s or 0, 5)


class Ghosts(RedisCase):
    """Runners that died with every supervisor: nobody is there to reap them, yet they are shown no more."""

    async def last_heard(self, runner_id: str, ms_ago: int) -> None:
        self.client.hset(self.base + "beats", runner_id, f"7:{await self.now_ms() - ms_ago}")

    async def shown(self) -> tuple[list[str], int]:
        """The runners of the queue by name, and as the census counts them."""
        seen = await self.queues.runners.roster("q")
        return sorted(runner.runner_id for runner in seen), (await self.queues.census("q")).workers

    async def test_one_is_shown_for_its_lease_after_its_last_beat_and_no_longer(self) -> None:
        await self.lease("a")
        await self.lease("b")
        await self.queues.add(["q"])

        await self.last_heard("a", 14_000)
        self.assertEqual((["a", "b"], 2), await self.shown())
        await self.last_heard("a", 15_001)
        self.assertEqual((["b"], 1), await self.shown())

    async def test_the_lease_is_the_runners_own_or_that_of_whoever_asks(self) -> None:
        await self.queues.add(["q"])
        await (await self.lease("patient")).register({"lease_s": 60.0})
        await (await self.lease("hasty")).register({"pid": 1, "lease_s": 2})
        await self.lease("older")
        for runner_id in ("patient", "hasty", "older"):
            await self.last_heard(runner_id, 20_000)

        self.assertEqual((["patient"], 1), await self.shown())
        self.queues = QueueStore(self.link, self.keys, lease_s=30.0)
        self.assertEqual((["older", "patient"], 2), await self.shown())

    async def test_a_clock_that_went_back_shows_no_dead_one_for_so_long(self) -> None:
        await self.lease("a")
        await self.queues.add(["q"])

        await self.last_heard("a", -3_600_000)
        self.assertEqual(([], 0), await self.shown())
        await self.queues.runners.beat("q", ["a"])
        self.assertEqual((["a"], 1), await self.shown())

    async def test_a_beat_that_somebody_broke_is_none_until_the_next_one(self) -> None:
        await self.lease("a")
        await self.queues.add(["q"])
        for garbage in ("garbage", "7:", ":", "7:1e300", ""):
            self.client.hset(self.base + "beats", "a", garbage)
            self.assertEqual(([], 0), await self.shown(), garbage)
        self.client.delete(self.base + "beats")
        self.assertEqual(([], 0), await self.shown())

        await self.queues.runners.beat("q", ["a"])

        self.assertEqual((["a"], 1), await self.shown())

    async def test_to_show_one_no_more_is_not_to_reap_it(self) -> None:
        await self.enqueue()
        job = await self.claimed(await self.lease("a"))
        await self.queues.add(["q"])
        await self.last_heard("a", 3_600_000)

        self.assertEqual(([], 0), await self.shown())

        census = await self.queues.census("q")
        self.assertEqual((1, 0), (census.counts["active"], census.counts["ready"]))
        self.assertEqual({"a"}, (await self.queues.upkeep.survey("q", KEEP_ALL)).beats.keys())
        self.assertEqual(1, await self.crash("a"))
        self.assertEqual("ready", await self.state(job.job_id))

    async def test_jobs_that_wait_behind_ghosts_alone_are_said_to_be_unserved(self) -> None:
        await self.enqueue()
        await self.lease("a")
        self.assertEqual([], await self.queues.unserved([]))

        await self.last_heard("a", 16_000)

        (warning,) = await self.queues.unserved([])
        self.assertEqual("1 job waits in the queue q, which no worker serves", warning.text)
        self.assertEqual(("queue_unserved", "q"), (warning.code, warning.queue))
        self.assertAlmostEqual(await self.now_ms(), warning.since_ms or 0, delta=10_000)


class Survey(RedisCase):
    async def test_an_idle_queue_has_nothing_to_do(self) -> None:
        await self.enqueue()
        await self.enqueue(delay_ms=60_000)
        before = self.dump()

        survey = await self.queues.upkeep.survey("q", KEEP_ALL)

        self.assertEqual(
            (False, False, 0, [], {}),
            (survey.is_due, survey.is_trimmable, survey.suspects, survey.dead_runners, survey.beats),
        )
        self.assertEqual(before, self.dump())

    async def test_what_is_due_suspected_and_dead_is_told(self) -> None:
        await self.make_due(await self.enqueue(delay_ms=60_000))
        self.assertTrue((await self.queues.upkeep.survey("q", KEEP_ALL)).is_due)
        for runner_id in ("a", "b"):
            await (await self.lease(runner_id)).claim(1)
            await self.crash(runner_id)

        survey = await self.queues.upkeep.survey("q", KEEP_ALL)

        self.assertEqual((False, 1, []), (survey.is_due, survey.suspects, survey.dead_runners))

    async def test_suspects_of_a_paused_queue_ask_for_no_runner_of_their_own(self) -> None:
        await self.enqueue()
        for runner_id in ("a", "b"):
            await (await self.lease(runner_id)).claim(1)
            await self.crash(runner_id)
        self.assertEqual(1, await self.queues.suspects("q"))

        self.client.hset(self.base + "meta", "paused", "1")

        self.assertEqual(0, (await self.queues.upkeep.survey("q", KEEP_ALL)).suspects)
        self.assertEqual(0, await self.queues.suspects("q"))


class Promote(RedisCase):
    async def test_what_is_due_is_ready_in_its_priority_and_the_rest_waits(self) -> None:
        high, low, later = [await self.enqueue(p, delay_ms=60_000) for p in ("high", "low", "normal")]
        for job_id in (high, low):
            await self.make_due(job_id)

        self.assertFalse(await self.queues.upkeep.promote("q"))

        self.assertEqual(([high], [low]), (self.list("ready:high"), self.list("ready:low")))
        self.assertEqual("delayed", await self.state(later))

    async def test_a_backlog_is_promoted_in_bites_earliest_first(self) -> None:
        ids = await self.enqueue_many(1200, delay_ms=60_000)
        now_ms = await self.now_ms()
        self.client.zadd(self.base + "delayed", {job_id: now_ms - 1200 + n for n, job_id in enumerate(ids)})
        self.client.zadd(self.base + "delayed", {"garbage": 1})

        moved = []
        for _ in range(4):
            is_more = await self.queues.upkeep.promote("q")
            moved.append((self.client.zcard(self.base + "delayed"), is_more))

        self.assertEqual([(701, True), (201, True), (0, False), (0, False)], moved)
        self.assertEqual(ids, [job_id for job_id in self.list("ready:normal")[::-1] if job_id != "bell"])

    async def test_what_has_expired_is_ended_in_bites(self) -> None:
        ids = await self.enqueue_many(401, expires_in_ms=60_000)
        self.client.zadd(self.base + "expiring", dict.fromkeys(ids, 1))

        is_more = [(await self.queues.upkeep.expire("q"))[1] for _ in range(3)]

        self.assertEqual(([True, True, False], {"dead"}), (is_more, set(self.states().values())))

    async def test_promoted_high_jobs_ring(self) -> None:
        await self.make_due(await self.enqueue("high", delay_ms=60_000))
        self.client.delete(self.base + "ready:normal")

        await self.queues.upkeep.promote("q")

        self.assertEqual(["bell"], self.list("ready:normal"))

    async def test_what_is_no_delayed_job_is_quarantined(self) -> None:
        ready = await self.enqueue()
        self.client.zadd(self.base + "delayed", {"garbage": 1, ready: 2})

        await self.queues.upkeep.promote("q")

        self.assertEqual((2, [ready]), (self.client.llen(self.base + "quarantine"), self.list("ready:normal")))

    async def test_a_job_that_is_due_thousands_of_years_from_now_stops_nobody(self) -> None:
        runner = await self.lease()
        year_9999_ms = 253_402_300_799_999
        await self.enqueue(run_at_ms=year_9999_ms)
        job_id = await self.enqueue()

        claim = await runner.claim(1)

        self.assertEqual([job_id], ids_of(claim))
        self.assertIsNone((await runner.claim(1)).ask_again_s)
        self.assertIsNone(await runner.promote())

    async def test_a_runner_is_told_when_the_next_one_is_due(self) -> None:
        runner = await self.lease()
        self.assertIsNone(await runner.promote())

        await self.enqueue(delay_ms=1900)

        self.assertAlmostEqual(1.9, await runner.promote() or 0, delta=0.5)

    async def test_nobody_claims_a_delayed_job_before_its_time(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(delay_ms=100)
        due_ms = (await self.record(job_id)).run_at_ms or 0
        async with asyncio.timeout(10):
            while not (claim := await runner.claim(1)).jobs:
                await asyncio.sleep(claim.ask_again_s or 0)

        self.assertEqual([job_id], ids_of(claim))
        self.assertGreaterEqual(claim.jobs[0].now_ms, due_ms)


if __name__ == "__main__":
    unittest.main()
