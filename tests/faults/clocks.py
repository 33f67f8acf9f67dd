"""A clock jumps an hour ahead, two back, and to where it was: Redis' own, then that of a server's and worker's host.

Nobody is reaped, nothing runs twice or before its time by Redis' clock, and what comes after a jump runs as ever. The
processes get their clock from a library of 40 lines (clock.c) that adds to the kernel's; the real one stays.
"""

import contextlib
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from tests.faults.load import Load, ask
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.private_redis import PrivateRedis

HOUR_S = 3600
JUMPS_S = (HOUR_S, -2 * HOUR_S, HOUR_S)
LEASE_S = 2
STAY_S = 2.0 * LEASE_S
SHORT_S = 1.0
MARGIN_S = 3.0  # What a shared machine may be late by; a clock's jump is an hour.


class NoCompiler(Exception):
    """The library can't be made here."""


class Clock:
    """environment: what a process is to be started with, to have this clock."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        library = folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        command = [compiler or "", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        if compiler is None or subprocess.run(command, check=False).returncode:
            raise NoCompiler
        self._file = folder / "shift"
        self.shift_s = 0
        self._file.write_bytes(bytes(8))
        self.environment: dict[str, Any] = {"LD_PRELOAD": str(library), "MOVED_CLOCK": str(self._file)}

    def jump(self, by_s: int) -> None:
        self.shift_s += by_s
        with self._file.open("r+b") as file:  # The same file, since it is mapped.
            file.write(struct.pack("q", self.shift_s))


@contextlib.contextmanager
def site_with_clock() -> Iterator[tuple[Site, Clock]]:
    """A site whose Redis goes by a clock that the row sets. Raises NoCompiler."""
    with Site() as outer:
        clock = Clock(outer.folder)
        moved = PrivateRedis(environment=clock.environment)
        moved.start()
        try:
            with Site(redis_server=moved) as site:
                yield site, clock
        finally:
            moved.close()


def run(*, is_quick: bool) -> Iterator[Row]:
    for title, jumps in (("Redis' clock +1 h, -2 h, +1 h", _of_redis), ("a host's clock +1 h, -2 h, +1 h", _of_a_host)):
        row = Row(title, runs=len(JUMPS_S))
        try:
            jumps(row)
        except NoCompiler:
            row = Row(title, note="not shown: needs a C compiler")
        yield row


def _of_redis(row: Row) -> None:
    """What is due within the hour is due when the clock says so; what is not waits on."""
    with site_with_clock() as (inner, clock):
        within = inner.put(50, "work", {"delay_s": HOUR_S / 2})
        beyond = inner.put(50, "work", {"delay_s": 3 * HOUR_S})
        workers = [inner.worker(WORKER_PROCESSES=2, LEASE_S=LEASE_S)]
        _jump(inner, row, clock, inner.server().url, lambda: float(inner.client.time()[0]))
        # And back once more while all are idle, blocked in a pop that Redis ends by this clock.
        clock.jump(-2 * HOUR_S)
        _delay(inner, row)
        states = {record["state"] for record in inner.records(beyond).values()}
        row.demand(states == {"delayed"}, f"due in three hours, and {states}")
        inner.accepted = [job_id for job_id in inner.accepted if job_id not in set(beyond)]
        inner.until_completed(within)
        _judge(inner, row, workers)


def _of_a_host(row: Row) -> None:
    """Delays count from Redis' time: a host that is an hour ahead or behind takes and runs jobs like the others."""
    with Site() as site:
        clock = Clock(site.folder)
        workers = [site.worker(LEASE_S=LEASE_S), site.worker(LEASE_S=LEASE_S, **clock.environment)]
        url = site.server(**clock.environment).url
        _jump(site, row, clock, url, lambda: parsedate_to_datetime(ask(url, "/livez")[2]["date"]).timestamp())
        _judge(site, row, workers)


def _jump(site: Site, row: Row, clock: Clock, url: str, told_s: Callable[[], float]) -> None:
    """Each jump under load, with jobs at work; and a job with a short delay after it. told_s: what the clock says."""
    flag = site.folder / "flag"
    with Load(lambda: url, lambda: site.body("work", seconds=site.rng.uniform(0, 0.1)), per_s=60) as load:
        running = site.put(3, "work", until=str(flag))
        site.until_begun(running)
        for by_s in JUMPS_S:
            done = len(load.accepted)
            site.until(lambda: len(load.accepted) > done + 50, "load")  # noqa: B023
            clock.jump(by_s)
            jumped_ns = time.monotonic_ns()
            site.until(lambda: any(run.began_ns > jumped_ns for run in site.executions()), "jobs run", 30)  # noqa: B023
            row.recover_s.append((time.monotonic_ns() - jumped_ns) / 1e9)
            off_s = told_s() - time.time() - clock.shift_s
            row.demand(abs(off_s) < MARGIN_S, f"this shows nothing: the clock is {off_s:.0f} s off where it was put")
            _delay(site, row)
            # Long enough for a lease to run out, if anything were measured by this clock.
            time.sleep(STAY_S)
        flag.touch()
    site.accepted += load.accepted
    row.note = f"{len(load.accepted)} jobs under load, {load.answers['503']} x 503"
    odd = {answer for answer in load.answers if answer not in ("202", "503")}
    row.demand(not odd, f"the API answered {dict(load.answers)}")


def _delay(site: Site, row: Row) -> None:
    """A job with a short delay runs after it, and not an hour later or at once."""
    began_ns = time.monotonic_ns()
    (job_id,) = site.put(1, "work", {"delay_s": SHORT_S})
    site.until_begun([job_id])
    (run,) = [run for run in site.executions() if run.job_id == job_id]
    after_s = (run.began_ns - began_ns) / 1e9
    row.demand(
        SHORT_S - 0.01 <= after_s < SHORT_S + MARGIN_S, f"delayed by {SHORT_S:g} s, it ran after {after_s:.2f} s"
    )


def _judge(site: Site, row: Row, workers: list[Runners]) -> None:
    site.until_completed(site.accepted)
    site.judge(row)
    attempts = {record.get("attempts") for record in site.records(site.accepted).values()}
    row.demand(attempts == {"1"}, f"attempts counted: {attempts}")
    for event in ("worker.reaped", "runner.died", "consumer.failed", "runner.killed"):
        lines = [line["msg"] for worker in workers for line in worker.logged(event)]
        row.demand(not lines, f"{event}: {lines[:2]}")
