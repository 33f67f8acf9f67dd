"""The lanes of one queue: tasks that each run one job after another, as many as there are slots.

A lane is made when there is a job for it, and lives as long as the runner: no task is made for a job. A lane without a
job awaits a future, idle, until `wake` resolves it. A lane ends early if its last job has left something behind for the
next one, a cancellation or a context variable; another lane is made when there is a job for it.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from lib.work.runner.loop_parts import LoopParts


class LanePool:
    """run: a lane's coroutine, given the context that its task runs in. on_end: called with a lane that has ended.

    limit: how many lanes there may be. Lanes above a limit that was lowered end after their jobs.
    """

    def __init__(
        self,
        limit: int,
        parts: LoopParts,
        run: Callable[[contextvars.Context], Coroutine[Any, Any, None]],
        on_end: Callable[["asyncio.Task[None]"], None],
    ) -> None:
        self.limit = limit
        self.lanes: set[asyncio.Task[None]] = set()
        self.is_waking = False
        """Whether a lane was woken and has not looked for a job since. One lane is woken at a time: a lane that finds
        more than one job wakes the next."""
        self._idle: list[asyncio.Future[None]] = []
        self._run = run
        self._on_end = on_end
        self._turns = parts.turns
        self._blank = parts.blank
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        for _ in range(min(len(self.lanes) - limit, len(self._idle))):
            self._idle.pop().cancel()

    def wake(self) -> None:
        """Have a lane look for a job, in the queue's next turn (turns.py)."""
        if self.is_waking:
            return
        self.is_waking = True
        self._turns.schedule(self._wake_now)

    def idle(self) -> "asyncio.Future[None]":
        """A future for a lane without a job to await: `wake` resolves it."""
        idle: asyncio.Future[None] = self._loop.create_future()
        self._idle.append(idle)
        return idle

    def drop(self, lane: "asyncio.Task[None]") -> None:
        """Count the lane no more: its handler does not stop."""
        self.lanes.discard(lane)

    def _wake_now(self) -> None:
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():  # Something that a job left running may have cancelled the lane while it was idle.
                idle.set_result(None)
                return
        if len(self.lanes) < self.limit:
            context = self._blank.copy()
            lane = self._loop.create_task(self._run(context), context=context)
            self.lanes.add(lane)
            lane.add_done_callback(self._lane_ended)
        else:
            self.is_waking = False  # Every lane runs a job. The first lane whose job ends takes the next job.

    def _lane_ended(self, lane: "asyncio.Task[None]") -> None:
        self.lanes.discard(lane)
        self._idle = [idle for idle in self._idle if not idle.done()]
        self.is_waking = False  # The woken lane may be this one.
        self._on_end(lane)
