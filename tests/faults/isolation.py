"""A runner with many long jobs aboard, killed from outside again and again, as a memory limit does it.

At its second crash each of its jobs is a suspect, and runs in a process of its own. How long they wait for each other
is measured; and a job that does take its runner down is to be found among them, and nobody with it.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.ledger import Execution, most_at_once
from tests.faults.row import Row, percentile
from tests.faults.runners import Runners
from tests.faults.site import Site

ABOARD = 20
LONG_S = 0.25
LIMIT = ABOARD
POISON_NS = 50_000_000
MOST_ALONE = 4  # The default of ISOLATION_RUNNERS.
START_S = 3.0  # What the isolation runners may take to start, all of them, on a machine that has other things to do.


def run(*, is_quick: bool) -> Iterator[Row]:
    rounds = 3 if is_quick else 20
    with Site() as site:
        worker = site.worker(WORKER_QUEUES=f"default={LIMIT}", CRASH_LIMIT=3, LOG_LEVEL="INFO")
        yield _killed_from_outside(site, worker, rounds)
        yield _poisoned(site, worker, rounds)
        yield _at_rest(site, worker)


def _killed_from_outside(site: Site, worker: Runners, rounds: int) -> Row:
    """Twice in each round; what is aboard the second time waits for a runner of its own."""
    row = Row(f"a runner killed twice, {ABOARD} jobs of {LONG_S:g} s aboard", runs=rounds)
    beside_s, deaths = [], {}
    for number in range(rounds):
        flag = site.folder / f"flag-{number}"
        ids = site.put(ABOARD, "work", until=str(flag), seconds=LONG_S)
        for attempt in (1, 2):
            pid, killed_ns = _kill_when_begun(site, ids, attempt)
            deaths[pid] = killed_ns
            if attempt == 1:
                continue
            flag.touch()
            (other,) = site.put(1, "work")
            site.until_completed([*ids, other])
        begun = {run.job_id: run.began_ns for run in site.executions() if run.began_ns > killed_ns}
        row.recover_s += [(begun[job_id] - killed_ns) / 1e9 for job_id in ids]
        beside_s.append((begun[other] - killed_ns) / 1e9)
    site.judge(row, twice_allowed=True)
    row.twice -= 2 * ABOARD * rounds
    row.demand(not row.twice, f"{row.twice} executions too many")
    most_s = ABOARD / MOST_ALONE * LONG_S + START_S
    row.demand(percentile(row.recover_s, 0.99) < most_s, f"p99 of their wait is not under {most_s:g} s")
    row.demand(most_at_once(site.executions(), deaths) <= LIMIT, "more ran at once than WORKER_QUEUES says")
    row.note = f"a job beside them: {percentile(beside_s, 0.99) * 1000:.0f} ms"
    return row


def _poisoned(site: Site, worker: Runners, rounds: int) -> Row:
    """The same by one of the jobs itself."""
    row = Row(f"a poison job among {ABOARD - 1} of {LONG_S:g} s", runs=rounds)
    poisons: list[str] = []
    began_ns = time.monotonic_ns()
    for number in range(rounds):
        flag = site.folder / f"poison-{number}"
        healthy = site.put(ABOARD - 1, "work", until=str(flag), seconds=LONG_S)
        site.until_begun(healthy)
        began_s = time.monotonic()
        (poison,) = site.put(1, "poison", kind="exit", seconds=POISON_NS / 1e9)
        site.accepted.remove(poison)
        poisons.append(poison)
        flag.touch()
        site.until(lambda: site.client.zscore(f"{site.base}dead", poison), "the poison job is dead", 60)  # noqa: B023
        row.recover_s.append(time.monotonic() - began_s)
        site.until_completed(healthy)
    site.judge(row, twice_allowed=True)
    row.twice = 0
    runs = [run.job_id for run in site.executions()]
    row.demand({runs.count(poison) for poison in poisons} == {3}, "a poison job did not take three runners down")
    deaths = {run.pid: run.began_ns + POISON_NS for run in site.executions() if run.job_id in poisons}
    recent = [run for run in site.executions() if run.began_ns > began_ns]
    row.demand(most_at_once(recent, deaths) <= LIMIT, "more ran at once than WORKER_QUEUES says")
    row.note = "until it is dead"
    return row


def _at_rest(site: Site, worker: Runners) -> Row:
    """What is left of it all when nothing is to be done."""
    row = Row("isolation runners 15 s later", runs=1)
    time.sleep(15)
    alone = [pid for pid in worker.runner_pids() if _is_alone(pid)]
    row.demand(len(alone) <= 1, f"{len(alone)} are there")
    row.note = f"{len(alone)} of them"
    return row


def _kill_when_begun(site: Site, ids: list[str], attempt: int) -> tuple[int, int]:
    """SIGKILL to the runner that runs all of these jobs for the so-manieth time. Gives its pid, and when."""
    wanted = set(ids)

    def begun() -> list[Execution]:
        return [run for run in site.executions() if run.job_id in wanted and run.attempt == attempt]

    site.until(lambda: len(begun()) == len(ids), f"attempt {attempt} of all has begun")
    (pid,) = {run.pid for run in begun()}
    killed_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return pid, killed_ns


def _is_alone(pid: int) -> bool:
    return b".alone" in Path(f"/proc/{pid}/cmdline").read_bytes()
