"""A timer that promotes a queue's delayed jobs when they are due, in the runner that keeps the clock for the others.

Redis elects that runner among those that are idle (lua/parts/keeper.lua): their claims say whether they are to ask
again, and when. The timer goes on while the runner is full: the jobs that it makes ready wake idle runners.
"""

import asyncio
from collections.abc import Awaitable, Callable

from lib.work.runner.background_calls import BackgroundCalls

LEAD_S = 0.001
"""The timer goes off so much sooner, for the loop rounds up, and the way to Redis takes time. Where that is too soon,
Redis answers how long it is still."""


class PromotionTimer:
    """promote: makes ready what is due, and gives the seconds until it is to be called again, or None.

    The promotion ends the consumer's pop by itself: it pushes the job's id, or a bell, to the list that the pop reads.
    """

    def __init__(self, promote: Callable[[], Awaitable[float | None]], background: BackgroundCalls) -> None:
        self._promote = promote
        self._background = background
        self._timer: asyncio.TimerHandle | None = None

    def set(self, wait_s: float | None) -> None:
        """Promote wait_s from now, and not at the moment that was set before. None: another runner will."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s - LEAD_S, self._start)

    def _start(self) -> None:
        self._timer = None
        self._background.start("promotion", self._promote_due())

    async def _promote_due(self) -> None:
        self.set(await self._promote())
