"""What a search through several queues knows already. A part of the list ends where the first of the queues stopped;
what was found in the others behind that place is kept, and they are not asked again before the search has come there.

    known = KnownParts()
    part = await job_store.page(queues, wanted, None, 50, known=known)        asks all queues
    part = await job_store.page(queues, wanted, part.end, 50, known=known)    asks the one that stopped at part.end

Of 500 queues mostly a few are long, and Redis looks at more of their jobs in a call if it looks through fewer queues.
Where a queue stopped depends on how many jobs it has, and not on what stands in them. Pure.
"""

from collections.abc import Sequence

from lib.queue.listing import Cursor, ListingPart, ListWalk


class KnownParts:
    """Those of one search. It lasts for one request, so that jobs which come meanwhile are found by the next one."""

    def __init__(self) -> None:
        self._parts: dict[str, ListingPart] = {}

    def to_ask(self, queues: Sequence[str], after: Cursor | None, walk: ListWalk) -> list[str]:
        """Those of `queues` of which nothing is known behind the place `after`."""
        return [queue for queue in queues if not self._reaches_behind(queue, after, walk)]

    def note(self, queue: str, part: ListingPart) -> None:
        """What the queue has from some place on."""
        self._parts[queue] = part

    def behind(self, after: Cursor | None, walk: ListWalk, *, is_sieved: bool) -> list[ListingPart]:
        """What is known behind a place, of the queues that need not be asked. Their jobs count as looked at before;
        those of a list that is not sieved are counted with the part that shows them."""
        known = [part for queue, part in self._parts.items() if self._reaches_behind(queue, after, walk)]
        return [_rest(part, after, walk, is_sieved=is_sieved) for part in known]

    def _reaches_behind(self, queue: str, after: Cursor | None, walk: ListWalk) -> bool:
        part = self._parts.get(queue)
        if part is None or not part.is_order_known:
            return False
        return part.end is None or _is_behind(part.end, after, walk)


def _is_behind(place: Cursor, after: Cursor | None, walk: ListWalk) -> bool:
    return after is None or (place > after if walk.is_up else place < after)


def _rest(part: ListingPart, after: Cursor | None, walk: ListWalk, *, is_sieved: bool) -> ListingPart:
    jobs = [job for job in part.jobs if _is_behind(job, after, walk)]
    looked_at, seen = part.before + part.seen, 0 if is_sieved else len(jobs)
    return part._replace(jobs=jobs, before=looked_at - seen, seen=seen)
