"""What limits and groups cost inside Redis: microseconds and commands a job, by Redis' own count of its script calls.

1. A job's way through enqueue, claim and finish, 30 a call: in a queue without limits, with a concurrency and a rate,
   with 10 groups, with 1,000 groups, and with 10 groups that each have a concurrency. All in turns on one Redis.
2. A claim and a finish of one job beside 1,000,000 jobs that wait in one group, beside 100,000 groups of one job each,
   and beside 50,000 jobs of a group that is full; each against 1,000 jobs in one group.

The scripts are called as the programs call them; there is no HTTP and no handler here.
"""

import asyncio
import itertools
import statistics
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from lib.ids import JobIds
from lib.jobs.job import NewJob
from lib.queue.claim_reply import claim_from
from lib.queue.end_record import complete_record, records_text
from lib.queue.enqueue_text import new_jobs_text
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink, open_link
from tests.bench.figure import Figure
from tests.private_redis import PrivateRedis

AT_ONCE = 30
JOBS = 3000
"""Of each kind of queue; on its way, some rounds of AT_ONCE wait."""
CALLS = 300
"""Claims of one job whose middle cost counts."""
BITE = 500
DEEP, GROUPS, FULL, SHALLOW = 1_000_000, 100_000, 50_000, 1000
SPEC = (
    '{"v":1,"type":"noop","request_id":"r","trace":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",'
    '"max_attempts":5,"timeout_s":60,"backoff":[2,3600],"payload":{"text":"' + "x" * 400 + '"}}'
)
Group = Callable[[int], str]


class Kind(NamedTuple):
    """One kind of queue. group: the group of the n-th job, "" for none. settings: as adjust.lua takes them."""

    name: str
    group: Group = lambda number: ""
    settings: tuple[str, ...] = ()


KINDS = (
    Kind("plain"),
    Kind("queue", settings=("concurrency", "1000", "rate", "1000000/60000")),
    Kind("groups_10", lambda number: f"tenant-{number % 10}"),
    Kind("groups_1000", lambda number: f"tenant-{number % 1000}"),
    Kind("capped_10", lambda number: f"tenant-{number % 10}", ("group_concurrency", "50")),
)


class Spent(NamedTuple):
    """Inside Redis: microseconds in script calls, and commands, those that scripts make included."""

    script_us: float
    commands: float

    def since(self, before: "Spent") -> "Spent":
        return Spent(self.script_us - before.script_us, self.commands - before.commands)


def run(*, is_quick: bool) -> Iterator[Figure]:
    with closing(PrivateRedis(aof="everysec")) as redis:
        redis.start()
        yield from asyncio.run(_ways(redis, JOBS // (10 if is_quick else 1)))
    # WHY without an append-only file: see depth.py.
    with closing(PrivateRedis()) as redis:
        redis.start()
        yield from asyncio.run(_depths(redis, 10 if is_quick else 1))


async def _ways(redis: PrivateRedis, jobs: int) -> list[Figure]:
    link = open_link(redis.url, timeout_s=30)
    queues = [Queue(link, redis, kind) for kind in KINDS]
    for queue in queues:
        await queue.begin()
    spent: dict[str, list[Spent]] = {queue.kind.name: [] for queue in queues}
    for _ in range(jobs // AT_ONCE):
        for queue in queues:
            before = _spent(redis)
            await queue.put(AT_ONCE)
            await queue.run(AT_ONCE)
            spent[queue.kind.name].append(_spent(redis).since(before))
    await link.close()
    # The middle one of all rounds: what else the machine did is no cost of it.
    return [
        Figure(f"limits.{name}.{what}", statistics.median(values) / AT_ONCE, f"{unit} per job")
        for name, found in spent.items()
        for what, unit, values in zip(("us", "commands"), ("µs", "commands"), zip(*found, strict=True), strict=True)
    ]


async def _depths(redis: PrivateRedis, shrunk: int) -> list[Figure]:
    """Each queue is filled first; then single jobs are claimed and finished, in turns."""
    link, full = open_link(redis.url, timeout_s=30), FULL // shrunk
    depths = {
        "shallow": (Kind("shallow", lambda number: "tenant"), SHALLOW + CALLS),
        "one_group": (Kind("one_group", lambda number: "tenant"), DEEP // shrunk + CALLS),
        "many_groups": (Kind("many_groups", lambda number: f"tenant-{number}"), GROUPS // shrunk + CALLS),
        "full": (Kind("full", _all_but(full), ("group_concurrency", "1")), full + CALLS),
    }
    queues = {name: Queue(link, redis, kind) for name, (kind, _) in depths.items()}
    for name, queue in queues.items():
        await queue.begin()
        await queue.put(depths[name][1])
    # One job of the group that is full runs; the other groups have a job each.
    await queues["full"].claim(1)
    costs: dict[str, list[float]] = {name: [] for name in depths}
    for _ in range(CALLS):
        for name, queue in queues.items():
            before = _spent(redis)
            await queue.run(1)
            costs[name].append(_spent(redis).since(before).script_us)
    await link.close()
    return [Figure(f"limits.{name}.claim_finish", sorted(found)[CALLS // 2], "µs") for name, found in costs.items()]


def _all_but(count: int) -> Group:
    """So many jobs of one group, and then one of each other."""
    return lambda number: "tenant" if number < count else f"tenant-{number}"


class Queue:
    """A queue with one runner, by the scripts alone."""

    def __init__(self, link: RedisLink, redis: PrivateRedis, kind: Kind) -> None:
        self.kind = kind
        self._scripts = Scripts(link)
        self._redis = redis
        self._base = RedisKeys("wb").base(kind.name)
        self._ids, self._numbers, self._commits = JobIds(), itertools.count(), itertools.count(1)
        self._claims_by = "claim"

    async def begin(self) -> None:
        await self._scripts.call("register", self._base, "w", "{}")
        if self.kind.settings:
            await self._scripts.call("adjust", self._base, self.kind.name, "", "", *self.kind.settings)

    async def put(self, count: int) -> None:
        for first in range(0, count, BITE):
            jobs = [self._job(next(self._numbers)) for _ in range(min(BITE, count - first))]
            await self._scripts.call("enqueue", self._base, "p", next(self._commits), new_jobs_text(jobs))

    def _job(self, number: int) -> NewJob:
        return NewJob(self._ids.new(self.kind.name, "request"), "normal", SPEC, group=self.kind.group(number))

    async def run(self, count: int) -> None:
        """Claim so many jobs in one call, and finish them in one."""
        reply: Any = await self.claim(count)
        ends = [complete_record(job.job_id, job.token, "noop", "") for job in claim_from(reply).jobs]
        assert len(ends) == count, f"{self.kind.name}: {len(ends)} of {count} jobs were handed out"
        await self._scripts.call("finish", self._base, "w", records_text(ends))

    async def claim(self, count: int) -> Any:
        reply: Any = await self._scripts.call(self._claims_by, self._base, "w", count, "ready")
        if reply != b"rationed":
            return reply
        self._claims_by = "ration"
        return await self.claim(count)


def _spent(redis: PrivateRedis) -> Spent:
    stats: Any = redis.client.info("commandstats")
    calls = sum(row["calls"] for name, row in stats.items() if name not in ("cmdstat_info", "cmdstat_evalsha"))
    return Spent(float(stats.get("cmdstat_evalsha", {}).get("usec", 0)), float(calls))
