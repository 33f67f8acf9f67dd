"""Runs suspects: asks Redis where suspects wait, starts isolation runners, and reads the messages of these runners.

This module tells isolation.py what happens, and carries out what isolation.py decides. Called by supervisor.py and
rounds.py.
"""

import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.processes.restarts import log_not_started
from lib.queue.bulkheads import Bulkheads
from lib.queue.queue_store import QueueStore
from lib.settings.config import Settings
from lib.work.supervisor.exit_collector import CollectedExit
from lib.work.supervisor.isolation import Isolation
from lib.work.supervisor.quota import Quota
from lib.work.supervisor.roster import Roster
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.shutdown import Shutdown
from lib.work.supervisor.supervisor_tasks import SupervisorTasks


class IsolationRunners:
    """collect_exit: waits for the end of a runner that was started here, and then calls `runner_exited`."""

    def __init__(
        self,
        settings: Settings,
        quotas: Sequence[Quota],
        roster: Roster,
        queues: QueueStore,
        bulkheads: Bulkheads,
        log: Log,
        shutdown: Shutdown,
        tasks: SupervisorTasks,
        collect_exit: Callable[[RunnerChild], Coroutine[Any, Any, None]],
    ) -> None:
        self._isolation = Isolation(settings.worker_queues, quotas, settings.isolation_runners)
        self._served = tuple(settings.worker_queues)
        self._roster = roster
        self._queues = queues
        self._bulkheads = bulkheads
        self._log = log
        self._shutdown = shutdown
        self._tasks = tasks
        self._collect_exit = collect_exit
        self._is_starting = False

    def settle(self) -> None:
        """Called whenever something has changed by which another suspect may run, or a runner is needed no more."""
        if self._shutdown.begun.is_set():
            return
        now_s = time.monotonic()
        self._isolation.settle(now_s)
        is_served = any(runner.is_serving for runner in self._roster.runners)
        if not self._is_starting and self._isolation.is_short(now_s, is_served=is_served):
            self._is_starting = True
            self._tasks.start(self._start())

    def suspects_found(self, suspects: Mapping[str, int], asked_s: float) -> None:
        """A round of upkeep has found so many suspects in each queue that has any. `settle` is to follow."""
        self._isolation.suspects_found(suspects, asked_s)

    def round_ended(self) -> None:
        """A round of upkeep was done: a runner that could not be started may be tried again."""
        self._isolation.has_failed = False
        self.settle()

    async def runner_exited(self, runner: RunnerChild, ended: CollectedExit) -> None:
        """A runner of any kind has ended, and its jobs are taken back: some may be suspects from now on."""
        if runner.is_alone:
            self._isolation.runner_ended(runner)
        if ended.is_crash:
            self._isolation.crash_seen(runner, time.monotonic())
        if (ended.taken_back or ended.code == 0) and not self._shutdown.begun.is_set():
            await self._count_suspects()
        self.settle()

    async def _count_suspects(self) -> None:
        """Ask Redis for suspects: those that a crash has just made must not wait for the next round of upkeep."""
        asked_s = time.monotonic()
        suspects = {}
        with contextlib.suppress(RedisUnavailable):
            for queue in self._served:
                with self._bulkheads.around(queue, "isolation"):
                    suspects[queue] = await self._queues.suspects(queue)
            self._isolation.suspects_found(suspects, asked_s)

    async def _start(self) -> None:
        """Start an isolation runner, and read its messages until it ends."""
        try:
            runner = await self._roster.start_isolation_runner()
        except OSError as fault:
            self._isolation.has_failed = True
            log_not_started(fault, self._log)
            return
        finally:
            self._is_starting = False
        self._isolation.runner_started(runner)
        self._tasks.start(self._collect_exit(runner))
        while (message := await runner.pipe.receive()) is not None:
            if message.get("is") == "looked":
                self._isolation.suspect_done(runner, message)
            else:
                runner.on_message(message)
            self.settle()
