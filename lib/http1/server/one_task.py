"""The one task of a connection: runs the answers that have to be awaited, one after the other.

Made by connection.py at the first request that needs one: a task for each request would take longer to make than a
short answer. It is never cancelled; it ends once it is told to and has nothing left to run.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class OneTask:
    """tasks: where it stands while it lives, so that a drain can wait for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        self._loop = loop
        self._work: Coroutine[Any, Any, None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_ending = False
        task = loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """The former one has been run, or this is called by its last lines."""
        self._work = work
        self._wake()

    def end(self) -> None:
        """What was handed over is still run to its end."""
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
