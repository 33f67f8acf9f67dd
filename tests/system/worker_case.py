"""For the tests of worker.py: a Redis, workers, jobs, a ledger outside of Redis, and the oracle at the end.

    worker = self.ready(WORKER_QUEUES="default=2")
    job_id = self.post("sleep", {"priority": "high"}, seconds=0.5)      # seconds: in the payload, with the ledger
    self.until_all([job_id], "completed")
    self.executions(job_id)                                             # [Execution(job_id, attempt=1, pid=4711)]

The jobs are those of tests/jobs_for_tests.py.
"""

import asyncio
import os
import tempfile
import unittest
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from lib.ids import JobIds
from lib.jobs import registry, submission
from lib.jobs.job import JobRecord, NewJob
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import JOB_MODULES, Worker
from tests.system.oracle import assert_sound, states
from tests.traces import new_trace

Answer = TypeVar("Answer")


class Execution(NamedTuple):
    """A line of the ledger: an attempt that began."""

    job_id: str
    attempt: int
    pid: int


class WorkerCase(unittest.TestCase):
    """A Redis for each test. When the workers are gone, the oracle checks that every accepted job is in exactly one
    place."""

    aof: Literal["no", "everysec", "always"] = "no"
    settings: dict[str, object] = {"WORKER_QUEUES": "default=10"}  # noqa: RUF012

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="wb-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.ledger = self.folder / "ledger"
        self.accepted: list[str] = []
        self.ids = JobIds()
        self.types = registry.load([JOB_MODULES])
        self.redis = self.a_redis()
        self.addCleanup(self.redis.close)
        self.redis.start()
        self.addCleanup(self.check)

    def a_redis(self) -> PrivateRedis:
        return PrivateRedis(aof=self.aof)

    def check(self) -> None:
        assert_sound(self.redis.client, accepted=self.accepted)

    def worker(self, **settings: object) -> Worker:
        """A worker that is started, and may not be ready yet: see `ready`."""
        worker = Worker(self.redis.url, **{**self.settings, **settings})
        self.addCleanup(worker.close)
        worker.start()
        return worker

    def ready(self, **settings: object) -> Worker:
        """A worker whose runners serve their queues."""
        worker = self.worker(**settings)
        worker.wait_until_ready()
        return worker

    # Jobs.

    def new(self, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> NewJob:
        """A job, not queued yet. options: the request's other fields, as {"queue": "email", "delay_s": 5}."""
        body = {"type": type_name, "payload": {"ledger": str(self.ledger), **payload}, **(options or {})}
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return job

    def post(self, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> str:
        """Queue a job. Returns its id."""
        return self.put(self.new(type_name, options, **payload))[0]

    def post_many(self, count: int, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> list[str]:
        return self.put(*[self.new(type_name, options, **payload) for _ in range(count)])

    def put(self, *jobs: NewJob) -> list[str]:
        async def enqueue(queue: JobStore) -> None:
            await asyncio.gather(*[queue.enqueue(job) for job in jobs])

        self.asked(enqueue)
        ids = [job.job_id for job in jobs]
        self.accepted += ids
        return ids

    def asked(self, question: Callable[[JobStore], Awaitable[Answer]]) -> Answer:
        """The answer to `question`, which is given a JobStore over this Redis."""

        async def ask() -> Answer:
            link = open_link(self.redis.url, timeout_s=5)
            try:
                return await question(JobStore(link, RedisKeys("wb")))
            finally:
                await link.close()

        return asyncio.run(ask())

    def record(self, job_id: str) -> JobRecord:
        return self.asked(lambda queue: queue.read(job_id))

    def records(self, ids: list[str]) -> list[JobRecord]:
        return self.asked(lambda queue: queue.read_many(ids))

    def cancel(self, job_id: str) -> None:
        self.asked(lambda queue: queue.cancel(job_id))

    # Waiting and checking.

    def until(self, condition: Callable[[], object], what: str, within_s: float = 20.0) -> Any:
        return wait_until(condition, what, within_s=within_s)

    def until_all(self, ids: list[str], state: str, within_s: float = 20.0) -> None:
        """Wait until all of these jobs are in `state`."""

        def rest() -> dict[str, int]:
            known = states(self.redis.client)
            return dict(Counter(known.get(job_id, "missing") for job_id in ids if known.get(job_id) != state))

        try:
            wait_until(lambda: not rest(), state, within_s=within_s, every_s=0.02)
        except AssertionError:
            raise AssertionError(f"not all {state} within {within_s:g} s: {rest()}") from None

    def lines(self) -> list[str]:
        return self.ledger.read_text(encoding="utf-8").splitlines() if self.ledger.exists() else []

    def executions(self, job_id: str = "", lines: list[str] | None = None) -> list[Execution]:
        """The attempts that began, of one job or of all. lines: of the ledger, read earlier; None: as it is now."""
        lines = self.lines() if lines is None else lines
        found = [line.split() for line in lines if not line.startswith("ended")]
        return [Execution(i, int(attempt), int(pid)) for i, attempt, pid in found if job_id in ("", i)]

    def until_begun(self, *ids: str, attempts: int = 1) -> None:
        """Wait until each of these jobs has begun `attempts` times."""
        self.until(lambda: all(len(self.executions(job_id)) >= attempts for job_id in ids), "the jobs have begun")

    def flag(self) -> Path:
        """The path of a file that does not exist yet, for a job's `until`."""
        return self.folder / f"flag-{len(os.listdir(self.folder))}"  # noqa: PTH208
