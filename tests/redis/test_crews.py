"""Who serves a queue with what they run, and how those went that serve it no more."""

from typing import Any

from lib.queue.crews import MOST_JOBS, MOST_JOBS_OF_A_QUEUE, Crew, Crews, GoneRunner
from lib.queue.runners import Vitals
from tests.redis.case import KEEP_ALL, RedisCase

DAY_MS = 86_400_000


class CrewCase(RedisCase):
    async def crew(self) -> Crew:
        return await Crews(self.link, self.keys).of("q")

    def hash(self, name: str) -> dict[str, str]:
        found: dict[bytes, bytes] = self.client.hgetall(self.base + name)
        return {field.decode(): value.decode() for field, value in found.items()}


class Living(CrewCase):
    async def test_each_tells_what_it_runs_the_oldest_claim_first(self) -> None:
        runner = await self.lease("a")
        first, second = await self.enqueue(), await self.enqueue()
        await runner.claim(1)
        await runner.claim(1)
        self.client.hset(f"{self.base}job:{second}", "progress", '{"fraction":0.5,"note":"half-way"}')

        ((member,), gone) = await self.crew()

        self.assertEqual(("a", {"pid": 1}, 2, []), (member.runner_id, member.about, member.active, gone))
        jobs = {job.job_id: job for job in member.jobs}
        self.assertEqual({first, second}, {*jobs})
        self.assertEqual(("noop", 60), (jobs[first].type, jobs[first].timeout_s))
        self.assertEqual({"fraction": 0.5, "note": "half-way"}, jobs[second].progress)
        self.assertAlmostEqual(await self.now_ms(), jobs[first].started_ms or 0, delta=10_000)

    async def test_a_timeout_in_the_payload_is_not_taken_for_the_jobs(self) -> None:
        runner = await self.lease("a")
        job_id = await self.enqueue()
        await runner.claim(1)
        spec = str(self.client.hget(f"{self.base}job:{job_id}", "spec").decode())
        self.client.hset(
            f"{self.base}job:{job_id}", "spec", spec.replace('"payload":{', '"payload":{"a":",\\"timeout_s\\":7",')
        )

        ((member,), _) = await self.crew()

        self.assertEqual([60], [job.timeout_s for job in member.jobs])

    async def test_no_more_than_so_many_jobs_of_each_and_those_that_it_has_had_for_longest(self) -> None:
        runner = await self.lease("a")
        ids = await self.enqueue_many(MOST_JOBS + 5)
        for _ in ids:
            await runner.claim(1)

        ((member,), _) = await self.crew()

        self.assertEqual((MOST_JOBS + 5, MOST_JOBS), (member.active, len(member.jobs)))
        self.assertEqual({*ids[:MOST_JOBS]}, {job.job_id for job in member.jobs})

    async def test_of_jobs_with_large_records_the_first_mebibyte_is_read(self) -> None:
        runner = await self.lease("a")
        ids = await self.enqueue_many(3)
        await runner.claim(3)
        for job_id, size in zip(ids, (700_000, 700_000, 10), strict=True):
            spec = self.client.hget(f"{self.base}job:{job_id}", "spec").decode()
            larger = spec.replace('"payload":{', f'"payload":{{"a":"{"x" * size}",')
            self.client.hset(f"{self.base}job:{job_id}", "spec", larger)

        ((member,), _) = await self.crew()

        shown = sorted((job.type, job.timeout_s or 0) for job in member.jobs)
        self.assertEqual([("noop", 60), ("noop", 60), ("other", 0)], shown)
        self.assertTrue(all(job.started_ms for job in member.jobs))

    async def test_of_many_runners_each_tells_of_its_share(self) -> None:
        runners = MOST_JOBS_OF_A_QUEUE // 2
        at_ms, ids = await self.now_ms(), await self.enqueue_many(5)
        self.client.hset(self.base + "workers", mapping={f"w{number}": "{}" for number in range(runners)})
        self.client.hset(self.base + "beats", mapping={f"w{number}": f"1:{at_ms}" for number in range(runners)})
        busy = await self.lease("w0")
        await busy.claim(5)

        living = {member.runner_id: member for member in (await self.crew()).living}

        self.assertEqual((runners, 5, 2), (len(living), living["w0"].active, len(living["w0"].jobs)))
        self.assertEqual({*ids[:2]}, {job.job_id for job in living["w0"].jobs})

    async def test_what_it_tells_with_its_beat_is_shown(self) -> None:
        await self.lease("a")
        self.assertIsNone((await self.crew()).living[0].vitals)
        told = Vitals(48_234_496, is_draining=True)

        await self.queues.runners.beat("q", ["a", "stranger"], {"a": told, "stranger": told})

        self.assertEqual(told, (await self.crew()).living[0].vitals)
        self.assertEqual({"a": "48234496 draining"}, self.hash("vitals"))
        await self.queues.runners.beat("q", ["a"])
        self.assertEqual(told, (await self.crew()).living[0].vitals)
        await self.crash("a")
        self.assertEqual({}, self.hash("vitals"))

    async def test_what_somebody_put_there_by_hand_is_passed_over(self) -> None:
        runner = await self.lease("a")
        job_id = await self.enqueue()
        await runner.claim(1)
        self.client.hset(self.base + "vitals", "a", "garbage")
        self.client.hset(f"{self.base}job:{job_id}", mapping={"progress": "no JSON", "started": "soon", "spec": "{"})

        ((member,), _) = await self.crew()

        (job,) = member.jobs
        self.assertEqual((None, "other", None, None, None), (member.vitals, *job[1:]))
        self.client.delete(f"{self.base}job:{job_id}")
        self.assertEqual([], (await self.crew()).living[0].jobs)
        self.client.flushdb()


