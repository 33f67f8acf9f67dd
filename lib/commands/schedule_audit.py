"""Is each schedule where its queue, its slots and the index say that it is? A part of audit.py. Changes nothing.

A schedule is the hash `schedule:<name>` of its queue; it has a place in the queue's `slots`, by which it fires, and an
entry in `wb:schedules`, by which the API finds it. A finding:

    reports: the schedule daily has no place in slots and never fires; pause it and resume it
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from lib.errors import RedisKeysBroken
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink


async def faults_of_schedules(link: RedisLink, keys: RedisKeys, queues: Iterable[str]) -> list[str]:
    """A sentence for each schedule that looked wrong twice in the same way: schedules change while they are read."""
    store = ScheduleStore(link, keys)
    try:
        first = await _scan(link, keys, store, queues)
        second = await _scan(link, keys, store, queues) if first else []
    except RedisKeysBroken as fault:
        return [fault.detail]
    return [fault for fault in second if fault in first]


async def _scan(link: RedisLink, keys: RedisKeys, store: ScheduleStore, queues: Iterable[str]) -> list[str]:
    index = await store.index()
    found: list[str] = []
    for queue in sorted({*index.values(), *queues}):
        with contextlib.suppress(RedisKeysBroken):  # Of slots; audit.py says so.
            placed = [shown_text(name) for name in await link.call("ZRANGE", keys.base(queue) + "slots", 0, -1)]
            names = sorted({*placed, *[name for name, where in index.items() if where == queue]})
            known = await _known(store, queue, names, found)
            found += [f"{queue}: the schedule {text}" for text in _faults(names, known, {*placed}, index, queue)]
    return found


async def _known(store: ScheduleStore, queue: str, names: list[str], found: list[str]) -> set[str]:
    """Those of the names that are schedules of the queue. What can't be read is added to `found`, and counts as one."""
    known = set()
    for name in names:
        try:
            _, seen = await store.read_some(queue, [name])
        except RedisKeysBroken as fault:
            found.append(f"{queue}: the schedule {name} can't be read: {fault.detail}; delete it, and PUT it anew")
            known.add(name)
        else:
            known.update(one.name for one in seen)
    return known


def _faults(names: list[str], known: set[str], placed: set[str], index: Mapping[str, str], queue: str) -> Iterator[str]:
    for name in names:
        if name not in known:
            where = "slots" if name in placed else "wb:schedules"
            yield f"{name} stands in {where} and is gone; PUT it again, or leave it: it does nothing"
        elif name not in placed:
            yield f"{name} has no place in slots and never fires; pause it and resume it"
        elif index.get(name) != queue:
            yield f"{name} is not in wb:schedules, so that the API does not find it; its next run enters it again"
