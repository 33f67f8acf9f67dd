"""A listing of jobs, a page at a time: which jobs it shows, where a page ends, how pages of several queues are merged.

page.lua picks the jobs that fit, and looks at so few in one call that no call takes long; only the picked jobs are
read. Its reply is a flat list: id and score (ms) of the job at which it stopped, or two empty strings at the end of the
index; then id and score of each job that fits, newest first.

    ["", "", "email-…2", "1764410000456", "email-…1", "1764410000123"]

Pure.
"""

import heapq
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from lib.ids import request_mark
from lib.jobs.job import JobRecord
from lib.jobs.spec import early_in_spec
from lib.jobs.state import FINISHED
from lib.json_text import to_json
from lib.queue.framing import shown_text
from lib.queue.keys import INDEXED
from lib.queue.unreadable import Unreadable

MOST_LOOKED_AT = 800  # More hold Redis for over 10 ms on a slow machine.
FEWEST_LOOKED_AT = 20
MOST_IDS = 5000
"""How many ids a call looks at for the jobs of a request. It looks at more than the id of MOST_LOOKED_AT at most."""
MOST_RECORD_BYTES = 4 << 20


_IN_SPEC = ("group", "schedule", "by", "workflow")
"""Fields of Wanted that stand in a job's spec under the same name."""


class Cursor(NamedTuple):
    """A job's place in a listing: the next page begins behind it. Newest first, so score and id fall."""

    score: int
    job_id: str


class ListingPart(NamedTuple):
    """Jobs in their order, and the place behind which the listing goes on: None for `end` means no more jobs.

    unreadable: queues that were left out, for their keys are broken.
    """

    jobs: list[Cursor]
    end: Cursor | None
    unreadable: tuple[Unreadable, ...] = ()

    def followed_by(self, other: "ListingPart") -> "ListingPart":
        """Both parts as one; `other` begins where this part ends."""
        unreadable = {one.queue: one for one in (*self.unreadable, *other.unreadable)}
        return ListingPart(self.jobs + other.jobs, other.end, tuple(unreadable.values()))


class Wanted(NamedTuple):
    """Which jobs a listing shows, or a change of many jobs is made to; None allows anything.

    error: the type of the error that is shown with the job, as "ValueError".
    by, workflow: the ids of the job that queued it, and of the workflow whose job it is.
    after_ms, before_ms: from the one time on, and before the other one: when the job ended, for a `state` of jobs that
    have ended; otherwise when the job was created.
    """

    state: str | None = None
    type_name: str | None = None
    request_id: str | None = None
    tag: str | None = None
    group: str | None = None
    error: str | None = None
    after_ms: int | None = None
    before_ms: int | None = None
    schedule: str | None = None
    by: str | None = None
    workflow: str | None = None

    def fits(self, record: JobRecord) -> bool:
        """Asked of each job that was read, though page.lua picked it: page.lua compares texts, and jobs change."""
        spec = record.spec
        return (
            self.state in (None, record.state)
            and (self.type_name is None or (spec is not None and spec.type == self.type_name))
            and (self.request_id is None or (spec is not None and spec.request_id == self.request_id))
            and (self.error is None or (record.error or {}).get("type") == self.error)
            and (self.schedule is None or (spec is not None and spec.schedule == self.schedule))
            and (self.by is None or (spec is not None and spec.by == self.by))
            and (self.workflow is None or (spec is not None and spec.workflow == self.workflow))
            and (self.group is None or (spec is not None and spec.group == self.group))
            and (self.tag is None or (spec is not None and self.tag in spec.tags))
            and self._is_in_time(record.finished_ms if self.state in FINISHED else record.created_ms)
        )

    def _is_in_time(self, ms: int | None) -> bool:
        if self.after_ms is None and self.before_ms is None:
            return True
        return ms is not None and (self.after_ms or 0) <= ms < (self.before_ms or math.inf)

    def enough(self, limit: int) -> int:
        """How many jobs make a page worth an answer: all of a request's jobs, which are few; else one is enough."""
        return limit if self.request_id is not None else 1

    def arguments(
        self, after: Cursor | None, limit: int, queues: int, *, oldest_first: bool = False
    ) -> tuple[str | int, ...]:
        """The arguments of page.lua, for a listing of `queues` queues: with more queues a call checks fewer jobs."""
        score, job_id = after or ("", "")
        walked = f"tag:{self.tag}" if self.tag is not None else self.state if self.state in INDEXED else "all"
        state = "" if walked == self.state else self.state or ""
        times = self.state if self.state in FINISHED else "all"
        bounds = ["" if ms is None else ms for ms in (self.after_ms, self.before_ms)]
        error_begin = "" if self.error is None else f'{{"type":{to_json(self.error)}'
        texts = early_in_spec(self.type_name, self.request_id)
        for name in _IN_SPEC:
            if (value := getattr(self, name)) is not None:
                texts.append(f'"{name}":{to_json(value)}')
        is_sieved = bool(state or texts or error_begin or (times != walked and bounds != ["", ""]))
        most_into = max(FEWEST_LOOKED_AT, MOST_LOOKED_AT // max(1, queues)) if is_sieved else limit
        most_seen = most_into if self.request_id is None else max(FEWEST_LOOKED_AT, MOST_IDS // max(1, queues))
        mark = "" if self.request_id is None else request_mark(self.request_id)
        order = "oldest" if oldest_first else ""
        return (
            *(walked or "", score, job_id, limit, most_seen, most_into, MOST_RECORD_BYTES, state),
            *(order, times or "", *bounds, error_begin, mark, *texts),
        )


def page_from(reply: Sequence[Any]) -> ListingPart:
    """page.lua's reply for one queue. Raises ValueError for scores that are no numbers."""
    found = zip(reply[::2], reply[1::2], strict=True)
    places = [Cursor(int(float(ms)), shown_text(job_id)) for job_id, ms in found if job_id]
    return ListingPart(places[1:], places[0]) if reply[0] else ListingPart(places, None)


def merged(pages: Sequence[ListingPart], limit: int) -> ListingPart:
    """The pages of several queues as one page of up to `limit` jobs.

    The page ends at the newest place at which one of `pages` stopped: the queue of that page may have jobs behind the
    place that are newer than jobs of the other queues.
    """
    end = max((page.end for page in pages if page.end), default=None)
    jobs = [job for job in heapq.merge(*[page.jobs for page in pages], reverse=True) if not end or job >= end]
    return ListingPart(jobs[:limit], jobs[limit - 1] if len(jobs) > limit else end)
