"""The jobs of a batch of a bulk change, or of a request: found in Redis' indexes, then read. (A page of GET /api/jobs:
job_pages.py.)

Redis looks through some hundred jobs a call (some thousand for a request's jobs, which it knows by their ids), and
answers with the places of those that fit: an id and its score in the list. A search goes on, call after call, until the
page has enough jobs or SEARCH_S are over. Then the jobs themselves are read, and those that no longer fit are dropped.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

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
        """one_at_a_time: held for each part of a search but the first, and for that as well where it asks many queues.

        WHY one search at a time: the calls of a part that are sent together hold Redis for some milliseconds. Many
        searches at once would not be faster, and a POST would wait behind the calls of several instead of one."""
        self._job_store = job_store
        self.one_at_a_time = asyncio.Lock()

    async def find(
        self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int, search_s: float = SEARCH_S
    ) -> ListingPart:
        """The places of the next jobs behind `after` that fit, newest first, `limit` at most. It takes little over
        search_s."""

        listing = self._job_store.listing(queues, wanted, after)
        return await self._until(wanted.enough(limit), lambda _, most: listing.next_part(most), after, limit, search_s)

    async def find_oldest(self, queue: str, wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The same of one queue, oldest first, and until `limit` are found or SEARCH_S are over. Raises
        RedisKeysBroken."""

        async def ask(place: Cursor | None, most: int) -> ListingPart:
            return await self._job_store.page_of_oldest(queue, wanted, place, most)

        return await self._until(limit, ask, after, limit)

    async def _until(
        self,
        enough: int,
        ask: Callable[[Cursor | None, int], Awaitable[ListingPart]],
        after: Cursor | None,
        limit: int,
        search_s: float = SEARCH_S,
    ) -> ListingPart:
        until_s = time.monotonic() + search_s
        page = await ask(after, limit)
        while page.end and len(page.jobs) < enough and time.monotonic() < until_s:
            async with self.one_at_a_time:
                page = page.followed_by(await ask(page.end, limit - len(page.jobs)))
        return page

    async def read(self, page: ListingPart, wanted: Wanted) -> tuple[list[JobRecord], Cursor | None]:
        """The jobs at a page's places that still fit, and the place behind which the next page begins.

        The page ends early with the job that takes it over PAGE_BYTES.
        """
        records: list[JobRecord] = []
        page_bytes = 0
        async for place, record in self.records(page.jobs):
            if record is not None and wanted.fits(record):
                records.append(record)
                page_bytes += record.size_bytes
                if page_bytes > PAGE_BYTES:
                    return records, place
        return records, page.end

    async def records(self, places: list[Cursor]) -> AsyncIterator[tuple[Cursor, JobRecord | None]]:
        """Each place with its job, None for a job that is gone."""
        at = 0
        async for some in self.slices([place.job_id for place in places]):
            for record in some.values():
                yield places[at], record
                at += 1

    async def slices(self, job_ids: Sequence[str]) -> AsyncIterator[dict[str, JobRecord | None]]:
        """The jobs by id, None for a job that is gone, a few at a time: an id that comes twice is read once.

        A slice is of about SLICE_BYTES, by the mean size of the slice before: fifty jobs of a megabyte must not come in
        one reply."""
        ids = list(dict.fromkeys(job_ids))
        at, slice_size = 0, FIRST_SLICE
        while at < len(ids):
            some = ids[at : at + slice_size]
            records = {record.job_id: record for record in await self._job_store.read_many(some)}
            yield {job_id: records.get(job_id) for job_id in some}
            at += len(some)
            mean_bytes = max(1, sum(record.size_bytes for record in records.values()) // len(some))
            slice_size = max(1, min(200, SLICE_BYTES // mean_bytes))
