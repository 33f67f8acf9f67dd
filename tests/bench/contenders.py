"""Waybill, BullMQ and groupmq behind the same few calls, so that limits_peers.py has each of them do the same work.

A contender has a Redis of its own and PROCESSES worker processes of SLOTS jobs at a time, and reaches Redis by a unix
socket. Its jobs are a name, which is the group where the contender has groups, and how long they last. A job that lasts
appends a line to a file; one that lasts 0 ms does nothing at all, and only its end is counted.
The peers are npm's, in a folder of the bench's own: they are installed there when they are first asked for.
"""

import asyncio
import json
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from lib.ids import JobIds
from lib.jobs import registry, submission
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import open_link
from tests.bench.installed import npm
from tests.bench.peers import PeerFailed
from tests.bench.posts import MODULES
from tests.bench.spent import completed
from tests.private_redis import PrivateRedis
from tests.processes import Worker
from tests.traces import new_trace

PROCESSES = 4
SLOTS = 5
PROGRAM = Path(__file__).resolve().with_name("limits_peers.js")
PACKAGES = {"bullmq": "6.7.0", "groupmq": "1.1.0", "ioredis": "5.8.2"}
STARTED = {"waybill": ("wb:{default}:job:*", "started"), "bullmq": ("bull:bench:[0-9]*", "processedOn")}
"""Where Redis has each job's start in ms: the keys of the jobs, and the field."""
COMPLETED_KEYS = {"bullmq": "bull:bench:completed", "groupmq": "groupmq:bench:completed"}


class Job(NamedTuple):
    """lasts_ms: how long the handler takes; with 0 it does nothing, and writes no line."""

    name: str
    lasts_ms: int = 0


class Stamp(NamedTuple):
    """One line that a job wrote: when it was sent, when its handler began and ended, in Unix seconds."""

    sent_s: float
    begun_s: float
    ended_s: float
    name: str


class Contender(Protocol):
    """A job queue with its workers. `with` starts and ends them; the limits are set before jobs are added."""

    redis: PrivateRedis

    def __enter__(self) -> "Contender": ...

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        """End all that was started."""

    def add(self, jobs: list[Job]) -> None:
        """Returns when Redis has them all."""

    def concurrency(self, most: int) -> None:
        """At most so many jobs run at once, over all workers."""

    def rate(self, limit: int, per_ms: int) -> None:
        """At most so many jobs start in any `per_ms`, over all workers."""

    def group_concurrency(self, most: int) -> None:
        """At most so many jobs of each name run at once."""

    def pause(self) -> None:
        """No job starts from now on."""

    def resume(self) -> None:
        """Jobs start again."""

    def ended(self) -> int:
        """How many jobs are completed."""

    def stamps(self) -> list[Stamp]:
        """Of the jobs that lasted and have ended."""

    def started_s(self) -> list[float]:
        """When each job started, sorted, by its record in Redis."""


