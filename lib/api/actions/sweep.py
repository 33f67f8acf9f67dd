"""The walk over the jobs of one queue that fit, oldest first, a batch of some 100 at a time.

    sweep = Sweep(search, "email", Wanted("dead", before_ms=1795438188123))
    async for records in sweep.batches(after=None, limit=10_000):
        …                                 # change these
    sweep.matched, sweep.end              # 10000, Cursor(1795438100000, "email-0192…")

WHY oldest first: jobs that were first to die are first to run again. And jobs that die again meanwhile stand behind
`before_ms`, so that the walk ends and takes no job twice.
"""

import time
from collections.abc import AsyncIterator, Callable

from lib.api.job_search import JobSearch
from lib.jobs.job import JobRecord
from lib.queue.bulk_changes import MOST_AT_ONCE
from lib.queue.listing import Cursor, Wanted

WORK_S = 5.0
"""A request goes on for so long at most, and then answers with the place where it stopped."""


class Sweep:
    """One walk. matched: how many jobs were given so far. end: where to go on; None where no more jobs can fit."""

    def __init__(
        self, search: JobSearch, queue: str, wanted: Wanted, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._search = search
        self._queue = queue
        self._wanted = wanted
        self._clock = clock
        self.matched = 0
        self.end: Cursor | None = None

    async def batches(self, after: Cursor | None, limit: int) -> AsyncIterator[list[JobRecord]]:
        """The jobs behind `after` that fit, `limit` at most, as they are read. To be called once. Raises
        RedisKeysBroken."""
        until_s = self._clock() + WORK_S
        self.end = after
        while True:
            most = min(MOST_AT_ONCE, limit - self.matched)
            page = await self._search.find_oldest(self._queue, self._wanted, self.end, most)
            records, end = await self._search.read(page, self._wanted)
            self.matched += len(records)
            if records:
                yield records
            # WHY behind the yield: where the batch could not be changed, `end` is still the place before it.
            self.end = end
            if end is None or self.matched >= limit or self._clock() > until_s:
                return

    async def slices(self, after: Cursor | None, limit: int) -> AsyncIterator[dict[str, JobRecord | None]]:
        """The same as JobSearch.slices gives jobs."""
        async for records in self.batches(after, limit):
            yield {record.job_id: record for record in records}
