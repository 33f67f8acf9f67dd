"""Is every job in exactly one place? Reads one Redis in bites, changes nothing, and says what is not as it must be.

For `python worker.py --doctor --check`. Jobs move while they are read, so what looks wrong is looked at once more, and
only what looks wrong in the same way again is reported.
"""

from collections.abc import AsyncIterator, Iterable

from lib.errors import KeysBroken
from lib.queue.client import Link
from lib.queue.keys import BELL, INDEXED, TYPES, Keys
from lib.queue.queues import Queues

BITE = 1000
LISTS = ("ready:high", "ready:normal", "ready:low", "suspects")
LEFT = {"h": "ready:high", "n": "ready:normal", "l": "ready:low", "s": "suspects"}  # lua/parts/stale_ids.lua
PROBES = {  # Not TYPE: the Redis user may not ask that (prod/redis.conf).
    "list": ("LLEN",),
    "zset": ("ZCARD",),
    "hash": ("HLEN",),
    "string": ("GET",),
    "stream": ("XRANGE", "-", "+", "COUNT", 1),
}


async def faults(link: Link, keys: Keys, known: Iterable[str] = ()) -> list[str]:
    """A sentence for each job that is not in the one place that its state has, for each id that is no job, and for each
    key that is of another type than it should be. known: queues to look at, whatever the set of names says."""
    found = []
    names = set(known)
    try:
        names.update(await Queues(link, keys).names())
    except KeysBroken:
        found.append(f"{keys.queues} holds no set; it is to hold the queues' names: delete it, they come back")
    for queue in sorted(names):
        broken = await _broken(link, keys, queue)
        found += broken
        try:
            found += await _misplaced(link, keys, queue)
        except KeysBroken as fault:
            if not broken:
                found.append(f"{queue}: {fault.detail}")
    return found


async def _broken(link: Link, keys: Keys, queue: str) -> list[str]:
    """A sentence for each of the queue's keys that is of another type than it should be."""
    found = []
    for name, kind in TYPES.items():
        command, *rest = PROBES[kind]
        try:
            await link.call(command, keys.base(queue) + name, *rest)
        except KeysBroken:
            found.append(f"{queue}: {keys.base(queue)}{name} holds no {kind}; mend it or delete it")
    return found


async def _misplaced(link: Link, keys: Keys, queue: str) -> list[str]:
    suspected = await _look(link, keys, queue)
    if not suspected:
        return []
    again = await _look(link, keys, queue)
    return [f"{queue}: {job_id} {fault}" for job_id, fault in again.items() if suspected.get(job_id) == fault]


async def _look(link: Link, keys: Keys, queue: str) -> dict[str, str]:
    """What looks wrong at this moment: id -> what."""
    base = keys.base(queue)
    places = await _places(link, base)
    faults = {}
    seen = set()
    async for job_id in _ids(link, "ZRANGE", base + "all"):
        seen.add(job_id)
        fault = await _fault_of(link, base, job_id, places.get(job_id, []))
        if fault:
            faults[job_id] = fault
    for job_id, where in places.items():
        if job_id not in seen and not await link.call("HEXISTS", base + "gone", job_id):
            faults[job_id] = f"is no job and stands in {', '.join(where)}"
    return faults


async def _fault_of(link: Link, base: str, job_id: str, places: list[str]) -> str:
    try:
        state, worker, listed = await link.call("HMGET", f"{base}job:{job_id}", "state", "worker", "listed")
    except KeysBroken:
        return f"is in `all`, and {base}job:{job_id} holds no hash"
    return _fault(state, worker, listed, places)


def _fault(state: bytes | None, worker: bytes | None, listed: bytes | None, places: list[str]) -> str:
    """What is wrong with one job; "" for nothing."""
    name = state.decode("utf-8", "replace") if state else ""
    if not name:
        return "is in `all` and has no record"
    owner = f"active:{worker.decode('utf-8', 'replace') if worker else ''}"
    rest = sorted(places, key=owner.__eq__)
    for letter in (listed or b"").decode("ascii", "replace"):
        # There its id stands and is not to be taken from; or a runner has popped it there.
        left = next((place for place in rest if place == LEFT.get(letter)), None)
        left = left or next((place for place in rest if letter == "n" and place.startswith("active:")), None)
        if left is None:
            return f"is left in {LEFT.get(letter, letter)} and does not stand there"
        rest.remove(left)
    if name == "ready":
        # Popped and not yet claimed, it is in a runner's list.
        is_right = len(rest) == 1 and rest[0] not in INDEXED
    elif name == "active":
        is_right = rest == [owner]
    else:
        is_right = rest == [name]
    return "" if is_right else f"is {name} and stands in {', '.join(rest) or 'no place'}"


async def _places(link: Link, base: str) -> dict[str, list[str]]:
    """id -> the lists and indexes that hold it."""
    places: dict[str, list[str]] = {}
    workers = [*await link.call("HKEYS", base + "workers"), *await link.call("ZRANGE", base + "graves", 0, -1)]
    lists = [*LISTS, *dict.fromkeys(f"active:{worker.decode('utf-8', 'replace')}" for worker in workers)]
    for name in lists:
        async for job_id in _ids(link, "LRANGE", base + name):
            places.setdefault(job_id, []).append(name)
    for name in INDEXED:
        async for job_id in _ids(link, "ZRANGE", base + name):
            places.setdefault(job_id, []).append(name)
    places.pop(BELL.decode(), None)
    return places


async def _ids(link: Link, command: str, key: str) -> AsyncIterator[str]:
    """All of a list (LRANGE) or a sorted set (ZRANGE), in bites."""
    at = 0
    while items := await link.call(command, key, at, at + BITE - 1):
        for item in items:
            yield item.decode("utf-8", "replace")
        at += BITE
