"""Rolling restarts under load: each worker is told to stop and replaced, some are told twice.

A drain ends what runs, so nothing is begun twice. A second signal gives the longer jobs back: these are begun again,
but their attempt does not count, and no handler comes to its end twice.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site

ECHO_S = 1.1  # A second signal sooner than a second after the first is taken for its echo.


def run(*, is_quick: bool) -> Iterator[Row]:
    restarts = 10 if is_quick else 100
    row = Row("rolling restarts", runs=restarts)
    rng = random.Random(9)
    doubles = 0
    with Site() as site:
        url = site.server().url
        workers = [_worker(site) for _ in range(2)]

        def body() -> dict[str, object]:
            return site.body("work", seconds=2.5 if rng.random() < 0.004 else rng.uniform(0.005, 0.2))

        with Load(lambda: url, body, per_s=120) as load:
            for number in range(restarts):
                at = number % len(workers)
                began_s = time.monotonic()
                is_double = number % 5 == 4
                doubles += is_double
                old, workers[at] = workers[at], _worker(site, is_awaited=False)
                code = _stop(old, is_double=is_double)
                row.demand(code == 0, f"restart {number}: exit code {code}")
                workers[at].wait_until_ready()
                row.recover_s.append(time.monotonic() - began_s)
        site.accepted += load.accepted
        site.until_completed(load.accepted)
        site.judge(row, twice_allowed=True)
        _count(site, row)
    row.note = f"{len(site.accepted)} jobs, {doubles} told twice; {row.note}"
    yield row


def _worker(site: Site, *, is_awaited: bool = True) -> Runners:
    return site.worker(
        is_awaited=is_awaited, WORKER_PROCESSES=2, WORKER_QUEUES="default=6", SHUTDOWN_GRACE_S=10, LEASE_S=15
    )


def _stop(worker: Runners, *, is_double: bool) -> int:
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGTERM)  # The echo.
    if is_double:
        time.sleep(ECHO_S)
        if worker.process is not None and worker.process.poll() is None:
            worker.signal(signal.SIGTERM)
    return worker.wait()


def _count(site: Site, row: Row) -> None:
    runs = site.executions()
    ended = Counter(run.job_id for run in runs if run.ended_ns is not None)
    row.twice = sum(count - 1 for count in ended.values())
    row.demand(not row.twice, f"{row.twice} jobs came to their end twice")
    burnt = [job_id for job_id, record in site.records(site.accepted).items() if record.get("attempts") != "1"]
    row.demand(not burnt, f"{len(burnt)} attempts burnt: {burnt[:3]}")
    begun = Counter(run.job_id for run in runs)
    again = {job_id: count for job_id, count in begun.items() if count > 1}
    released = site.records(again)
    unexplained = [job_id for job_id in again if "released" not in released[job_id].get("history", "")]
    row.demand(not unexplained, f"begun twice and not released: {unexplained[:3]}")
    row.note = f"{len(again)} given back and begun again"