class Gone(CrewCase):
    async def gone(self, **reap: Any) -> tuple[str, int | None, dict[str, Any]]:
        """How a runner that held two jobs went, how many were returned, and what it had registered with."""
        runner = await self.lease("a")
        await self.enqueue_many(2)
        await runner.claim(2)
        await self.queues.runners.reap("q", "a", crash_limit=3, **reap)
        (one,) = (await self.crew()).gone
        self.assertEqual("a", one.runner_id)
        self.assertAlmostEqual(await self.now_ms(), one.at_ms, delta=10_000)
        return one.how, one.jobs_returned, one.about

    async def test_one_whose_process_ended(self) -> None:
        self.assertEqual(("crashed", 2, {"pid": 1}), await self.gone())

    async def test_one_that_left(self) -> None:
        self.assertEqual(("left", 2, {"pid": 1}), await self.gone(is_crash=False))

    async def test_one_that_its_supervisor_killed(self) -> None:
        self.assertEqual(("killed", 2, {"pid": 1}), await self.gone(is_crash=False, was_killed=True))

    async def test_one_whose_beats_stopped(self) -> None:
        await self.lease("a")
        beat = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats["a"]
        await self.queues.runners.reap("q", "a", beat_seen=beat, crash_limit=3)

        self.assertEqual(("lost", 0), (await self.crew()).gone[0][2:4])

    async def test_one_whose_beats_stopped_is_silent_until_somebody_reaps_it(self) -> None:
        await self.lease("a")
        beat_ms = await self.now_ms() - 60_000
        self.client.hset(self.base + "beats", "a", f"1:{beat_ms}")

        self.assertEqual(([], [GoneRunner("a", beat_ms, "silent", 0, {"pid": 1})]), await self.crew())

        await self.crash("a")
        self.assertEqual(["crashed"], [one.how for one in (await self.crew()).gone])

    async def test_who_takes_back_what_came_later_changes_the_number_alone(self) -> None:
        runner = await self.lease("a")
        await self.queues.runners.reap("q", "a", is_crash=False, crash_limit=3)
        await self.lease("b")
        job_id = await self.enqueue()
        self.client.lrem(self.base + "ready:normal", 0, job_id)
        self.client.lpush(self.base + "active:a", job_id)
        self.client.hset(f"{self.base}job:{job_id}", mapping={"state": "active", "worker": runner.runner_id})

        for _ in range(3):
            await self.queues.runners.reap("q", "a", crash_limit=3)

        self.assertEqual(("left", 1, {"pid": 1}), (await self.crew()).gone[0][2:])

    async def test_who_comes_back_under_its_id_is_gone_no_more(self) -> None:
        await self.gone()
        await self.lease("a")

        self.assertEqual(([], {}), ((await self.crew()).gone, self.hash("epitaphs")))

    async def test_after_a_day_it_is_forgotten(self) -> None:
        await self.gone()
        await self.lease("b")
        await self.crash("b")
        self.client.hset(self.base + "vitals", "a", "1 running")
        self.client.zadd(self.base + "graves", {"a": await self.now_ms() - DAY_MS - 1})
        self.assertEqual(["b"], [one.runner_id for one in (await self.crew()).gone])

        await self.queues.upkeep.trim("q", KEEP_ALL)

        self.assertEqual((["b"], {}), ([*self.hash("epitaphs")], self.hash("vitals")))

    async def test_one_that_an_older_version_reaped_is_known_by_its_id_alone(self) -> None:
        await self.lease("b")
        self.client.zadd(self.base + "graves", {"a": await self.now_ms()})

        self.assertEqual(("a", "", None, {}), ((await self.crew()).gone[0].runner_id, *(await self.crew()).gone[0][2:]))

    async def test_a_broken_note_keeps_no_job_from_being_taken_back(self) -> None:
        for key in ("epitaphs", "vitals"):
            self.client.delete(self.base + key)
            self.client.set(self.base + key, "no hash")
            runner = await self.lease("a")
            await self.queues.runners.beat("q", ["a"], {"a": Vitals(1, is_draining=False)})
            await self.enqueue()
            await runner.claim(1)

            self.assertEqual(1, await self.crash("a"), key)
            self.assertEqual(["a"], [one.runner_id for one in (await self.crew()).gone])
            self.client.delete(self.base + key)
            self.client.delete(self.base + "ready:normal")
            self.client.flushdb()
