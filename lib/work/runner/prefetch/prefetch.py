"""How many jobs of one queue to claim, and when prefetched jobs go back to Redis.

A prefetched job is claimed before there is a slot for it, and waits in lanes.py for the quick jobs ahead of it (pace.py
knows which types are quick). It goes back to the front of its queue, with no attempt counted, if other runners may now
start it sooner: when no job of the queue has ended here for PATIENCE_S (as much for each busy queue of this runner), or
when a job of a type that may be slow is about to begin.

The consumer and the lanes of a queue share one `Prefetch`:

    size = prefetch.claim_size()            # consumer: how many jobs to claim now
    prefetch.expect(size)                   # consumer: a claim for as many is in flight; expect(0): it came back
    prefetch.note_claimed(3, size, …)       # lanes: it brought three jobs
    if prefetch.must_give_back_before("report"):
        await prefetch.give_back()          # lanes: a report is about to begin
    prefetch.note_end("report", 0.8)        # lanes: it took 0.8 s
"""

import asyncio
from collections.abc import Callable

from lib.work.runner.prefetch.pace import Pace

PATIENCE_S = 0.005
MOST_TURNS = 8
"""With more busy queues than this, prefetched jobs wait no longer for an end than with this many."""


class BusyQueues:
    """How many queues of a runner are busy with quick jobs: the last claim in each brought all that was asked for.
    These queues share the runner's loop, and so the number of jobs that may be prefetched."""

    def __init__(self) -> None:
        self.count = 0


class Prefetch:
    """One queue's jobs in this runner: how many are here, and how many more may be claimed.

    limit: how many jobs run at once; it may change.
    release_last: gives back as many waiting jobs, the last first. WHY the last first: each job goes to the front of the
    queue, and then they stand in their old order. For the same reason no job goes back while a claim is in flight: the
    jobs of this claim belong behind.
    busy: shared by all queues of the runner.
    """

    def __init__(self, limit: int, release_last: Callable[[int], None], busy: BusyQueues) -> None:
        self.limit = limit
        self.is_rationed = False
        """Whether the queue has limits or groups: then nothing is claimed ahead of a free slot."""
        self.unended = 0
        """How many jobs run here, or wait to be begun."""
        self.runs = 0
        """How many attempts have ended here, of all that began."""
        self._release_last = release_last
        self._busy = busy
        self._pace = Pace()
        self._loop = asyncio.get_running_loop()
        self._ends = 0
        self._expected = 0
        self._is_busy = False
        self._no_claim_in_flight = asyncio.Event()
        self._no_claim_in_flight.set()
        self._is_check_due = False

    @property
    def room(self) -> int:
        """How many jobs may run or wait here, all in all."""
        if self.is_rationed:
            return self.limit
        return self.limit and self.limit + self._pace.prefetch_count // max(1, self._busy.count)

    def claim_size(self) -> int:
        """How many jobs to claim now; below 1 means none.

        Half of the room at most: Redis hands out that half while the runner works on the other. With several busy
        queues all of the room: the runner works on the other queues' jobs meanwhile.
        """
        room = self.room
        return min(room - self.unended, room if self._busy.count > 1 else (room + 1) // 2)

    def expect(self, jobs: int) -> None:
        """Called before a claim that may bring `jobs` jobs, and with 0 when the claim has come back or has failed."""
        self._expected = jobs
        if jobs:
            self._no_claim_in_flight.clear()
        else:
            self._no_claim_in_flight.set()

    def note_claimed(self, jobs: int, asked: int, *, has_room: bool) -> bool:
        """A claim that asked for `asked` jobs has brought `jobs`; asked is 0 for a job that a pop brought.

        has_room: whether more may be claimed at once. Returns whether the next claim is to leave before these jobs
        begin, so that Redis works on it while they run. With several busy queues the claim leaves after they have
        begun: most have ended by then, and one claim fills all their slots.
        """
        claims_first = has_room and self._busy.count <= 1
        self.unended += jobs
        is_busy = 0 < asked <= jobs and self._pace.prefetch_count > 0
        self._busy.count += is_busy - self._is_busy
        self._is_busy = is_busy
        if self._above_limit > 0:
            self._check_later()
        return claims_first

    def note_end(self, type_name: str | None, duration_s: float) -> None:
        """A job ended here after duration_s. type_name: None if its handler never ran, or was interrupted."""
        self.unended -= 1
        self._ends += 1
        if type_name is not None:
            self.runs += 1
            self._pace.note_run(type_name, duration_s)

    def must_give_back_before(self, type_name: str) -> bool:
        """Whether prefetched jobs are here or in flight, and would wait for a job of this type, which may be slow."""
        return self.unended + self._expected > self.limit and not self._pace.is_quick(type_name)

    async def give_back(self) -> None:
        """Give all prefetched jobs back, with those that a claim in flight brings."""
        self._pace.reset()
        await self._no_claim_in_flight.wait()
        self._release_last(self._above_limit)

    @property
    def _above_limit(self) -> int:
        """How many jobs there are above `limit`, or may be once a claim has come back."""
        return self.unended + self._expected - self.limit

    def _check_later(self) -> None:
        if not self._is_check_due:
            self._is_check_due = True
            turns = max(1, min(self._busy.count, MOST_TURNS))
            self._loop.call_later(PATIENCE_S * turns, self._check_progress, self._ends)

    def _check_progress(self, ends_before: int) -> None:
        """Give the prefetched jobs back if none has ended since the last check."""
        self._is_check_due = False
        if self._above_limit <= 0:
            return
        if self._ends == ends_before:
            self._pace.reset()
            if not self._expected:
                self._release_last(self._above_limit)
                return  # Jobs that are still above the limit have begun: it was lowered since.
        self._check_later()
