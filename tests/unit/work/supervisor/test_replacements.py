"""How a worn runner is replaced: whose turn it is, and what becomes of it where a runner dies in the midst."""

import asyncio
import unittest
from typing import Any

from lib.work.supervisor.quota import MOST_RETIRING, Quota
from lib.work.supervisor.replacements import Replacement, Replacements, Replacer
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.shutdown import Shutdown
from lib.work.supervisor.supervisor_tasks import SupervisorTasks
from lib.work.supervisor.wear import WearLimits
from tests.a_log import ALog
from tests.unit.work.supervisor.a_pipe import APipe

LIMITS = {"a": 4}
SOON_S = 5.0


class AProcess:
    """A runner's process, which ends when the test says so."""

    def __init__(self) -> None:
        self.pid = 1
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def end(self) -> None:
        self.returncode = -9
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        return -9


class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.log = ALog(self)
        self.shutdown = Shutdown()
        self.tasks = SupervisorTasks(self.log, self.shutdown)
        self.started: asyncio.Queue[RunnerChild] = asyncio.Queue()
        self.collected: list[RunnerChild] = []
        self.noted: list[str] = []
        self.faults: list[OSError] = []
        self.shared = Replacements(
            WearLimits(10, 0),
            60.0,
            Replacer(self.start, self.collect, self.note),
            self.shutdown,
            self.tasks,
            self.log,
            retry_s=0.01,
        )

    def runner(self) -> RunnerChild:
        process: Any = AProcess()
        pipe: Any = APipe()
        return RunnerChild("w", process, pipe, LIMITS, is_waiting=True)

    async def start(self, quota: Quota) -> RunnerChild:
        if self.faults:
            raise self.faults.pop()
        runner = self.runner()
        await self.started.put(runner)
        return runner

    async def collect(self, runner: RunnerChild) -> None:
        self.collected.append(runner)

    async def note(self, reason: str) -> None:
        self.noted.append(reason)

    def served(self, quota: Quota | None = None) -> tuple[RunnerChild, Replacement]:
        """A runner that serves a quota, and has done so for a while."""
        quota = quota or Quota(LIMITS)
        runner = self.runner()
        runner.started_s -= 60
        quota.serve(runner)
        return runner, Replacement(self.shared, runner, quota)

    def wear_out(self, runner: RunnerChild, quota: Quota | None = None) -> None:
        self.tick(runner, 10)
        self.shared.heard(runner, quota or Quota(LIMITS))

    def tick(self, runner: RunnerChild, ended: int = 0) -> None:
        runner.on_message({"is": "tick", "ended": ended, "rss_bytes": 1})

    def end(self, runner: RunnerChild) -> None:
        process: Any = runner.process
        process.end()

    def told(self, runner: RunnerChild) -> list[str]:
        pipe: Any = runner.pipe
        return [str(message["do"]) for message in pipe.sent if message["do"] != "use"]

    async def next_started(self) -> RunnerChild:
        return await asyncio.wait_for(self.started.get(), SOON_S)

    async def until_told(self, runner: RunnerChild) -> None:
        async with asyncio.timeout(SOON_S):
            while not self.told(runner):
                await asyncio.sleep(0)

    async def a_few_turns(self) -> None:
        """All that can happen without a tick or an end has happened then."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def test_it_works_on_until_its_successor_has_ticked(self) -> None:
        old, replacement = self.served()
        self.wear_out(old)
        successor = await self.next_started()
        await self.a_few_turns()
        self.assertEqual([], self.told(old))

        self.tick(successor)
        await self.until_told(old)

        self.assertEqual(["retire"], self.told(old))
        self.assertIs(successor, await replacement.successor())
        await self.a_few_turns()
        self.assertEqual((["jobs"], []), (self.noted, self.collected))

    async def test_one_that_is_not_worn_has_no_successor(self) -> None:
        old, replacement = self.served()
        self.tick(old, 9)
        self.shared.heard(old, Quota(LIMITS))
        await self.a_few_turns()

        self.assertIsNone(await replacement.successor())
        self.assertTrue(self.started.empty())

    async def test_a_successor_that_dies_first_is_collected_and_another_is_started(self) -> None:
        old, replacement = self.served()
        self.faults.append(OSError("no process left"))
        self.wear_out(old)
        first = await self.next_started()
        self.end(first)
        second = await self.next_started()
        self.assertEqual(([first], []), (self.collected, self.told(old)))

        self.tick(second)
        await self.until_told(old)

        self.assertIs(second, await replacement.successor())
        self.assertIn("process.not_started", [line["event"] for line in self.log.lines()])

    async def test_where_the_old_one_is_gone_first_its_successor_is_waited_for_and_nobody_is_told(self) -> None:
        old, replacement = self.served()
        self.wear_out(old)
        successor = await self.next_started()
        self.end(old)
        waiting = asyncio.create_task(replacement.successor())
        await self.a_few_turns()
        self.assertFalse(waiting.done())

        self.tick(successor)

        self.assertIs(successor, await asyncio.wait_for(waiting, SOON_S))
        await self.a_few_turns()
        self.assertEqual(([], []), (self.told(old), self.noted))

    async def test_where_both_are_gone_there_is_none_and_no_other_is_started(self) -> None:
        old, replacement = self.served()
        self.wear_out(old)
        successor = await self.next_started()
        self.end(old)
        waiting = asyncio.create_task(replacement.successor())
        await self.a_few_turns()

        self.end(successor)

        self.assertIsNone(await asyncio.wait_for(waiting, SOON_S))
        await self.a_few_turns()
        self.assertEqual(([successor], True), (self.collected, self.started.empty()))

    async def test_the_next_has_its_turn_when_the_last_has_left(self) -> None:
        (first, _), (second, _) = self.served(), self.served()
        self.wear_out(first)
        self.wear_out(second)
        successor = await self.next_started()
        self.tick(successor)
        await self.until_told(first)
        await self.a_few_turns()
        self.assertEqual(([], True), (self.told(second), self.started.empty()))

        self.end(first)

        self.tick(await self.next_started())
        await self.until_told(second)

    async def test_one_that_dies_while_it_waits_for_its_turn_holds_up_nobody(self) -> None:
        (first, _), (second, dead), (third, _) = self.served(), self.served(), self.served()
        for runner in (first, second, third):
            self.wear_out(runner)
        self.tick(await self.next_started())
        await self.until_told(first)
        self.end(second)
        self.assertIsNone(await dead.successor())

        self.end(first)

        self.tick(await self.next_started())
        await self.until_told(third)
        self.assertEqual([], self.told(second))

    async def test_beside_two_that_end_what_they_run_none_has_its_turn(self) -> None:
        quota = Quota(LIMITS)
        for _ in range(MOST_RETIRING):
            quota.retire(self.runner())
        old, _ = self.served(quota)
        self.wear_out(old, quota)
        await self.a_few_turns()
        self.assertTrue(self.started.empty())

        quota.leave(quota.retiring[0])
        self.shared.heard(old, quota)

        await self.next_started()

    async def test_at_a_stop_none_is_started(self) -> None:
        old, replacement = self.served()
        self.shutdown.begin(0)
        self.wear_out(old)
        await self.a_few_turns()

        self.assertTrue(self.started.empty())
        self.assertIsNone(await replacement.successor())


if __name__ == "__main__":
    unittest.main()