class Waybill:
    """The real worker.py; jobs go in by the API's own code, without HTTP, as the peers' do."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._loop = asyncio.Runner()
        self._ids = JobIds()
        self._types = registry.load(MODULES.split(","))

    def __enter__(self) -> "Waybill":
        self._stack.enter_context(self._loop)
        self.redis = self._stack.enter_context(PrivateRedis(aof="everysec"))
        self._link = self._loop.run(_opened(self.redis.url))
        self._stack.callback(lambda: self._loop.run(self._link.close()))
        settings = {"WORKER_QUEUES": f"default={SLOTS}", "WORKER_PROCESSES": PROCESSES}
        worker = self._stack.enter_context(Worker(self.redis.url, JOB_MODULES=MODULES, **settings))
        self._path = worker.folder / "stamps"
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    def add(self, jobs: list[Job]) -> None:
        self._loop.run(self._add(jobs))

    async def _add(self, jobs: list[Job]) -> None:
        store = JobStore(self._link, RedisKeys("wb"))
        for first in range(0, len(jobs), 500):
            await asyncio.gather(*[store.enqueue(self._new(job)) for job in jobs[first : first + 500]])

    def _new(self, job: Job) -> Any:
        payload = {"path": str(self._path), "name": job.name, "lasts_ms": job.lasts_ms, "sent_s": time.time()}
        body = {"type": "last" if job.lasts_ms else "noop", "group": job.name, "payload": payload}
        return submission.read(body, self._types, self._ids, request_id="bench", trace=new_trace())[0]

    def concurrency(self, most: int) -> None:
        self._adjust("concurrency", str(most))

    def rate(self, limit: int, per_ms: int) -> None:
        self._adjust("rate", f"{limit}/{per_ms}")

    def group_concurrency(self, most: int) -> None:
        self._adjust("group_concurrency", str(most))

    def pause(self) -> None:
        self._adjust("paused", "1")

    def resume(self) -> None:
        self._adjust("paused", "")

    def _adjust(self, name: str, value: str) -> None:
        base = RedisKeys("wb").base("default")
        self._loop.run(Scripts(self._link).call("adjust", base, "default", "", "", name, value))

    def ended(self) -> int:
        return completed(self.redis)

    def stamps(self) -> list[Stamp]:
        return _stamps_in(self._path)

    def started_s(self) -> list[float]:
        return _started_s(self.redis, "waybill")


class NodePeer:
    """BullMQ or groupmq: worker processes of limits_peers.js, and one that adds jobs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = ExitStack()

    def __enter__(self) -> "NodePeer":
        self._modules = npm("limits", PACKAGES)
        self.redis = self._stack.enter_context(PrivateRedis(aof="everysec"))
        self._path = self.redis.path.with_name("stamps")
        self._adder = self._start("add")
        for _ in range(PROCESSES):
            assert self._start("work", str(self._path), str(SLOTS)).stdout.readline() == "started\n"
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    def _start(self, *words: str) -> Any:  # Popen's type says that the pipes may be None.
        environment = {**os.environ, "REDIS_SOCKET": str(self.redis.path), "NODE_PATH": str(self._modules)}
        command = ["node", str(PROGRAM), self._name, *words]
        pipe = subprocess.PIPE
        program = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._stack.callback(program.wait)
        self._stack.callback(program.kill)
        return program

    def add(self, jobs: list[Job]) -> None:
        self._told("add", [job._asdict() for job in jobs])

    def concurrency(self, most: int) -> None:
        self._told("concurrency", most)

    def rate(self, limit: int, per_ms: int) -> None:
        self._told("rate", limit, per_ms)

    def group_concurrency(self, most: int) -> None:
        """groupmq runs one job of a group at a time, always; BullMQ has no groups (they are in BullMQ Pro)."""

    def pause(self) -> None:
        self._told("pause")

    def resume(self) -> None:
        self._told("resume")

    def _told(self, *command: object) -> None:
        self._adder.stdin.write(json.dumps(command) + "\n")
        self._adder.stdin.flush()
        if self._adder.stdout.readline() != "done\n":
            raise PeerFailed(f"{self._name} did not do {str(command)[:100]}")

    def ended(self) -> int:
        return int(self.redis.client.zcard(COMPLETED_KEYS[self._name]))

    def stamps(self) -> list[Stamp]:
        return _stamps_in(self._path)

    def started_s(self) -> list[float]:
        return _started_s(self.redis, self._name)


async def _opened(url: str) -> Any:
    return open_link(url, timeout_s=30)


def _stamps_in(path: Path) -> list[Stamp]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    fields = [line.split() for line in lines]
    return [Stamp(float(sent), float(begun), float(ended), name) for sent, begun, ended, name in fields]


def _started_s(redis: PrivateRedis, name: str) -> list[float]:
    pattern, field = STARTED[name]
    return sorted(int(redis.client.hget(key, field)) / 1000 for key in redis.client.keys(pattern))
