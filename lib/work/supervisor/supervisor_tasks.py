"""The supervisor's own asyncio tasks: each is kept until it ends, and none fails unseen."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from lib.logs.log import Log
from lib.processes.spawn import EXIT_FAULT
from lib.work.supervisor.shutdown import Shutdown

Result = TypeVar("Result")


class SupervisorTasks:
    """A task that raises is logged and ends the supervisor: only a bug makes it raise, and without this task beats or
    upkeep would be missing."""

    def __init__(self, log: Log, shutdown: Shutdown) -> None:
        self._log = log
        self._shutdown = shutdown
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Run `work` in a task of the running loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.exception("supervisor.failed", "A part of the supervisor ended by a fault of its own", fault)
            self._shutdown.begin(EXIT_FAULT)
