"""A timer that promotes a queue's next delayed job at the moment when it is due, while the consumer blocks in a pop."""

import asyncio
from collections.abc import Awaitable, Callable

from lib.work.runner.background_calls import BackgroundCalls


class PromotionTimer:
    """promote: makes ready what is due, and gives the seconds until the next delayed job is, or None for none.

    The promotion ends the consumer's pop by itself: it pushes the job's id, or a bell, to the list that the pop reads.
    within_s: no timer is set for a job that is due later than this; the consumer's next claim comes sooner, and
    promotes too.
    """

    def __init__(
        self, promote: Callable[[], Awaitable[float | None]], background: BackgroundCalls, *, within_s: float
    ) -> None:
        self._promote = promote
        self._background = background
        self._within_s = within_s
        self._timer: asyncio.TimerHandle | None = None

    def set(self, wait_s: float | None) -> None:
        """Promote wait_s from now, and not at the moment that was set before. None: no delayed job is known."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_s is not None and wait_s < self._within_s:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._start)

    def _start(self) -> None:
        self._timer = None
        self._background.start("promotion", self._promote_due())

    async def _promote_due(self) -> None:
        self.set(await self._promote())
