"""A limit that changes holds at once: for what waits, and for what runs."""

import unittest

from tests.redis.grouped import GroupedCase


class OfTheQueue(GroupedCase):
    async def test_a_concurrency_below_what_runs_stops_nothing_and_begins_nothing(self) -> None:
        await self.put(count=6)
        runner = await self.runner()
        jobs = (await runner.claim(4)).jobs

        await self.limit(concurrency="2")

        self.assertEqual(("limited", []), (await runner.claim(5))[:2])
        await runner.end("finish", *jobs[:2])
        self.assertEqual(("limited", []), (await runner.claim(5))[:2])
        await runner.end("finish", jobs[2])
        self.assertEqual(1, len((await runner.claim(5)).jobs))

    async def test_a_concurrency_that_is_raised_lets_more_begin_at_once(self) -> None:
        await self.limit(concurrency="1")
        await self.put(count=6)
        runner = await self.runner()
        await runner.claim(6)

        await self.limit(concurrency="4")

        self.assertEqual(3, len((await runner.claim(6)).jobs))

    async def test_without_its_limits_a_queue_is_plain_again(self) -> None:
        await self.limit(concurrency="1", rate="1/60000")
        await self.put(count=3)
        runner = await self.runner()
        await runner.claim(3)
        self.assertEqual("ration", runner.claims_by)

        await self.limit(concurrency="", rate="")
        reply = await runner.claim(3)
        await self.call("mend", 100)
        await runner.end("finish", *reply.jobs)
        await self.put(count=1)
        (last,) = (await runner.claim(3)).jobs

        self.assertEqual(2, len(reply.jobs))
        self.assertEqual("claim", runner.claims_by)
        self.assertNotIn("rationed", self.lines().meta)
        await runner.end("finish", last)

    async def test_the_concurrency_is_that_of_all_runners_together(self) -> None:
        await self.limit(concurrency="3")
        await self.put(count=9)
        runners = [await self.runner(f"w{number}") for number in range(3)]

        found = [len((await runner.claim(2)).jobs) for runner in runners]

        self.assertEqual([2, 1, 0], found)

    async def test_a_rate_that_is_set_counts_from_then_on(self) -> None:
        await self.put(count=9)
        runner = await self.runner()
        await runner.claim(3)

        await self.limit(rate="2/60000")

        self.assertEqual(2, len((await runner.claim(9)).jobs))
        self.assertEqual("limited", (await runner.claim(9)).state)

    async def test_a_rate_that_is_raised_lets_more_begin_at_once_and_counts_what_began(self) -> None:
        await self.limit(rate="2/60000")
        await self.put(count=9)
        runner = await self.runner()
        await runner.claim(9)

        await self.limit(rate="5/60000")

        self.assertEqual(3, len((await runner.claim(9)).jobs))

    async def test_a_rate_that_is_lowered_lets_nothing_begin_that_the_new_one_forbids(self) -> None:
        await self.limit(rate="5/60000")
        await self.put(count=9)
        runner = await self.runner()
        await runner.claim(3)

        await self.limit(rate="2/60000")

        self.assertEqual(("limited", []), (await runner.claim(9))[:2])

    async def test_a_rate_over_another_time_holds_in_each_of_its_own_windows(self) -> None:
        """Entries are in units of a thousandth of the window: those of another window must not be misread."""
        for before, after in (("5/60000", "5/3600000"), ("5/3600000", "5/60000"), ("5/100", "5/86400000")):
            with self.subTest(before=before, after=after):
                self.empty()
                await self.limit(rate=before)
                await self.put(count=20)
                runner = await self.runner()
                await runner.claim(3)

                await self.limit(rate=after)
                begun = [len((await runner.claim(9)).jobs) for _ in range(3)]

                self.assertIn(sum(begun), (2, 5), begun)


