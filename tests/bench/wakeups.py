"""How many claims idle runners make for one start where a rate holds jobs back, and how soon a freed slot is taken.

1. 40 runners of 5 slots and a start each 20 ms, and 100 runners and one each second: claims and promotions for each job
   that begins, and how much of the rate is used.
2. A job ends in a queue, and in a group, that is full: until an idle runner has begun the next one. Whoever ended the
   job claims no other, as a runner that drains.

The leases are those of worker.py, each with its two links; the loop around them is here, and there are no handlers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from random import Random
from typing import Any

from lib.ids import JobIds
from lib.jobs.job import ClaimedJob, NewJob
from lib.queue.claim_reply import Claim
from lib.queue.end_record import complete_record
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink, open_link
from tests.bench.figure import Figure
from tests.bench.limits import SPEC
from tests.faults.row import percentile
from tests.private_redis import PrivateRedis

QUEUE = "default"
SLOTS = 5
JOB_S = 0.01
RATES = {"idle_40": (40, "1/20", 400), "idle_100": (100, "1/1000", 10)}
"""Runners, the queue's rate, jobs."""
FREED = {"queue": ("concurrency", ""), "group": ("group_concurrency", "tenant")}
ENDS = 200
BLOCK_S = 20.0


def run(*, is_quick: bool) -> Iterator[Figure]:
    shrunk = 5 if is_quick else 1
    for name, (runners, rate, jobs) in RATES.items():
        with closing(PrivateRedis()) as redis:
            redis.start()
            yield from asyncio.run(_rate(redis, name, runners, rate, jobs // shrunk))
    for name, (setting, group) in FREED.items():
        with closing(PrivateRedis()) as redis:
            redis.start()
            waits_ms = asyncio.run(_freed(redis, setting, group, ENDS // shrunk))
        yield Figure(f"wakeups.{name}.p50", percentile(waits_ms, 0.5), "ms")
        yield Figure(f"wakeups.{name}.p99", percentile(waits_ms, 0.99), "ms")


async def _rate(redis: PrivateRedis, name: str, runners: int, rate: str, jobs: int) -> list[Figure]:
    async with _site(redis, "rate", rate) as site:
        idle = [await site.runner(f"w{number}", jobs) for number in range(runners)]
        running = asyncio.gather(*[one.run() for one in idle])
        # From here on: what they claim before they first block is no start's doing.
        await site.until_blocked(runners)
        before = sum(one.claims for one in idle)
        await site.put(jobs)
        await running
        times = sorted(time_s for one in idle for time_s in one.begun_s)
        limit, per_ms = map(int, rate.split("/"))
        ideal_s = (jobs - limit) / limit * per_ms / 1000
        return [
            Figure(f"wakeups.{name}.claims", (sum(one.claims for one in idle) - before) / jobs, "claims per start"),
            Figure(f"wakeups.{name}.used", 100 * ideal_s / (times[-1] - times[0]), "% of the rate"),
        ]


async def _freed(redis: PrivateRedis, setting: str, group: str, ends: int) -> list[float]:
    """One job runs at a time. Two runners take turns: the one that ends a job waits until the other has the next."""
    async with _site(redis, setting, "1") as site:
        await site.put(ends + 1, group)
        one, other = [await site.runner(f"w{number}", ends + 2) for number in range(2)]
        (job,) = await one.begin()
        found = []
        for _ in range(ends):
            asleep = asyncio.create_task(other.begin())
            await site.until_blocked(1)
            began_s = time.perf_counter()
            await one.end(job)
            (job,) = await asleep
            found.append((time.perf_counter() - began_s) * 1000)
            one, other = other, one
        return found


class Site:
    """One queue with one limit. done: set when as many jobs have begun as were asked for."""

    def __init__(self, redis: PrivateRedis, link: RedisLink) -> None:
        self._redis = redis
        self._link = link
        self._links = [link]
        self._ids = JobIds()
        self.begun = 0
        self.done = asyncio.Event()

    async def put(self, count: int, group: str = "") -> None:
        store = JobStore(self._link, RedisKeys("wb"))
        jobs = [NewJob(self._ids.new(QUEUE, "request"), "normal", SPEC, group=group) for _ in range(count)]
        await asyncio.gather(*map(store.enqueue, jobs))

    async def runner(self, runner_id: str, jobs: int) -> "Runner":
        link, pop_link = [open_link(self._redis.url, timeout_s=30) for _ in range(2)]
        self._links += [link, pop_link]
        runner = Runner(self, Lease(link, pop_link, RedisKeys("wb"), QUEUE, runner_id, Random(runner_id)), jobs)
        await runner.lease.register({"pid": 0})
        return runner

    async def until_blocked(self, runners: int) -> None:
        while int(self._redis.client.info("clients")["blocked_clients"]) < runners:
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        for link in self._links:
            await link.close()


@asynccontextmanager
async def _site(redis: PrivateRedis, setting: str, value: str) -> AsyncIterator[Site]:
    link = open_link(redis.url, timeout_s=30)
    await Scripts(link).call("adjust", RedisKeys("wb").base(QUEUE), QUEUE, "", "", setting, value)
    site = Site(redis, link)
    try:
        yield site
    finally:
        await site.close()


class Runner:
    """What the consumer of a runner does, for jobs that only take time. begun_s: when each of them began here."""

    def __init__(self, site: Site, lease: Lease, jobs: int) -> None:
        self.lease = lease
        self._site = site
        self._jobs = jobs
        self._free = SLOTS
        self._slot_free = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = set[asyncio.Task[Any]]()
        self.claims = 0
        self.begun_s: list[float] = []

    async def run(self) -> None:
        """Until all jobs of the site have begun, wherever."""
        loop = asyncio.create_task(self._loop())
        await self._site.done.wait()
        self._set_timer(None)
        while not loop.done():
            self._slot_free.set()
            await self.lease.end_pop()
            await asyncio.wait({loop}, timeout=0.05)
        await asyncio.gather(*self._tasks)

    async def _loop(self) -> None:
        while not self._site.done.is_set():
            if not self._free:
                self._slot_free.clear()
                await self._slot_free.wait()
            for job in await self.begin():
                self._free -= 1
                self._start(self._work(job))

    async def begin(self) -> list[ClaimedJob]:
        """Claim, and block where that brings nothing, until something is there or nothing is to come."""
        claim = await self._noted(self.lease.claim(max(1, self._free)))
        while not claim.jobs and not self._site.done.is_set():
            if claim.is_more:
                claim = await self._noted(self.lease.claim(self._free))
            else:
                claim = await self._noted(self.lease.pop(BLOCK_S, is_limited=claim.is_limited))
        self.begun_s += [time.perf_counter()] * len(claim.jobs)
        self._site.begun += len(claim.jobs)
        if self._site.begun >= self._jobs:
            self._site.done.set()
        return claim.jobs

    async def end(self, job: ClaimedJob) -> None:
        await self.lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", ""))

    async def _work(self, job: ClaimedJob) -> None:
        await asyncio.sleep(JOB_S)
        await self.end(job)
        self._free += 1
        self._slot_free.set()

    async def _noted(self, call: Any) -> Claim:
        self.claims += 1
        claim: Claim = await call
        if not claim.jobs or claim.ask_again_s is not None:
            self._set_timer(claim.ask_again_s)
        return claim

    def _set_timer(self, wait_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if wait_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, lambda: self._start(self._promote()))

    async def _promote(self) -> None:
        self.claims += 1
        self._set_timer(await self.lease.promote())

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
