"""kill -9 of runners, of supervisors, and of both at once, under load.

A runner's jobs are to be begun again by another one within half a second, mostly, while its supervisor lives; within
LEASE_S + 5 s where that is dead too. An orphaned runner ends what it has begun: nothing of it runs twice.
"""

import itertools
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.ledger import Execution
from tests.faults.load import Load
from tests.faults.row import Row, percentile
from tests.faults.runners import Runners
from tests.faults.site import Site

LEASE_S = 2.0
PAUSE_S = 0.15
UNHEARD_NS = 1_000_000_000  # So long after its end an execution may not have been told to Redis when its runner dies.


class Kill(NamedTuple):
    """is_alone: it was an isolation runner."""

    pid: int
    at_ns: int
    what: str
    is_alone: bool = False


def run(*, is_quick: bool) -> Iterator[Row]:
    runner_kills, supervisor_kills = (40, 4) if is_quick else (900, 100)
    with Site() as site:
        rng = random.Random(1)
        workers = [_worker(site) for _ in range(2)]
        server = site.server()
        url = server.url
        targets = ["runner"] * runner_kills + ["supervisor", "both"] * (supervisor_kills // 2)
        rng.shuffle(targets)
        kills: list[Kill] = []
        with Load(lambda: url, lambda: site.body("work", seconds=rng.uniform(0.01, 0.2)), per_s=120) as load:
            for what in targets:
                kills += _kill(site, workers, what, rng)
                time.sleep(PAUSE_S)
        site.accepted += load.accepted
        site.until_completed(load.accepted, 90)
        counted = server.request("GET", "/api/stats?queue=default")[1]["totals"]
        yield from _rows(site, kills, len(load.accepted), counted)


def _worker(site: Site) -> Runners:
    # Killed from outside, a job is innocent however often; by default it would be convicted the third time.
    return site.worker(WORKER_PROCESSES=3, WORKER_QUEUES="default=5", LEASE_S=LEASE_S, CRASH_LIMIT=100)


def _kill(site: Site, workers: list[Runners], what: str, rng: random.Random) -> list[Kill]:
    at = rng.randrange(len(workers))
    worker = workers[at]
    runners = worker.runner_pids()
    if what == "runner":
        if not runners:
            return []
        pid = rng.choice(runners)
        is_alone = b".alone" in Path(f"/proc/{pid}/cmdline").read_bytes()
        now_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return [Kill(pid, now_ns, what, is_alone)]
    now_ns = time.monotonic_ns()
    if what == "both":
        worker.kill_all()
    else:
        os.kill(worker.pid, signal.SIGKILL)
    workers[at] = _worker(site)
    return [Kill(pid, now_ns, what) for pid in runners] if what == "both" else [Kill(worker.pid, now_ns, what)]


def _rows(site: Site, kills: list[Kill], accepted: int, counted: dict[str, int]) -> Iterator[Row]:
    rows = {what: Row(f"kill -9, {title}") for what, title in TITLES.items()}
    killed = {kill.pid: kill for kill in kills}
    by_job: dict[str, list[Execution]] = defaultdict(list)
    for run in site.executions():
        by_job[run.job_id].append(run)
    for kill in kills:
        rows[kill.what].runs += 1
    site.judge(rows["runner"], twice_allowed=True)
    rows["runner"].twice = 0
    for job_id, runs in by_job.items():
        crashes = 0
        for run, following in itertools.pairwise(runs):
            at_fault = killed.get(run.pid)
            is_unheard = run.ended_ns is None or (at_fault and at_fault.at_ns - run.ended_ns < UNHEARD_NS)
            if at_fault is None or not is_unheard:
                rows["runner"].violations.append(f"{job_id} ran again though its runner was not killed")
                continue
            crashes += 1
            what = _what(kills, at_fault, following)
            row = rows["alone" if what == "runner" and crashes >= 2 else what]
            row.twice += 1
            died_ns = at_fault.at_ns
            if row is rows["alone"]:
                # Whoever was to run it may have been killed at its own start: from then on it is another death's time.
                meanwhile = [k.at_ns for k in kills if k.is_alone and died_ns < k.at_ns < following.began_ns]
                died_ns = max([died_ns, *meanwhile])
            row.recover_s.append((following.began_ns - died_ns) / 1e9)
            if row is rows["both"]:
                # A lease is watched by a supervisor that lives; where that was killed as well, another one begins anew.
                seen_ns = max(k.at_ns for k in kills if k.what != "runner" and k.at_ns < following.began_ns)
                late_s = (following.began_ns - max(seen_ns, at_fault.at_ns)) / 1e9
                row.demand(late_s < LEASE_S + 5, f"{job_id} came back {late_s:.1f} s after its host was gone")
    _demand(rows, accepted)
    is_exact = (counted["enqueued"], counted["completed"], counted["dead"]) == (accepted, accepted, 0)
    rows["both"].demand(is_exact, f"GET /api/stats counts {counted} of {accepted} jobs")
    yield from rows.values()


def _what(kills: list[Kill], at_fault: Kill, following: Execution) -> str:
    """What was killed. A runner whose supervisor was killed as well, before it could do anything, is a host's end."""
    others = [kill for kill in kills if kill.what != "runner" and at_fault.at_ns <= kill.at_ns < following.began_ns]
    return "both" if others else at_fault.what


def _demand(rows: dict[str, Row], accepted: int) -> None:
    rows["runner"].note = f"{accepted} jobs"
    for row in (rows["runner"], rows["alone"]):
        row.demand(not row.recover_s or percentile(row.recover_s, 0.5) < 0.5, "p50 to re-execution is not under 500 ms")
        row.demand(not row.recover_s or percentile(row.recover_s, 0.99) < 1.5, "p99 to re-execution is not under 1.5 s")
    rows["supervisor"].demand(not rows["supervisor"].twice, "jobs of an orphaned runner ran again")
    rows["alone"].note = "each then runs in a runner of its own"


TITLES = {
    "runner": "runner",
    "supervisor": "supervisor alone",
    "both": f"supervisor and its runners (LEASE_S {LEASE_S:g})",
    "alone": "a job's second time and later",
}
