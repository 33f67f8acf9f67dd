"""The groups of a queue, as `--doctor --check` reads them: their lines, who has a turn, which jobs count as running.

A ready job of a group stands in the group's line of its priority, `line:high:tenant-42` say. Each group that has such
jobs has a turn (`turns:high`), or waits in `full` or `resting`: else no claim would ever look at it. A job of a group
that runs is in `running:tenant-42`, and no other: else too many of the group run, or too few. Upkeep (mend.lua) puts
most of that right; audit.py tells of what is still wrong at a second look. A group with strikes is one of `groups`.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple

from lib.jobs.group_strikes import strikes_from
from lib.jobs.job import PRIORITIES
from lib.queue.framing import exact_text, shown_text
from lib.redis_link.link import RedisLink

AT_ONCE = 100
MENDED = "upkeep puts that right within seconds: see that a worker.py runs"


class GroupsSeen(NamedTuple):
    """The groups of one queue at one moment.

    lines: names of the lists in which jobs of groups wait, `line:high:tenant-42`. running: job id -> the groups in
    whose `running` the id stands. faults: `the group tenant-42` -> what is wrong with it.
    """

    lines: list[str]
    running: Mapping[str, set[str]]
    faults: Mapping[str, str]


async def read_groups(link: RedisLink, base: str) -> GroupsSeen:
    """The groups of the queue whose keys begin with `base`. Raises RedisKeysBroken."""
    turns = {priority: set(await _members(link, "ZRANGE", f"{base}turns:{priority}")) for priority in PRIORITIES}
    stopped = {*await _members(link, "ZRANGE", base + "resting"), *await _members(link, "SMEMBERS", base + "full")}
    groups = {*await _members(link, "ZRANGE", base + "groups"), *stopped}.union(*turns.values()) - {""}
    lines, faults = [], {}
    names = [f"line:{priority}:{group}" for group in sorted(groups) for priority in PRIORITIES]
    async for name, length in _each(link, "LLEN", base, names):
        if length:
            lines.append(name)
            _, priority, group = name.split(":", 2)
            if group not in turns[priority] | stopped and await _has_waiting(link, base, name):
                faults[f"the group {group}"] = f"has jobs in {name} and no turn, so that none starts; {MENDED}"
    faults |= _faults_of_strikes(await link.call("HGETALL", base + "strikes"), groups)
    return GroupsSeen(lines, await _running(link, base, ["", *sorted(groups)]), faults)


def running_fault(state: str, group: str | None, running: set[str]) -> str:
    """What is wrong with where one job counts as running, "" for nothing.

    group: the job's, None where it has none. running: the groups in whose `running` its id stands.
    """
    own = {group} if state == "active" and group is not None else set[str]()
    for other in sorted(running - own):
        if not other:
            return f"is {state} and still in running:, so that jobs of no group wait longer; take it out with SREM"
        return f"is {state} and still in running:{other}, which costs a slot; {MENDED}"
    if group and own - running:
        return f"is active and not in running:{group}, so that too many of the group may run until it ends"
    return ""


def _faults_of_strikes(flat: list[bytes], groups: set[str]) -> dict[str, str]:
    """What is wrong with the strikes of groups, as in {"the group api.example.com:443": "has strikes that …"}."""
    faults = {}
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        group = exact_text(name)
        if strikes_from(shown_text(text)) is None:
            faults[f"the group {group}"] = f"has strikes that nobody can read: {shown_text(text)[:50]!r}; {MENDED}"
        elif group not in groups:
            faults[f"the group {group}"] = "has strikes, and no page shows it; its next job puts that right"
    return faults


async def _has_waiting(link: RedisLink, base: str, line: str) -> bool:
    """Whether a job waits in the line, of which no claim takes any: in front of it may stand ids of jobs that were
    cancelled, and their field `listed` has the letter of this line: `N` for `line:normal:tenant-42`."""
    letter = line.split(":")[1][0].upper()
    for job_id in await link.call("LRANGE", base + line, -AT_ONCE, -1):
        if letter not in shown_text(await link.call("HGET", f"{base}job:{exact_text(job_id)}", "listed") or b""):
            return True
    return False


async def _running(link: RedisLink, base: str, groups: Iterable[str]) -> Mapping[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    async for name, ids in _each(link, "SMEMBERS", base, [f"running:{group}" for group in groups]):
        for job_id in ids:
            found[shown_text(job_id)].add(name.removeprefix("running:"))
    return found


async def _members(link: RedisLink, command: str, key: str) -> list[str]:
    return [exact_text(member) for member in await link.call(command, key, *((0, -1) if command == "ZRANGE" else ()))]


async def _each(link: RedisLink, command: str, base: str, names: list[str]) -> AsyncIterator[tuple[str, Any]]:
    """The answer to a command for each of these keys, AT_ONCE asked at a time."""
    for at in range(0, len(names), AT_ONCE):
        some = names[at : at + AT_ONCE]
        answers = await asyncio.gather(*[link.call(command, base + name) for name in some])
        for name, answer in zip(some, answers, strict=True):
            yield name, answer
