"""The lives that a job can have, lived once each with a trap set for one process; see sweep.py.

Each puts its job in, has the trap count from the moment that matters, and drives the job to where it ends.
"""

import os
import signal
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from tests.faults.bench import Bench

YOUNG_S = 1.0  # A runner that dies younger than this is started again with a pause that grows.


class Life(NamedTuple):
    """live: gives the job's id. ends: its last state, "" where it is gone. runs and attempts: what they come to where
    nobody is killed."""

    live: Callable[[Bench, Callable[[int], bool], int, str], str]
    ends: str = "completed"
    runs: int = 2
    attempts: str = "2"


def work(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    from_pop = is_meant == bench.is_runner
    if from_pop and "killed" in fault:
        time.sleep(YOUNG_S)
    bench.trap.set(is_meant, at, fault, from_pop=from_pop)
    if from_pop:
        # Has it pop anew at once, and not when its two seconds are over.
        bench.site.client.lpush(f"{bench.site.base}ready:normal", "bell")
    if not bench.trap.is_counting.wait(10):
        raise AssertionError("the runner does not pop")
    job_id = bench.post(bench.site.body("fail_once"))
    if is_meant == bench.is_supervisor:
        bench.trap.has_fired.wait(10)
    return job_id


def birth(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """The runner is replaced, and the job waits for the new one (or lies in the old one's list: it is popped)."""
    time.sleep(YOUNG_S)
    (old,) = filter(bench.is_runner, bench.worker.runner_pids())
    os.kill(old, signal.SIGSTOP)
    bench.trap.set(lambda pid: is_meant(pid) and pid != old, at, fault, from_pop=False)
    job_id = bench.post(bench.site.body("fail_once"))
    os.kill(old, signal.SIGKILL)
    return job_id


def server_birth(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """The server has just been started; the job is its first."""
    bench.server.kill()
    others = {bench.worker.pid, *bench.worker.runner_pids()}
    bench.trap.set(lambda pid: pid not in others, at, fault, from_pop=False)
    bench.server = bench.site.server(url=bench.proxy.url, is_awaited=False)
    return bench.post(bench.site.body("fail_once"))


def snooze(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """It is snoozed once, which costs no attempt."""
    if "killed" in fault:
        time.sleep(YOUNG_S)
    bench.trap.set(is_meant, at, fault, from_pop=False)
    return bench.post(bench.site.body("snooze_once", until=_marker(bench)))


def cancel(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """It runs, and would for ever; somebody cancels it."""
    if "killed" in fault:
        time.sleep(YOUNG_S)
    (job_id,) = bench.site.put(1, "work", until=_marker(bench))
    bench.site.until_begun([job_id])
    bench.site.accepted.remove(job_id)
    bench.cancelled.append(job_id)
    bench.trap.set(is_meant, at, fault, from_pop=False)
    bench.ask("POST", f"/api/jobs/{job_id}/cancel", {200, 202, 409})
    return job_id


def retry(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """It is dead, what it failed for is mended, and somebody sends it again."""
    marker = _marker(bench)
    (job_id,) = bench.site.put(1, "stubborn", until=marker)
    bench.site.until(lambda: _state(bench, job_id) == "dead", "it is dead")
    open(marker, "w", encoding="utf-8").close()  # noqa: PTH123
    bench.trap.set(is_meant, at, fault, from_pop=False)
    # Who was not answered looks before asking again: a job that has completed could be sent again as well.
    path = f"/api/jobs/{job_id}/retry"
    bench.ask("POST", path, {200, 202, 409}, is_done=lambda: _state(bench, job_id) != "dead")
    return job_id


def delete(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    (job_id,) = bench.site.put(1, "work")
    bench.site.until(lambda: _state(bench, job_id) == "completed", "it has completed")
    bench.site.accepted.remove(job_id)
    bench.trap.set(is_meant, at, fault, from_pop=False)
    bench.ask("DELETE", f"/api/jobs/{job_id}", {204, 404})
    return job_id


def release(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """It runs longer than the worker may that was told to stop: it is given back, and the next worker runs it."""
    marker = _marker(bench)
    (job_id,) = bench.site.put(1, "work", until=marker)
    bench.site.until_begun([job_id])
    bench.trap.set(is_meant, at, fault, from_pop=False)
    bench.worker.signal(signal.SIGTERM)
    bench.worker.wait(30)
    open(marker, "w", encoding="utf-8").close()  # noqa: PTH123
    return job_id


def _marker(bench: Bench) -> str:
    """The path of a file that is not there yet."""
    return str(bench.site.folder / f"marker-{uuid.uuid4()}")


def _state(bench: Bench, job_id: str) -> str:
    return bench.site.records([job_id])[job_id].get("state", "")


WORK = Life(work)
BIRTH = Life(birth)
SERVER_BIRTH = Life(server_birth)
SNOOZE = Life(snooze, attempts="1")
CANCEL = Life(cancel, ends="cancelled", runs=1, attempts="1")
RETRY = Life(retry, attempts="1")
DELETE = Life(delete, ends="", runs=1)
RELEASE = Life(release, attempts="1")
