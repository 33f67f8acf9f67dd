"""GET /api/schedules: a page of the schedules, by name or the one that runs next first; those of a queue or an owner,
or with a part of a name.

A name and a queue stand in the index (schedule_store.py), so that they cost no look at a schedule. An owner does not:
up to MOST_LOOKED_AT schedules are looked at for a page, which may be empty then, and have a next_cursor.

By the next run, a cursor is the place of the page's last schedule, `1796002200417~daily-report`, and the next page has
what stands behind that place. So only a schedule whose next run moves meanwhile can be missing or come twice.
"""

import asyncio
import re

from lib.api.shown_schedule import present_day, present_schedule
from lib.errors import RedisKeysBroken
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs.schedule_request import SCHEDULE_NAME
from lib.json_text import to_json
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_store import ScheduleStore
from lib.web import query
from lib.web.json_answer import answer_text
from lib.web.router import Call

READ_AT_ONCE = 10
MOST_LOOKED_AT = 1000
PAGE_BYTES = 4 << 20
SORTS = ("name", "next")
_PLACE = re.compile(r"([0-9]{1,16})~(.+)")
_PART_OF_A_NAME = re.compile(r"[a-z0-9._-]{1,100}")


class SchedulePages:
    """The operation that lists schedules."""

    def __init__(self, schedules: ScheduleStore) -> None:
        self._schedules = schedules

    async def list_page(self, call: Call) -> Response:
        limit = query.whole(call.parameters, "limit", 1, 200, 50)
        sort = call.parameters.get("sort", "name")
        if sort not in SORTS:
            raise query.parameter_error("sort", "must be one of " + ", ".join(SORTS))
        after = _after(call.parameters.get("cursor", ""), sort)
        page = _Page(call.parameters.get("owner"), limit, has_day=query.flag(call.parameters, "day"))
        fitting = await self._fitting(call.parameters)
        due_ms = await self._schedules.due_ms(fitting) if sort == "next" else dict.fromkeys(fitting, 0)
        places = sorted((due_ms[name], name) for name in fitting)
        names = [place[1] for place in places if place > after]
        for at in range(0, min(len(names), MOST_LOOKED_AT), READ_AT_ONCE):
            if page.is_full:
                break
            some = names[at : at + READ_AT_ONCE]
            await page.add(some, *await self._read_all({name: fitting[name] for name in some}))
        if not names or page.last == names[-1]:
            return page.answer(None, len(fitting))
        return page.answer(page.last if sort == "name" else f"{due_ms[page.last]}~{page.last}", len(fitting))

    async def _fitting(self, parameters: dict[str, str]) -> dict[str, str]:
        """Name -> queue of the schedules whose name and queue fit, sorted by name."""
        queue, part = parameters.get("queue"), parameters.get("name", "")
        if queue is not None and not QUEUE_NAME.fullmatch(queue):
            raise query.parameter_error("queue", "is not a queue's name")
        if part and not _PART_OF_A_NAME.fullmatch(part):
            raise query.parameter_error("name", "must be a part of schedules' names: 1 to 100 of a-z, 0-9, . _ and -")
        index = await self._schedules.index()
        return {name: where for name, where in index.items() if part in name and queue in (None, where)}

    async def _read_all(self, places: dict[str, str]) -> tuple[dict[str, ScheduleSeen], list[str]]:
        """The schedules of these names, and a warning for each that can't be read. places: name -> queue."""
        found: dict[str, ScheduleSeen] = {}
        warnings = []
        for queue in sorted(set(places.values())):
            names = [name for name, where in places.items() if where == queue]
            try:
                _, some = await self._schedules.read_some(queue, names)
                found.update({seen.name: seen for seen in some})
            except RedisKeysBroken as fault:
                if len(names) == 1:
                    warnings.append(f"the schedule {names[0]} can't be read: {fault.detail}")
                    continue
                for name in names:
                    one, more = await self._read_all({name: queue})
                    found.update(one)
                    warnings += more
        return found, warnings


class _Page:
    """One page of the list, while it is filled."""

    def __init__(self, owner: str | None, limit: int, *, has_day: bool) -> None:
        self._owner = owner
        self._limit = limit
        self._has_day = has_day
        self._texts: list[str] = []
        self._days: list[str] = []
        self._warnings: list[str] = []
        self._bytes = 0
        self.last = ""
        """The name of the last schedule that was looked at."""

    @property
    def is_full(self) -> bool:
        return len(self._texts) >= self._limit or self._bytes > PAGE_BYTES

    async def add(self, names: list[str], found: dict[str, ScheduleSeen], warnings: list[str]) -> None:
        self._warnings += warnings
        for name in names:
            if self.is_full:
                return
            self.last = name
            seen = found.get(name)
            if seen is not None and self._owner in (None, seen.schedule.owner):
                self._take(seen)
                if self._has_day:
                    await asyncio.sleep(0)  # A day's runs of a single schedule take some ms; see below.
        await asyncio.sleep(0)  # To show ten schedules takes some ms; others have their turn between.

    def _take(self, seen: ScheduleSeen) -> None:
        self._texts.append(to_json(present_schedule(seen)))
        self._bytes += len(self._texts[-1])
        if self._has_day:
            self._days.append(to_json({"schedule": seen.name, "runs": present_day(seen)}))

    def answer(self, next_cursor: str | None, total: int) -> Response:
        """total: how many schedules the list has on all pages."""
        rest = to_json({"next_cursor": next_cursor, "total": total, "warnings": self._warnings})
        items, days = ",".join(self._texts), ",".join(self._days)
        return answer_text(200, f'{{"items":[{items}],"day":[{days}],{rest[1:]}')


def _after(cursor: str, sort: str) -> tuple[int, str]:
    """The place behind which the page begins: due time, or 0 in a list by name, and name. Raises InvalidFields."""
    if not cursor:
        return -1, ""
    place = _PLACE.fullmatch(cursor) if sort == "next" else None
    due_ms, name = (place[1], place[2]) if place else ("0", cursor if sort == "name" else "")
    if not SCHEDULE_NAME.fullmatch(name):
        raise query.parameter_error("cursor", "is not one that a page gave as next_cursor; of another sort it is none")
    return int(due_ms), name
