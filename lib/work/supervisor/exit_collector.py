"""A runner's process has ended: its jobs are taken back, at once, and are ready again within milliseconds.

Called by the supervisor for each of its runners. A job that kept its runner's loop from turning until it was out of
time (stuck.py) is failed; every other job that the runner held goes back to the front of its queue.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, NamedTuple

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.processes.child_process import describe_end
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_store import QueueStore
from lib.work.supervisor.roster import Roster
from lib.work.supervisor.runner_child import RunnerChild

AFTERSHOCKS_S = (0.2, 1.0)  # A claim that lay in a dead connection's buffer may reach Redis so late.


class CollectedExit(NamedTuple):
    """How a runner ended. is_crash: with another code than 0, and not by the supervisor's own SIGKILL."""

    code: int
    is_crash: bool
    taken_back: int
    """How many jobs it held."""


class ExitCollector:
    """crash_limit: CRASH_LIMIT, after so many crashes of its runner a job is dead. start_task: runs a coroutine beside
    the caller. poke: has those told who wait for jobs of a queue that may have ended."""

    def __init__(
        self,
        roster: Roster,
        queues: QueueStore,
        outcomes: OutcomeLog,
        *,
        crash_limit: int,
        log: Log,
        bulkheads: Bulkheads,
        rng: Random,
        start_task: Callable[[Coroutine[Any, Any, None]], object],
        poke: Callable[[str], None],
    ) -> None:
        self._roster = roster
        self._queues = queues
        self._outcomes = outcomes
        self._crash_limit = crash_limit
        self._log = log
        self._bulkheads = bulkheads
        self._rng = rng
        self._start_task = start_task
        self._poke = poke

    async def collect_exit(self, runner: RunnerChild) -> CollectedExit:
        """Wait for the runner's end, take back its jobs, and strike it off the roster."""
        code = await runner.process.wait()
        is_crash = code != 0 and not runner.was_killed
        if code != 0:
            level = self._log.error if is_crash else self._log.warning
            level("runner.died", f"Runner {runner.runner_id} ended: {describe_end(code)}", pid=runner.process.pid)
        # Before the other jobs are taken back: the jobs that blocked the runner are to blame, the others are not.
        await self._fail_late(runner)
        taken_back = await self._take_back(runner, is_crash=is_crash)
        runner.pipe.close()
        self._roster.runners.discard(runner)
        self._start_task(self._take_back_again(runner, is_crash=is_crash))
        return CollectedExit(code, is_crash, taken_back)

    async def _fail_late(self, runner: RunnerChild) -> None:
        for item in runner.late:
            with self._bulkheads.around(item.lease.queue, "rescue"):
                if await item.fail(self._rng):
                    self._poke(item.lease.queue)
                    self._start_task(self._outcomes.log_each([item.record.job_id]))

    async def _take_back(self, runner: RunnerChild, *, is_crash: bool) -> int:
        """Make every job that the runner holds ready again. Returns how many there were."""
        taken_back: list[str] = []
        for queue, runner_id in {*runner.runner_ids.items(), *runner.former_ids}:
            held = None
            # Where Redis is away, any supervisor takes the jobs back later, once the runner's lease has run out.
            with contextlib.suppress(RedisUnavailable), self._bulkheads.around(queue, "reap"):
                held = await self._queues.runners.reap(
                    queue,
                    runner_id,
                    is_crash=is_crash,
                    was_killed=runner.was_killed,
                    crash_limit=self._crash_limit,
                )
            with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "count"):
                await self._queues.runners.hide([runner_id])
            if held:
                self._poke(queue)
                taken_back += held
                msg = f"{len(held)} jobs of {queue} taken back from {runner_id}"
                self._log.warning("jobs.taken_back", msg, queue=queue, jobs=len(held))
        if taken_back:
            self._start_task(self._outcomes.log_each(taken_back))
        return len(taken_back)

    async def _take_back_again(self, runner: RunnerChild, *, is_crash: bool) -> None:
        """A claim that the dead runner had sent may still put a job into its active list."""
        for pause_s in AFTERSHOCKS_S:
            await asyncio.sleep(pause_s)
            await self._take_back(runner, is_crash=is_crash)
