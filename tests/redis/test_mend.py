"""What somebody broke by hand in a queue with groups is right after two rounds of mend.lua, and nothing is lost."""

import functools
import unittest
from collections.abc import Callable

from tests.redis.grouped import GroupedCase, Handed, Runner
from tests.redis.lines import faults_of

ROUNDS = 2
NAMES = ("turns:normal", "full", "resting", "running:a", "rate:a", "limits", "groups", "held", "bells", "strikes")


class ByHand(GroupedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.limit(group_concurrency="2")
        for group in ("a", "b", ""):
            await self.put(group, 5)
        self.claimer = await self.runner()
        self.held = (await self.claimer.claim(6)).jobs

    async def test_the_turns_may_be_deleted(self) -> None:
        await self.broken_and_mended(lambda: self.client.delete(*self.named("turns:normal")))

    async def test_the_full_groups_may_be_deleted(self) -> None:
        await self.claimer.claim(5)
        self.assertEqual({"a", "b"}, self.lines().full)

        await self.broken_and_mended(lambda: self.client.delete(*self.named("full")))

    async def test_turns_and_full_groups_may_be_deleted(self) -> None:
        await self.broken_and_mended(lambda: self.client.delete(*self.named("full", "turns:normal")))

    async def test_a_group_that_rests_may_be_forgotten(self) -> None:
        await self.claimer.hold(self.one_of("a"), 60_000)

        await self.broken_and_mended(lambda: self.client.delete(*self.named("resting")))

        await self.claimer.end("finish", self.one_of("b"))
        begun = {self.group_of(job_id) for job_id in (await self.claimer.claim(9)).ids}
        self.assertNotIn("a", begun, "the hold is over")

    async def test_a_rest_by_rate_may_be_forgotten(self) -> None:
        await self.limit(group_concurrency="", group_rate="1/60000")
        await self.claimer.claim(9)
        await self.claimer.claim(9)
        self.assertLessEqual({"a", "b"}, self.lines().resting.keys())

        await self.broken_and_mended(lambda: self.client.delete(*self.named("resting")))

    async def test_no_rest_by_rate_outlasts_its_window_though_the_clock_was_set_back(self) -> None:
        await self.limit(group_concurrency="", group_rate="1/60000")
        await self.claimer.claim(9)
        await self.claimer.claim(9)
        ahead = await self.now_ms() + 7_200_000
        for group in ("a", "b"):
            self.client.zadd(self.base + "resting", {group: ahead})

        await self.mend()

        self.assertLess(max(self.lines().resting.values(), default=0), await self.now_ms() + 70_000)

    async def test_ghosts_among_what_runs_are_taken_away(self) -> None:
        await self.claimer.claim(5)
        ghosts = [self.ids.new("q", "request") for _ in range(50)]

        await self.broken_and_mended(lambda: self.client.sadd(self.base + "running:a", *ghosts))

        self.assertEqual(2, len(self.lines().running["a"]))

    async def test_a_job_that_ended_unseen_frees_its_slot(self) -> None:
        """As if the SREM of its end had been lost."""
        await self.claimer.claim(5)
        job = self.one_of("a")
        await self.claimer.end("finish", job)

        await self.broken_and_mended(lambda: self.client.sadd(self.base + "running:a", job.job_id))

        self.assertEqual(1, len(self.lines().running["a"]))
        self.assertEqual(1, len([one for one in (await self.claimer.claim(5)).ids if self.group_of(one) == "a"]))

    async def test_a_job_that_runs_unseen_takes_its_slot_again(self) -> None:
        await self.broken_and_mended(lambda: self.client.delete(*self.named("running:a")))

        self.assertEqual(2, len(self.lines().running["a"]))

    async def test_the_names_of_groups_may_be_deleted(self) -> None:
        await self.broken_and_mended(lambda: self.client.delete(*self.named("groups")))

    async def test_the_switch_may_be_deleted(self) -> None:
        await self.broken_and_mended(lambda: self.client.hdel(self.base + "meta", "rationed"))

    async def test_the_number_of_turns_may_be_anything(self) -> None:
        for text in ("x", "1e300", "-5", "", "nan"):
            await self.broken_and_mended(functools.partial(self.client.hset, self.base + "meta", "turn", text))

    async def test_limits_of_a_group_that_are_no_limits_hold_nothing_up(self) -> None:
        for text in ("x", "|||||", "-1||", "1e9|x/y|z", "9" * 400, "\x1e\x1f", "1||2"):
            with self.subTest(text=text):
                self.client.hset(self.base + "limits", "a", text)
                await self.mend()
                await self.claimer.claim(1)
        self.client.hdel(self.base + "limits", "a")
        await self.broken_and_mended(lambda: None)

    async def test_limits_of_the_queue_that_are_no_limits_hold_nothing_up(self) -> None:
        for name in ("concurrency", "rate", "group_concurrency", "group_rate"):
            for text in ("x", "-1", "0/0", "1/0", "0/5", "1e9", "9" * 400, "\x1e"):
                with self.subTest(name=name, text=text):
                    self.client.hset(self.base + "meta", name, text)
                    await self.mend()
                    await self.claimer.claim(1)
            self.client.hdel(self.base + "meta", name)
        await self.broken_and_mended(lambda: None)

    async def test_starts_that_are_no_numbers_hold_nothing_up(self) -> None:
        await self.limit(rate="50/1000", group_rate="50/1000", group_concurrency="")
        for text in ("x", "1:", ":1", "-1:-1", "1e30:1e30", "9" * 400 + ":1"):
            with self.subTest(text=text):
                for key in ("rate:", "rate:a"):
                    self.client.lpush(self.base + key, text)
                await self.mend()
                await self.claimer.claim(1)
        await self.broken_and_mended(lambda: None)

    async def test_the_oldest_starts_may_be_deleted(self) -> None:
        await self.limit(rate="50/60000", group_rate="50/60000", group_concurrency="")
        await self.claimer.claim(3)
        for key in ("rate:", "rate:a", "rate:b"):
            self.client.ltrim(self.base + key, 0, 0)

        self.assertEqual(3, len((await self.claimer.claim(3)).jobs))

    async def test_a_group_that_is_paused_stays_so(self) -> None:
        await self.limit_group("a", "||1")

        await self.broken_and_mended(lambda: self.client.delete(*self.named("full")))

        await self.claimer.end("finish", *self.held)
        self.assertNotIn("a", {self.group_of(one) for one in (await self.claimer.claim(20)).ids})

    async def test_idle_groups_are_forgotten_and_those_with_jobs_are_not(self) -> None:
        self.client.zadd(self.base + "groups", {f"idle-{number}": 0 for number in range(300)})

        for _ in range(10):
            await self.mend()

        self.assertEqual({"a", "b"}, self.lines().groups)

    # Helpers.

    async def broken_and_mended(self, breaks: Callable[[], object]) -> None:
        """After the break and two rounds of mend all fits together again, and every job runs in the end."""
        before = self.states().keys()
        breaks()
        await self.mend()
        self.assertEqual([], faults_of(self.lines()))
        self.assertEqual(before, self.states().keys())

    async def asyncTearDown(self) -> None:
        await self.run_all(self.claimer)
        await super().asyncTearDown()

    async def run_all(self, runner: Runner) -> None:
        """Without limits every job that waits runs: none was lost to the claims."""
        await self.limit(group_concurrency="", group_rate="", concurrency="", rate="")
        for group in ("a", "b"):
            await self.limit_group(group, "")
            await self.release_group(group)
        while (reply := await runner.claim(50)).jobs:
            await runner.end("finish", *reply.jobs)
        self.assertNotIn("ready", self.states().values())

    async def mend(self) -> None:
        for _ in range(ROUNDS):
            await self.call("mend", 100)

    def named(self, *names: str) -> list[str]:
        return [self.base + name for name in names]

    def group_of(self, job_id: str) -> str:
        return self.lines().jobs[job_id].get("group", "")

    def one_of(self, group: str) -> Handed:
        return next(job for job in self.held if self.group_of(job.job_id) == group)


class WrongTypes(GroupedCase):
    async def test_a_key_of_the_wrong_type_stops_no_other_group_and_is_mended(self) -> None:
        for name in NAMES:
            with self.subTest(key=name):
                self.empty()
                await self.limit(group_concurrency="3", group_rate="100/1000")
                for group in ("a", "b", ""):
                    await self.put(group, 4)
                runner = await self.runner()
                held = list((await runner.claim(3)).jobs)
                self.client.delete(self.base + name)
                self.client.set(self.base + name, "broken by hand")

                for _ in range(ROUNDS):
                    await self.call("mend", 100)
                await self.put("b", 1)
                for _ in range(20):
                    if held:
                        await runner.end("finish", *held)
                    held = list((await runner.claim(5)).jobs)

                self.assertEqual({"completed"}, set(self.states().values()))
                for _ in range(ROUNDS):
                    await self.call("mend", 100)
                self.assertEqual([], faults_of(self.lines()))


if __name__ == "__main__":
    unittest.main()
