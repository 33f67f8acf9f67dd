"""Who serves each queue now with what it runs, and who went within a day or is silent: for GET /api/workers.

    async for queue, crew in Crews(link, keys).all():
        crew.living     # [CrewMember("web-1.4711.1f3a9c0e", {"host": "web-1", …}, 0.8, Vitals(48234496, False), 3, …)]
        crew.gone       # [GoneRunner("web-1.4710.9f86d081", 1764410000123, "crashed", 2, {"host": "web-1", …})]

A runner that serves several queues is in the crew of each, under one id.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from lib.jobs.spec_rows import ENDLESS_S
from lib.queue.framing import optional_number, optional_object, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import all_names, in_batches
from lib.queue.queue_store import LEASE_S
from lib.queue.runners import Vitals
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.redis_link.link import RedisLink

MOST_JOBS = 50
MOST_JOBS_OF_A_QUEUE = 200
MOST_GONE = 100
_VITALS = re.compile(r"([0-9]{1,15}) (running|draining)")
_EPITAPH = re.compile(r"([a-z]+) ([0-9]{1,9}) (.*)", re.DOTALL)


class RunningJob(NamedTuple):
    """A job that a runner has claimed. type: `other` where the record can not be read, or is left out because those
    of the jobs before it are a MiB already; timeout_s is None then.
    progress: what its handler reported last, if that is 4 KB at most."""

    job_id: str
    type: str
    started_ms: int | None
    timeout_s: float | None
    progress: Any


class CrewMember(NamedTuple):
    """A living runner of one queue. about: what it registered with. vitals: None of an older version, or before its
    first beat. active: how many ids it holds. jobs: those that it has had for longest, MOST_JOBS at
    most, and fewer where many runners serve the queue."""

    runner_id: str
    about: dict[str, Any]
    beat_age_s: float | None
    vitals: Vitals | None
    active: int
    jobs: list[RunningJob]


class GoneRunner(NamedTuple):
    """A runner that was reaped. how: crashed, killed, left or lost; "" and None jobs where an older version reaped it.
    Or one that nobody has reaped though its lease is over: it is `silent`, and at_ms is its last beat.
    about: what it had registered with; {} where that is not known."""

    runner_id: str
    at_ms: int
    how: str
    jobs_returned: int | None
    about: dict[str, Any]


class Crew(NamedTuple):
    """gone: the last one that went first, MOST_GONE at most; behind them those that are silent, MOST_GONE at most."""

    living: list[CrewMember]
    gone: list[GoneRunner]


class Crews:
    """The crews of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys, *, lease_s: float = LEASE_S) -> None:
        """lease_s: how long after a beat a runner counts as alive that did not register a lease of its own."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._lease_ms = round(lease_s * 1000)

    async def all(self) -> AsyncIterator[tuple[str, Crew]]:
        """Every queue that can be read, by name, with its crew; a few queues are asked at a time."""
        for some in in_batches(await all_names(self._link, self._keys)):
            for queue, crew in zip(some, await each_readable(some, self.of), strict=True):
                if not isinstance(crew, Unreadable):
                    yield queue, crew

    async def of(self, queue: str) -> Crew:
        """The crew of one queue. Raises RedisKeysBroken."""
        base = self._keys.base(queue)
        most = (MOST_JOBS, MOST_JOBS_OF_A_QUEUE, MOST_GONE)
        at_ms, living, gone = await self._scripts.call("crew", base, self._lease_ms, *most)
        with understood(queue):
            members = (living[at : at + 6] for at in range(0, len(living), 6))
            left = (gone[at : at + 3] for at in range(0, len(gone), 3))
            return Crew([_member(int(at_ms), row) for row in members], [_gone(row) for row in left])


def _member(at_ms: int, row: Sequence[Any]) -> CrewMember:
    runner_id, about, beat, vitals, active, jobs = row
    beat_ms = beat.partition(b":")[2]
    age_s = max(0, at_ms - int(beat_ms)) / 1000 if beat_ms.isdigit() else None
    running = [_job(jobs[at : at + 5]) for at in range(0, len(jobs), 5)]
    told = _VITALS.fullmatch(shown_text(vitals))
    return CrewMember(
        shown_text(runner_id),
        optional_object(about) or {},
        age_s,
        Vitals(int(told[1]), told[2] == "draining") if told else None,
        int(active),
        running,
    )


def _job(row: Sequence[bytes]) -> RunningJob:
    job_id, type_name, started, timeout, progress = row
    return RunningJob(
        shown_text(job_id),
        shown_text(type_name),
        optional_number(started),
        _seconds(shown_text(timeout)),
        optional_object(progress),
    )


def _seconds(text: str) -> float | None:
    """None for what is no timeout_s. 60 is no 60.0, as in the job itself."""
    try:
        timeout_s = float(text)
    except ValueError:
        return None
    if not 0 < timeout_s < ENDLESS_S:
        return None
    return int(timeout_s) if timeout_s.is_integer() else timeout_s


def _gone(row: Sequence[bytes]) -> GoneRunner:
    runner_id, at_ms, epitaph = map(shown_text, row)
    told = _EPITAPH.fullmatch(epitaph)
    if told is None:
        return GoneRunner(runner_id, int(float(at_ms)), "", None, {})
    about = optional_object(told[3].encode()) or {}
    return GoneRunner(runner_id, int(float(at_ms)), told[1], int(told[2]), about)
