"""The jobs that were claimed ahead of a free slot: how many there may be, and when they go back to Redis.

Called by lanes.py, which holds them. They wait for jobs that are quick (pace.py). Should nothing come to its end for
5 ms (where the runner has jobs of other queues, 5 ms for each of those), or a job be about to begin of which nobody
knows that it is quick, then other runners may begin them sooner: they go back to the front of their queue, with no
attempt counted.
"""

import asyncio
from collections.abc import Callable

from lib.work.runner.prefetch.pace import Pace

PATIENCE_S = 0.005
MOST_TURNS = 8  # so many queues' turns are waited for


class Busy:
    """How many queues of a runner have quick jobs for it all the time: those whose last claim brought all that it asked
    for. They share its loop, and so what may be claimed ahead."""

    def __init__(self) -> None:
        self.queues = 0


class Surplus:
    """limit: how many jobs run at once; it may change. give_back: told to give back so many of those that wait, the
    last first. busy: that of all queues of this runner.

    WHY the last first: each goes to the front, so they stand there in their old order. That is also why nothing goes
    back while a claim is in flight: what it brings belongs behind them.
    """

    def __init__(self, limit: int, give_back: Callable[[int], None], busy: Busy) -> None:
        self.limit = limit
        self._busy = busy
        self._give_back = give_back
        self._loop = asyncio.get_running_loop()
        self.pace = Pace()
        self.unended = 0
        """How many jobs run, or wait to be begun."""
        self._ended = 0
        self._expected = 0
        self._is_busy = False
        self._landed = asyncio.Event()
        self._landed.set()
        self._is_watching = False

    @property
    def room(self) -> int:
        """How many jobs may be unended."""
        return self.limit and self.limit + self.pace.ahead // max(1, self._busy.queues)

    @property
    def bite(self) -> int:
        """How many to claim at once: half of them, so that Redis hands out the one half while the other is run here;
        all of them where the runner has jobs of other queues to run meanwhile."""
        return self.room if self.is_among_others else (self.room + 1) // 2

    @property
    def is_among_others(self) -> bool:
        """Whether the runner has jobs of other queues to run while Redis hands out those of this one."""
        return self._busy.queues > 1

    @property
    def count(self) -> int:
        """How many jobs there are above `limit`, or may be once a claim has come back."""
        return self.unended + self._expected - self.limit

    def is_in_the_way_of(self, type_name: str) -> bool:
        """Whether more jobs are here than can run, and one of this type would have them wait."""
        return self.unended + self._expected > self.limit and not self.pace.is_quick(type_name)

    def expect(self, jobs: int) -> None:
        """A claim is on its way that may bring so many jobs; 0: it has come back."""
        self._expected = jobs
        if jobs:
            self._landed.clear()
        else:
            self._landed.set()

    def took(self, jobs: int, *, is_full: bool) -> None:
        """A claim has brought so many, maybe none. is_full: all that it asked for, so there may be more."""
        self.unended += jobs
        is_busy = is_full and self.pace.ahead > 0
        self._busy.queues += is_busy - self._is_busy
        self._is_busy = is_busy
        if self.count > 0:
            self._watch()

    def ended(self) -> None:
        self.unended -= 1
        self._ended += 1

    async def clear(self) -> None:
        """Give back all of it, what a claim in flight brings as well."""
        self.pace.doubt()
        await self._landed.wait()
        self._give_back(self.count)

    def _watch(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            turns = max(1, min(self._busy.queues, MOST_TURNS))
            self._loop.call_later(PATIENCE_S * turns, self._look, self._ended)

    def _look(self, ended_before: int) -> None:
        self._is_watching = False
        if self.count <= 0:
            return
        if self._ended == ended_before:
            self.pace.doubt()
            if not self._expected:
                self._give_back(self.count)
                return  # What is left above the limit has begun: it was lowered meanwhile.
        self._watch()
