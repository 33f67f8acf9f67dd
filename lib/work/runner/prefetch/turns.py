"""Whose lane is woken next, where several queues of a runner have jobs to begin: one in each turn of the loop.

WHY: a packet of Redis' may bring jobs of all queues. Were all of them run in one turn, Redis would have nothing to do
until the last has ended, and then the runner nothing until Redis has handed out the next: the two would take turns.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """One of a runner."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_taken = False

    def ask(self, wake: Callable[[], None]) -> None:
        """Have `wake` called: at once where this turn is free, else in the first one that is."""
        if self._is_taken:
            self._waiting.append(wake)
        else:
            self._is_taken = True
            self._wake(wake)

    def _next(self) -> None:
        if self._waiting:
            self._wake(self._waiting.popleft())
        else:
            self._is_taken = False

    def _wake(self, wake: Callable[[], None]) -> None:
        try:
            wake()
        finally:
            # In this order: what that lane has to say to Redis leaves before the lane behind the next one has its turn.
            self._loop.call_soon(self._next)
