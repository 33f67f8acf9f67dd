"""What more connections, more jobs at a time and a second process bring, and how much of a core Redis takes at each.

Where Redis' share comes near 100 % it is the limit, whatever is added beside it: the rate that it has then is what
ceiling.py measures. On two cores that is hardly reached: wrk, the server, the runner and Redis share them, so what a
second process brings here is the least that it brings elsewhere.
"""

from collections.abc import Iterator

from tests.bench import work
from tests.bench.figure import Figure
from tests.bench.posts import MODULES, drive
from tests.bench.spent import Spent
from tests.private_redis import PrivateRedis
from tests.processes import Server

PROCESSES = (1, 2)
AT_ONCE = (1, 10, 100)
CONNECTIONS = (1, 8, 64)


def run(*, is_quick: bool) -> Iterator[Figure]:
    for connections, at_once in zip(CONNECTIONS, AT_ONCE, strict=True):
        for processes in PROCESSES:
            yield from _posts(processes, connections, is_quick=is_quick)
            yield from _jobs(processes, at_once, is_quick=is_quick)


def _posts(processes: int, connections: int, *, is_quick: bool) -> Iterator[Figure]:
    settings = {"JOB_MODULES": MODULES, "SERVER_PROCESSES": processes}
    with PrivateRedis(aof="everysec") as redis, Server(redis.url, **settings) as server:
        spent = Spent(redis)
        posted = drive(server.url, is_quick=is_quick, connections=connections)
        core_percent = spent.core_percent
    yield Figure(f"scaling.posts_p{processes}_c{connections}", posted.per_s, "requests/s")
    yield Figure(f"scaling.posts_redis_p{processes}_c{connections}", core_percent, "% of a core")


def _jobs(runners: int, at_once: int, *, is_quick: bool) -> Iterator[Figure]:
    """at_once: of each runner."""
    drained = work.work_off(at_once, is_quick=is_quick, runners=runners)
    yield Figure(f"scaling.jobs_p{runners}_c{at_once}", drained.per_s, "jobs/s")
    yield Figure(f"scaling.jobs_redis_p{runners}_c{at_once}", drained.redis_core_percent, "% of a core")
