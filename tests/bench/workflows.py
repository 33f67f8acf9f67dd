"""What jobs that wait for jobs cost inside Redis, and how fast they follow one another.

1. `workflows.<way>.redis`: microseconds and commands inside Redis for each of 1,000 jobs that run one at a time, in
   turns over two queues: `plain` ones, that wait for nothing; `then`, a chain of nested `then`; `after`, a chain whose
   jobs are sent one by one, each after the last; `workflow`, the same chain as the members of one workflow. They are
   planted by the API's own code, claimed, finished and told as a runner does it, without HTTP and without handlers.
2. `workflows.chain`, `workflows.join`: the real programs. A workflow of 1,000 jobs, each after the last, over two
   queues: how long from a job's end to its follower's start, by Redis' clock. A workflow of 999 jobs and one after them
   all: how long the POST takes, and how long until the last job is completed; and the longest script meanwhile, by
   Redis' SLOWLOG: by the clock on the wall, so that on a machine with other work it is one that waited for a core.
3. `workflows.memory`: bytes of the keys of a queue for each job in it (MEMORY USAGE).
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from lib.ids import JobIds, queue_of
from lib.jobs import registry, submission
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.workflow import Graph
from lib.jobs.workflow_request import read_workflow
from lib.queue.claim_reply import claim_from
from lib.queue.end_record import complete_record, records_text
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import open_link
from tests.bench.figure import Figure
from tests.faults.row import percentile
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker
from tests.traces import new_trace

JOBS = 1000
QUEUES = ("left", "right")
MODULES = "tests.bench.jobs"
DIRECT = ("evalsha", "xrange", "xdel")
"""What is sent to Redis on the way of a job. None of them is called by a script as well, which would count it twice."""
UNCOUNTED = ("cmdstat_info", "cmdstat_evalsha")
LIMIT_S = 120.0
PAYLOAD = {"text": "x" * 400}


class Spent(NamedTuple):
    """Inside Redis: microseconds, and commands, those that scripts make included."""

    us: float
    commands: float


def run(*, is_quick: bool) -> Iterator[Figure]:
    jobs = JOBS // (10 if is_quick else 1)
    yield from asyncio.run(_ways(jobs))
    yield from _chain(jobs)
    yield from _join(jobs)
    yield from asyncio.run(_memory(jobs))
    yield Figure("workflows.load", os.getloadavg()[0], "processes")


# 1. What a way costs.


async def _ways(jobs: int) -> list[Figure]:
    figures = []
    for name, way in (("plain", _plain), ("then", _then), ("after", _after), ("workflow", _workflow)):
        with PrivateRedis(aof="everysec") as redis:
            site = Site(redis)
            await site.begin()
            await way(site, 10)  # By this Redis has the scripts.
            before = _spent(redis)
            await way(site, jobs)
            after = _spent(redis)
            await site.close()
        figures += [
            Figure(f"workflows.{name}.redis", (after.us - before.us) / jobs, "µs per job"),
            Figure(f"workflows.{name}.commands", (after.commands - before.commands) / jobs, "per job"),
        ]
    return figures


async def _plain(site: "Site", jobs: int) -> None:
    for number in range(jobs):
        await site.enqueue(number)
        await site.run_one(number)


async def _then(site: "Site", jobs: int) -> None:
    await site.plant(site.then_chain(jobs))
    await site.run_all(jobs)


async def _after(site: "Site", jobs: int) -> None:
    parent = ""
    for number in range(jobs):
        parent = await site.plant_after(parent, number) if parent else await site.enqueue(number)
    await site.run_all(jobs)


async def _workflow(site: "Site", jobs: int) -> None:
    await site.plant(site.workflow(chain(jobs)))
    await site.run_all(jobs)


def one_job(number: int) -> dict[str, Any]:
    return {"type": "noop", "queue": QUEUES[number % 2], "payload": PAYLOAD}


def chain(jobs: int) -> dict[str, Any]:
    """The members of a workflow: n0, n1 …, each after the one before."""
    return {
        f"n{number}": {**one_job(number), **({"after": [f"n{number - 1}"]} if number else {})} for number in range(jobs)
    }


def fan(jobs: int) -> dict[str, Any]:
    """The members of a workflow: n0, n1 …, and the last one, `join`, after them all."""
    parts = {f"n{number}": one_job(number) for number in range(jobs - 1)}
    return {**parts, "join": {**one_job(0), "after": list(parts)}}


class Site:
    """Two queues, with a runner each, by the code that the programs use."""

    def __init__(self, redis: PrivateRedis) -> None:
        self._link = open_link(redis.url, timeout_s=30)
        self._keys = RedisKeys("wb")
        self._store = JobStore(self._link, self._keys)
        self._scripts = Scripts(self._link)
        self._types, self._ids = registry.load([MODULES]), JobIds()

    async def begin(self) -> None:
        for queue in QUEUES:
            await self._scripts.call("register", self._keys.base(queue), "w", "{}")

    async def close(self) -> None:
        await self._store.notices.wait_until_idle()
        await self._link.close()

    async def enqueue(self, number: int) -> str:
        body = one_job(number)
        job = submission.read(body, self._types, self._ids, request_id="bench", trace=new_trace())[0]
        await self._store.enqueue(job)
        return job.job_id

    async def plant(self, graph: Graph) -> str:
        planted = await self._store.workflows.plant(graph)
        await self._store.notices.wait_until_idle()
        return planted.anchor_id

    async def plant_after(self, parent_id: str, number: int) -> str:
        return await self.plant(self._job_graph({**one_job(number), "after": [parent_id]}))

    def then_chain(self, jobs: int) -> Graph:
        body = one_job(jobs - 1)
        for number in range(jobs - 2, -1, -1):
            body = {**one_job(number), "then": [body]}
        return self._job_graph(body)

    def _job_graph(self, body: dict[str, Any]) -> Graph:
        return read_job_graph(body, self._types, self._ids, request_id="bench", trace=new_trace())

    def workflow(self, jobs: dict[str, Any]) -> Graph:
        body = {"queue": QUEUES[0], "jobs": jobs}
        return read_workflow(body, self._types, self._ids, request_id="bench", trace=new_trace())

    async def run_all(self, jobs: int) -> None:
        for number in range(jobs):
            await self.run_one(number)

    async def run_one(self, number: int) -> None:
        """The job of this number is the only one that is ready: claim it, finish it, and tell who waits for it."""
        queue = QUEUES[number % 2]
        base = self._keys.base(queue)
        reply: Any = await self._scripts.call("claim", base, "w", 1, "ready")
        jobs = claim_from(reply).jobs
        assert len(jobs) == 1, f"{len(jobs)} jobs of {queue} are ready where job {number} is to run"
        (job,) = jobs
        ends = records_text([complete_record(job.job_id, job.token, "noop", "")])
        letters = await self._scripts.call("finish", base, "w", ends)
        if letters.endswith(b"+"):
            await self._store.notices.tell(queue)


def _spent(redis: PrivateRedis) -> Spent:
    stats: Any = redis.client.info("commandstats")
    us = sum(float(stats.get(f"cmdstat_{name}", {}).get("usec", 0)) for name in DIRECT)
    inside = sum(row["calls"] for name, row in stats.items() if name not in UNCOUNTED)
    return Spent(us, float(inside))


# 2. The real programs.


def _chain(jobs: int) -> Iterator[Figure]:
    with _programs() as (redis, server):
        workflow_id, _ = _posted(server, chain(jobs))
        _wait_until_completed(redis, workflow_id)
        ids = [one["id"] for one in server.request("GET", f"/api/workflows/{workflow_id}")[1]["jobs"]]
        times = [_times_ms(redis, job_id) for job_id in ids]
    waits_ms = [started - ended for (_, _, ended), (_, started, _) in itertools.pairwise(times)]
    yield Figure("workflows.chain.p50", percentile(waits_ms, 0.5), "ms")
    yield Figure("workflows.chain.p99", percentile(waits_ms, 0.99), "ms")
    yield Figure("workflows.chain.jobs", jobs / (times[-1][2] - times[0][1]) * 1000, "jobs/s")


def _join(jobs: int) -> Iterator[Figure]:
    with _programs() as (redis, server):
        redis.client.config_set("slowlog-max-len", 100 * JOBS)
        redis.client.config_set("slowlog-log-slower-than", 0)
        redis.client.slowlog_reset()
        workflow_id, post_ms = _posted(server, fan(jobs))
        _wait_until_completed(redis, workflow_id)
        created_ms, _, finished_ms = _times_ms(redis, workflow_id)
        slow: Any = redis.client.slowlog_get(100 * JOBS)
    scripts_ms = [one["duration"] / 1000 for one in slow if one["command"].startswith(b"EVALSHA")]
    yield Figure("workflows.join.post", post_ms, "ms")
    yield Figure("workflows.join.all", finished_ms - created_ms, "ms")
    yield Figure("workflows.join.longest_script", max(scripts_ms), "ms")


@contextmanager
def _programs() -> Iterator[tuple[PrivateRedis, Server]]:
    settings = {"JOB_MODULES": MODULES, "RETAIN_COMPLETED": 10**6}
    with (
        PrivateRedis(aof="everysec") as redis,
        Worker(redis.url, WORKER_QUEUES=",".join(f"{queue}=10" for queue in QUEUES), **settings),
        Server(redis.url, **settings) as server,
    ):
        yield redis, server


def _posted(server: Server, jobs: dict[str, Any]) -> tuple[str, float]:
    """The id of a workflow of these jobs, and how many ms its POST took."""
    began_s = time.perf_counter()
    status, body, _ = server.request("POST", "/api/workflows", {"queue": QUEUES[0], "jobs": jobs})
    assert status == 202, body
    return body["id"], (time.perf_counter() - began_s) * 1000


def _wait_until_completed(redis: PrivateRedis, job_id: str) -> None:
    def is_completed() -> bool:
        return bool(redis.client.hget(f"wb:{{{queue_of(job_id)}}}:job:{job_id}", "state") == b"completed")

    wait_until(is_completed, "the workflow is completed", within_s=LIMIT_S, every_s=0.05)


def _times_ms(redis: PrivateRedis, job_id: str) -> tuple[int, int, int]:
    """When it was taken in, when it was begun (0: never), and when it ended."""
    base = f"wb:{{{queue_of(job_id)}}}:"
    started, finished = redis.client.hmget(f"{base}job:{job_id}", "started", "finished")
    return int(redis.client.zscore(f"{base}all", job_id)), int(started or 0), int(finished)


# 3. Memory.


async def _memory(jobs: int) -> list[Figure]:
    found: dict[str, float] = {}
    with PrivateRedis() as redis:
        site = Site(redis)
        await site.begin()
        plain_id = await site.enqueue(0)
        found["plain"] = _bytes(redis, plain_id, "job")
        graphs = [site.then_chain(2) for _ in range(jobs)]
        for graph in graphs:
            await site.plant(graph)
        parent_id, follower_id = graphs[-1].anchor.job.job_id, graphs[-1].members[0].job.job_id
        found["parent"] = _bytes(redis, parent_id, "job") + _key_bytes(redis, QUEUES[0], "followers") / jobs
        waiting = _key_bytes(redis, QUEUES[1], "blocked") + _key_bytes(redis, QUEUES[1], "unsure")
        found["follower"] = _bytes(redis, follower_id, "job", "parents") + waiting / jobs
        await site.close()
    with PrivateRedis() as redis:
        site = Site(redis)
        await site.begin()
        workflow_id = await site.plant(site.workflow(fan(jobs)))
        found["workflow_per_member"] = _bytes(redis, workflow_id, "job", "parents") / jobs
        await site.close()
    return [Figure(f"workflows.memory.{name}", value, "bytes") for name, value in found.items()]


def _bytes(redis: PrivateRedis, job_id: str, *keys: str) -> float:
    queue = queue_of(job_id) or ""
    return sum(_key_bytes(redis, queue, f"{key}:{job_id}") for key in keys)


def _key_bytes(redis: PrivateRedis, queue: str, key: str) -> float:
    return float(redis.client.memory_usage(f"wb:{{{queue}}}:{key}", samples=0) or 0)
