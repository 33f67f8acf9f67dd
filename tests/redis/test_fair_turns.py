"""Which group is next: the one with the fewest jobs running, and among equals the one whose turn is longest ago.

The simulations run the real scripts against a clock of their own: no test here takes the time that its jobs would.
"""

import heapq
import unittest
from collections import Counter
from random import Random
from typing import NamedTuple

from tests.redis.grouped import GroupedCase, Handed, Runner

SLOTS = 20
SLOW_S, QUICK_S = 30.0, 0.1


class Turns(GroupedCase):
    async def test_slots_are_shared_among_groups_and_the_jobs_of_no_group_are_one_line(self) -> None:
        for group in ("a", "b", "c", ""):
            await self.put(group, 10)

        reply = await (await self.runner()).claim(8)

        self.assertEqual({"a": 2, "b": 2, "c": 2, "": 2}, self.counted(reply.jobs))

    async def test_the_group_that_runs_least_is_next(self) -> None:
        await self.put("a", 10)
        runner = await self.runner()
        await runner.claim(3)
        await self.put("b", 10)
        await self.put("", 10)

        reply = await runner.claim(6)

        self.assertEqual({"b": 3, "": 3}, self.counted(reply.jobs))

    async def test_jobs_of_no_group_that_run_count_as_a_group_s_do(self) -> None:
        await self.put("", 3)
        await self.put("a", 1)
        runner = await self.runner()
        await runner.claim(4)  # All run; no line is left. The next one that comes finds three of no group running.
        await self.put("b", 5)
        await self.put("", 5)

        reply = await runner.claim(3)

        self.assertEqual({"b": 3}, self.counted(reply.jobs))

    async def test_equals_take_turns(self) -> None:
        for group in ("a", "b", "c", ""):
            await self.put(group, 3)
        runner, order = await self.runner(), []
        for _ in range(12):
            (job,) = (await runner.claim(1)).jobs
            order.append(self.group_of(job))
            await runner.end("finish", job)

        self.assertEqual(3 * order[:4], order)
        self.assertEqual({"a", "b", "c", ""}, set(order[:4]))

    async def test_priority_comes_before_the_turn(self) -> None:
        await self.put("a", 3)
        runner = await self.runner()
        await runner.claim(2)
        await self.put("b", 1)
        (high,) = await self.put("a", 1, "high")
        (low,) = await self.put("c", 1, "low")

        self.assertEqual([high], (await runner.claim(1)).ids)
        self.assertEqual(low, (await runner.claim(5)).ids[-1])

    async def test_a_group_s_jobs_are_begun_in_the_order_in_which_they_came(self) -> None:
        ids = await self.put("a", 5)

        self.assertEqual(ids, (await (await self.runner()).claim(5)).ids)

    async def test_a_full_group_leaves_its_turns_to_the_others(self) -> None:
        await self.limit(group_concurrency="2")
        await self.put("a", 10)
        await self.put("b", 10)
        await self.put("", 10)

        reply = await (await self.runner()).claim(9)

        self.assertEqual({"a": 2, "b": 2, "": 5}, self.counted(reply.jobs))

    async def test_no_claim_looks_at_groups_that_are_full(self) -> None:
        """Held by the number of commands: with 300 full groups a claim of one job makes as many as with 3."""
        made = []
        for groups in (3, 300):
            self.empty()
            await self.limit(group_concurrency="1")
            for number in range(groups):
                await self.put(f"g{number}", 2)
            runner = await self.runner()
            for _ in range(groups // 3):
                await runner.claim(3)
            self.assertEqual([], (await runner.claim(1)).jobs)
            self.assertEqual(groups, len(self.lines().full))
            await self.put("other")
            made.append(await self.commands_of(runner))

        self.assertEqual(made[0], made[1])

    async def test_a_claim_that_fills_groups_looks_at_each_of_them_once(self) -> None:
        """Held by the number of commands: that of a claim with 9 slots is that of one with 3, a job of each group."""
        await self.limit(group_concurrency="1")
        for group in ("a", "b", "c"):
            await self.put(group, 3)
        runner = await self.runner()
        made = []
        for slots in (3, 9):
            before = self.commands()
            reply = await runner.claim(slots)
            made.append(self.commands() - before)
            self.assertEqual(("", 3), (reply.state, len(reply.jobs)))
            await runner.end("finish", *reply.jobs)

        self.assertLess(made[1], made[0] + 5)

    async def test_groups_that_the_claim_has_filled_hide_no_other(self) -> None:
        await self.limit(group_concurrency="1")
        for number in range(60):
            await self.put(f"g{number}", 2)
        runner = await self.runner()

        self.assertEqual([50, 10, 0], [len((await runner.claim(50)).jobs) for _ in range(3)])

    async def test_groups_that_the_claim_has_filled_in_another_priority_hide_no_other(self) -> None:
        await self.limit(group_concurrency="1")
        for group in ("a", "b"):
            await self.put(group, 1, "high")
            await self.put(group, 1, "low")
        (behind,) = await self.put("c", 1, "low")

        # One place is left for `low`, whose first two lines are that of no group, which is empty, and that of a.
        self.assertIn(behind, (await (await self.runner()).claim(3)).ids)

    async def test_a_long_row_of_resting_groups_hides_no_job(self) -> None:
        await self.limit(group_rate="1/60000")
        for number in range(500):
            await self.put(f"g{number}", 2)
        runner = await self.runner()
        while (await runner.claim(100)).jobs:
            pass
        (late,) = await self.put("late")

        found: list[str] = []
        for _ in range(5):
            found += (await runner.claim(1)).ids

        self.assertEqual([late], found)

    # Helpers.

    def group_of(self, job: Handed) -> str:
        group: bytes | None = self.client.hget(f"{self.base}job:{job.job_id}", "group")
        return (group or b"").decode()

    def counted(self, jobs: list[Handed]) -> dict[str, int]:
        return dict(Counter(map(self.group_of, jobs)))

    async def commands_of(self, runner: Runner) -> int:
        """How many commands Redis made for one claim that brings a job."""
        before = self.commands()
        self.assertEqual(1, len((await runner.claim(1)).jobs))
        return self.commands() - before

    def commands(self) -> int:
        stats = self.client.info("commandstats")
        return sum(int(row["calls"]) for name, row in stats.items() if name != "cmdstat_info")


class Simulated(NamedTuple):
    """What became of the quick tenants: how long each of their jobs waited, in s; and how many slow jobs ended."""

    waits_s: list[float]
    slow_done: int

    def share(self, share: float) -> float:
        return sorted(self.waits_s)[int(len(self.waits_s) * share)]


class OneTenantWithLongJobs(GroupedCase):
    """20 slots; tenant `slow` has all its jobs of 30 s waiting from the beginning, eight others each put in a job of
    0.1 s a second."""

    async def test_without_a_cap_the_others_wait_for_the_next_slot_at_most(self) -> None:
        found = await self.simulate()

        # By turns alone, without a look at what runs, it is 34 s.
        self.assertLess(found.share(0.5), 20.0, found.waits_s[:20])
        self.assertLess(found.share(0.99), SLOW_S + 1)
        self.assertGreater(found.slow_done, 50)

    async def test_with_a_cap_of_half_the_slots_the_others_wait_for_nothing(self) -> None:
        await self.limit(group_concurrency=str(SLOTS // 2))

        found = await self.simulate()

        self.assertLess(found.share(0.99), 1.0, found.waits_s[:20])
        self.assertGreater(found.slow_done, 30)

    async def test_as_many_long_jobs_as_one_likes_change_nothing(self) -> None:
        await self.limit(group_concurrency=str(SLOTS // 2))

        found = await self.simulate(slow=5000, lasts_s=20.0)

        self.assertLess(found.share(0.99), 1.0)

    async def simulate(self, *, slow: int = 600, lasts_s: float = 120.0) -> Simulated:
        """Run the scripts for so many seconds of a clock that moves from event to event."""
        rng, runner = Random(1), await self.runner()
        events: list[tuple[float, int, str, tuple[Handed, ...]]] = []
        number = 0
        for quick in range(8):
            at_s = rng.expovariate(1)
            while at_s < lasts_s:
                number += 1
                heapq.heappush(events, (at_s, number, f"quick-{quick}", ()))
                at_s += rng.expovariate(1)
        await self.put("slow", slow)
        put_at: dict[str, float] = {}
        waits_s: list[float] = []
        slow_done, free, now_s = 0, SLOTS, 0.0
        while True:
            while free and (jobs := (await runner.claim(free)).jobs):
                for job in jobs:
                    number, free = number + 1, free - 1
                    is_slow = job.job_id not in put_at
                    if not is_slow:
                        waits_s.append(now_s - put_at[job.job_id])
                    heapq.heappush(events, (now_s + (SLOW_S if is_slow else QUICK_S), number, "", (job,)))
            now_s, _, group, ended = heapq.heappop(events)
            if now_s > lasts_s:
                break
            if ended:
                await runner.end("finish", *ended)
                free += 1
                slow_done += ended[0].job_id not in put_at
            else:
                put_at[(await self.put(group))[0]] = now_s
        return Simulated(waits_s, slow_done)


if __name__ == "__main__":
    unittest.main()
