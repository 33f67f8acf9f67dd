"""One job's whole life through a proxy, again and again: each time the k-th Redis command of one process goes wrong.

For every k until the life is shorter: the request is cut off before it arrives, the reply after it was carried out,
and the process is killed before or after. The job fails once, so that its life has two claims, a fail, a promotion and
a finish. "Life": the runner idles in BRPOPLPUSH, that command is its first. "Birth": the runner has just been started
and the job waits. The client sends its POST again, under the same Idempotency-Key, until it is answered 202.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.faults.bench import Bench
from tests.faults.lives import BIRTH, CANCEL, DELETE, RELEASE, RETRY, SERVER_BIRTH, SNOOZE, WORK, Life
from tests.faults.row import Row
from tests.faults.site import Site
from tests.proxy import Proxy
from tests.system.oracle import faults

FAULTS = ("request cut", "reply cut", "killed before", "killed after")
LONGEST = 60


# Whose commands, in which life, and how many of them at most.
Part = tuple[str, Callable[[int], bool], Life, int]


def run(*, is_quick: bool) -> Iterator[Row]:
    """A job that fails once and completes."""
    few = 3 if is_quick else 8
    with Site() as site, Proxy(site.url) as proxy:
        bench = Bench(site, proxy)
        parts: list[Part] = [
            ("server", bench.is_server, WORK, LONGEST),
            ("runner", bench.is_runner, WORK, LONGEST),
            ("supervisor", bench.is_supervisor, WORK, few),
        ]
        yield from _all(bench, parts, is_quick=is_quick)
        if not is_quick:
            yield _sweep(bench, "sweep: server, black hole", "black hole", bench.is_server, WORK)
            yield _sweep(bench, "sweep: runner, black hole", "black hole", bench.is_runner, WORK, longest=8)
        yield _sum(bench, "sweep: all of these")


def run_births(*, is_quick: bool) -> Iterator[Row]:
    """The same job, and the process has just been started."""
    with Site() as site, Proxy(site.url) as proxy:
        bench = Bench(site, proxy)
        parts: list[Part] = [
            ("new server", bench.is_server, SERVER_BIRTH, LONGEST),
            ("new runner", bench.is_runner, BIRTH, LONGEST),
        ]
        yield from _all(bench, parts, is_quick=is_quick)
        yield _sum(bench, "sweep: all of these births")


def run_others(*, is_quick: bool) -> Iterator[Row]:
    """Jobs that are snoozed, cancelled, given back, sent again, deleted."""
    few = 3 if is_quick else 8
    with Site() as site, Proxy(site.url) as proxy:
        bench = Bench(site, proxy)
        parts: list[Part] = [
            ("runner, snoozed", bench.is_runner, SNOOZE, few),
            ("server, cancelled", bench.is_server, CANCEL, few),
            ("runner, cancelled", bench.is_runner, CANCEL, few),
            ("server, sent again", bench.is_server, RETRY, few),
            ("server, deleted", bench.is_server, DELETE, few),
            ("runner, given back", bench.is_runner, RELEASE, few),
            ("supervisor, given back", bench.is_supervisor, RELEASE, few),
        ]
        yield from _all(bench, parts, is_quick=is_quick)
        yield _sum(bench, "sweep: all of these lives")


def _all(bench: Bench, parts: Iterable[Part], *, is_quick: bool) -> Iterator[Row]:
    for title, is_meant, life, longest in parts:
        for kind in FAULTS[:2] if is_quick else FAULTS:
            yield _sweep(bench, f"sweep: {title}, {kind}", kind, is_meant, life, longest)


def _sum(bench: Bench, title: str) -> Row:
    """Of all jobs of these sweeps together: none too many, none lost."""
    site = bench.site
    row = Row(title, runs=len(site.accepted) + len(bench.cancelled))
    site.judge(row, twice_allowed=True)
    row.twice = 0
    everything: Any = site.client.zcard(f"{site.base}all")
    row.demand(everything == row.runs, f"{everything} jobs of {row.runs} accepted")
    return row


def life(bench: Bench, fault: str, is_meant: Callable[[int], bool]) -> Row:
    """One of the sweeps, alone."""
    return _sweep(bench, f"sweep: {fault}", fault, is_meant, WORK)


def _sweep(
    bench: Bench,
    title: str,
    fault: str,
    is_meant: Callable[[int], bool],
    life: Life,
    longest: int = LONGEST,
) -> Row:
    row = Row(title)
    for at in range(1, longest + 1):
        bench.until_idle()
        began_s = time.monotonic()
        try:
            job_id = life.live(bench, is_meant, at, fault)
            bench.mend()
            _until_ended(bench, job_id, life)
        except AssertionError as wrong:
            row.violations.append(f"command {at}: {wrong}")
            bench.trap.unset()
            continue
        took_s = time.monotonic() - began_s
        has_fired = bench.trap.has_fired.is_set()
        if bench.trap.unset() < at:
            break
        if not has_fired:
            continue  # It waits in Redis still, as a blocking pop does: nothing has gone wrong yet.
        row.runs += 1
        row.recover_s.append(took_s)
        _check(row, bench, job_id, at, fault, life)
    row.note = f"{row.runs} commands"
    return row


def _check(row: Row, bench: Bench, job_id: str, at: int, fault: str, life: Life) -> None:
    """The job has ended as it should; without a kill no handler was begun more often than its life has runs."""
    command = bench.trap.seen[at - 1].decode() if len(bench.trap.seen) >= at else "?"
    where = f"command {at} ({command})"
    record = bench.site.records([job_id])[job_id]
    if record.get("state", "") != life.ends:
        row.lost += 1
        row.violations.append(f"{where}: {job_id} is {record.get('state')}: {record}")
        return
    runs = [run for run in bench.site.executions() if run.job_id == job_id]
    most = life.runs + ("killed" in fault)
    row.twice += max(0, len(runs) - life.runs)
    row.demand(len(runs) <= most, f"{where}: {len(runs)} executions: {[(r.attempt, r.pid) for r in runs]}")
    attempts = record.get("attempts", life.attempts)
    row.demand("killed" in fault or attempts == life.attempts, f"{where}: {attempts} attempts counted")
    deadline_s = time.monotonic() + 8
    while (found := faults(bench.site.client)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    row.violations += [f"{where}: {fault}" for fault in found[:3]]


def _until_ended(bench: Bench, job_id: str, life: Life) -> None:
    def has_ended() -> bool:
        return bench.site.records([job_id])[job_id].get("state", "") == life.ends

    bench.site.until(has_ended, f"{job_id} is {life.ends or 'gone'}", 30)
