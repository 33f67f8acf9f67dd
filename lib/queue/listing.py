"""A listing, a page at a time: what is looked for, where a page ends, and how the pages of several queues become one.

Redis itself looks which jobs fit, and at so many at a time that no call takes long; only those are read. Pure, but for
the names that lua/page.lua is called with.
"""

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

from lib.jobs.job import JobRecord
from lib.jobs.spec import early_in_spec
from lib.queue.keys import INDEXED
from lib.queue.queue_store import Unreadable

MOST_LOOKED_AT = 800  # More hold Redis for over 10 ms on a slow machine.
FEWEST_LOOKED_AT = 20
MOST_SPEC_BYTES = 4 << 20


class Cursor(NamedTuple):
    """Where a listing stopped: the next page begins behind it. Newest first, so both fall."""

    score: int
    job_id: str


class ListingPart(NamedTuple):
    """Jobs in their order, and where to go on; `end` is None where there are no more. unreadable: what was left out."""

    places: list[Cursor]
    end: Cursor | None
    unreadable: tuple[Unreadable, ...] = ()

    def followed_by(self, other: "ListingPart") -> "ListingPart":
        """Both as one; the other begins where this one ends."""
        unreadable = {one.queue: one for one in (*self.unreadable, *other.unreadable)}
        return ListingPart(self.places + other.places, other.end, tuple(unreadable.values()))


class Wanted(NamedTuple):
    """What a listing shows; None is anything."""

    state: str | None = None
    type_name: str | None = None
    request_id: str | None = None

    def fits(self, record: JobRecord) -> bool:
        """Asked once more of each job that is read: it may have changed since Redis looked, which compared texts."""
        spec = record.spec
        return (
            self.state in (None, record.state)
            and (self.type_name is None or (spec is not None and spec.type == self.type_name))
            and (self.request_id is None or (spec is not None and spec.request_id == self.request_id))
        )

    def enough(self, limit: int) -> int:
        """With how many jobs a page is worth an answer. A request's are few, and who asks for them wants them all; of
        others, one tells that there are some."""
        return limit if self.request_id is not None else 1

    def arguments(self, after: Cursor | None, limit: int, queues: int) -> tuple[str | int, ...]:
        """For page.lua, in each of so many queues."""
        score, job_id = after or ("", "")
        index, state = (self.state, "") if self.state in INDEXED else ("all", self.state or "")
        texts = early_in_spec(self.type_name, self.request_id)
        is_sieved = bool(state or texts)
        most = max(FEWEST_LOOKED_AT, MOST_LOOKED_AT // max(1, queues)) if is_sieved else limit
        return index or "", score, job_id, limit, most, MOST_SPEC_BYTES, state, *texts


def page_from(reply: Sequence[Any]) -> ListingPart:
    """What page.lua says of one queue."""
    found = zip(reply[::2], reply[1::2], strict=True)
    places = [Cursor(int(float(ms)), raw.decode(errors="replace")) for raw, ms in found if raw]
    return ListingPart(places[1:], places[0]) if reply[0] else ListingPart(places, None)


def merged(pages: Sequence[ListingPart], limit: int) -> ListingPart:
    """One page of several queues. It ends where the first of them was left off: what comes there may be newer."""
    end = max((page.end for page in pages if page.end), default=None)
    places = [place for place in heapq.merge(*[page.places for page in pages], reverse=True) if not end or place >= end]
    return ListingPart(places[:limit], places[limit - 1] if len(places) > limit else end)
