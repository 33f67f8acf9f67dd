"""Schedules as the doctor reads them: is every one where it is looked for? A part of audit.py; nothing is changed.

A schedule has three places: its hash `wb:{reports}:schedule:daily-report`, which is the truth; a place in the queue's
`slots`, by which it fires; and an entry in `wb:schedules`, by which the API finds it. A finding:

    reports: the schedule daily-report has no place in slots, so that it never fires: PUT it again

A schedule that has lost both the latter is not found: Redis would have to be searched for its name.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lib.errors import RedisKeysBroken
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink

AT_ONCE = 100
SLOTS_AT_ONCE = 1000


async def find_schedule_faults(link: RedisLink, keys: RedisKeys, queues: Iterable[str]) -> list[str]:
    """A sentence for each schedule that is not in its places at two looks, in the same way: one may be written, deleted
    or fired while it is read. queues: those to look at, beside all that `wb:schedules` names."""
    try:
        first = await _look(link, keys, queues)
        second = await _look(link, keys, queues) if first else {}
    except RedisKeysBroken:
        return [f"{keys.schedules} holds no hash; it is to hold each schedule's queue: delete it, entries come back"]
    same = {where: fault for where, fault in second.items() if first.get(where) == fault}
    return [f"{queue}: the schedule {name} {fault}" for (queue, name), fault in same.items()]


class _Seen(NamedTuple):
    """Where one schedule stands. queue: in whose part of Redis. entered: the queue that `wb:schedules` names, or None.
    due_ms: as `slots` has it, None where it stands there not. slot: the field of its hash, None without a hash."""

    queue: str
    entered: str | None
    due_ms: float | None
    slot: str | None

    @property
    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if self.slot is None:
            if self.due_ms is None:
                return "is in wb:schedules and is gone: PUT it again, or take the entry out with HDEL"
            return "has a place in slots and is gone: PUT it again; without that, the place goes when it is due"
        if self.due_ms is None:
            return "has no place in slots, so that it never fires: PUT it again"
        if self.entered is None:
            return "is not in wb:schedules, so that the API finds it not: that is mended when it fires"
        if self.entered != self.queue:
            return f"is in wb:schedules as one of the queue {self.entered}: there are two of that name; delete one"
        if self.slot and not self.slot.lstrip("-").isdecimal():
            return f"has the slot {self.slot!r}, which is no time: delete it, and PUT it again"
        if bool(self.slot) != (self.due_ms < float("inf")):
            return f"has the slot {self.slot or 'none'}, and is due at {self.due_ms:.0f} ms: pause it, and resume it"
        return ""


async def _look(link: RedisLink, keys: RedisKeys, queues: Iterable[str]) -> dict[tuple[str, str], str]:
    """(queue, schedule) -> what is wrong with it at this moment."""
    store = ScheduleStore(link, keys)
    index = await store.index()
    entered = defaultdict[str, list[str]](list)
    for name, queue in index.items():
        entered[queue].append(name)
    found: dict[tuple[str, str], str] = {}
    for queue in sorted({*queues, *entered}):
        try:
            due = await _due(link, keys.base(queue) + "slots")
        except RedisKeysBroken:
            continue  # audit.py has named that key.
        for name, fault in (await _of_queue(store, link, keys, queue, index, due, entered[queue])).items():
            found[queue, name] = fault
    return found


async def _of_queue(
    store: ScheduleStore,
    link: RedisLink,
    keys: RedisKeys,
    queue: str,
    index: Mapping[str, str],
    due: Mapping[str, float],
    entered: Iterable[str],
) -> dict[str, str]:
    """Schedule -> what is wrong with it, of those that lie in the queue or should."""
    names = sorted({*due, *entered})
    found = {}
    for at in range(0, len(names), AT_ONCE):
        some = names[at : at + AT_ONCE]
        answers: list[Any] = await asyncio.gather(
            *[link.call("HGET", keys.schedule(queue, name), "slot") for name in some], return_exceptions=True
        )
        for name, answer in zip(some, answers, strict=True):
            if isinstance(answer, RedisKeysBroken):
                found[name] = (
                    f"can't fire: {keys.schedule(queue, name)} holds no hash; delete that key, and PUT it again"
                )
            elif isinstance(answer, BaseException):
                raise answer
            else:
                slot = None if answer is None else shown_text(answer)
                fault = _Seen(queue, index.get(name), due.get(name), slot).fault
                found[name] = fault or await _unreadable(store, queue, name)
    return {name: fault for name, fault in found.items() if fault}


async def _unreadable(store: ScheduleStore, queue: str, name: str) -> str:
    try:
        await store.read_some(queue, [name])
    except RedisKeysBroken as fault:
        return f"can't be read: {fault.detail}; delete it, and PUT it again"
    return ""


async def _due(link: RedisLink, slots: str) -> dict[str, float]:
    """Schedule -> the ms at which it is due; inf where it has no slot."""
    found: dict[str, float] = {}
    at = 0
    while flat := await link.call("ZRANGE", slots, at, at + SLOTS_AT_ONCE - 1, "WITHSCORES"):
        found.update({shown_text(name): float(ms) for name, ms in zip(flat[::2], flat[1::2], strict=True)})
        at += SLOTS_AT_ONCE
    return found
