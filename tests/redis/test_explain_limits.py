"""explain in a queue with limits and groups: what keeps a job from starting, beside what ration.lua hands out."""

import unittest

from lib.queue.claim_reply import claim_from
from tests.redis.grouped import GroupedCase, Handed, Runner
from tests.redis.test_explain import ExplainCase


class Limits(ExplainCase, GroupedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.a_runner: Runner = await self.runner("w")

    async def start(self, limit: int) -> list[Handed]:
        """The jobs that the runner is given by ration.lua."""
        claim = claim_from(await self.call("ration", "w", limit, "ready"))
        return [Handed(job.job_id, job.token) for job in claim.jobs]

    async def claims_wait_s(self) -> float | None:
        """After how many seconds the runner is to claim again, told by a claim for no job."""
        return claim_from(await self.call("ration", "w", 0, "ready")).ask_again_s

    async def end(self, *jobs: Handed) -> None:
        await self.a_runner.end("finish", *jobs)

    async def test_a_paused_group(self) -> None:
        job_id, other = await self.put("a", 1), await self.put("b", 1)
        await self.limit_group("a", "||1")
        self.assertEqual(other, [one for one, _ in await self.start(10)])

        found = await self.explained(job_id[0])

        self.assertEqual(("group_paused", 0, None), (found.reason, found.ahead, found.until_ms))
        self.assertIn('PATCH /api/queues/q/groups/a with {"paused": false}', found.detail)

    async def test_a_queue_at_its_concurrency_names_what_runs(self) -> None:
        await self.limit(concurrency="2")
        ids = await self.put("", 4)
        running = await self.start(10)
        self.assertEqual(ids[:2], [job_id for job_id, _ in running])

        found = await self.explained(ids[3])

        self.assertEqual(("concurrency_limited", 1), (found.reason, found.ahead))
        self.assertEqual(f"2 of 2 of q run: {ids[1]}, {ids[0]}; 1 job of q is before it", found.detail)
        await self.end(running[0])
        self.assertEqual("waiting_its_turn", (await self.explained(ids[3])).reason)

    async def test_a_group_at_its_concurrency_names_what_runs_and_other_groups_go_on(self) -> None:
        await self.limit(group_concurrency="2")
        await self.limit_group("wide", "9||")
        ids = await self.put("a", 8)
        (wide, other), running = await self.put("wide", 2), await self.start(2)
        self.assertEqual({ids[0], wide}, {job_id for job_id, _ in running})
        running += await self.start(1)
        running += await self.start(1)

        full, free = await self.explained(ids[-1]), await self.facts.of(ids[-1])

        self.assertEqual(4, len(running))
        self.assertNotIn(other, self.list("line:normal:wide"))
        self.assertEqual(("concurrency_limited", 5, None), (full.reason, full.ahead, full.eta_s))
        assert free.full_group is not None
        self.assertEqual((2, 2, set(ids[:2])), (*free.full_group[:2], set(free.full_group.job_ids)))
        self.assertTrue(full.detail.startswith("2 of 2 of its group a run: "), full.detail)
        self.assertTrue(full.detail.endswith("; 5 jobs of its group a are before it"), full.detail)
        await self.end(*[job for job in running if job[0] in ids])
        self.assertEqual("waiting_its_turn", (await self.explained(ids[-1])).reason)

    async def test_five_of_a_hundred_that_run_are_named(self) -> None:
        await self.limit(group_concurrency="100", concurrency="100")
        ids = await self.put("a", 101)
        await self.start(100)

        facts = await self.facts.of(ids[-1])

        for limit in (facts.full_group, facts.full_queue):
            assert limit is not None
            self.assertEqual((100, 100, 5), (limit.limit, limit.running, len(set(limit.job_ids) & set(ids[:100]))))
        self.assertIn("and others", (await self.explained(ids[-1])).detail)

    async def test_a_queue_that_has_used_up_its_rate_says_until_when(self) -> None:
        await self.limit(rate="3/15000")
        ids = await self.put("", 5)
        self.assertEqual(3, len(await self.start(10)))

        found = await self.explained(ids[4])

        wait_s = await self.claims_wait_s()
        assert found.until_ms is not None and wait_s is not None
        self.assertEqual(("rate_limited", 1), (found.reason, found.ahead))
        self.assertAlmostEqual(wait_s, (found.until_ms - await self.now_ms()) / 1000, delta=1)
        self.assertTrue(found.detail.startswith("q has used up its rate of 3 in 15 s until "), found.detail)

    async def test_a_rate_with_room_keeps_nobody(self) -> None:
        await self.limit(rate="3/60000")
        ids = await self.put("", 3)
        await self.start(2)

        self.assertEqual("waiting_its_turn", (await self.explained(ids[2])).reason)

    async def test_starts_that_lie_too_far_back_or_ahead_do_not_count(self) -> None:
        await self.limit(rate="3/1000")
        ids = await self.put("", 1)
        now_ms = await self.now_ms()
        for at_ms in (now_ms - 1200, now_ms + 60_000):
            self.client.delete(self.base + "rate:")
            self.client.lpush(self.base + "rate:", "0:0", f"{at_ms}:3")
            with self.subTest(at_ms - now_ms):
                self.assertEqual("waiting_its_turn", (await self.explained(ids[0])).reason)

    async def test_it_sees_of_every_rate_what_a_claim_does(self) -> None:
        await self.limit(rate="7/15000")
        ids = await self.put("", 1)
        now_ms = await self.now_ms()
        for ages_s in ([1], [1, 12, 14], [1, 18, 19], [0.1] * 7, [40], [12] * 7, [14, 17], [5, 20]):
            entries, count = ["0:0"], 0
            for age_s in sorted(ages_s, reverse=True):
                count += 7 // len(set(ages_s))
                entries.append(f"{(now_ms - round(age_s * 1000)) // 15}:{count}")
            self.client.delete(self.base + "rate:")
            self.client.lpush(self.base + "rate:", *entries)
            found = await self.explained(ids[0])
            with self.subTest(ages_s):
                self.assertEqual(await self.claims_wait_s() is not None, found.reason == "rate_limited", found)

    async def test_a_group_that_has_used_up_its_rate_says_until_when(self) -> None:
        await self.limit_group("a", "|2/30000|")
        ids = await self.put("a", 4)
        self.assertEqual(2, len(await self.start(10)))

        found = await self.explained(ids[3])

        self.assertEqual(("rate_limited", 1), (found.reason, found.ahead))
        started_ms = (await self.record(ids[0])).started_ms or 0
        self.assertTrue(0 <= (found.until_ms or 0) - started_ms - 30_000 <= 30, found)  # A bucket is 30 ms long.
        self.assertTrue(found.detail.startswith("its group a has used up its rate of 2 in 30 s until"), found.detail)

    async def test_a_group_that_its_job_holds_says_which_job_and_until_when(self) -> None:
        ids = await self.put("a", 2)
        ((job_id, token),) = await self.start(1)
        await self.a_runner.hold(Handed(job_id, token), 30_000)

        found, own = await self.explained(ids[1]), await self.explained(job_id)

        due_ms = (await self.record(job_id)).run_at_ms
        self.assertEqual(("held", due_ms, 0), (found.reason, found.until_ms, found.ahead))
        self.assertIn(f"its group a rests until {found.detail.split()[5]} in", found.detail)
        self.assertIn(f"because its job {job_id} asked for that", found.detail)
        self.assertEqual("retry_backoff", own.reason)

    async def test_in_a_group_its_own_jobs_are_before_a_job_high_before_normal(self) -> None:
        normal, high = await self.put("a", 3), await self.put("a", 2, "high")
        await self.put("b", 7)
        await self.job_store.cancel(normal[0])

        found = [await self.ahead(job_id) for job_id in (*high, *normal[1:])]

        self.assertEqual([(0, "exact"), (1, "exact"), (2, "exact"), (3, "exact")], found)
        told = await self.explained(normal[2])
        self.assertEqual(("waiting_its_turn", None), (told.reason, told.eta_s))
        self.assertTrue(told.detail.startswith("3 jobs of its group a are before it; groups take turns"), told.detail)

    async def test_a_queue_whose_limits_are_not_in_force_does_not_name_them(self) -> None:
        self.client.hset(self.base + "meta", mapping={"concurrency": "1", "rate": "1/60000"})
        first, second = await self.put("", 2)
        await (await self.lease("v")).claim(1)

        self.assertEqual("waiting_its_turn", (await self.explained(second)).reason)
        self.assertEqual("running", (await self.explained(first)).reason)
        await self.crash("v")
        self.client.hdel(self.base + "meta", "concurrency", "rate")

    async def test_limits_that_somebody_wrote_by_hand_are_passed_over(self) -> None:
        job_id = (await self.put("a", 1))[0]
        await self.limit(group_rate="x/y", group_concurrency="many", rate="fast", concurrency="all")
        await self.limit_group("a", "odd")
        self.client.set(self.base + "rate:a", "no list")
        self.client.hset(self.base + "held", "a", "odd")

        self.assertEqual("waiting_its_turn", (await self.explained(job_id)).reason)

        self.client.delete(self.base + "rate:a")


if __name__ == "__main__":
    unittest.main()
