"""Says whether every job of a Redis is in exactly one state and in the one place that this state has.

It reads the whole Redis in one script, so that what it judges is one moment, whoever works on it meanwhile; and it
knows the keys by their names alone: nothing of lib/ helps it to be wrong in the same way.

    assert_sound(redis.client)                  # after any test
    assert_sound(redis.client, accepted=ids)    # and every id that was answered 202 is there
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.cluster import RedisCluster

from tests.system.oracle_graphs import faults_of_graphs

LETTERS = {"h": "ready:high", "n": "ready:normal", "l": "ready:low", "s": "suspects"}
LINE_LETTERS = {"H": "line:high", "N": "line:normal", "L": "line:low"}
WAITING = ("ready:high", "ready:normal", "ready:low", "suspects")
INDEXES = ("delayed", "blocked", "completed", "dead", "cancelled")
STATES = frozenset({"ready", "active", *INDEXES})
THROTTLE = "\x1cthrottle"
SHOWN = 20

# Never in production: KEYS over everything, and every value whole.
_SNAPSHOT = """
local read = {
  string = function(key) return {redis.call('GET', key)} end,
  hash = function(key) return redis.call('HGETALL', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  stream = function() return {} end,
}
local found = {}
for i, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do
  local kind = redis.call('TYPE', key).ok
  found[i] = {key, kind, read[kind](key)}
end
return found
"""


Client = redis.Redis | RedisCluster


@dataclass
class _Queue:
    """One queue as it was found: a list keeps its order, a zset is id -> score."""

    jobs: dict[str, dict[str, str]] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    indexes: dict[str, dict[str, float]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    logs: set[str] = field(default_factory=set)
    fading: dict[str, str] = field(default_factory=dict)
    throttled: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, float]] = field(default_factory=dict)
    running: dict[str, set[str]] = field(default_factory=dict)
    turns: dict[str, set[str]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    strikes: dict[str, str] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    most_runners: int = 0
    schedules: dict[str, dict[str, str]] = field(default_factory=dict)
    slots: dict[str, float] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    parents: dict[str, dict[str, str]] = field(default_factory=dict)
    followers: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def assert_sound(client: Client, *, prefix: str = "wb", accepted: Iterable[str] = ()) -> dict[str, str]:
    """Every job's state, by id. accepted: ids that must be there. Raises AssertionError, which says what is wrong."""
    names, queues = _snapshot(client, prefix)
    found, known = _faults(names, queues), _states(queues)
    missing = sorted(set(accepted) - set(known))
    found += [f"{job_id} was accepted and is not there" for job_id in missing]
    if found:
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise AssertionError("not in exactly one state and place:\n  " + "\n  ".join(found[:SHOWN]) + more)
    return known


def faults(client: Client, *, prefix: str = "wb") -> list[str]:
    """Everything that is not in its one place, a sentence each."""
    return _faults(*_snapshot(client, prefix))


def _faults(names: set[str], queues: dict[str, _Queue]) -> list[str]:
    found = []
    for name, queue in sorted(queues.items()):
        problems = [*queue.faults, *_faults_of(queue)]
        if queue.jobs and name not in names:
            problems.append("it has jobs and is not among the queues")
        found += [f"{name}: {problem}" for problem in problems]
    return found


def states(client: Client, *, prefix: str = "wb") -> dict[str, str]:
    """Every job's state, by id."""
    _, queues = _snapshot(client, prefix)
    return _states(queues)


def _states(queues: dict[str, _Queue]) -> dict[str, str]:
    return {job_id: job.get("state", "") for queue in queues.values() for job_id, job in queue.jobs.items()}


def counts(client: Client, *, prefix: str = "wb") -> dict[str, int]:
    """How many jobs are in each state; states without one are left out."""
    return dict(Counter(states(client, prefix=prefix).values()))


def everything(client: Client, *, prefix: str = "wb") -> dict[str, list[str]]:
    """Every key's value, as a flat list; of streams nothing."""
    return {_text(key): [_text(item) for item in value] for key, _, value in _read(client, prefix)}


def _read(client: Client, prefix: str) -> list[Any]:
    """Name, type and value of every key; of a Cluster, one node after the other. No queue is on two of them."""
    if not isinstance(client, RedisCluster):
        found: Any = client.eval(_SNAPSHOT, 0, prefix)
        return list(found)
    nodes: Any = client.execute_command(  # type: ignore[no-untyped-call]
        "EVAL", _SNAPSHOT, 0, prefix, target_nodes=RedisCluster.PRIMARIES
    )
    return [row for rows in nodes.values() for row in rows]


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _snapshot(client: Client, prefix: str) -> tuple[set[str], dict[str, _Queue]]:
    pattern = re.compile(re.escape(prefix) + r":\{([^}]*)\}:(.*)", re.DOTALL)
    names: set[str] = set()
    queues: dict[str, _Queue] = {}
    for raw_key, raw_kind, raw_value in _read(client, prefix):
        key, kind, value = _text(raw_key), raw_kind.decode(), [_text(item) for item in raw_value]
        match = pattern.fullmatch(key)
        if key == f"{prefix}:queues":
            names = set(value)
        elif key == f"{prefix}:schedules":
            for name, queue in zip(value[::2], value[1::2], strict=False):
                queues.setdefault(queue, _Queue()).entered.add(name)
        elif match:
            _file(queues.setdefault(match[1], _Queue()), match[2], kind, value)
    return names, queues


def _file(queue: _Queue, key: str, kind: str, value: list[str]) -> None:
    """Put one key's value where it belongs. Keys that hold no jobs (counters, beats, events) are passed over."""
    head, _, rest = key.partition(":")
    pairs = dict(zip(value[::2], value[1::2], strict=False))
    if head == "job":
        if kind == "hash":
            queue.jobs[rest] = pairs
        else:
            queue.faults.append(f"{key} is a {kind}")
    elif key in WAITING or key == "bells" or head in ("active", "line"):
        queue.lists[key] = value
    elif head == "parents":
        queue.parents[rest] = pairs
    elif key == "followers":
        queue.followers = pairs
    elif key in (*INDEXES, "all", "unsure", "outside"):
        queue.indexes[key] = {job_id: float(score) for job_id, score in pairs.items()}
    elif key == "fading":
        queue.fading = pairs
    elif key == "slots":
        queue.slots = {name: float(score) for name, score in pairs.items()}
    elif head == "schedule":
        queue.schedules[rest] = pairs
    elif head == "tag":
        queue.tags[rest] = {job_id: float(score) for job_id, score in pairs.items()}
    elif head == "running":
        queue.running[rest] = set(value)
    elif head == "turns":
        queue.turns[rest] = set(pairs)
    elif key in ("full", "resting"):
        queue.stopped |= set(value if key == "full" else pairs)
    elif key == "strikes":
        queue.strikes = pairs
    elif key == "groups":
        queue.groups = set(pairs)
    elif key in ("workers", "graves"):
        queue.most_runners += len(pairs)
    elif key == "gone":
        queue.gone = pairs
    elif head == "log":
        queue.logs.add(rest)
    elif head == "unique" and rest.endswith(THROTTLE):
        queue.throttled[rest] = value


def _faults_of(queue: _Queue) -> list[str]:
    places: dict[str, list[str]] = {}
    for name, ids in queue.lists.items():
        for job_id in ids:
            places.setdefault(job_id, []).append(name)
    for name in INDEXES:
        for job_id in queue.indexes.get(name, {}):
            places.setdefault(job_id, []).append(name)
    bells = places.pop("bell", [])
    found = []
    # Where a limit of the queue comes or goes, there is one for each of its runners (lua/queues/adjust.lua).
    strange = [name for name in bells if name not in ("ready:normal", "bells") and not name.startswith("active:")]
    if bells.count("ready:normal") > max(1, queue.most_runners) or strange:
        found.append(f"bells in {bells}")
    for job_id, job in queue.jobs.items():
        problem = _fault_of(job_id, job, places.pop(job_id, [])) or _stale_patience(job)
        if problem:
            found.append(f"{job_id} {problem}")
    found += _faults_of_ids_without_job(queue, places)
    listed = queue.indexes.get("all", {})
    found += [f"{job_id} is a job and not in `all`" for job_id in queue.jobs if job_id not in listed]
    found += [f"{job_id} is in `all` and no job" for job_id in listed if job_id not in queue.jobs]
    for job_id in queue.fading:
        job = queue.jobs.get(job_id, {})
        if job.get("state") not in ("completed", "dead", "cancelled") or "retain" not in job:
            found.append(f"{job_id} is in `fading`, and is {job.get('state', 'no job')}")
    found += [f"{job_id} has a log and is no job" for job_id in queue.logs - queue.jobs.keys()]
    for key, ids in queue.throttled.items():
        # The job may be gone: the key then stops others for the rest of its time.
        modes = [queue.jobs[job_id].get("unique_mode") for job_id in ids if job_id in queue.jobs]
        found += [f"{ids} has the throttle {key!r} and the mode {mode}" for mode in modes if mode != "throttle"]
    # A job that waits for a callback waits for no other job any more: it has begun.
    outside = queue.indexes.get("outside", {})
    jobs = {job_id: job | {"state": "active"} if job_id in outside else job for job_id, job in queue.jobs.items()}
    found += faults_of_graphs(jobs, queue.parents, queue.followers, queue.indexes.get("unsure", {}))
    found += _faults_of_callbacks(queue) + _faults_of_tags(queue)
    return found + _faults_of_groups(queue) + _faults_of_schedules(queue)


def _faults_of_callbacks(queue: _Queue) -> list[str]:
    """`outside` holds the blocked jobs whose newest attempt waits for a callback, and no others; a blocked job that is
    not among them waits for other jobs."""
    found = []
    outside = queue.indexes.get("outside", {})
    for job_id in outside:
        job = queue.jobs.get(job_id, {})
        token, _, word = [*job.get("callback_token", "").split(" "), "", ""][:3]
        if job.get("state") != "blocked" or token != job.get("claims") or word not in ("-", "l"):
            found.append(f"{job_id} is in `outside`, is {job.get('state')} and has {job.get('callback_token')!r}")
    for job_id, job in queue.jobs.items():
        if job.get("state") == "blocked" and job_id not in outside and job_id not in queue.parents:
            found.append(f"{job_id} is blocked, and waits neither for jobs nor for a callback")
    return found


def _faults_of_schedules(queue: _Queue) -> list[str]:
    """Each schedule stands in `slots` and in the index, and nothing else does; its next slot is there or is not in both
    of its places, and is never due before its time."""
    found = []
    for name in sorted(queue.schedules.keys() | queue.slots.keys() | queue.entered):
        places = [name in queue.schedules, name in queue.slots, name in queue.entered]
        if not all(places):
            found.append(f"the schedule {name} has a hash, is in slots, is entered: {places}")
            continue
        slot, due_ms = queue.schedules[name].get("slot", ""), queue.slots[name]
        if (float(slot) if slot else float("inf")) > due_ms or (not slot and due_ms < float("inf")):
            found.append(f"the schedule {name} has the slot {slot!r} and is due at {due_ms}")
        if slot and due_ms == float("inf"):
            found.append(f"the schedule {name} has the slot {slot} and is never due")
    return found


def _faults_of_groups(queue: _Queue) -> list[str]:
    """`running:<group>` holds the group's jobs that run, in a runner or outside, and no other. A group with a job that
    waits in its line has a turn in that priority, or is full, or rests: else no claim looks at it. A group with strikes
    has a number of them, and is among the groups."""
    active: dict[str, set[str]] = {}
    for job_id, job in queue.jobs.items():
        if job.get("state") == "active" or job_id in queue.indexes.get("outside", {}):
            active.setdefault(job.get("group", ""), set()).add(job_id)
    found = [
        f"running:{group} holds {sorted(queue.running.get(group, ()))}, and {sorted(active.get(group, ()))} run"
        for group in sorted((queue.running.keys() | active.keys()) - {""})
        if queue.running.get(group, set()) != active.get(group, set())
    ]
    found += [
        f"{group} has the strikes {text!r}, and {'is' if group in queue.groups else 'is not'} among the groups"
        for group, text in sorted(queue.strikes.items())
        if group not in queue.groups or not re.match(r"[1-9]\d* \d+ \d+ ", text)
    ]
    for name, ids in sorted(queue.lists.items()):
        if name.startswith("line:"):
            _, priority, group = name.split(":", 2)
            waits = [one for one in ids if priority[0].upper() not in queue.jobs.get(one, {}).get("listed", "")]
            if waits and group not in queue.turns.get(priority, set()) | queue.stopped:
                found.append(f"{name} holds {waits[:3]}, and has no turn, is not full and does not rest")
    return found


def _faults_of_tags(queue: _Queue) -> list[str]:
    """Each job stands in the index of each of its tags, by the time at which it was created, and in no other."""
    tagged: dict[str, dict[str, float]] = {}
    for job_id, job in queue.jobs.items():
        for tag in filter(None, job.get("tags", "").split(",")):
            tagged.setdefault(tag, {})[job_id] = queue.indexes.get("all", {}).get(job_id, 0)
    return [
        f"the jobs with the tag {tag} are {tagged.get(tag, {})}, and its index has {queue.tags.get(tag, {})}"
        for tag in sorted(tagged.keys() | queue.tags.keys())
        if tagged.get(tag) != queue.tags.get(tag)
    ]


def _fault_of(job_id: str, job: dict[str, str], places: list[str]) -> str:
    """What is wrong with where one job is; "" for nothing."""
    state = job.get("state", "")
    if state not in STATES:
        return f"has the state {state!r}"
    rest = _less_those_left(places, job)
    if rest is None:
        return f"is {state}, is left in {job['listed']!r}, and stands in {places or 'no place'}"
    if state == "ready":
        # A runner may have popped it and not yet claimed it; it is then in that runner's hands, and in no other place.
        is_right = len(rest) == 1 and (rest[0] == _home(job) or rest[0].startswith("active:"))
    elif state == "active":
        is_right = rest == [f"active:{job.get('worker')}"]
    else:
        is_right = rest == [state]
    return "" if is_right else f"is {state} and stands in {rest or 'no place'}"


def _home(job: dict[str, str]) -> str:
    """The list in which a job waits when it is ready."""
    if "suspect" in job:
        return "suspects"
    priority = job.get("priority", "normal")
    return f"line:{priority}:{job['group']}" if job.get("group") else f"ready:{priority}"


def _stale_patience(job: dict[str, str]) -> str:
    """`unknown_since` is there while a job is put off, for nobody can run it; an attempt that begins takes it away."""
    if "unknown_since" not in job or job["state"] not in ("ready", "delayed"):
        return ""
    last = job.get("history", "").split("\x1c")[-2:][0]
    outcome = (last.split("\x1d") + [""] * 5)[4]
    return "" if outcome == "snoozed" else f"has unknown_since, and was {outcome or 'nothing'} last"


def _less_those_left(places: list[str], job: dict[str, str]) -> list[str] | None:
    """The places of a job, without one for each letter of `listed`: there its id stands, and is not to be taken. None
    where it stands nowhere that such a letter means, or a letter comes twice."""
    rest = list(places)
    listed, owner = job.get("listed", ""), f"active:{job.get('worker')}"
    if len(set(listed)) < len(listed):
        return None
    for letter in listed:
        line = LINE_LETTERS.get(letter)
        name = f"{line}:{job.get('group')}" if line else LETTERS.get(letter, "")
        if name == "ready:normal" and name not in rest:
            # Popped, and not yet dropped: in the hands of a runner; of the owner's too, where it is in them twice.
            hands = sorted((place for place in rest if place.startswith("active:")), key=owner.__eq__)
            name = hands[0] if hands else ""
        if name not in rest:
            return None
        rest.remove(name)
    return rest


def _faults_of_ids_without_job(queue: _Queue, places: dict[str, list[str]]) -> list[str]:
    found = []
    for job_id, where in places.items():
        is_tombstone = queue.gone.get(job_id) == str(len(where)) and not set(where) & set(INDEXES)
        if not is_tombstone:
            found.append(f"{job_id!r} is no job and stands in {where}")
    found += [f"{job_id!r} is noted as gone and stands nowhere" for job_id in queue.gone - places.keys()]
    return found
