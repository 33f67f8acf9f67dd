"""The supervisor's own runners that live and do nothing: their loop does not turn, or Redis answers no claim of theirs.

Called once a second, and only while Redis answers the supervisor: a runner that is silent then is silent by its own
fault. A stuck runner is killed here; exit_collector.py takes back its jobs.
"""

import time
from collections.abc import Iterable
from random import Random

from lib.logs.log import Log
from lib.processes.child_process import FIRST_MESSAGE_S
from lib.queue.bulkheads import Bulkheads
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.work.supervisor.overdue import ClockLeaps, Held, held_by, overdue
from lib.work.supervisor.runner_child import RunnerChild

STUCK_S = 2.5
"""After so long without a tick a runner's loop may be stuck: the deadlines of its jobs are looked at."""
SILENT_S = 30.0
"""After so long without a tick a runner that holds no job is killed; so is one whose claims Redis does not answer."""


class StuckRunners:
    """Finds and kills stuck runners."""

    def __init__(self, link: RedisLink, keys: RedisKeys, log: Log, bulkheads: Bulkheads, rng: Random) -> None:
        self._link = link
        self._keys = keys
        self._job_store = JobStore(link, keys)
        self._log = log
        self._bulkheads = bulkheads
        self._rng = rng
        self._leaps = ClockLeaps()

    async def check(self, runners: Iterable[RunnerChild]) -> None:
        """Check every runner that lives. Raises RedisUnavailable."""
        await self._compare_clocks()
        for runner in list(runners):
            if runner.process.returncode is not None:
                continue
            if runner.unanswered_s > SILENT_S:
                self._kill(runner, f"has heard nothing for {runner.unanswered_s:.0f} s")
            elif (silent_s := runner.silence.lasted_s(time.monotonic())) > STUCK_S and runner.has_ticked:
                await self._kill_if_overdue(runner, silent_s)
            elif silent_s > FIRST_MESSAGE_S:
                self._kill(runner, f"has not said a word in {FIRST_MESSAGE_S:.0f} s: what do its job modules do?")

    async def _kill_if_overdue(self, runner: RunnerChild, silent_s: float) -> None:
        """Kill a runner whose loop is stuck past a job's deadline, and note which jobs are late. With jobs whose
        deadlines are yet to come, it may go on; without any job, it has SILENT_S."""
        now_ms = await self._compare_clocks()
        held: list[Held] = []
        for queue, runner_id in runner.runner_ids.items():
            with self._bulkheads.around(queue, "rescue"):
                held += await held_by(self._lease(queue, runner_id), self._job_store)
        late = overdue(held, runner.blocker, now_ms, self._leaps, silent_s)
        if late or (silent_s > SILENT_S and not await self._holds_any(runner)):
            runner.late = late
            self._kill(runner, f"is stuck: {len(late)} jobs are past their time")

    def _kill(self, runner: RunnerChild, why: str) -> None:
        self._log.error("runner.killed", f"Runner {runner.runner_id} {why}")
        runner.kill()

    async def _compare_clocks(self) -> int:
        """Redis' time in ms. Asked once a second, so that ClockLeaps sees when Redis' clock is set."""
        now_ms = await redis_info.now_ms(self._link)
        self._leaps.compare(now_ms, time.monotonic())
        return now_ms

    async def _holds_any(self, runner: RunnerChild) -> bool:
        for queue, runner_id in runner.runner_ids.items():
            with self._bulkheads.around(queue, "rescue"):
                if await self._lease(queue, runner_id).active_ids():
                    return True
        return False

    def _lease(self, queue: str, runner_id: str) -> Lease:
        """The runner's lease in a queue, by which the supervisor acts in its name."""
        return Lease(self._link, self._link, self._keys, queue, runner_id, self._rng)
