"""What Redis holds about the groups and limits of a queue at one moment, and whether it fits together.

    lines = read_lines(client, "wb:{q}:")
    assert_lines(lines)

A group is a name on a job. Ready jobs of a group stand in a line of that group alone, one list a priority. It is judged
here by the keys alone; nothing of lib/ helps.

    line:<priority>:<group>   LIST  ids of ready jobs of the group
    turns:<priority>          ZSET  group -> jobs running * 2^43 + turn; '' stands for ready:<priority>
    running:<group>           SET   ids of the group's jobs that run
    full                      SET   groups that wait for a job of theirs to end, or are paused
    resting                   ZSET  group -> ms at which it may run again
    outside                   ZSET  id of a job that waits for a callback -> ms; it counts as one that runs
    held                      HASH  group -> "<until ms> <id of the job that held it>"
    strikes                   HASH  group -> "<how many> <ms of the last> <until ms> <what went wrong>"
    limits                    HASH  group -> "<concurrency>|<limit>/<per_ms>|<1 if paused>"
    groups                    ZSET  every group that has or lately had jobs
"""

from collections import defaultdict
from typing import NamedTuple

from tests.system.oracle import Client, everything

LOAD = 2**43
PRIORITIES = ("high", "normal", "low")
LETTERS = {"high": "H", "normal": "N", "low": "L"}


class Limits(NamedTuple):
    """What holds for one group, or for the queue. rate: starts, and in how many ms."""

    concurrency: int | None = None
    rate: tuple[int, int] | None = None
    is_paused: bool = False


class Lines(NamedTuple):
    """One queue. waiting: priority -> group -> ids in that line. active: runner -> ids in its active list.
    bells: those on ready:normal, where an idle runner of a queue without limits of its own blocks."""

    jobs: dict[str, dict[str, str]]
    waiting: dict[str, dict[str, list[str]]]
    turns: dict[str, dict[str, float]]
    running: dict[str, set[str]]
    full: set[str]
    resting: dict[str, float]
    held: dict[str, str]
    strikes: dict[str, str]
    own_limits: dict[str, str]
    groups: set[str]
    meta: dict[str, str]
    outside: set[str]
    active: dict[str, list[str]]
    bells: int

    def limits_of(self, group: str) -> Limits:
        """What holds for the group: a part that its own limits leave empty is the queue's."""
        own = [*self.own_limits.get(group, "").split("|"), "", ""]
        concurrency = own[0] or self.meta.get("group_concurrency", "")
        return Limits(int(concurrency) if concurrency else None, rate_of(own[1] or self._group_rate), own[2] == "1")

    @property
    def _group_rate(self) -> str:
        return self.meta.get("group_rate", "")

    @property
    def queue_limits(self) -> Limits:
        concurrency = self.meta.get("concurrency")
        return Limits(int(concurrency) if concurrency else None, rate_of(self.meta.get("rate", "")))

    @property
    def is_limited(self) -> bool:
        """Whether the queue itself has a limit."""
        return any(self.queue_limits[:2])

    @property
    def active_by_group(self) -> dict[str, set[str]]:
        """Group -> ids of its jobs that run, in a runner or outside; the jobs of no group under ''."""
        found = defaultdict[str, set[str]](set)
        for job_id, job in self.jobs.items():
            if job.get("state") == "active" or job_id in self.outside:
                found[job.get("group", "")].add(job_id)
        return found

    @property
    def in_hands(self) -> int:
        """How many entries the active lists of all runners hold, and how many jobs are outside."""
        return sum(len(ids) for ids in self.active.values()) + len(self.outside)

    def may_run(self, group: str, now_ms: float) -> bool:
        """Whether the group's own limits let a job of it begin, by all that is noted. A pause of the queue, and the
        queue's limits, are not asked."""
        limits = self.limits_of(group)
        return not self.is_full(group, 1) and not limits.is_paused and self.rests_until(group) <= now_ms

    def is_full(self, group: str, more: int) -> bool:
        """Whether the group's concurrency lets no `more` jobs of it begin. With strikes runners have one of its jobs at
        a time, whatever is outside."""
        most, active = self.limits_of(group).concurrency, self.active_by_group[group]
        is_over = most is not None and len(active) + more > most
        return is_over or (group in self.strikes and len(active - self.outside) + more > 1)

    def rests_until(self, group: str) -> float:
        """Until when, in ms, the group rests by a rate or a hold; 0 where it does not."""
        held = self.held.get(group, "0").partition(" ")[0]
        return max(self.resting.get(group, 0), float(held))


