"""A rate is exact: never more than `limit` jobs begin in any window of `per_ms`, by Redis' own `started`."""

import asyncio
import unittest
from collections.abc import Iterable

from tests.redis.case import LIMIT_S
from tests.redis.grouped import GroupedCase, Runner

RATES = ((7, 300), (20, 1000), (1, 50), (200, 2000))
WINDOWS = 2.2
"""For how many windows jobs are claimed as fast as they may be."""
HOURS_2_MS = 7_200_000


class AnyWindow(GroupedCase):
    async def test_no_window_of_a_queue_holds_more_starts_than_its_limit(self) -> None:
        for limit, per_ms in RATES:
            with self.subTest(rate=f"{limit}/{per_ms}"):
                self.empty()
                await self.limit(rate=f"{limit}/{per_ms}")
                await self.put(count=4 * limit)

                await self.claim_for(await self.runner(), WINDOWS * per_ms)

                times = self.started()
                self.assertEqual(limit, most_in_any_window(times, per_ms))
                # The windows that are over were used: the limit is not kept by standing still.
                self.assertGreaterEqual(len(times), 2 * limit)

    async def test_no_window_of_a_group_holds_more_starts_than_its_limit(self) -> None:
        for limit, per_ms in ((3, 150), (10, 1000)):
            with self.subTest(rate=f"{limit}/{per_ms}"):
                self.empty()
                await self.limit(group_rate=f"{limit}/{per_ms}")
                for group in ("a", "b", ""):
                    await self.put(group, 4 * limit)

                await self.claim_for(await self.runner(), WINDOWS * per_ms)

                for group in ("a", "b"):
                    times = self.started(group)
                    self.assertEqual(limit, most_in_any_window(times, per_ms))
                    self.assertGreaterEqual(len(times), 2 * limit)
                self.assertEqual(4 * limit, len(self.started("")), "jobs of no group have no rate")

    async def test_rates_of_queue_and_groups_hold_side_by_side(self) -> None:
        await self.limit(rate="9/300", group_rate="2/300")
        for group in ("a", "b", ""):
            await self.put(group, 30)

        await self.claim_for(await self.runner(), 1000)

        self.assertEqual(9, most_in_any_window(self.started(), 300))
        self.assertEqual(2, most_in_any_window(self.started("a"), 300))

    async def test_runners_that_claim_at_once_share_the_rate(self) -> None:
        await self.limit(rate="5/200")
        await self.put(count=60)
        runners = [await self.runner(f"w{number}", self.a_link()) for number in range(4)]

        await asyncio.gather(*[self.claim_for(runner, 1000) for runner in runners])

        self.assertEqual(5, most_in_any_window(self.started(), 200))
        self.assertGreaterEqual(len(self.started()), 20)

    async def test_a_claim_that_may_start_nothing_says_when_it_may(self) -> None:
        await self.limit(rate="2/5000")
        await self.put(count=3)
        runner = await self.runner()
        first = await runner.claim(5)

        reply = await runner.claim(5)

        self.assertEqual(("", 2), (first.state, len(first.jobs)))
        self.assertEqual(("limited", []), (reply.state, reply.jobs))
        # A bucket of the window is 5 ms wide.
        self.assertTrue(5000 - 2000 < (reply.wait_ms or 0) <= 5005, reply)

    async def test_what_was_given_back_without_having_begun_has_used_its_start(self) -> None:
        await self.limit(rate="2/60000")
        await self.put(count=2)
        runner = await self.runner()
        reply = await runner.claim(2)
        await runner.end("release", *reply.jobs)

        self.assertEqual([], (await runner.claim(2)).jobs)

    async def test_only_the_starts_of_the_window_count(self) -> None:
        per_ms, width_ms = 1_000_000, 1000
        await self.limit(rate=f"5/{per_ms}")
        await self.put(count=9)
        now = await self.now_ms()
        # Four starts before the window, three in it.
        for at_ms, count in ((now - 2 * per_ms, 4), (now - per_ms // 2, 7)):
            self.client.lpush(self.base + "rate:", f"{at_ms // width_ms}:{count}")

        self.assertEqual(2, len((await (await self.runner()).claim(9)).jobs))

    async def test_a_window_has_a_thousand_entries_at_most(self) -> None:
        per_ms, width_ms = 2_000_000, 2000
        await self.limit(rate=f"1000000/{per_ms}")
        await self.put(count=2)
        last = (await self.now_ms()) // width_ms - 1
        entries = [f"{last - back}:{2000 - back}" for back in range(1500)]
        self.client.rpush(self.base + "rate:", *entries)

        runner = await self.runner()
        for _ in range(2):
            await runner.claim(1)

        until_over = 0
        while self.client.llen(self.base + "rate:") > 1003 and until_over < 30:
            until_over += 1
            await runner.claim(1)
        self.assertLessEqual(self.client.llen(self.base + "rate:"), 1003)

    # Helpers.

    async def claim_for(self, runner: Runner, lasts_ms: float) -> None:
        """Claim and finish as fast as can be, until so much time is over by Redis' clock."""
        ends_ms = (await self.now_ms()) + lasts_ms
        async with asyncio.timeout(LIMIT_S):
            while (reply := await runner.claim(9)).now_ms < ends_ms:
                if reply.jobs:
                    await runner.end("finish", *reply.jobs)
                else:
                    await asyncio.sleep(0.001)

    def started(self, group: str | None = None) -> list[int]:
        """When each job began that began; of one group, or of all."""
        jobs = self.lines().jobs.values()
        wanted = [job for job in jobs if group is None or job.get("group", "") == group]
        return sorted(int(job["started"]) for job in wanted if "started" in job)


class OtherClock(GroupedCase):
    async def test_a_queue_is_not_stuck_when_the_clock_was_set_back_by_two_hours(self) -> None:
        await self.limit(rate="2/60000")
        await self.put(count=3)
        ahead = (await self.now_ms() + HOURS_2_MS) // 60
        self.client.rpush(self.base + "rate:", f"{ahead}:2", "0:0")

        runner = await self.runner()

        self.assertEqual(2, len((await runner.claim(5)).jobs))
        self.assertEqual(0, len((await runner.claim(5)).jobs))

    async def test_a_group_is_not_stuck_when_the_clock_was_set_back_by_two_hours(self) -> None:
        await self.limit(group_rate="2/60000")
        await self.put("a", 3)
        ahead = (await self.now_ms() + HOURS_2_MS) // 60
        self.client.rpush(self.base + "rate:a", f"{ahead}:2", "0:0")

        self.assertEqual(2, len((await (await self.runner()).claim(5)).jobs))

    async def test_a_queue_whose_clock_was_set_forward_begins_a_new_window(self) -> None:
        await self.limit(rate="2/60000")
        await self.put(count=5)
        runner = await self.runner()
        await runner.claim(2)
        before = (await self.now_ms() - HOURS_2_MS) // 60
        self.client.delete(self.base + "rate:")
        self.client.rpush(self.base + "rate:", f"{before}:2", "0:0")

        self.assertEqual(2, len((await runner.claim(5)).jobs))


def most_in_any_window(times: Iterable[int], per_ms: int) -> int:
    """How many of these times, in ms, lie in the fullest window of so many ms."""
    ordered = sorted(times)
    return max((sum(1 for one in ordered if begin <= one < begin + per_ms) for begin in ordered), default=0)


if __name__ == "__main__":
    unittest.main()
