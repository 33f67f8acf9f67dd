"""A listing of jobs, a page at a time: which jobs it shows, and where a page ends. (How lists of several queues become
one: merged_list.py.)

page.lua picks the jobs that fit, and looks at so few in one call that no call takes long; only the picked jobs are
read. Its reply is a flat list: id and score (ms) of the job at which it stopped, or two empty strings at the end of the
list; how many jobs stand before the first one that it looked at, how many it looked at, and how many there are; then id
and score of each job that fits, in the order of the walk.

    ["", "", 0, 2, 2, "email-…2", "1764410000456", "email-…1", "1764410000123"]

Pure.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from lib.ids import ID_DIGITS, request_mark
from lib.jobs.job import JobRecord
from lib.jobs.sought import lua_text, shows
from lib.jobs.spec import early_in_spec
from lib.jobs.state import FINISHED
from lib.json_text import to_json
from lib.queue.framing import shown_text
from lib.queue.keys import INDEXED
from lib.queue.unreadable import Unreadable

MOST_LOOKED_AT = 800  # More hold Redis for over 10 ms on a slow machine.
MOST_SEARCHED = 500  # The whole spec of each job is gone through.
MOST_IDS = 5000
"""How many ids a call looks at where ids tell which jobs are wanted. It looks at more than the id of MOST_LOOKED_AT at
most."""
TIME_DIGITS = 12
"""The ms of a host's clock, with which the 32 digits of a job's id begin (lib/ids.py)."""
CLOCKS_APART_MS = 600_000
"""So far a host's clock may be ahead of Redis'."""
MOST_RECORD_BYTES = 4 << 20
MOST_SOUGHT_BYTES = 1 << 19
"""Of records whose whole text is gone through: 4 MiB hold Redis for 40 ms."""


_IN_SPEC = ("group", "schedule", "by", "workflow")
"""Fields of Wanted that stand in a job's spec under the same name."""


Order = Literal["next", "newest", "oldest", "started"]
ORDERS: Final[tuple[Order, ...]] = ("next", "newest", "oldest", "started")
"""next: what is to run first. newest, oldest: by the time at which a job ended, was blocked or, else, created. started:
the job that has run longest is first."""


class Cursor(NamedTuple):
    """A job's place in a listing: the next page begins behind it. Newest first, score and id fall; else they rise."""

    score: int
    job_id: str


class ListWalk(NamedTuple):
    """Which way a listing is gone through. is_back: against its order, from a place towards the first job.
    with_place: the job at that place is one of those to be found."""

    order: Order = "newest"
    is_back: bool = False
    with_place: bool = False

    @property
    def is_up(self) -> bool:
        """Whether scores rise on the way."""
        return (self.order == "newest") == self.is_back


NEWEST_FIRST: Final = ListWalk()


class ListingPart(NamedTuple):
    """Jobs in the order of the walk, and the place behind which it goes on: None for `end` means no more jobs.

    unreadable: queues that were left out, for their keys are broken.
    before, seen, of: how many jobs of the list stand before those that were looked at, how many were looked at, and how
    many there are.
    is_order_known: False, and no jobs, where a queue has too many groups or running jobs for this order to be told.
    """

    jobs: list[Cursor]
    end: Cursor | None
    unreadable: tuple[Unreadable, ...] = ()
    before: int = 0
    seen: int = 0
    of: int = 0
    is_order_known: bool = True

    def followed_by(self, other: "ListingPart") -> "ListingPart":
        """Both parts as one; `other` begins where this part ends."""
        unreadable = {one.queue: one for one in (*self.unreadable, *other.unreadable)}
        return other._replace(jobs=self.jobs + other.jobs, unreadable=tuple(unreadable.values()))


