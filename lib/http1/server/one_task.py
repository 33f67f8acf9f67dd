"""The one task of a connection. The task runs the coroutines of answers that have to be awaited, one after the other.

Made by connection.py at the first request that needs a task: a task for each request would take longer to make than a
short answer. The task is never cancelled. It ends when `end` was called and nothing is left to run.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class OneTask:
    """Made inside the running loop. `tasks` holds the task while it lives; a drain waits for all of `tasks`."""

    def __init__(self, tasks: set[asyncio.Task[None]]) -> None:
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()
        self._work: Coroutine[Any, Any, None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_ending = False
        task = self._loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` next. Call this when the former work has ended, or from that work's last lines."""
        self._work = work
        self._wake()

    def end(self) -> None:
        """End the task. Work that was handed over is still run to its end."""
        self._is_ending = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _run(self) -> None:
        while True:
            work, self._work = self._work, None
            if work is not None:
                await work
            elif self._is_ending:
                return
            else:
                self._waiter = self._loop.create_future()
                await self._waiter
