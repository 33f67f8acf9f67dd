"""Waybill's workflows, BullMQ's flows and Celery's canvas behind two calls, so that each does the same work.

A contender has a Redis of its own and PROCESSES worker processes of SLOTS jobs at a time, and reaches Redis by a unix
socket. A part returns its number; the last job of a flow adds up what the jobs before it have returned, and appends the
time and the sum to a file. The peers are npm's and PyPI's, installed into folders of the bench's own.
"""

import asyncio
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from lib.ids import JobIds
from lib.jobs import registry
from lib.jobs.workflow_request import read_workflow
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.bench.contenders import PROCESSES, SLOTS
from tests.bench.installed import npm, pip
from tests.bench.peers import PeerFailed
from tests.private_redis import PrivateRedis
from tests.processes import ROOT, Worker
from tests.traces import new_trace

MODULES = "tests.bench.jobs"
PROGRAM = Path(__file__).resolve().with_name("workflows_peers.js")
NODE_PACKAGES = {"bullmq": "6.7.0"}
CELERY = "celery[redis]==5.7.0"
CELERY_MODULE = "tests.bench.workflows_celery"


class Ended(NamedTuple):
    """What the last job of a flow wrote: when, in Unix seconds, and the sum of what it was given."""

    at_s: float
    total: int


class FlowContender(Protocol):
    """A job queue with its workers. `with` starts and ends them."""

    redis: PrivateRedis
    path: Path
    """The file to which the last jobs append."""

    def __enter__(self) -> "FlowContender": ...

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        """End all that was started."""

    def send(self, shape: str, jobs: int) -> None:
        """shape: `fan`, all but one job at once and then that one, or `chain`, each after the last. Returns when Redis
        has all of it."""


class WaybillFlows:
    """The real worker.py; a workflow goes in by the API's own code, without HTTP, as the peers' do."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._loop = asyncio.Runner()

    def __enter__(self) -> "WaybillFlows":
        self._stack.enter_context(self._loop)
        self.redis = self._stack.enter_context(PrivateRedis(aof="everysec"))
        self.path = self.redis.path.with_name("ended")
        self._types = registry.load([MODULES])
        self._loop.run(self._open())
        self._stack.callback(lambda: self._loop.run(self._close()))
        settings = {"WORKER_QUEUES": f"default={SLOTS}", "WORKER_PROCESSES": PROCESSES, "RETAIN_COMPLETED": 10**6}
        self._stack.enter_context(Worker(self.redis.url, JOB_MODULES=MODULES, **settings))
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    async def _open(self) -> None:
        self._link = open_link(self.redis.url, timeout_s=30)
        self._store = JobStore(self._link, RedisKeys("wb"))

    async def _close(self) -> None:
        await self._store.notices.wait_until_idle()
        await self._link.close()

    def send(self, shape: str, jobs: int) -> None:
        names = [f"n{number}" for number in range(jobs - 1)]
        parts: dict[str, Any] = {name: {"type": "part", "payload": {"number": at}} for at, name in enumerate(names)}
        if shape == "chain":
            for at in range(1, jobs - 1):
                parts[names[at]]["after"] = [names[at - 1]]
        last = names if shape == "fan" else names[-1:]
        body = {"jobs": {**parts, "total": {"type": "total", "payload": {"path": str(self.path)}, "after": last}}}
        graph = read_workflow(body, self._types, JobIds(), request_id="bench", trace=new_trace())
        self._loop.run(self._plant(graph))

    async def _plant(self, graph: Any) -> None:
        await self._store.workflows.plant(graph)
        await self._store.notices.wait_until_idle()  # The loop stands still between two calls.


class _Programs:
    """Worker processes of a peer, and one that takes commands."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.workers: list[Any] = []

    def __enter__(self) -> Any:
        self.install()
        try:
            self._start_all()
        except BaseException:
            self._stack.close()  # Python calls __exit__ only for a `with` that was entered.
            raise
        return self

    def _start_all(self) -> None:
        self.redis = self._stack.enter_context(PrivateRedis(aof="everysec"))
        self.path = self.redis.path.with_name("ended")
        self._adder = self.start(*self.adder())
        self.workers = [self.start(*self.worker(number)) for number in range(PROCESSES)]
        for worker in self.workers:
            if worker.stdout.readline() != "started\n":
                raise PeerFailed(f"{self.worker(0)} did not start")

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    def send(self, shape: str, jobs: int) -> None:
        self._adder.stdin.write(f"{shape} {jobs} {self.path}\n")
        self._adder.stdin.flush()
        if self._adder.stdout.readline() != "done\n":
            raise PeerFailed(f"{self.adder()} did not send a {shape} of {jobs} jobs")

    def start(self, *command: str) -> Any:  # Popen's type says that the pipes may be None.
        environment = {**os.environ, **self.environment(), "REDIS_SOCKET": str(self.redis.path)}
        pipe = subprocess.PIPE
        with self.redis.path.with_name("said").open("ab") as said:
            program = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=said, text=True
            )
        self._stack.callback(program.wait)
        self._stack.callback(program.kill)
        return program

    def install(self) -> None:
        raise NotImplementedError

    def adder(self) -> list[str]:
        raise NotImplementedError

    def worker(self, number: int) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}


class BullFlows(_Programs):
    """BullMQ's FlowProducer."""

    def install(self) -> None:
        self._modules = npm("flows", NODE_PACKAGES)

    def environment(self) -> dict[str, str]:
        return {"NODE_PATH": str(self._modules)}

    def adder(self) -> list[str]:
        return ["node", str(PROGRAM), "add"]

    def worker(self, number: int) -> list[str]:
        return ["node", str(PROGRAM), "work", str(SLOTS)]


class CeleryFlows(_Programs):
    """Celery's chord and chain, with threads: so each process has SLOTS, as the others' have."""

    def install(self) -> None:
        self._programs = pip("celery", [CELERY], "celery")

    def adder(self) -> list[str]:
        return [str(self._programs / "python"), "-m", CELERY_MODULE]

    def worker(self, number: int) -> list[str]:
        pool = ["-P", "threads", "-c", str(SLOTS), "-n", f"w{number}@bench"]
        return [str(self._programs / "celery"), "-q", "-A", CELERY_MODULE, "worker", *pool, "-l", "ERROR"]


def ended(path: Path) -> list[Ended]:
    """What the last jobs wrote into the file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Ended(float(at_s), int(found)) for at_s, found in map(str.split, lines)]
