"""The jobs of many queues as one list, gone through part by part: each queue's jobs are looked at once on the way.

    jobs = MergedList(ask, ["email", "media"], Wanted("dead", error="Timeout"), None, NEWEST_FIRST)
    part = await jobs.next_part(50)      # ListingPart([Cursor(1764410000456, "email-…2"), …], end=Cursor(…), …)
    part = await jobs.next_part(48)      # what stands behind that `end`; its own `end` is None at the end of the list

`ask` looks at some jobs of one queue. A part has the jobs up to the front, the first place at which a queue was left:
that queue may have jobs behind it that come before the others'. What the others were found to have behind the front is
kept for the next part, and until the front has come there they are not asked again.

    email    9 8 7|                      the front is at 7; email is asked on
    media    9 - - 6 - - - 3|            6 and 3 are kept

Knows how lists are joined, and nothing of Redis.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence

from lib.queue.listing import Cursor, ListingPart, ListWalk, Wanted
from lib.queue.unreadable import Unreadable, each_readable

Ask = Callable[[str, Wanted, Cursor | None, int, ListWalk, int], Awaitable[ListingPart]]
"""ask(queue, wanted, after, limit, walk, most): the next jobs of a queue, of which `most` are looked at."""

FEWEST_LISTED, FEWEST_LOOKED_AT = 2, 20
"""So many jobs of each queue are asked for at first: where all are wanted, and where they are to be looked into."""
AT_FIRST = 10_000
"""Of more than 500 queues fewer are looked at, in this number, so that the first ones do not use up a search."""
CALLS_A_PART = 40
"""A part asks one queue for all that a call may look at, or so many queues for a share each."""


class _Lane:
    """How far one queue was looked at; or its jobs of one state, where each state has an index of its own.

    jobs: found, and not yet given. end: None where the queue has no more. before: how many stand before the first one
    that was looked at."""

    def __init__(self, queue: str, wanted: Wanted, after: Cursor | None, walk: ListWalk) -> None:
        self.queue = queue
        self.wanted = wanted
        self.walk = walk
        self.end = after
        self.jobs: list[Cursor] = []
        self.before: int | None = None
        self.seen = self.of = 0

    def most(self, share: int) -> int:
        """How many jobs the queue is asked to look at next. As many as it has looked at already, so that the queue that
        has all the jobs needs few calls, and of many queues each is at most as far ahead as it has come."""
        return max(share, self.seen)

    def take(self, part: ListingPart) -> None:
        if self.before is None:
            self.before, self.walk = part.before, self.walk._replace(with_place=False)
        self.jobs += part.jobs
        self.end, self.of = part.end, part.of
        self.seen += part.seen

    def give(self, front: Cursor | None) -> list[Cursor]:
        """Its jobs up to the front, which are no longer kept."""
        is_up = self.walk.is_up
        given = [job for job in self.jobs if front is None or (job <= front if is_up else job >= front)]
        del self.jobs[: len(given)]
        return given


class MergedList:
    """One walk through the list, for one request: what it keeps is as old as the request."""

    def __init__(self, ask: Ask, queues: Sequence[str], wanted: Wanted, after: Cursor | None, walk: ListWalk) -> None:
        self._ask = ask
        self._is_up = walk.is_up
        parts = wanted.parts()
        self._is_sieved = parts[0].is_sieved(walk.order)
        self._most = parts[0].most_looked_at(walk.order)
        self._lanes = [_Lane(queue, part, after, walk) for queue in queues for part in parts]
        self._share = max(FEWEST_LOOKED_AT, self._most // CALLS_A_PART)
        self._reach: Cursor | None = None
        self._found: list[Cursor] = []
        self._seen = self._given = 0
        self._unreadable: dict[str, Unreadable] = {}
        self._is_begun = False
        self._is_order_known = True

    async def next_part(self, limit: int) -> ListingPart:
        """The next jobs, `limit` at most; fewer, or none, with more behind them, where few are found.

        A queue whose keys are broken is left out, and named in `unreadable`. Raises RedisUnavailable."""
        seen, asked, lanes = self._seen, 0, len(self._lanes)
        # WHY more of many queues: with each request all of them are asked anew.
        enough = self._most * max(1.0, lanes / (2 * CALLS_A_PART))
        if not self._is_begun:
            self._is_begun = True
            asked = await self._look(self._lanes, self._first_share(), limit)
            asked = asked if lanes <= CALLS_A_PART else 0
        while asked < enough and len(self._found) < limit and (to_ask := self._to_be_asked()):
            asked += await self._look(to_ask, self._share, limit)
            if len(to_ask) == 1:
                self._reach = to_ask[0].end or self._reach
        return self._part(limit, seen)

    def _first_share(self) -> int:
        lanes = max(1, len(self._lanes))
        fewest = min(FEWEST_LOOKED_AT, AT_FIRST // lanes) if self._is_sieved else FEWEST_LISTED
        return max(FEWEST_LISTED, fewest, self._most // lanes)

    async def _look(self, lanes: Sequence[_Lane], share: int, limit: int) -> int:
        """Ask these queues on. Returns how many jobs they were asked to look at.

        WHY that number, and not how many there were: a part must end, even of queues whose lists hold nothing but jobs
        that were cancelled."""
        by_queue: dict[str, list[_Lane]] = {}
        for lane in lanes:
            by_queue.setdefault(lane.queue, []).append(lane)
        asked = 0

        async def ask(queue: str) -> None:
            nonlocal asked
            for lane in by_queue[queue]:
                most = min(self._most, lane.most(share))
                asked += most
                part = await self._ask(queue, lane.wanted, lane.end, limit, lane.walk, most)
                self._is_order_known &= part.is_order_known
                self._seen += part.seen
                lane.take(part)

        answers = await each_readable(list(by_queue), ask)
        broken = {answer.queue: answer for answer in answers if isinstance(answer, Unreadable)}
        if broken:
            self._unreadable |= broken
            self._lanes = [lane for lane in self._lanes if lane.queue not in broken]
        self._move_front()
        return asked

    def _to_be_asked(self) -> list[_Lane]:
        """The queue at the front alone; or those behind which the queue that was asked alone last has been looked at.

        Those are asked together, for each has to be asked before the front gets that far. So queues whose jobs lie
        mixed are asked many at once, and queues whose jobs are of different times one by one, each in its turn."""
        ends = [(lane.end, at, lane) for at, lane in enumerate(self._lanes) if lane.end]
        in_order = sorted(ends, reverse=not self._is_up)
        chosen: list[_Lane] = []
        room = self._most
        for end, _, lane in in_order:
            room -= lane.most(self._share)
            is_passed = self._reach and (end < self._reach if self._is_up else end > self._reach)
            if not is_passed or room < 0:
                break
            chosen.append(lane)
        return chosen or [lane for _, _, lane in in_order[:1]]

    def _front(self) -> Cursor | None:
        ends = [lane.end for lane in self._lanes if lane.end]
        return (min if self._is_up else max)(ends, default=None)

    def _move_front(self) -> None:
        front = self._front()
        found = itertools.chain.from_iterable([lane.give(front) for lane in self._lanes if lane.jobs])
        self._found += sorted(found, reverse=not self._is_up)

    def _part(self, limit: int, seen_before: int) -> ListingPart:
        unreadable = tuple(self._unreadable.values())
        if not self._is_order_known:
            return ListingPart([], None, unreadable, is_order_known=False)
        jobs = self._found[:limit]
        del self._found[:limit]
        before, seen = seen_before, self._seen - seen_before
        if not self._is_sieved:  # Each job that was looked at is one of the list: those behind the part count later.
            before, seen = self._given, len(jobs)
        self._given += len(jobs)
        return ListingPart(
            jobs,
            jobs[-1] if self._found else self._front(),
            unreadable,
            sum([lane.before or 0 for lane in self._lanes]) + before,
            seen,
            of=sum([lane.of for lane in self._lanes]),
        )
