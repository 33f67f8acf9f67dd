"""Runners killed between the steps of their jobs: each job goes on where it was, and none is dead for it.

A job saves each step as its checkpoint. The kill comes at any moment behind the second step of an attempt, so the step
that was taken last may not be saved; the one before it is. CRASH_LIMIT is 2: a job that did not get on would be dead.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.faults.row import Row
from tests.faults.site import Site

JOBS = 8
STEP_S = 0.02
MOST_STEPS = 6


class Climb(NamedTuple):
    """One attempt, as the job wrote it down. begun_at: the step that the attempt was given, 0 for none."""

    job_id: str
    pid: int
    begun_at: int
    steps: int

    @property
    def last_step(self) -> int:
        return self.begun_at + self.steps


def run(*, is_quick: bool) -> Iterator[Row]:
    kills = 40 if is_quick else 240
    row = Row(f"a runner killed between two steps of its job, {kills} times", runs=kills)
    with Site() as site:
        flag = site.folder / "top"
        site.worker(WORKER_QUEUES=f"default={JOBS}", CRASH_LIMIT=2, ISOLATION_RUNNERS=4)
        ids = site.put(JOBS, "climb", until=str(flag), seconds=STEP_S)
        killed = _kill(site, row, kills)
        flag.touch()
        site.until_completed(ids)
        site.judge(row, twice_allowed=True)
        row.twice = 0
        _compare(row, killed, _climbs(site))
    yield row


def _kill(site: Site, row: Row, kills: int) -> list[tuple[str, int]]:
    """Kill so many attempts, each by its runner. Gives which: the job's id and the number of its attempt, from 0."""
    rng, killed = random.Random(5), list[tuple[str, int]]()
    wanted: dict[tuple[str, int], int] = {}
    deadline_s = time.monotonic() + 30 + kills
    while len(killed) < kills and time.monotonic() < deadline_s:
        climbs = _climbs(site)
        for job_id, attempts in climbs.items():
            at = (job_id, len(attempts) - 1)
            if at in killed or attempts[-1].steps < wanted.setdefault(at, rng.randint(2, MOST_STEPS)):
                continue
            time.sleep(rng.uniform(0, STEP_S))  # The kill is to come at any moment between two steps.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid := attempts[-1].pid, signal.SIGKILL)
                killed += [(i, len(all_of) - 1) for i, all_of in climbs.items() if all_of[-1].pid == pid]
        time.sleep(STEP_S / 4)
    row.demand(len(killed) >= kills, f"only {len(killed)} attempts could be killed")
    return killed


def _compare(row: Row, killed: list[tuple[str, int]], climbs: dict[str, list[Climb]]) -> None:
    behind = 0
    for job_id, number in killed:
        before, after = climbs[job_id][number], climbs[job_id][number + 1]
        behind += (gap := before.last_step - after.begun_at) == 1
        row.demand(gap in (0, 1), f"{job_id} was killed at step {before.last_step} and went on at {after.begun_at}")
    row.note = f"{behind} of {len(killed)} went on one step earlier"


def _climbs(site: Site) -> dict[str, list[Climb]]:
    """Job -> its attempts in order."""
    found: dict[str, list[Climb]] = {}
    steps = site.ledger.with_suffix(".steps")
    for line in steps.read_text(encoding="utf-8").split("\n")[:-1] if steps.exists() else ():
        word, job_id, pid, step = line.split()
        attempts = found.setdefault(job_id, [])
        if word == "from":
            attempts.append(Climb(job_id, int(pid), int(step), 0))
        else:
            attempts[-1] = attempts[-1]._replace(steps=attempts[-1].steps + 1)
    return found
