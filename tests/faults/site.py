"""A place for a fault to happen in: a Redis, servers, workers, jobs put in, a ledger outside, and what came of it all.

with Site() as site:
    site.worker(WORKER_PROCESSES=2)
    ids = site.put(100, "work")
    site.until_completed(ids)
    site.judge(row)
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import redis

from lib.ids import JobIds
from lib.jobs import registry, submission
from lib.jobs.job import NewJob
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.faults.ledger import Execution, executions, stale_results
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import ROOT, Server
from tests.system.oracle import faults
from tests.traces import new_trace

JOB_MODULES = "tests.faults.jobs"
KEEP_ALL = 10**8
AT_ONCE = 2000


class Site:
    """client: for looking in; where the Redis is not a private one it is given, as is the url."""

    def __init__(
        self,
        *,
        aof: Literal["no", "everysec", "always"] = "no",
        options: Iterable[str] = (),
        url: str = "",
        client: Any = None,
        redis_server: PrivateRedis | None = None,
        queue: str = "default",
    ) -> None:
        """redis_server: one that is started, and ended by who started it; or a url, and a client that looks into it."""
        self._aof: Literal["no", "everysec", "always"] = aof
        self._options = tuple(options)
        self.url = redis_server.url if redis_server else url
        self._client = client
        if redis_server:
            self.redis = redis_server
        self.queue = queue
        self.base = f"wb:{{{queue}}}:"
        self.accepted: list[str] = []
        self.ids = JobIds()
        self.types = registry.load([JOB_MODULES])
        self.rng = random.Random(3)

    def __enter__(self) -> "Site":
        with contextlib.ExitStack() as self._stack:
            self._begin()
            self._stack = self._stack.pop_all()
        return self

    def _begin(self) -> None:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-fault-")))
        self.ledger = self.folder / "ledger"
        if not self.url:
            self.redis = PrivateRedis(aof=self._aof, options=self._options)
            self._stack.callback(self.redis.close)
            self.redis.start()
            self.url = self.redis.url

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def client(self) -> redis.Redis:
        client: redis.Redis = self._client or self.redis.client
        return client

    # Programs.

    def worker(self, *, url: str = "", is_awaited: bool = True, root: Path = ROOT, **settings: object) -> Runners:
        """A started worker.py; where it is awaited, it serves its queues. root: of another release."""
        defaults: dict[str, object] = {
            "JOB_MODULES": JOB_MODULES,
            "WORKER_QUEUES": f"{self.queue}=5",
            "LOG_LEVEL": "WARNING",
            "RETAIN_COMPLETED": KEEP_ALL,
            "LEASE_S": 2,
        }
        worker = Runners(url or self.url, **{**defaults, **settings})
        worker.client, worker.root = self.client, root
        self._stack.callback(worker.close)
        worker.start()
        if is_awaited:
            worker.wait_until_ready()
        return worker

    def server(self, *, url: str = "", is_awaited: bool = True, root: Path = ROOT, **settings: object) -> Server:
        server = Server(url or self.url, **{"JOB_MODULES": JOB_MODULES, **settings})
        server.root = root
        self._stack.callback(server.close)
        server.start()
        if is_awaited:
            server.wait_until_ready()
        return server

    # Jobs.

    def body(self, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> dict[str, Any]:
        fields = {"queue": self.queue, **(options or {})}
        return {"type": type_name, "payload": {"ledger": str(self.ledger), **payload}, **fields}

    def new(self, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> NewJob:
        body = self.body(type_name, options, **payload)
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return job

    def put(self, count: int, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> list[str]:
        """Ids of so many jobs that were taken in, without a server."""
        return self.put_all(self.new(type_name, options, **payload) for _ in range(count))

    def put_all(self, jobs: Iterable[NewJob]) -> list[str]:
        jobs = list(jobs)

        async def put() -> None:
            link = open_link(self.url, timeout_s=30)
            queue = JobStore(link, RedisKeys("wb"))
            try:
                for at in range(0, len(jobs), AT_ONCE):
                    await asyncio.gather(*map(queue.enqueue, jobs[at : at + AT_ONCE]))
            finally:
                await link.close()

        asyncio.run(put())
        ids = [job.job_id for job in jobs]
        self.accepted += ids
        return ids

    # What came of them.

    def until(self, condition: Callable[[], object], what: str, within_s: float = 30.0, every_s: float = 0.01) -> Any:
        return wait_until(condition, what, within_s=within_s, every_s=every_s)

    def until_completed(self, ids: Iterable[str], within_s: float = 60.0) -> None:
        """Wait until all of them are; what is not after that is for `judge` to say."""
        left = set(ids)

        def is_done() -> bool:
            done: Any = self.client.zmscore(f"{self.base}completed", chunk) if (chunk := list(left)[:500]) else []
            left.difference_update(job_id for job_id, score in zip(chunk, done, strict=True) if score is not None)
            return not left

        deadline_s = time.monotonic() + within_s
        while not is_done() and time.monotonic() < deadline_s:
            time.sleep(0.02)

    def until_begun(self, ids: Iterable[str], within_s: float = 30.0) -> None:
        wanted = set(ids)
        self.until(lambda: wanted <= {run.job_id for run in self.executions()}, "they have begun", within_s)

    def executions(self) -> list[Execution]:
        """All of them, in the order in which they began."""
        return executions(self.ledger)

    def records(self, ids: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
        """The hashes of all jobs, or of those; a job that is not there has an empty one."""
        client = self.client
        if ids is None:
            listed: Any = client.zrange(f"{self.base}all", 0, -1)
            ids = [raw.decode() for raw in listed]
        wanted = list(ids)
        found: dict[str, dict[str, str]] = {}
        for at in range(0, len(wanted), AT_ONCE):
            chunk = wanted[at : at + AT_ONCE]
            pipe = client.pipeline(transaction=False)
            for job_id in chunk:
                pipe.hgetall(f"{self.base}job:{job_id}")
            for job_id, fields in zip(chunk, pipe.execute(), strict=True):
                found[job_id] = {k.decode(): v.decode(errors="replace") for k, v in fields.items()}
        return found

    def look_into(self, client: redis.Redis) -> None:
        """From now on, this Redis is the one to be judged."""
        self._client = client

    def judge(self, row: Row, *, twice_allowed: bool = False, expected: str = "completed") -> None:
        """The oracle, the ledger, and every accepted id: what is not right goes into the row."""
        row.violations += [f"oracle: {fault}" for fault in faults(self.client)[:20]]
        records = self.records(self.accepted)
        wrong = Counter(record.get("state", "missing") for record in records.values())
        wrong.pop(expected, None)
        row.lost += sum(wrong.values())
        row.demand(not wrong, f"accepted and not {expected}: {dict(wrong)}")
        runs = self.executions()
        begun = Counter(run.job_id for run in runs)
        twice = sum(count - 1 for count in begun.values())
        row.twice += twice
        row.demand(twice_allowed or not twice, f"{twice} executions too many")
        row.stale += len(stale := stale_results(records, runs))
        row.demand(not stale, f"results of a runner that had lost the job: {stale[:5]}")
