"""Jobs a second over jobs that do nothing: what is measured is Waybill itself.

As many at each number of jobs at a time: at 20,000 a second they last some seconds, as the peers' do (they take 35,000
jobs, 8,000 where they run one at a time), and all but the first 10,000 meet a queue that is trimmed. What Redis can do
with the same scripts is measured behind it, in bites as large.
"""

from collections.abc import Iterator

from tests.bench import ceiling
from tests.bench.figure import Figure
from tests.bench.fill import fill
from tests.bench.posts import MODULES
from tests.bench.spent import Drained, drain
from tests.private_redis import PrivateRedis
from tests.processes import Worker

JOBS = 80_000
LIMITS = (1, 10, 100)


def run(*, is_quick: bool) -> Iterator[Figure]:
    """One runner."""
    for limit in LIMITS:
        drained = work_off(limit, is_quick=is_quick)
        yield Figure(f"work.c{limit}", drained.per_s, "jobs/s")
        yield Figure(f"work.redis_us_c{limit}", drained.redis_us_per_job, "µs per job")
        yield Figure(f"work.redis_core_c{limit}", drained.redis_core_percent, "% of a core")
        yield Figure(f"work.jobs_per_call_c{limit}", drained.jobs_per_call, "jobs")
    # Claims and finishes are calls each, and a pair of them moves as many jobs as two calls.
    yield from ceiling.claim_and_finish(in_a_claim=max(1, round(2 * drained.jobs_per_call)), is_quick=is_quick)


def work_off(limit: int, *, is_quick: bool, runners: int = 1) -> Drained:
    """A queue that was full before the worker began. limit: jobs at a time, of each runner."""
    jobs = JOBS // (10 if is_quick else 1)
    with PrivateRedis(aof="everysec") as redis:
        fill(redis, jobs)
        settings = {"WORKER_QUEUES": f"default={limit}", "WORKER_PROCESSES": runners}
        with Worker(redis.url, JOB_MODULES=MODULES, **settings):
            return drain(redis, jobs)
