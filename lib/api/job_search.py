"""The jobs of one page of GET /api/jobs: found in Redis' lists, then read, a few at a time.

Redis looks through at most some hundred jobs a call, and answers with the places of those that fit: an id and its score
in the list. A search goes on, call after call, until the page has enough jobs or SEARCH_S are over. Then the jobs
themselves are read, and those that no longer fit are dropped.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from lib.jobs.job import JobRecord
from lib.queue.job_store import JobStore
from lib.queue.listing import Cursor, ListingPart, Wanted

SEARCH_S = 0.5
PAGE_BYTES = 4 << 20
FIRST_SLICE = 10
SLICE_BYTES = 1 << 20


class JobSearch:
    """Finds and reads the jobs of a page. One for each server process."""

    def __init__(self, job_store: JobStore) -> None:
        self._job_store = job_store
        self._one_at_a_time = asyncio.Lock()

    async def find(self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The places of the next jobs behind `after` that fit, `limit` at most.

        WHY one search at a time: each call holds Redis for some milliseconds. Many searches at once would not be
        faster, and a POST would wait behind several calls instead of one.
        """
        until_s = time.monotonic() + SEARCH_S
        page = await self._job_store.page(queues, wanted, after, limit)
        while page.end and len(page.jobs) < wanted.enough(limit) and time.monotonic() < until_s:
            async with self._one_at_a_time:
                left = limit - len(page.jobs)
                page = page.followed_by(await self._job_store.page(queues, wanted, page.end, left))
        return page

    async def read(self, page: ListingPart, wanted: Wanted) -> tuple[list[JobRecord], Cursor | None]:
        """The jobs at a page's places that still fit, and the place behind which the next page begins.

        The page ends early with the job that takes it over PAGE_BYTES.
        """
        records: list[JobRecord] = []
        page_bytes = 0
        async for place, record in self._records(page.jobs):
            if record is not None and wanted.fits(record):
                records.append(record)
                page_bytes += record.size_bytes
                if page_bytes > PAGE_BYTES:
                    return records, place
        return records, page.end

    async def _records(self, places: list[Cursor]) -> AsyncIterator[tuple[Cursor, JobRecord | None]]:
        """Each place with its job, None for a job that is gone.

        The jobs are read in slices of about SLICE_BYTES, by the mean size of the slice before: fifty jobs of a
        megabyte must not come in one reply."""
        at, slice_size = 0, FIRST_SLICE
        while at < len(places):
            some = places[at : at + slice_size]
            read = await self._job_store.read_many([place.job_id for place in some])
            records = {record.job_id: record for record in read}
            for place in some:
                yield place, records.get(place.job_id)
            at += len(some)
            mean_bytes = max(1, sum(record.size_bytes for record in records.values()) // len(some))
            slice_size = max(1, min(200, SLICE_BYTES // mean_bytes))