class OfGroups(GroupedCase):
    async def test_a_concurrency_below_what_runs_stops_nothing_and_begins_nothing(self) -> None:
        await self.put("a", 6)
        runner = await self.runner()
        jobs = (await runner.claim(4)).jobs

        await self.limit(group_concurrency="2")

        self.assertEqual([], (await runner.claim(5)).jobs)
        await runner.end("finish", *jobs[:2])
        self.assertEqual([], (await runner.claim(5)).jobs)
        await runner.end("finish", jobs[2])
        self.assertEqual(1, len((await runner.claim(5)).jobs))

    async def test_a_concurrency_that_is_raised_lets_more_begin_at_once(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 6)
        await self.put("b", 6)
        runner = await self.runner()
        await runner.claim(9)

        await self.limit(group_concurrency="3")

        self.assertEqual(4, len((await runner.claim(9)).jobs))

    async def test_a_concurrency_that_is_taken_away_lets_all_begin_at_once(self) -> None:
        await self.limit(group_concurrency="1")
        await self.put("a", 6)
        runner = await self.runner()
        await runner.claim(9)

        await self.limit(group_concurrency="")

        self.assertEqual(5, len((await runner.claim(9)).jobs))

    async def test_one_group_may_have_more_or_less_than_the_others(self) -> None:
        await self.limit(group_concurrency="2")
        for group in ("a", "b", "c"):
            await self.put(group, 6)
        self.assertEqual("done", await self.limit_group("a", "4||"))
        self.assertEqual("done", await self.limit_group("b", "1||"))

        await (await self.runner()).claim(20)

        self.assertEqual([4, 1, 2], [self.running(group) for group in ("a", "b", "c")])

    async def test_a_group_without_its_own_limits_has_those_of_the_queue_again(self) -> None:
        await self.limit(group_concurrency="2")
        await self.put("a", 9)
        await self.limit_group("a", "1||")
        runner = await self.runner()
        await runner.claim(9)

        self.assertEqual("done", await self.limit_group("a", ""))

        self.assertEqual(1, len((await runner.claim(9)).jobs))
        self.assertEqual("missing", await self.limit_group("a", ""))

    async def test_a_paused_group_begins_nothing_and_the_others_do(self) -> None:
        await self.put("a", 3)
        await self.put("b", 3)
        runner = await self.runner()
        jobs = (await runner.claim(2)).jobs
        await self.limit_group("a", "||1")

        begun = (await runner.claim(9)).ids
        await runner.end("finish", *jobs)
        later = (await runner.claim(9)).ids
        await self.limit_group("a", "")
        last = (await runner.claim(9)).ids

        jobs_of = self.lines().jobs
        self.assertEqual({"b"}, {jobs_of[job_id]["group"] for job_id in begun})
        self.assertEqual([], later)
        self.assertEqual(2, len(last))

    async def test_a_group_that_is_held_rests_until_then_and_the_others_do_not(self) -> None:
        await self.put("a", 3)
        await self.put("b", 3)
        runner = await self.runner()
        of_a = {job_id for job_id, job in self.lines().jobs.items() if job["group"] == "a"}
        jobs = (await runner.claim(2)).jobs
        (held,) = [job for job in jobs if job.job_id in of_a]

        await runner.hold(held, 60_000)

        begun = set((await runner.claim(9)).ids)
        self.assertEqual(2, len(begun - of_a))
        self.assertEqual(set(), begun & of_a)
        until_ms, _, by = self.lines().held["a"].partition(" ")
        self.assertEqual(held.job_id, by)
        self.assertAlmostEqual(await self.now_ms() + 60_000, int(until_ms), delta=5000)
        self.assertEqual("done", await self.release_group("a"))
        self.assertEqual("missing", await self.release_group("a"))
        self.assertEqual(2, len((await runner.claim(9)).jobs))

    async def test_the_longer_of_two_holds_stands(self) -> None:
        await self.put("a", 3)
        runner = await self.runner()
        first, second = (await runner.claim(2)).jobs

        await runner.hold(first, 60_000)
        await runner.hold(second, 50)
        # A hold of 50 ms would be over by now.
        ends_ms = await self.now_ms() + 60
        while await self.now_ms() < ends_ms:
            self.assertEqual([], (await runner.claim(9)).jobs)

        self.assertEqual([], (await runner.claim(9)).jobs)

    async def test_a_limit_of_one_group_is_not_one_of_a_group_whose_name_begins_so(self) -> None:
        for group in ("a", "a:1", "a/1"):
            await self.put(group, 3)
        await self.limit_group("a", "1||")

        await (await self.runner()).claim(20)

        self.assertEqual([1, 3, 3], [self.running(group) for group in ("a", "a:1", "a/1")])

    async def test_a_rate_that_many_groups_wait_for_is_taken_away_in_bites(self) -> None:
        await self.limit(group_rate="1/86400000")
        for number in range(1200):
            await self.put(f"g{number}", 2)
        runner = await self.runner()
        while (await runner.claim(500)).jobs:
            pass

        await self.limit(group_rate="")
        begun = 0
        for _ in range(20):
            begun += len((await runner.claim(500)).jobs)
            await self.call("mend", 100)

        self.assertEqual(1200, begun)

    async def test_a_concurrency_that_many_groups_wait_for_is_taken_away_in_bites(self) -> None:
        """More groups are full than one call of adjust looks at: no one of them is forgotten."""
        await self.limit(group_concurrency="1")
        for number in range(1200):
            await self.put(f"g{number}", 2)
        runner = await self.runner()
        while (await runner.claim(500)).jobs:
            pass

        await self.limit(group_concurrency="")
        begun = 0
        for _ in range(20):
            begun += len((await runner.claim(500)).jobs)
            await self.call("mend", 100)

        self.assertEqual(1200, begun)


if __name__ == "__main__":
    unittest.main()
