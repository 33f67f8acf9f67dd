"""A page of GET /api/jobs: its jobs as they are shown, where the pages before and behind it lie, how far the list is.

    page = await pages.read(["email"], wanted, PagePlace(…) or None, "newest", limit=50, show=job_text)
    page.items                   ['{"id":"email-0192…",…}', …]
    page.next, page.back         where the next page begins, and where the one before it ends; None where there is none
    page.looked_at, page.of      40000 of 1000000

A page is looked for until one job fits, or all of a request's, or SEARCH_S are over.

What a page of `q` shows, and where it ends, depends on the jobs as they are shown alone. So page.lua looks through as
many jobs, whatever it finds in them; one of whose texts the hidden part alone fits counts as a job that does not fit;
and the search ends when SOUGHT_IN jobs are looked through, and not when a time is over, for to read a job takes time.
"""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from lib.api.cursor import PagePlace
from lib.api.job_search import PAGE_BYTES, SEARCH_S, JobSearch
from lib.jobs.job import JobRecord
from lib.queue.job_store import JobStore
from lib.queue.listing import MOST_LOOKED_AT, Cursor, ListingPart, ListWalk, Order, Wanted
from lib.queue.unreadable import Unreadable

SOUGHT_IN = 20_000
FEW_QUEUES = 50
"""The first jobs of a list of so many queues are looked for at once, those of more in turn, as a search goes on."""
READ_BYTES = 32 << 20
"""A page of summaries, each a few hundred bytes, ends with the job that takes what was read of jobs over this."""


class Page(NamedTuple):
    """items: the jobs, as `show` gives them, in the order of the list."""

    items: list[str]
    order: Order
    next: PagePlace | None
    back: PagePlace | None
    looked_at: int
    of: int
    unreadable: tuple[Unreadable, ...]


class OrderUnknownError(Exception):
    """A queue has so many groups or running jobs that its jobs can't be told in this order."""


class _Found:
    """What a page has so far. limit: how many jobs it may have."""

    def __init__(self, wanted: Wanted, limit: int, show: Callable[[JobRecord], str]) -> None:
        self._wanted = wanted
        self._limit = limit
        self._show = show
        self._shown_bytes = self._read_bytes = 0
        self._last: Cursor | None = None
        self.items: list[str] = []
        self.is_full = False

    def add(self, place: Cursor, record: JobRecord | None) -> bool:
        """Takes in a job that still fits. Returns False where the page ends before this one."""
        if record is None or not self._wanted.fits(record):
            return True
        if len(self.items) == self._limit or self._shown_bytes > PAGE_BYTES or self._read_bytes > READ_BYTES:
            self.is_full = True
            return False
        self.items.append(self._show(record))
        self._last = place
        self._shown_bytes += len(self.items[-1])
        self._read_bytes += record.size_bytes
        return True

    def end(self, part: ListingPart) -> Cursor | None:
        """The place behind which the list goes on."""
        return self._last if self.is_full else part.end


class JobPages:
    """Reads pages. One for each server process."""

    def __init__(
        self,
        job_store: JobStore,
        search: JobSearch,
        clock: Callable[[], float] = time.monotonic,
        sought_in: int = SOUGHT_IN,
    ) -> None:
        self._sought_in = sought_in
        self._job_store = job_store
        self._search = search
        self._clock = clock

    async def read(
        self,
        queues: list[str],
        wanted: Wanted,
        place: PagePlace | None,
        order: Order,
        limit: int,
        show: Callable[[JobRecord], str],
    ) -> Page:
        """The page at `place`, or the first one in `order`. Raises OrderUnknownError."""
        walk = place.walk if place else ListWalk(order)
        found = _Found(wanted, limit, show)
        end = place.cursor if place else None
        listing = self._job_store.listing(queues, wanted, end, walk)
        is_enough = self._enough(wanted, walk.order, limit)
        # Of a text that is sought, page.lua finds jobs that do not show it: none of them may take another's place.
        most = limit if wanted.sought is None else MOST_LOOKED_AT * max(1, len(queues))
        looked_through, first, part = 0, None, None
        while part is None or (end and not is_enough(len(found.items), looked_through)):
            # WHY not at once of many queues: each is asked by calls of its own, and a POST would wait behind those of
            # all readers.
            is_at_once = part is None and len(queues) <= FEW_QUEUES
            async with contextlib.nullcontext() if is_at_once else self._search.one_at_a_time:
                part = await listing.next_part(most - len(found.items))
            if not part.is_order_known:
                raise OrderUnknownError
            looked_through += part.seen
            first = first or part
            async for job_place, record in self._search.records(part.jobs):
                if not found.add(job_place, record):
                    break
            end = found.end(part)
            if found.is_full:
                break
        looked_at = _looked_at(walk, first or part, part, is_over=end is None)
        on = PagePlace(end, walk.order, "before" if walk.is_back else "behind") if end else None
        came_from = place.opposite if place else None
        behind, before = (came_from, on) if walk.is_back else (on, came_from)
        items = found.items[::-1] if walk.is_back else found.items
        return Page(items, walk.order, behind, before, looked_at, part.of, part.unreadable)

    def _enough(self, wanted: Wanted, order: Order, limit: int) -> Callable[[int, int], bool]:
        """Whether the search ends with so many jobs that fit, when so many were looked through."""
        enough, until_s = wanted.enough(limit, order), self._clock() + SEARCH_S

        def is_enough(fitting: int, looked_through: int) -> bool:
            if wanted.sought is not None:
                return fitting >= enough or looked_through >= self._sought_in
            return fitting >= enough or self._clock() >= until_s

        return is_enough


def _looked_at(walk: ListWalk, first: ListingPart, last: ListingPart, *, is_over: bool) -> int:
    """How many jobs of the list stand before the end of the page, or are on it."""
    if walk.is_back:
        return max(0, first.of - first.before)
    return last.of if is_over else min(last.of, last.before + last.seen)
