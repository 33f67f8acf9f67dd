"""An idle runner that blocks is woken, by one bell, when a job that had to wait may begin: whatever made room."""

import asyncio
import itertools
import statistics
import time
import unittest
from collections.abc import Awaitable, Callable, Iterable

from tests.redis.case import LIMIT_S
from tests.redis.grouped import GroupedCase, Handed, Reply, Runner, reply_from

SOON_MS = 1000.0
"""Within how many ms a runner is to have begun the job. It takes two or three where the machine is idle."""
WAYS_OUT = ("finish", "fail", "snooze", "release", "reap")
BLOCK_S = 8.0


class WakeUps(GroupedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.took_ms: list[float] = []
        self._names = itertools.count(1)
        self._asleep: list[asyncio.Task[Reply]] = []

    async def asyncTearDown(self) -> None:
        await self.wake_all(self._asleep)
        await super().asyncTearDown()

    async def test_a_freed_slot_of_a_group_wakes_a_runner(self) -> None:
        await self.each_way_out(lambda: self.limit(group_concurrency="1"), "a")

    async def test_a_freed_slot_of_a_group_with_limits_of_its_own_wakes_a_runner(self) -> None:
        await self.each_way_out(lambda: self.limit_group("a", "1||"), "a")

    async def test_a_freed_slot_of_the_queue_wakes_a_runner(self) -> None:
        await self.each_way_out(lambda: self.limit(concurrency="1"), "")

    async def test_a_freed_slot_of_a_queue_with_groups_wakes_a_runner(self) -> None:
        await self.each_way_out(lambda: self.limit(concurrency="1"), "a")

    async def test_a_freed_slot_of_queue_and_group_wakes_a_runner(self) -> None:
        await self.each_way_out(lambda: self.limit(concurrency="1", group_concurrency="1"), "a")

    async def test_a_group_s_limit_that_is_raised_wakes_a_runner(self) -> None:
        await self.limit(group_concurrency="1")
        await self.wakes(lambda: self.limit(group_concurrency="2"))

    async def test_a_group_s_limit_that_is_taken_away_wakes_a_runner(self) -> None:
        await self.limit(group_concurrency="1")
        await self.wakes(lambda: self.limit(group_concurrency=""))

    async def test_a_group_s_own_limit_wakes_a_runner_when_it_is_more(self) -> None:
        await self.limit(group_concurrency="1")
        await self.wakes(lambda: self.limit_group("a", "2||"))

    async def test_a_group_s_own_limit_that_is_taken_away_wakes_a_runner(self) -> None:
        await self.limit_group("a", "1||")
        await self.wakes(lambda: self.limit_group("a", ""))

    async def test_a_group_s_rate_that_is_taken_away_wakes_a_runner(self) -> None:
        await self.limit(group_rate="1/60000")
        await self.wakes(lambda: self.limit(group_rate=""))

    async def test_the_end_of_a_group_s_pause_wakes_a_runner(self) -> None:
        await self.limit_group("a", "||1")
        await self.wakes(lambda: self.limit_group("a", ""), running=0)

    async def test_the_release_of_a_held_group_wakes_a_runner(self) -> None:
        await self.put("a", 2)
        other = await self.runner("other")
        (job,) = (await other.claim(1)).jobs
        await other.hold(job, 60_000)
        await self.wakes(lambda: self.release_group("a"), running=0, jobs=0)

    async def test_a_queue_s_concurrency_that_is_raised_wakes_a_runner(self) -> None:
        await self.limit(concurrency="1")
        await self.wakes(lambda: self.limit(concurrency="2"))

    async def test_a_queue_s_concurrency_that_is_taken_away_wakes_a_runner(self) -> None:
        await self.limit(concurrency="1")
        await self.wakes(lambda: self.limit(concurrency=""))

    async def test_a_queue_s_rate_that_is_taken_away_wakes_a_runner(self) -> None:
        await self.limit(rate="1/60000")
        await self.wakes(lambda: self.limit(rate=""))

    async def test_a_new_job_wakes_a_runner_of_a_queue_with_a_limit(self) -> None:
        await self.limit(concurrency="5")
        for group, priority in (("", "normal"), ("", "high"), ("a", "normal"), ("a", "low")):
            with self.subTest(group=group, priority=priority):
                runner = await self.runner(f"w{next(self._names)}")
                task = await self.asleep(runner)

                await self.put(group, 1, priority)

                await runner.end("finish", *(await asyncio.wait_for(task, LIMIT_S)).jobs)
        self.assertEqual({"completed"}, set(self.states().values()))

    async def test_a_new_job_of_a_group_wakes_a_runner(self) -> None:
        await self.put("b", 1)
        runner = await self.runner()
        await runner.claim(1)
        for priority in ("high", "normal", "low"):
            with self.subTest(priority=priority):
                task = await self.asleep(runner)

                await self.put("a", 1, priority)

                self.assertEqual(1, len((await asyncio.wait_for(task, LIMIT_S)).jobs))

    async def test_a_runner_that_leaves_jobs_behind_wakes_the_next_one(self) -> None:
        await self.limit(group_concurrency="3")
        await self.put("a", 4)
        holder = await self.runner("holder")
        held = (await holder.claim(3)).jobs
        tasks = [await self.asleep(await self.runner(f"w{number}")) for number in range(3)]
        await self.put("b", 1)
        await self.put("c", 1)

        await holder.end("finish", *held)

        replies = await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S)
        self.assertEqual([1, 1, 1], [len(reply.jobs) for reply in replies])

    async def test_all_sleeping_runners_wake_when_the_limit_of_the_queue_is_taken_away(self) -> None:
        """They block on `bells`, and whoever rings from now on rings on ready:normal."""
        await self.limit(concurrency="1")
        await self.put("", 5)
        await (await self.runner("holder")).claim(1)
        tasks = [await self.asleep(await self.runner(f"w{number}")) for number in range(4)]

        await self.limit(concurrency="")

        replies = await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S / 2)
        self.assertEqual([1, 1, 1, 1], [len(reply.jobs) for reply in replies])

    async def test_runners_that_sleep_when_a_limit_is_set_wake_for_new_jobs(self) -> None:
        """They block on ready:normal, and whoever rings from now on rings on `bells`."""
        tasks = [await self.asleep(await self.runner(f"w{number}")) for number in range(3)]
        await self.limit(concurrency="5")

        for group in ("a", "b", ""):
            await self.put(group, 1)

        replies = await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S / 2)
        self.assertEqual([1, 1, 1], [len(reply.jobs) for reply in replies])

    # Helpers.

    async def each_way_out(self, limit: Callable[[], Awaitable[object]], group: str) -> None:
        """One job runs, and one waits for it; two idle runners block. Whichever way the first ends, one begins."""
        for way in WAYS_OUT:
            with self.subTest(way=way):
                self.empty()
                await limit()
                await self.put(group, 2)
                holder = await self.runner(f"h{next(self._names)}")
                (job,) = (await holder.claim(1)).jobs
                first, second = [await self.runner(f"w{next(self._names)}") for _ in range(2)]
                tasks = [await self.asleep(runner) for runner in (first, second)]

                began_s = time.perf_counter()
                await self.end_by(way, holder, job)

                done, asleep = await asyncio.wait(tasks, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
                self.took_ms.append((time.perf_counter() - began_s) * 1000)
                self.assertEqual([1], [len(task.result().jobs) for task in done])
                self.assertEqual(1, len(asleep), "both were woken for one job")
                self.assertEqual(1, self.blocked_clients())
                self.assertNotIn("bell", [*self.list("bells"), *self.list("ready:normal")])
                await self.wake_all(tasks)
        self.assertLess(statistics.median(self.took_ms), SOON_MS)

    async def wakes(
        self,
        change: Callable[[], Awaitable[object]],
        *,
        running: int = 1,
        jobs: int = 2,
    ) -> None:
        """`jobs` of the group a come, `running` of them run and no more may; a runner that blocks begins one of the
        others behind the change."""
        await self.put("a", jobs)
        holder = await self.runner("holder")
        self.assertEqual(running, len((await holder.claim(5)).jobs))
        task = await self.asleep(await self.runner("idle"))

        began_s = time.perf_counter()
        await change()

        reply = await asyncio.wait_for(task, LIMIT_S)
        self.assertEqual(1, len(reply.jobs), reply)
        self.assertLess((time.perf_counter() - began_s) * 1000, SOON_MS)

    async def end_by(self, way: str, runner: Runner, job: Handed) -> None:
        if way == "reap":
            await self.crash(runner.runner_id)
        else:
            await runner.end(way, job)

    async def asleep(self, runner: Runner) -> "asyncio.Task[Reply]":
        """The runner finds nothing that it may begin, and blocks where the answer tells it to; the task has what it
        claims when it is woken."""
        reply = await runner.claim(1)
        self.assertEqual([], reply.jobs)
        blocked = self.blocked_clients()
        task = asyncio.create_task(self._sleep(runner, reply))
        self._asleep.append(task)
        await self.until_blocked(blocked + 1)
        return task

    async def _sleep(self, runner: Runner, reply: Reply) -> Reply:
        """Block, and claim when woken, until that brings a job. A bell may ring for a job that is gone already."""
        link, active_list = self.a_link(), self.keys.active(self.queue_name, runner.runner_id)
        while not reply.jobs:
            blocks_on = "bells" if reply.state == "limited" else "ready:normal"
            claim = self.scripts.command(runner.claims_by, self.base, runner.runner_id, 1, "popped")
            raw = await link.block(BLOCK_S, ("BRPOPLPUSH", self.base + blocks_on, active_list, BLOCK_S), claim)
            # Where the other script is to be called, what was popped is in the runner's list still.
            if isinstance(raw, bytes):
                reply = await runner.claim(1, "ready", *self.list(f"active:{runner.runner_id}"))
            else:
                reply = reply_from(raw)
        return reply

    async def wake_all(self, tasks: Iterable["asyncio.Task[Reply]"]) -> None:
        """Take away the runners that still block."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(LIMIT_S):
            while self.blocked_clients():
                await asyncio.sleep(0.005)


if __name__ == "__main__":
    unittest.main()
