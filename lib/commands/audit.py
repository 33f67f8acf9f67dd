"""Is every job in exactly one place? Reads one Redis a batch at a time, changes nothing, and names each job that is
not.

For `python worker.py --doctor --check`. Each state has one place: a ready job stands in one of the ready lists, in a
line of its group or in `suspects`, an active one in its runner's active list, any other in the sorted set that has the
state's name. Groups have turns and counts of their own:
group_audit.py. Each job stands in the index of each of its tags (audit_tags.py), each schedule among the slots and in
the index of schedules (schedule_audit.py). Jobs that wait for others, and those that they wait for, know of each other
(edge_audit.py), and who waits for a callback stands in `outside` (callback_audit.py). A finding:

    email: email-4d1e… is ready and stands in no place

Jobs move while they are read, so whatever looks wrong is read a second time, and reported only if it looks wrong in the
same way again.
"""

from collections.abc import AsyncIterator, Iterable, Set

from lib.commands.audit_tags import Tagged, add_tags, faults_of_tags
from lib.commands.callback_audit import callback_fault, state_for_limits
from lib.commands.edge_audit import EdgeAudit, Waiting
from lib.commands.group_audit import GroupsSeen, read_groups, running_fault
from lib.commands.schedule_audit import find_schedule_faults
from lib.errors import RedisKeysBroken
from lib.queue.framing import shown_text
from lib.queue.keys import BELL, INDEXED, TYPES, RedisKeys
from lib.queue.queue_names import all_names
from lib.redis_link.link import RedisLink

BATCH = 1000
LISTS = ("ready:high", "ready:normal", "ready:low", "suspects")
STALE_LISTS = {"h": "ready:high", "n": "ready:normal", "l": "ready:low", "s": "suspects"}
STALE_LINES = {"H": "line:high:", "N": "line:normal:", "L": "line:low:"}
"""Letter in a job's field `listed` -> the list in which the job's id still stands, and may not be claimed; of a line
what stands before the name of the job's group."""
PROBES = {  # A command that only a key of that type answers.
    "list": ("LLEN",),
    "set": ("SCARD",),
    "zset": ("ZCARD",),
    "hash": ("HLEN",),
    "string": ("GET",),
    "stream": ("XRANGE", "-", "+", "COUNT", 1),
}


async def find_faults(link: RedisLink, keys: RedisKeys, known: Iterable[str] = ()) -> list[str]:
    """A sentence for each job in a wrong place, each id that is no job, and each key of a wrong type.

    known: queues to read even if the set of names does not have them.
    """
    found = []
    names = set(known)
    try:
        names.update(await all_names(link, keys))
    except RedisKeysBroken:
        found.append(f"{keys.queues} holds no set; it is to hold the queues' names: delete it, they come back")
    for queue in sorted(names):
        broken = await _broken_keys(link, keys, queue)
        found += broken
        try:
            found += await _misplaced(link, keys, queue)
        except RedisKeysBroken as fault:
            if not broken:
                found.append(f"{queue}: {fault.detail}")
    return found + await find_schedule_faults(link, keys, names)


async def _broken_keys(link: RedisLink, keys: RedisKeys, queue: str) -> list[str]:
    """A sentence for each of the queue's keys that has another type than keys.TYPES says."""
    found = []
    for name, kind in TYPES.items():
        command, *rest = PROBES[kind]
        try:
            await link.call(command, keys.base(queue) + name, *rest)
        except RedisKeysBroken:
            found.append(f"{queue}: {keys.base(queue)}{name} holds no {kind}; mend it or delete it")
    return found


async def _misplaced(link: RedisLink, keys: RedisKeys, queue: str) -> list[str]:
    """A sentence for each id that looked wrong twice in the same way."""
    first = await _scan(link, keys, queue)
    if not first:
        return []
    second = await _scan(link, keys, queue)
    return [f"{queue}: {job_id} {fault}" for job_id, fault in second.items() if first.get(job_id) == fault]


async def _scan(link: RedisLink, keys: RedisKeys, queue: str) -> dict[str, str]:
    """What looks wrong in the queue at this moment: id -> `is ready and stands in no place`."""
    base = keys.base(queue)
    groups = await read_groups(link, base)
    places = await _places(link, base, groups.lines)
    faults = dict(groups.faults)
    seen = set()
    tagged: Tagged = {}
    waiting = Waiting({}, set())
    outside = {job_id async for job_id in _ids(link, "ZRANGE", base + "outside")}
    async for job_id in _ids(link, "ZRANGE", base + "all"):
        seen.add(job_id)
        fault = await _fault_of(link, base, job_id, places.get(job_id, []), tagged, groups, waiting, outside)
        if fault:
            faults[job_id] = fault
    for job_id in outside - seen:
        faults[job_id] = callback_fault("", is_outside=True, token=None, waits=None)
    for job_id in groups.running.keys() - seen:
        faults[job_id] = running_fault("no job", None, groups.running[job_id])
    for job_id, where in places.items():
        if job_id not in seen and not await link.call("HEXISTS", base + "gone", job_id):
            faults[job_id] = f"is no job and stands in {', '.join(where)}"

    def key_of(tag: str) -> str:
        return keys.tag(queue, tag)

    of_tags = await faults_of_tags(tagged, seen, lambda tag: _ids(link, "ZRANGE", key_of(tag)), key_of)
    return await EdgeAudit(link, keys, queue).faults(waiting) | of_tags | faults


