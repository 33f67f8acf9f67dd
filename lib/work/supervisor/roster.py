"""The living runners of one supervisor, and how a new runner is added."""

from pathlib import Path

from lib.logs.log import Log
from lib.processes.child_process import take_over
from lib.queue.runners import Vitals
from lib.settings.config import Settings
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.shutdown import Shutdown
from lib.work.supervisor.spawn_runner import SpawnedRunner, spawn_runner


class Roster:
    """script: the worker.py to start runners with."""

    def __init__(self, settings: Settings, script: Path, log: Log, shutdown: Shutdown) -> None:
        self._settings = settings
        self._script = script
        self._log = log
        self._shutdown = shutdown
        self.runners: set[RunnerChild] = set()
        """Each from `add` until exit_collector.py has taken back its jobs."""

    async def add(self, spawned: SpawnedRunner) -> RunnerChild:
        """Take over a runner that was spawned. Raises OSError, and then the runner is dead."""
        process, pipe = await take_over(spawned.spawned)
        limits = self._settings.worker_queues
        runner = RunnerChild(spawned.runner_id, process, pipe, limits, is_waiting=spawned.is_waiting)
        self.runners.add(runner)
        if self._shutdown.begun.is_set():
            runner.pipe.send(do="drain")
        self._log.info("runner.started", f"Runner {runner.runner_id} started", pid=process.pid)
        return runner

    def vitals(self, runner: RunnerChild) -> Vitals | None:
        """What a runner's last tick told; None before the first one."""
        if not runner.usage.rss_bytes:
            return None
        is_draining = self._shutdown.begun.is_set() or runner.makes_way or runner.is_retiring
        return Vitals(runner.usage.rss_bytes, is_draining)

    async def start_successor(self) -> RunnerChild:
        """Start a runner without job slots; its quota grants it free ones afterwards. Raises OSError."""
        return await self.add(spawn_runner(self._script, is_waiting=True))

    async def start_isolation_runner(self) -> RunnerChild:
        """Start an isolation runner. Raises OSError."""
        return await self.add(spawn_runner(self._script, is_alone=True))
