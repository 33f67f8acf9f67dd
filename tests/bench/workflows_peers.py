"""The same flows in Waybill, in BullMQ (FlowProducer) and in Celery (chord and chain), each with a Redis of its own.

`fan`: 999 jobs, and one after them all that adds up what they have returned. `chain`: 1,000 jobs, each after the last.
Of each: seconds from the call that sends it until its last job runs, jobs a second by that, and CPU of Redis a job.
A flow of ten jobs runs first, so that nobody's scripts and connections are new.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.flow_contenders import BullFlows, CeleryFlows, FlowContender, WaybillFlows, ended
from tests.bench.spent import Spent
from tests.private_redis import wait_until

JOBS: Final = 1000
SHAPES: Final = ("fan", "chain")
LIMIT_S = 300.0
LOOK_S = 0.005


def run(*, is_quick: bool) -> Iterator[Figure]:
    for shape in SHAPES:
        yield from _flow("workflows_peers", WaybillFlows(), shape, JOBS // (10 if is_quick else 1))
    yield Figure("workflows_peers.load", os.getloadavg()[0], "processes")


def peers(_folder: Path) -> Iterator[Figure]:
    return _peers(JOBS)


def quick_peers(_folder: Path) -> Iterator[Figure]:
    return _peers(JOBS // 10)


def _peers(jobs: int) -> Iterator[Figure]:
    for name, contender in (("bullmq", BullFlows), ("celery", CeleryFlows)):
        for shape in SHAPES:
            yield from _flow(f"{name}.flows", contender(), shape, jobs)


def _flow(key: str, contender: FlowContender, shape: str, jobs: int) -> Iterator[Figure]:
    with contender as site:
        _run(site, shape, 10)
        spent = Spent(site.redis)
        took_s = _run(site, shape, jobs)
        yield Figure(f"{key}.{shape}.took", took_s, "s")
        yield Figure(f"{key}.{shape}.jobs", jobs / took_s, "jobs/s")
        yield Figure(f"{key}.{shape}.redis", spent.cpu_us / jobs, "µs per job")


def _run(site: FlowContender, shape: str, jobs: int) -> float:
    """Seconds from the call until the last job ran."""
    before, began_s = len(ended(site.path)), time.time()
    site.send(shape, jobs)
    wait_until(lambda: len(ended(site.path)) > before, "the last job has run", within_s=LIMIT_S, every_s=LOOK_S)
    (last,) = ended(site.path)[before:]
    numbers = range(jobs - 1)
    assert last.total == (sum(numbers) if shape == "fan" else numbers[-1]), f"the last job was given {last.total}"
    return last.at_s - began_s
