"""The queues whose list a search has gone through to its end. They are not asked again while the search goes on: of 500
queues mostly a few are long, and Redis looks at more of their jobs in a call if it looks through fewer queues.

    ended = EndedLists()
    part = await job_store.page(queues, wanted, None, 50, ended=ended)        asks all queues
    part = await job_store.page(queues, wanted, part.end, 50, ended=ended)    asks those that have more

What was found in such a queue behind the place at which a part ended is kept for the parts that follow. Whether a queue
has ended depends on how long its list is, and not on what stands in its jobs. Pure.
"""

from collections.abc import Sequence

from lib.queue.listing import Cursor, ListingPart, ListWalk


class EndedLists:
    """Those of one search. It lasts for one request, so that jobs which come meanwhile are found by the next one."""

    def __init__(self) -> None:
        self._parts: dict[str, ListingPart] = {}

    def left(self, queues: Sequence[str]) -> list[str]:
        """Those of `queues` that are to be asked."""
        return [queue for queue in queues if queue not in self._parts]

    def note(self, queue: str, part: ListingPart) -> None:
        """The queue's jobs from some place on."""
        if part.end is None and part.is_order_known:
            self._parts[queue] = part

    def parts_behind(self, after: Cursor | None, walk: ListWalk, *, is_sieved: bool) -> list[ListingPart]:
        """What the queues have behind a place. All their jobs count as looked at before; those of a list that is not
        sieved are counted with the part that shows them."""
        return [_rest(part, after, is_up=walk.is_up, is_sieved=is_sieved) for part in self._parts.values()]


def _rest(part: ListingPart, after: Cursor | None, *, is_up: bool, is_sieved: bool) -> ListingPart:
    jobs = [job for job in part.jobs if after is None or (job > after if is_up else job < after)]
    seen = 0 if is_sieved else len(jobs)
    return part._replace(jobs=jobs, before=part.of - seen, seen=seen)
