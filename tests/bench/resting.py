"""What Waybill costs with nothing to do: server, supervisor and runner, and what they ask of Redis meanwhile.

Memory is told in two ways. RSS is what `ps` shows; PSS counts a page that processes share but once, and is nearer to
what a machine gets back when they end. Waybill's three processes share Python's pages, the peer's two share Node's.
"""

import time
from collections.abc import Iterator

from tests.bench import proc
from tests.bench.figure import Figure
from tests.bench.posts import MODULES
from tests.bench.spent import Spent
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

SETTLE_S = 3.0
REST_S = 20.0  # the kernel tells CPU in hundredths of a second, which are 0.05 % of it
QUIET_S = 2.0
QUEUES = 1000  # beside the two that are served: a supervisor looks after every queue that there is


def run(*, is_quick: bool) -> Iterator[Figure]:
    rest_s = QUIET_S if is_quick else REST_S
    with (
        PrivateRedis(aof="everysec") as redis,
        Server(redis.url, JOB_MODULES=MODULES) as server,
        Worker(redis.url, JOB_MODULES=MODULES) as worker,
    ):
        pids = [*proc.family(server.pid), *proc.family(worker.pid)]
        time.sleep(SETTLE_S)
        spent = Spent(redis)
        yield from costs("resting", pids, rest_s)
        yield from _asked("resting", spent, rest_s)
        redis.client.sadd("wb:queues", *(f"idle-{number}" for number in range(QUEUES)))
        time.sleep(SETTLE_S)
        spent = Spent(redis)
        supervisor_s = proc.cpu_s([worker.pid])
        time.sleep(rest_s)
        yield from _asked("resting.1000_queues", spent, rest_s)
        yield Figure(
            "resting.1000_queues.supervisor", 100 * (proc.cpu_s([worker.pid]) - supervisor_s) / rest_s, "% of a core"
        )


def costs(name: str, pids: list[int], rest_s: float) -> Iterator[Figure]:
    """Over `rest_s`, from now on; the memory at its end."""
    before_s, began_s = proc.cpu_s(pids), time.perf_counter()
    time.sleep(rest_s)
    used_s = proc.cpu_s(pids) - before_s
    yield Figure(f"{name}.cpu", 100 * used_s / (time.perf_counter() - began_s), "% of a core")
    yield Figure(f"{name}.pss", proc.pss_mb(pids), "MB")
    yield Figure(f"{name}.rss", proc.rss_mb(pids), "MB")
    yield Figure(f"{name}.processes", len(pids), "processes")


def _asked(name: str, spent: Spent, rest_s: float) -> Iterator[Figure]:
    yield Figure(f"{name}.scripts", spent.calls / rest_s, "scripts/s")
    yield Figure(f"{name}.redis", spent.core_percent, "% of a core")
