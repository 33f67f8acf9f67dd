"""explain in a queue with limits and groups: what keeps a job from starting, beside what ration.lua hands out."""

import unittest

from lib.queue.claim_reply import claim_from
from lib.queue.end_record import complete_record, records_text
from lib.queue.scripts import Scripts
from tests.redis.test_explain import ExplainCase

RUNNER = "w"


class Limits(ExplainCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.scripts = Scripts(self.link)
        await self.served_by(RUNNER, concurrency=10)

    async def asyncTearDown(self) -> None:
        """Everything runs, without limits."""
        for key in ("limits", "full", "resting", "held"):
            self.client.delete(self.base + key)
        for name in ("paused", "concurrency", "rate", "group_concurrency", "group_rate"):
            self.client.hdel(self.base + "meta", name)
        for priority in ("high", "normal", "low"):
            for line in self.key_names(f"{self.base}line:{priority}:*"):
                self.client.zadd(f"{self.base}turns:{priority}", {line.decode().rpartition(":")[2]: 0, "": 0})
        self.client.hset(self.base + "meta", "rationed", "1")
        active = self.list(f"active:{RUNNER}")
        await self.end(*[(job_id, (await self.record(job_id)).token) for job_id in active])
        while jobs := claim_from(await self.scripts.call("ration", self.base, RUNNER, 100, "ready")).jobs:
            await self.end(*[(job.job_id, job.token) for job in jobs])
        await super().asyncTearDown()

    def limit(self, **settings: str) -> None:
        """As PATCH of the queue sets them: {"concurrency": "2", "rate": "100/60000", "group_concurrency": "1", …}."""
        self.client.hset(self.base + "meta", mapping={"rationed": "1", **settings})

    def limit_group(self, group: str, text: str) -> None:
        self.client.hset(self.base + "limits", group, text)

    async def of_group(self, group: str, count: int, priority: str = "normal") -> list[str]:
        return [await self.enqueue(priority, group=group) for _ in range(count)]

    async def start(self, limit: int) -> list[tuple[str, int]]:
        """The jobs that ration.lua hands out, and their tokens."""
        reply = await self.scripts.call("ration", self.base, RUNNER, limit, "ready")
        return [(job.job_id, job.token) for job in claim_from(reply).jobs]

    async def end(self, *jobs: tuple[str, int]) -> None:
        ends = [complete_record(job_id, token, "noop", "") for job_id, token in jobs]
        if ends:
            await self.scripts.call("finish", self.base, RUNNER, records_text(ends))

    async def test_a_paused_group(self) -> None:
        job_id, other = await self.of_group("a", 1), await self.of_group("b", 1)
        self.limit_group("a", "||1")
        self.assertEqual(other, [one for one, _ in await self.start(10)])

        found = await self.explained(job_id[0])

        self.assertEqual(("group_paused", 0, None), (found.reason, found.ahead, found.until_ms))
        self.assertIn('PATCH /api/queues/q/groups/a with {"paused": false}', found.detail)

    async def test_a_queue_at_its_concurrency_names_what_runs(self) -> None:
        self.limit(concurrency="2")
        ids = await self.enqueue_in_order(4)
        running = await self.start(10)
        self.assertEqual(ids[:2], [job_id for job_id, _ in running])

        found = await self.explained(ids[3])

        self.assertEqual(("concurrency_limited", 1), (found.reason, found.ahead))
        self.assertEqual(f"2 of 2 of q run: {ids[1]}, {ids[0]}; 1 job of q is before it", found.detail)
        await self.end(running[0])
        self.assertEqual("waiting_its_turn", (await self.explained(ids[3])).reason)

    async def test_a_group_at_its_concurrency_names_what_runs_and_other_groups_go_on(self) -> None:
        self.limit(group_concurrency="2")
        self.limit_group("wide", "9||")
        ids = await self.of_group("a", 8)
        (wide, other), running = await self.of_group("wide", 2), await self.start(2)
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
        self.limit(group_concurrency="100", concurrency="100")
        ids = await self.of_group("a", 101)
        await self.start(100)

        facts = await self.facts.of(ids[-1])

        for limit in (facts.full_group, facts.full_queue):
            assert limit is not None
            self.assertEqual((100, 100, 5), (limit.limit, limit.running, len(set(limit.job_ids) & set(ids[:100]))))
        self.assertIn("and others", (await self.explained(ids[-1])).detail)

    async def test_a_queue_that_has_used_up_its_rate_says_until_when(self) -> None:
        self.limit(rate="3/60000")
        ids = await self.enqueue_in_order(5)
        self.assertEqual(3, len(await self.start(10)))

        found = await self.explained(ids[4])

        wait_s = claim_from(await self.scripts.call("ration", self.base, RUNNER, 10, "ready")).ask_again_s
        assert found.until_ms is not None and wait_s is not None
        self.assertEqual(("rate_limited", 1), (found.reason, found.ahead))
        self.assertAlmostEqual(wait_s, (found.until_ms - await self.now_ms()) / 1000, delta=0.5)
        self.assertTrue(found.detail.startswith("q has used up its rate of 3 in 60 s until "), found.detail)

    async def test_a_rate_with_room_keeps_nobody(self) -> None:
        self.limit(rate="3/60000")
        ids = await self.enqueue_in_order(3)
        await self.start(2)

        self.assertEqual("waiting_its_turn", (await self.explained(ids[2])).reason)

    async def test_starts_that_lie_further_back_than_the_rate_do_not_count(self) -> None:
        self.limit(rate="3/1000")
        ids = await self.enqueue_in_order(1)
        now_ms = await self.now_ms()
        for at_ms, starts, reason in ((now_ms - 1200, 3, "waiting_its_turn"), (now_ms + 60_000, 3, "waiting_its_turn")):
            self.client.delete(self.base + "rate:")
            self.client.lpush(self.base + "rate:", "0:0", f"{at_ms}:{starts}")
            with self.subTest(at_ms - now_ms):
                self.assertEqual(reason, (await self.explained(ids[0])).reason)

    async def test_it_sees_of_every_rate_what_a_claim_does(self) -> None:
        self.limit(rate="7/2000")
        ids = await self.enqueue_in_order(1)
        now_ms = await self.now_ms()
        for ages in ([1900] * 7, [1500, 900, 300], [2600, 2400, 100], [100], [5000], [1990, 1000, 10], [2500, 1]):
            entries, count = ["0:0"], 0
            for age_ms in ages:
                count += 7 // len(set(ages))
                entries.append(f"{(now_ms - age_ms) // 2}:{count}")
            self.client.delete(self.base + "rate:")
            self.client.lpush(self.base + "rate:", *entries)
            found = await self.explained(ids[0])
            wait_s = claim_from(await self.scripts.call("ration", self.base, RUNNER, 0, "ready")).ask_again_s
            with self.subTest(ages):
                self.assertEqual(wait_s is not None, found.reason == "rate_limited", (wait_s, found))

    async def test_a_group_that_has_used_up_its_rate_says_until_when(self) -> None:
        self.limit_group("a", "|2/30000|")
        ids = await self.of_group("a", 4)
        self.assertEqual(2, len(await self.start(10)))

        found = await self.explained(ids[3])

        self.assertEqual(("rate_limited", 1), (found.reason, found.ahead))
        started_ms = (await self.record(ids[0])).started_ms or 0
        self.assertTrue(0 <= (found.until_ms or 0) - started_ms - 30_000 <= 30, found)  # A bucket is 30 ms long.
        self.assertTrue(found.detail.startswith("its group a has used up its rate of 2 in 30 s until"), found.detail)

    async def test_a_group_that_its_job_holds_says_which_job_and_until_when(self) -> None:
        ids = await self.of_group("a", 2)
        ((job_id, token),) = await self.start(1)
        error = '{"type":"Retry","message":"429"}'
        await self.scripts.call("fail", self.base, RUNNER, f"{job_id}\x1f{token}\x1f30000h\x1f{error}\x1e")

        found, own = await self.explained(ids[1]), await self.explained(job_id)

        due_ms = (await self.record(job_id)).run_at_ms
        self.assertEqual(("held", due_ms, 0), (found.reason, found.until_ms, found.ahead))
        self.assertIn(f"its group a rests until {found.detail.split()[5]} in", found.detail)
        self.assertIn(f"because its job {job_id} has asked for that", found.detail)
        self.assertEqual("retry_backoff", own.reason)

    async def test_in_a_group_its_own_jobs_are_before_a_job_high_before_normal(self) -> None:
        normal, high = await self.of_group("a", 3), await self.of_group("a", 2, "high")
        await self.of_group("b", 7)
        await self.job_store.cancel(normal[0])

        found = [await self.ahead(job_id) for job_id in (*high, *normal[1:])]

        self.assertEqual([(0, "exact"), (1, "exact"), (2, "exact"), (3, "exact")], found)
        told = await self.explained(normal[2])
        self.assertEqual(("waiting_its_turn", None), (told.reason, told.eta_s))
        self.assertTrue(told.detail.startswith("3 jobs of its group a are before it; groups take turns"), told.detail)

    async def test_a_queue_whose_limits_are_not_in_force_does_not_name_them(self) -> None:
        self.client.hset(self.base + "meta", mapping={"concurrency": "1", "rate": "1/60000"})
        first, second = await self.enqueue_in_order(2)
        await (await self.lease("v")).claim(1)

        self.assertEqual("waiting_its_turn", (await self.explained(second)).reason)
        self.assertEqual("running", (await self.explained(first)).reason)
        await self.crash("v")

    async def test_limits_that_somebody_wrote_by_hand_are_passed_over(self) -> None:
        job_id = (await self.of_group("a", 1))[0]
        self.limit(group_rate="x/y", group_concurrency="many", rate="fast", concurrency="all")
        self.limit_group("a", "odd")
        self.client.set(self.base + "rate:a", "no list")
        self.client.hset(self.base + "held", "a", "odd")

        self.assertEqual("waiting_its_turn", (await self.explained(job_id)).reason)

        self.client.delete(self.base + "rate:a")

    async def enqueue_in_order(self, count: int) -> list[str]:
        return [await self.enqueue() for _ in range(count)]


if __name__ == "__main__":
    unittest.main()
