"""Several queues of one runner have jobs to begin: one queue's lane is woken in each turn of the loop.

WHY: one packet from Redis may bring jobs of every queue. If all of these ran in one turn, Redis would be idle until the
last had ended, and then the runner would be idle until Redis had handed out the next: the two would alternate.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Shared by all queues of a runner."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_turn_used = False

    def schedule(self, wake: Callable[[], None]) -> None:
        """Call `wake`: now, if this turn of the loop has called none yet; else later, one a turn, in order."""
        if self._is_turn_used:
            self._waiting.append(wake)
        else:
            self._is_turn_used = True
            self._call(wake)

    def _next(self) -> None:
        if self._waiting:
            self._call(self._waiting.popleft())
        else:
            self._is_turn_used = False

    def _call(self, wake: Callable[[], None]) -> None:
        try:
            wake()
        finally:
            # After `wake`: the woken lane then runs, and its commands to Redis leave, before the next lane but one.
            self._loop.call_soon(self._next)
