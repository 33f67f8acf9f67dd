"""Runners that are replaced under load (RUNNER_MAX_JOBS), left in peace, and killed in the midst of it.

In peace nothing is begun twice and no attempt is burnt. With kill -9 of a successor that starts, of a runner that makes
way, or of any other, no job is lost.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator

from tests.faults.ledger import most_at_once
from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site

MAX_JOBS = 40
LIMIT = 6
PROCESSES = 2
LONG_S = 4.0


def run(*, is_quick: bool) -> Iterator[Row]:
    rounds = 6 if is_quick else 60
    yield _row("runners replaced under load", rounds, kills=False)
    yield _row("the same, and a runner killed each time", rounds, kills=True)


def _row(fault: str, rounds: int, *, kills: bool) -> Row:
    row = Row(fault, runs=rounds)
    rng, deaths = random.Random(5), dict[int, int]()
    with Site() as site:
        url = site.server().url
        worker = site.worker(
            RUNNER_MAX_JOBS=MAX_JOBS,
            WORKER_PROCESSES=PROCESSES,
            WORKER_QUEUES=f"default={LIMIT}",
            SHUTDOWN_GRACE_S=1,
            LOG_LEVEL="INFO",
            LEASE_S=15,
        )

        def body() -> dict[str, object]:
            return site.body("work", seconds=LONG_S if rng.random() < 0.005 else rng.uniform(0.005, 0.1))

        with Load(lambda: url, body, per_s=60) as load:
            for number in range(1, rounds + 1):
                began_s = time.monotonic()
                site.until(lambda: len(worker.logged("runner.replaced")) >= number, f"{number} were replaced", 60)  # noqa: B023
                row.recover_s.append(time.monotonic() - began_s)
                if kills:
                    _kill_one(worker, rng, deaths)
        site.accepted += load.accepted
        site.until_completed(load.accepted)
        site.judge(row, twice_allowed=kills)
        most = most_at_once(site.executions(), deaths)
        row.demand(most <= LIMIT * PROCESSES, f"{most} ran at once")
        _look_at(site, worker, row, kills=kills)
    return row


def _kill_one(worker: Runners, rng: random.Random, deaths: dict[int, int]) -> None:
    """Of those that live at this moment: one that makes way, its successor, or another. Notes when it was killed."""
    pid = rng.choice(worker.runner_pids())
    deaths[pid] = time.monotonic_ns()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _look_at(site: Site, worker: Runners, row: Row, *, kills: bool) -> None:
    died = len(worker.logged("runner.died"))
    row.demand(kills or not died, f"{died} runners died")
    row.demand(not worker.logged("supervisor.failed"), "a part of the supervisor failed")
    burnt = Counter(record.get("attempts") for record in site.records(site.accepted).values())
    row.demand(kills or set(burnt) == {"1"}, f"attempts burnt: {dict(burnt)}")
    row.demand(worker.stop() == 0, "the stop was no clean one")
    row.note = f"{len(site.accepted)} jobs, {len(worker.logged('runner.replaced'))} replaced, {died} killed"