class Wanted(NamedTuple):
    """Which jobs a listing shows, or a change of many jobs is made to; None allows anything.

    error: the type of the error that is shown with the job, as "ValueError".
    by, workflow: the ids of the job that queued it, and of the workflow whose job it is.
    worker: the id of the runner that runs it, or ran its last attempt.
    after_ms, before_ms: from the one time on, and before the other one: when the job ended, for states of jobs that
    have ended; otherwise when the job was created.
    or_states: states beside `state` that are wanted as well.
    sought: a text that stands in the job as it is shown (lib/jobs/sought.py).
    digits: the first of the 32 digits of the job's id, TIME_DIGITS at least.
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
    worker: str | None = None
    or_states: tuple[str, ...] = ()
    sought: str | None = None
    digits: str | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """Every state that is wanted; none for any."""
        return () if self.state is None else (self.state, *self.or_states)

    @property
    def has_ended(self) -> bool:
        """Whether all jobs that are wanted have ended, so that their times are those of their ends."""
        return self.state is not None and FINISHED.issuperset(self.states)

    def fits(self, record: JobRecord) -> bool:
        """Asked of each job that was read, though page.lua picked it: page.lua compares texts, and jobs change."""
        if self == _ANY:
            return True  # As for most lists; each job of a page is asked.
        spec = record.spec
        return (
            (self.state is None or record.state in self.states)
            and (self.type_name is None or (spec is not None and spec.type == self.type_name))
            and (self.request_id is None or (spec is not None and spec.request_id == self.request_id))
            and (self.error is None or (record.error or {}).get("type") == self.error)
            and (self.schedule is None or (spec is not None and spec.schedule == self.schedule))
            and (self.by is None or (spec is not None and spec.by == self.by))
            and (self.workflow is None or (spec is not None and spec.workflow == self.workflow))
            and (self.group is None or (spec is not None and spec.group == self.group))
            and (self.tag is None or (spec is not None and self.tag in spec.tags))
            and (self.worker is None or _last_runner(record) == self.worker)
            and (self.digits is None or record.job_id[-ID_DIGITS:].startswith(self.digits))
            and self._is_in_time(record.finished_ms if self.has_ended else record.created_ms)
            and (self.sought is None or shows(record, self.sought))
        )

    def _is_in_time(self, ms: int | None) -> bool:
        if self.after_ms is None and self.before_ms is None:
            return True
        return ms is not None and (self.after_ms or 0) <= ms < (self.before_ms or math.inf)

    def enough(self, limit: int, order: Order = "newest") -> int:
        """How many jobs make a page worth an answer: all, where no job has to be looked into, and of those that ids
        tell of, which are few; else one is enough."""
        is_cheap = self.request_id is not None or self.digits is not None or not self.parts()[0].is_sieved(order)
        return limit if is_cheap else 1

    def parts(self) -> "list[Wanted]":
        """What is asked for one by one, because each of these states of ended jobs has its own index by time."""
        if not self.or_states or not self.has_ended:
            return [self]
        return [self._replace(state=state, or_states=()) for state in self.states]

    def sorted_by(self, order: Order) -> str:
        """What page.lua sorts the jobs by: its first argument."""
        if order == "started":
            return "started"
        if order == "next":
            return "ready" if self.states == ("ready",) else "delayed"
        if self.tag is not None:
            return f"tag:{self.tag}"
        # The index of delayed jobs has the times when they fall due, and not those at which they were created.
        is_own = not self.or_states and self.state in INDEXED and self.state != "delayed"
        return str(self.state) if is_own else "all"

    def most_looked_at(self, order: Order) -> int:
        """How many jobs a call looks at, at the most; where ids tell which are wanted, at the ids of so many."""
        has_ids = self.request_id is not None or self.digits is not None
        # To sort ready jobs, Redis looks at more than the ids.
        return MOST_IDS if has_ids and self.sorted_by(order) != "ready" else self._most_looked_into

    @property
    def _most_looked_into(self) -> int:
        return MOST_LOOKED_AT if self.sought is None else MOST_SEARCHED

    def arguments(
        self, after: Cursor | None, limit: int, walk: ListWalk = NEWEST_FIRST, most: int | None = None
    ) -> tuple[str | int, ...]:
        """The arguments of page.lua. most: how many jobs the call looks at; as many as it may, or, of jobs that are all
        wanted, `limit`, if this is None."""
        score, job_id = after or ("", "")
        by = self.sorted_by(walk.order)
        states = "" if self.states == (by,) else ",".join(self.states)
        bounds = ["" if ms is None else ms for ms in (self._begin_ms, self.before_ms)]
        error_begin = "" if self.error is None else f'{{"type":{to_json(self.error)}'
        sought = "" if self.sought is None else lua_text(self.sought)
        most_bytes = MOST_RECORD_BYTES if self.sought is None else MOST_SOUGHT_BYTES
        mark = "" if self.request_id is None else request_mark(self.request_id)
        most_seen, most_into = most or self.most_looked_at(walk.order), self._most_looked_into
        if not self.is_sieved(walk.order):
            most_seen = most_into = min(limit, most or limit)
        most_into = min(most_seen, most_into)
        return (
            *(by, score, job_id, limit, most_seen, most_into, most_bytes, states),
            *("up" if walk.is_up else "", self._times, *bounds, error_begin, mark),
            *("1" if walk.with_place else "", states if by in ("all", "started") else "", self.worker or "", sought),
            self.digits or "",
            *self._early_texts(by),
        )

    def is_sieved(self, order: Order) -> bool:
        """Whether page.lua must look into the jobs that it walks over, to tell which of them are wanted."""
        if self == _ANY:
            return False
        by = self.sorted_by(order)
        is_bounded = self.after_ms is not None or self.before_ms is not None
        return (
            self.states not in ((), (by,))
            or (is_bounded and self._times != by)
            or any(one is not None for one in (self.error, self.worker, self.sought, self.digits))
            or bool(self._early_texts(by))
        )

    @property
    def _begin_ms(self) -> int | None:
        """The first ms that is wanted.

        WHY no last one by the digits: an id that is derived of another job's id (`once`, graphs) has that one's time,
        and may be hours older than its job."""
        if self.digits is None:
            return self.after_ms
        return max(self.after_ms or 0, int(self.digits[:TIME_DIGITS], 16) - CLOCKS_APART_MS)

    @property
    def _times(self) -> str:
        """The index whose scores are the times that after_ms and before_ms are about."""
        return self.state if self.state is not None and self.has_ended and not self.or_states else "all"

    def _early_texts(self, by: str) -> list[str]:
        """Texts in the first 2 KB of the spec of every job that is wanted."""
        texts = early_in_spec(self.type_name, self.request_id)
        for name in _IN_SPEC:
            if (value := getattr(self, name)) is not None:
                texts.append(f'"{name}":{to_json(value)}')
        if self.tag is not None and by != f"tag:{self.tag}":
            texts.append(to_json(self.tag))
        return texts


_ANY: Final = Wanted()


def _last_runner(record: JobRecord) -> str | None:
    return record.runner_id or (record.history[-1].runner_id if record.history else None)


def page_from(reply: Sequence[Any]) -> ListingPart:
    """page.lua's reply for one queue. Raises ValueError for scores that are no numbers."""
    if len(reply) == 1:
        return ListingPart([], None, is_order_known=False)
    last_id, last_ms, before, seen, of, *found = reply
    jobs = [_place(job_id, ms) for job_id, ms in zip(found[::2], found[1::2], strict=True)]
    return ListingPart(jobs, _place(last_id, last_ms) if last_id else None, (), before, seen, of)


def _place(job_id: bytes, ms: bytes) -> Cursor:
    return Cursor(int(float(ms)), shown_text(job_id))
