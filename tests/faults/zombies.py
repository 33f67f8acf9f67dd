"""Workers stopped (SIGSTOP) for longer than their lease, whose jobs others have ended meanwhile, and then let go on.

Each still has handlers in hand, and ends them: none of it may change anything, and each takes a new id.
"""

import os
import signal
import time
from collections.abc import Iterator

from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.proxy import Proxy

AT_ONCE = 20
SLOTS = 2
LEASE_S = 2


def run(*, is_quick: bool) -> Iterator[Row]:
    rounds, at_once = (1, 4) if is_quick else (10, AT_ONCE)
    row = Row("SIGSTOP past the lease, SIGCONT")
    stale_said = 0
    with Site() as site:
        zombies = [_worker(site) for _ in range(at_once)]
        for number in range(rounds):
            _round(site, row, zombies, number)
        stale_said = sum(len(zombie.logged("job.stale")) for zombie in zombies)
        site.judge(row, twice_allowed=True)
    row.runs = rounds * at_once
    expected = row.runs * SLOTS
    row.demand(stale_said == expected, f"{stale_said} stale finishes were tried and refused, not {expected}")
    row.demand(row.twice == expected, f"{row.twice} jobs ran a second time, not {expected}")
    row.note = f"{stale_said} stale finishes refused"
    yield row
    yield _cut_off()


def _cut_off() -> Row:
    """The network of one worker is a black hole for longer than its lease, half-open links and all; then it heals."""
    row = Row("a worker's network a black hole past the lease", runs=1)
    with Site() as site, Proxy(site.url) as proxy:
        zombie = site.worker(url=proxy.url, WORKER_QUEUES=f"default={SLOTS}", LEASE_S=LEASE_S)
        flag = site.folder / "flag"
        ids = site.put(SLOTS, "work", until=str(flag), kind="progress")
        site.until_begun(ids)
        proxy.is_black_hole = True
        cut_s = time.monotonic()
        rescuer = _worker(site)
        site.until(lambda: len(site.executions()) >= 2 * len(ids), "all run again", 30)
        row.recover_s.append(time.monotonic() - cut_s)
        flag.touch()
        site.until_completed(ids)
        before = site.records(ids)
        proxy.is_black_hole = False
        zombie.wait_for("job.stale", SLOTS, within_s=40)
        zombie.wait_until_ready()
        row.stale += sum(record != before[job_id] for job_id, record in site.records(ids).items())
        row.demand(not row.stale, "changed by the worker that was cut off")
        rescuer.stop()
        site.put(SLOTS, "work")
        site.until_completed(site.accepted)
        site.judge(row, twice_allowed=True)
    return row


def _worker(site: Site, slots: int = SLOTS) -> Runners:
    return site.worker(WORKER_QUEUES=f"default={slots}", LEASE_S=LEASE_S)


def _round(site: Site, row: Row, zombies: list[Runners], number: int) -> None:
    flag = site.folder / f"flag-{number}"
    ids = site.put(len(zombies) * SLOTS, "work", until=str(flag), kind="progress")
    site.until_begun(ids)
    pids = [pid for zombie in zombies for pid in (zombie.pid, *zombie.runner_pids())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    rescuer = _worker(site, len(ids))
    site.until(lambda: len(site.executions()) >= 2 * len(ids) * (number + 1), "all run again", 30)
    row.recover_s.append(time.monotonic() - stopped_s)
    flag.touch()
    site.until_completed(ids)
    before = site.records(ids)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    expected = SLOTS * (number + 1)
    for zombie in zombies:
        zombie.wait_for("job.stale", expected)
        zombie.wait_until_ready()
    changed = [job_id for job_id, record in site.records(ids).items() if record != before[job_id]]
    row.stale += len(changed)
    row.demand(not changed, f"changed by zombies: {changed[:5]}")
    rescuer.stop()
