"""Calls to Redis that a consumer makes beside its rounds, and that may fail without harm: a promotion of delayed jobs
(promotion_timer.py), the end of a pop when the runner stops, the log lines about jobs that a claim made dead."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from lib.errors import RedisUnavailable
from lib.queue.bulkheads import Bulkheads


class BackgroundCalls:
    """The tasks of one queue's calls, held here until they end: asyncio's loop holds a task only weakly."""

    def __init__(self, queue: str, bulkheads: Bulkheads) -> None:
        self._queue = queue
        self._bulkheads = bulkheads
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, step: str, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` in a task. Redis being away is ignored; another fault is logged as that of `step`."""
        task = asyncio.get_running_loop().create_task(self._quietly(step, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, step: str, work: Coroutine[Any, Any, object]) -> None:
        with contextlib.suppress(RedisUnavailable), self._bulkheads.around(self._queue, step):
            await work
