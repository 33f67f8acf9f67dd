"""Replaces runners that are worn (wear.py), without a job or a slot lost.

1. A tick says that a runner is worn. Its turn comes when no other runner of this supervisor is being replaced: the new
   processes must not all start at once, and not all runners drain at once.
2. Its successor is started, without job slots. Until its first tick the worn runner works on; where it dies before
   that, the worn runner works on as well, and another is started RETRY_S later.
3. The worn runner is told to retire: it begins no more jobs, and tells how many slots it uses. The successor has the
   slots that are left, and the others as they become free (quota.py).
4. The worn runner leaves when all that it runs has ended. Only the timeouts of its jobs bound that, and a stop. The
   next worn runner has its turn then, or after SHUTDOWN_GRACE_S.

A worn runner may die or retire by itself at any moment of this. Its successor then takes its place at once.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from lib.logs.log import Log
from lib.processes.restarts import log_not_started, pause
from lib.work.supervisor.quota import MOST_RETIRING, Quota
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.shutdown import Shutdown
from lib.work.supervisor.supervisor_tasks import SupervisorTasks
from lib.work.supervisor.wear import WearLimits

RETRY_S = 30.0


async def first_of(*waits: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> None:
    """Return when one of these has ended, or after timeout_s. The others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


class Replacer(NamedTuple):
    """What the supervisor does for a replacement.

    start: starts a runner for a quota, without slots, and reads its messages; raises OSError. collect_exit: waits for a
    runner's end, and takes back its jobs. note: counts a replacement by its reason, for /metrics.
    """

    start: Callable[[Quota], Coroutine[Any, Any, RunnerChild]]
    collect_exit: Callable[[RunnerChild], Coroutine[Any, Any, None]]
    note: Callable[[str], Coroutine[Any, Any, None]]


class Replacements:
    """Those of one supervisor. pause_s: SHUTDOWN_GRACE_S. retry_s: the pause behind a successor that did not start."""

    def __init__(
        self,
        limits: WearLimits,
        pause_s: float,
        replacer: Replacer,
        shutdown: Shutdown,
        tasks: SupervisorTasks,
        log: Log,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self.limits = limits
        self.pause_s = pause_s
        self.replacer = replacer
        self.shutdown = shutdown
        self.tasks = tasks
        self.log = log
        self.retry_s = retry_s
        self.turn = asyncio.Lock()
        self._has_warned = False

    def heard(self, runner: RunnerChild, quota: Quota) -> None:
        """Called after every message of a runner. Marks it as worn where it is, and may be replaced."""
        reason = self.limits.reason(runner.usage, time.monotonic() - runner.started_s)
        # Beside too many that drain, each with jobs that take long, another one would only take more memory.
        if reason is not None and len(quota.retiring) < MOST_RETIRING:
            runner.worn_by = reason
            runner.is_worn.set()
        if self.limits.is_too_low(runner.usage) and not self._has_warned:
            self._has_warned = True
            self.log.warning(
                "runner.max_mb_too_low",
                f"RUNNER_MAX_MB is {self.limits.max_mb}, and a runner holds {runner.usage.mb} MB before its first job: "
                "no runner is replaced for its memory; raise it",
                mb=runner.usage.mb,
            )


class Replacement:
    """The replacement of one runner; it is made when the runner begins to serve its quota."""

    def __init__(self, shared: Replacements, runner: RunnerChild, quota: Quota) -> None:
        self._shared = shared
        self._runner = runner
        self._quota = quota
        self._start: asyncio.Task[RunnerChild | None] | None = None
        self._is_over = False
        self._task = shared.tasks.start(self._run())

    async def successor(self) -> RunnerChild | None:
        """Called when the runner has ended or retires. Returns the successor that was started for the runner and lives,
        or None; a start that is under way is waited for. From here on no other successor is started."""
        self._is_over = True
        if self._start is None:
            self._task.cancel()
            return None
        return await self._start

    async def _run(self) -> None:
        await self._runner.is_worn.wait()
        async with self._shared.turn:
            successor = await self._living_successor()
            if successor is not None and not self._is_over:
                self._hand_over(successor)
                await first_of(self._runner.process.wait(), timeout_s=self._shared.pause_s)

    async def _living_successor(self) -> RunnerChild | None:
        """Start runners until one has ticked. None where the runner is gone first, or at a stop."""
        while not self._is_over and not self._shared.shutdown.begun.is_set():
            self._start = self._shared.tasks.start(self._started())
            if successor := await self._start:
                return successor
            self._start = None
            if not self._is_over:
                await pause(self._shared.shutdown.begun, self._shared.retry_s)
        return None

    async def _started(self) -> RunnerChild | None:
        """A runner, once it has ticked; None where it could not be started, or has died before that."""
        replacer = self._shared.replacer
        try:
            successor = await replacer.start(self._quota)
        except OSError as fault:
            log_not_started(fault, self._shared.log)
            return None
        await first_of(successor.first_tick.wait(), successor.process.wait())
        if successor.process.returncode is None:
            return successor
        await replacer.collect_exit(successor)
        return None

    def _hand_over(self, successor: RunnerChild) -> None:
        old, reason = self._runner, self._runner.worn_by
        lived_s = round(time.monotonic() - old.started_s)
        jobs, mb = old.usage.jobs, old.usage.mb
        self._shared.log.info(
            "runner.replaced",
            f"Runner {old.runner_id} is replaced by {successor.runner_id}, for its {reason}: {jobs} jobs, {mb} MB",
            pid=old.process.pid,
            why=reason,
            jobs=jobs,
            mb=mb,
            lived_s=lived_s,
        )
        self._shared.tasks.start(self._shared.replacer.note(reason))
        old.make_way()
