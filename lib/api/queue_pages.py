"""GET /api/queues: a page of the queues, by name or the one with the worst trouble first, and of some names alone.

A page by name counts no more queues than it shows. A page by trouble needs the numbers of all, which recent_census.py
has; from one page to the next a queue may get better or worse, and be missing or come twice.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from lib.api.shown_queue import present_queue
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs.period_stats import LINE_MINUTES, lately_of
from lib.jobs.periods import MINUTE_MS
from lib.json_text import to_json
from lib.queue.census import Census
from lib.queue.queue_names import QUEUES_AT_ONCE, in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.queue_trouble import Place, place_of, trouble_of
from lib.queue.recent_census import RecentCensus
from lib.queue.stats_store import StatsStore
from lib.queue.unreadable import Unreadable
from lib.web import query
from lib.web.json_answer import answer_text
from lib.web.router import Call

MOST_ON_A_PAGE = 500
SORTS = ("name", "trouble")
_PART_OF_A_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_CURSOR = re.compile(r"([a-z]+) ([0-9]{1,2}) (-?[0-9]{1,15}) ([^ ]+) ([^ ]*)")


class _Asked(NamedTuple):
    """What a request asks for. part: the text that the names of the queues have in them; "" for all queues. after: the
    place of the last queue on the page before; None for the first page."""

    sort: str
    part: str
    limit: int
    after: Place | None


class _Page(NamedTuple):
    """total: how many queues have a fitting name, on all pages. end: the place behind which others stand; None where
    this is the last page."""

    items: Sequence[Census | Unreadable]
    total: int
    end: Place | None


class QueuePages:
    """The operation that lists queues."""

    def __init__(self, queues: QueueStore, recent: RecentCensus, stats: StatsStore) -> None:
        self._queues = queues
        self._recent = recent
        self._stats = stats

    async def list_page(self, call: Call) -> Response:
        asked = _asked(call.parameters)
        page = await (self._by_name(asked) if asked.sort == "name" else self._by_trouble(asked))
        texts, warnings = [], []
        for at, one in enumerate(page.items):
            if isinstance(one, Unreadable):
                warnings.append(one.warning)
            else:
                texts.append(to_json(present_queue(one)))
            if at % QUEUES_AT_ONCE == QUEUES_AT_ONCE - 1:
                await asyncio.sleep(0)  # Other requests get a turn: five hundred queues are 150 KB of text.
        names = [one.queue for one in page.items if not isinstance(one, Unreadable)]
        lately = await self._lately(names) if query.flag(call.parameters, "lately") else []
        rest = {"next_cursor": _cursor(asked, page.end), "total": page.total, "lately": lately, "warnings": warnings}
        return answer_text(200, f'{{"items":[{",".join(texts)}],{to_json(rest)[1:]}')

    async def _lately(self, names: list[str]) -> list[dict[str, Any]]:
        """What the queues have done in the last half hour. One whose numbers can't be read is left out."""
        shown = []
        for some in in_batches(names):
            for queue, found in zip(some, await self._stats.of_some(some, LINE_MINUTES * MINUTE_MS), strict=True):
                if not isinstance(found, Unreadable):
                    now_ms, periods = found
                    shown.append({"queue": queue, **lately_of(periods, now_ms)._asdict()})
        return shown

    async def _by_name(self, asked: _Asked) -> _Page:
        fitting = [name for name in await self._queues.names() if asked.part in name]
        left = [name for name in fitting if asked.after is None or name > asked.after.queue]
        names = left[: asked.limit]
        found = [one for some in in_batches(names) for one in await self._queues.census_of(some)]
        return _Page(found, len(fitting), Place(0, 0, names[-1]) if len(left) > len(names) else None)

    async def _by_trouble(self, asked: _Asked) -> _Page:
        """What can't be read stands before all that can."""
        fitting = [one for one in await self._recent.all() if asked.part in one.queue]
        placed = sorted(((_place(one), one) for one in fitting), key=lambda pair: pair[0])
        left = [pair for pair in placed if asked.after is None or pair[0] > asked.after]
        some = left[: asked.limit]
        end = some[-1][0] if len(left) > len(some) else None
        return _Page([one for _, one in some], len(fitting), end)


def _place(one: Census | Unreadable) -> Place:
    return Place(-1, 0, one.queue) if isinstance(one, Unreadable) else place_of(one.queue, trouble_of(one))


def _asked(found: dict[str, str]) -> _Asked:
    """Raises InvalidFields."""
    sort, part = found.get("sort", "name"), found.get("name", "")
    if sort not in SORTS:
        raise query.parameter_error("sort", "must be one of " + ", ".join(SORTS))
    if part and not _PART_OF_A_NAME.fullmatch(part):
        raise query.parameter_error("name", "must be a part of queues' names: 1 to 64 of a-z, 0-9, _ and -")
    limit = query.whole(found, "limit", 1, MOST_ON_A_PAGE, MOST_ON_A_PAGE)
    return _Asked(sort, part, limit, _after(found.get("cursor", ""), sort, part))


# A cursor is base64 of `trouble 2 -35 reports orders`: the sort, the last queue's place, and the part of names asked
# for.


def _cursor(asked: _Asked, end: Place | None) -> str | None:
    if end is None:
        return None
    text = f"{asked.sort} {end.rank + 1} {end.less} {end.queue} {asked.part}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _after(text: str, sort: str, part: str) -> Place | None:
    if not text:
        return None
    try:
        match = _CURSOR.fullmatch(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode())
    except (ValueError, binascii.Error):
        match = None
    if match is None or not QUEUE_NAME.fullmatch(match[4]):
        raise query.parameter_error("cursor", "is not one that a page gave as next_cursor")
    if (match[1], match[5]) != (sort, part):
        raise query.parameter_error(
            "cursor", "is of a list with another sort or name; begin that list anew, without a cursor"
        )
    return Place(int(match[2]) - 1, int(match[3]), match[4])