def rate_of(text: str) -> tuple[int, int] | None:
    """ "100/60000" -> (100, 60000)."""
    limit, _, per_ms = text.partition("/")
    return (int(limit), int(per_ms)) if limit else None


def read_lines(client: Client, base: str) -> Lines:
    """base: as "wb:{q}:"."""
    found = {key.removeprefix(base): value for key, value in everything(client).items() if key.startswith(base)}

    def below(prefix: str) -> dict[str, list[str]]:
        return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}

    def pairs(key: str) -> dict[str, str]:
        return _pairs(found.get(key, []))

    return Lines(
        jobs={job_id: _pairs(flat) for job_id, flat in below("job:").items()},
        waiting={priority: below(f"line:{priority}:") for priority in PRIORITIES},
        turns={priority: _scores(pairs(f"turns:{priority}")) for priority in PRIORITIES},
        running={group: set(ids) for group, ids in below("running:").items()},
        full=set(found.get("full", [])),
        resting=_scores(pairs("resting")),
        held=pairs("held"),
        strikes=pairs("strikes"),
        own_limits=pairs("limits"),
        groups=set(pairs("groups")),
        meta=pairs("meta"),
        outside=set(pairs("outside")),
        active=below("active:"),
        bells=found.get("ready:normal", []).count("bell"),
    )


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _scores(pairs: dict[str, str]) -> dict[str, float]:
    return {name: float(score) for name, score in pairs.items()}


def assert_lines(lines: Lines) -> None:
    """Raises AssertionError with what does not fit together."""
    found = faults_of(lines)
    if found:
        raise AssertionError("the lines do not fit together:\n  " + "\n  ".join(found))


def faults_of(lines: Lines) -> list[str]:
    """A sentence for each thing that does not fit together."""
    return [*_without_turn(lines), *_not_running(lines), *_wrong_loads(lines), *_unnoted(lines)]


def _without_turn(lines: Lines) -> list[str]:
    """A group with ids in a line is in `turns` of that priority, or in `full`, or in `resting`: else no claim looks at
    it. The id of a job that was cancelled in its place counts, too: behind it the line is not empty, and nobody gives
    the group a turn for the next id that comes."""
    found = [
        f"line:{priority}:{group} holds {ids[:3]}, is in no turns, not full and does not rest"
        for priority, groups in lines.waiting.items()
        for group, ids in groups.items()
        if not (group in lines.turns[priority] or group in lines.full or group in lines.resting)
    ]
    for priority, turns in lines.turns.items():
        if turns and "" not in turns:
            found.append(f"turns:{priority} holds {sorted(turns)} and not '', which stands for ready:{priority}")
    return found


def _not_running(lines: Lines) -> list[str]:
    """running:<group> holds the group's active jobs and no other; `running:` no job of a group, and none that ended."""
    active = lines.active_by_group
    found = []
    for group in {*lines.running, *active} - {""}:
        noted, are = lines.running.get(group, set()), active.get(group, set())
        if noted != are:
            found.append(f"running:{group} lacks {sorted(are - noted)} and has {sorted(noted - are)} too many")
    if strays := lines.running.get("", set()) - active[""]:
        found.append(f"running: has {sorted(strays)}, which are not active jobs of no group")
    return found


def _wrong_loads(lines: Lines) -> list[str]:
    """The score of a group in `turns` begins with how many of its jobs run. '' is not held to that: jobs of no group
    may have begun before the queue had lines."""
    return [
        f"turns:{priority} counts {int(score // LOAD)} running of {group!r}, there are {_load(lines, group)}"
        for priority, turns in lines.turns.items()
        for group, score in turns.items()
        if group and int(score // LOAD) != _load(lines, group)
    ]


def _load(lines: Lines, group: str) -> int:
    return len(lines.running.get(group, ()))


def _unnoted(lines: Lines) -> list[str]:
    """`rationed` may be on for nothing, and must never be off for something; `groups` names each group with jobs."""
    has_lines = any(lines.waiting.values())
    found = []
    if "rationed" not in lines.meta and (has_lines or lines.meta.keys() & {"concurrency", "rate"}):
        found.append(f"`rationed` is not set, and there are limits or lines: {lines.meta}")
    named = {group for groups in lines.waiting.values() for group in groups} | lines.running.keys() - {""}
    found += [f"{group} has jobs and is not among the groups" for group in sorted(named - lines.groups)]
    lost = sorted(lines.strikes.keys() - lines.groups)
    return [*found, *(f"{group} has strikes and is not among the groups" for group in lost)]