async def _fault_of(
    link: RedisLink,
    base: str,
    job_id: str,
    places: list[str],
    tagged: Tagged,
    groups: GroupsSeen,
    waiting: Waiting,
    outside: Set[str],
) -> str:
    """What is wrong with where the job stands, "" for nothing. Its tags are added to `tagged`, and whether it waits for
    others, or others for it, to `waiting`."""
    fields = ("state", "worker", "listed", "tags", "group", "waits", "followed", "callback_token")
    try:
        found = await link.call("HMGET", f"{base}job:{job_id}", *fields)
    except RedisKeysBroken:
        return f"is in `all`, and {base}job:{job_id} holds no hash"
    state, runner_id, listed, tags, raw_group, waits, followed, token = found
    name = shown_text(state or b"")
    counts_as = state_for_limits(job_id, name, outside)
    add_tags(tagged, job_id, shown_text(tags or b""))
    waiting.note(job_id, counts_as, waits, followed)
    group = None if raw_group is None else shown_text(raw_group)
    fault = _fault(state, runner_id, listed, group or "", places)
    fault = fault or callback_fault(name, is_outside=job_id in outside, token=token, waits=waits)
    return fault or running_fault(counts_as, group, groups.running.get(job_id, set()))


def _fault(state: bytes | None, runner_id: bytes | None, listed: bytes | None, group: str, places: list[str]) -> str:
    """What is wrong with where one job stands, "" for nothing. places: the lists and sorted sets that hold its id."""
    name = shown_text(state) if state else ""
    if not name:
        return "is in `all` and has no record"
    owner = f"active:{shown_text(runner_id) if runner_id else ''}"
    rest = sorted(places, key=owner.__eq__)
    for letter in shown_text(listed or b""):
        # The id stands in that list as a leftover. A runner may have popped it from ready:normal into its active list.
        line = STALE_LINES.get(letter)
        name_of_list = line + group if line else STALE_LISTS.get(letter, letter)
        stale = next((place for place in rest if place == name_of_list), None)
        stale = stale or next((place for place in rest if letter == "n" and place.startswith("active:")), None)
        if stale is None:
            return f"is left in {name_of_list} and does not stand there"
        rest.remove(stale)
    if name == "ready":
        # In an active list, too: an id that a runner has popped and not yet claimed.
        is_right = len(rest) == 1 and rest[0] not in INDEXED and _is_line_of(rest[0], group)
    elif name == "active":
        is_right = rest == [owner]
    else:
        is_right = rest == [name]
    return "" if is_right else f"is {name} and stands in {', '.join(rest) or 'no place'}"


def _is_line_of(place: str, group: str) -> bool:
    """Whether a ready job of this group, "" for none, may stand there: among ready jobs in the group's lines alone."""
    if place.startswith(("line:", "ready:")):
        return place.split(":", 2)[2:] == ([group] if group else [])
    return True


async def _places(link: RedisLink, base: str, lines: Iterable[str]) -> dict[str, list[str]]:
    """The queue's lists and sorted sets turned round: id -> the names of those that hold it, once for each time.

    lines: the names of the lists in which jobs of groups wait."""
    places: dict[str, list[str]] = {}
    runner_ids = [*await link.call("HKEYS", base + "workers"), *await link.call("ZRANGE", base + "graves", 0, -1)]
    lists = [*LISTS, *lines, *dict.fromkeys(f"active:{shown_text(runner_id)}" for runner_id in runner_ids)]
    for name in lists:
        async for job_id in _ids(link, "LRANGE", base + name):
            places.setdefault(job_id, []).append(name)
    for name in INDEXED:
        async for job_id in _ids(link, "ZRANGE", base + name):
            places.setdefault(job_id, []).append(name)
    places.pop(BELL.decode(), None)
    return places


async def _ids(link: RedisLink, command: str, key: str) -> AsyncIterator[str]:
    """Every member of a list (LRANGE) or a sorted set (ZRANGE), BATCH at a time."""
    at = 0
    while members := await link.call(command, key, at, at + BATCH - 1):
        for member in members:
            yield shown_text(member)
        at += BATCH
