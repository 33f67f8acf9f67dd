"""Jobs a second over jobs that do nothing: what is measured is Waybill itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.bench.figure import Figure
from tests.bench.posts import MODULES
from tests.bench.spent import Drained, drain
from tests.private_redis import PrivateRedis
from tests.processes import Worker

JOBS = {1: 8_000, 10: 40_000, 100: 80_000}  # by how many run at a time: a few seconds each
PAYLOAD = {"to": "test@gmail.com", "subject": "hi", "text": "hello"}


def run(*, is_quick: bool) -> Iterator[Figure]:
    """One runner."""
    for limit in JOBS:
        drained = work_off(limit, is_quick=is_quick)
        yield Figure(f"work.c{limit}", drained.per_s, "jobs/s")
        yield Figure(f"work.redis_us_c{limit}", drained.redis_us_per_job, "µs per job")
        yield Figure(f"work.redis_core_c{limit}", drained.redis_core_percent, "% of a core")
        yield Figure(f"work.jobs_per_call_c{limit}", drained.jobs_per_call, "jobs")


def work_off(limit: int, *, is_quick: bool, runners: int = 1) -> Drained:
    """A queue that was full before the worker began. limit: jobs at a time, of each runner."""
    jobs = JOBS[limit] // (10 if is_quick else 1)
    with PrivateRedis(aof="everysec") as redis:
        fill(redis, jobs)
        settings = {"WORKER_QUEUES": f"default={limit}", "WORKER_PROCESSES": runners}
        with Worker(redis.url, JOB_MODULES=MODULES, **settings):
            return drain(redis, jobs)


def fill(redis: PrivateRedis, jobs: int, payload: dict[str, Any] | None = None, type_name: str = "noop") -> None:
    """Put jobs in through the API's own code, in a process of its own that ends with it."""
    body = json.dumps({"type": type_name, "payload": payload or PAYLOAD})
    subprocess.run([sys.executable, "-m", "tests.bench.fill", redis.url, str(jobs), body], check=True)
