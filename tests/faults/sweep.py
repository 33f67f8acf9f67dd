"""One job's whole life through a proxy, again and again: each time the k-th Redis command of one process goes wrong.

For every k until the life is shorter: the request is cut off before it arrives, the reply after it was carried out,
and the process is killed before or after. The job fails once, so that its life has two claims, a fail, a promotion and
a finish. "Life": the runner idles in BRPOPLPUSH, that command is its first. "Birth": the runner has just been started
and the job waits. The client sends its POST again, under the same Idempotency-Key, until it is answered 202.
"""

import http.client
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.processes import Server, is_alive
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, SWALLOW_REPLY, Proxy, Request, Verdict
from tests.system.oracle import faults

FAULTS = ("request cut", "reply cut", "killed before", "killed after")
LONGEST = 60
RUNS = 2  # of a job that fails once
YOUNG_S = 1.0  # A runner that dies younger than this is started again with a pause that grows.


class Trap:
    """Lets every command pass but the `at`-th of one process, counted from the moment when it is set."""

    def __init__(self) -> None:
        self.count = 0
        self.has_fired = threading.Event()
        self.is_counting = threading.Event()
        self._lock = threading.Lock()
        self._is_meant: Callable[[int], bool] = lambda pid: False
        self._at = 0
        self._fault = ""
        self._from_pop = False
        self.seen: list[bytes] = []

    def set(self, is_meant: Callable[[int], bool], at: int, fault: str, *, from_pop: bool) -> None:
        """from_pop: the next BRPOPLPUSH is number 1."""
        with self._lock:
            self.count, self.seen = 0, []
            self.has_fired.clear()
            self.is_counting.clear()
            self._is_meant, self._at, self._fault, self._from_pop = is_meant, at, fault, from_pop
            if not from_pop:
                self.is_counting.set()

    def unset(self) -> int:
        """Gives how many commands were counted."""
        with self._lock:
            self._is_meant = lambda pid: False
            return self.count

    def judge(self, request: Request) -> Verdict:
        with self._lock:
            if not self._is_meant(request.pid):
                return PASS
            if not self.is_counting.is_set():
                if request.words[0] != b"BRPOPLPUSH":
                    return PASS
                self.is_counting.set()
            self.count += 1
            self.seen.append(request.words[0])
            if self.count != self._at:
                return PASS
        return self._strike(request.pid)

    def _strike(self, pid: int) -> Verdict:
        def kill() -> None:
            os.kill(pid, signal.SIGKILL)
            self.has_fired.set()

        if self._fault == "killed before":
            return Verdict("cut_request", kill)
        if self._fault == "killed after":
            return Verdict("cut_reply", kill)
        self.has_fired.set()
        return {"request cut": CUT_REQUEST, "reply cut": CUT_REPLY, "black hole": SWALLOW_REPLY}[self._fault]


class Bench:
    """A server and a worker behind one proxy."""

    def __init__(self, site: Site, proxy: Proxy) -> None:
        self.site = site
        self.trap = Trap()
        proxy.judge = self.trap.judge
        self.proxy = proxy
        self.server: Server = site.server(url=proxy.url)
        self.worker: Runners = self._worker()

    def _worker(self) -> Runners:
        return self.site.worker(url=self.proxy.url, WORKER_QUEUES="default=2", CRASH_LIMIT=3)

    def is_server(self, pid: int) -> bool:
        return pid == self.server.pid

    def is_supervisor(self, pid: int) -> bool:
        return pid == self.worker.pid

    def is_runner(self, pid: int) -> bool:
        return pid not in (self.worker.pid, self.server.pid)

    def post(self, body: dict[str, Any]) -> str:
        """The id; sent again, to another server where this one was killed, until it is there."""
        key = str(uuid.uuid4())
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            # Killed before it listened, it never will; a look at its url would wait for that.
            self.site.until(self._is_known, "the server listens, or is dead")
            if not is_alive(self.server.pid):
                self.mend()
                continue
            try:
                status, job, _ = self.server.request("POST", "/api/jobs", body, idempotency_key=f'"{key}"')
                if status == 202:
                    self.site.accepted.append(job["id"])
                    return str(job["id"])
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise AssertionError("the job was not accepted within 20 s")

    def _is_known(self) -> bool:
        return bool(self.server.logged("server.started")) or not is_alive(self.server.pid)

    def mend(self) -> None:
        """Start again what was killed, and wait until all is as at the beginning."""
        if not is_alive(self.server.pid):
            self.server = self.site.server(url=self.proxy.url)
        if not is_alive(self.worker.pid):
            orphans = self.worker
            self.site.until(lambda: not orphans.runner_pids(), "the orphans leave")
            self.worker = self._worker()

    def until_idle(self) -> None:
        """The runner serves, and blocks in its pop."""
        self.mend()
        self.worker.wait_until_ready()


def run(*, is_quick: bool) -> Iterator[Row]:
    kinds = ("request cut", "reply cut") if is_quick else FAULTS
    with Site() as site, Proxy(site.url) as proxy:
        bench = Bench(site, proxy)
        for role, is_meant in (("server", bench.is_server), ("runner", bench.is_runner)):
            for kind in kinds:
                yield _sweep(bench, f"sweep: {role}, {kind}", kind, is_meant, _life)
        for kind in kinds:
            yield _sweep(bench, f"sweep: new server, {kind}", kind, bench.is_server, _server_birth)
        for kind in kinds:
            yield _sweep(bench, f"sweep: new runner, {kind}", kind, bench.is_runner, _birth)
        for kind in kinds:
            yield _sweep(
                bench, f"sweep: supervisor, {kind}", kind, bench.is_supervisor, _life, longest=3 if is_quick else 8
            )
        if not is_quick:
            yield _sweep(bench, "sweep: server, black hole", "black hole", bench.is_server, _life)
            yield _sweep(bench, "sweep: runner, black hole", "black hole", bench.is_runner, _life, longest=8)
        row = Row("sweep: all of it", runs=len(site.accepted))
        site.judge(row, twice_allowed=True)
        row.twice = 0
        everything: Any = site.client.zcard(f"{site.base}all")
        row.demand(everything == len(site.accepted), f"{everything} jobs of {len(site.accepted)} accepted")
        yield row


def life(bench: Bench, fault: str, is_meant: Callable[[int], bool]) -> Row:
    """One of the sweeps, alone."""
    return _sweep(bench, f"sweep: {fault}", fault, is_meant, _life)


def _sweep(
    bench: Bench,
    title: str,
    fault: str,
    is_meant: Callable[[int], bool],
    live: Callable[[Bench, Callable[[int], bool], int, str], str],
    longest: int = LONGEST,
) -> Row:
    row = Row(title)
    for at in range(1, longest + 1):
        bench.until_idle()
        began_s = time.monotonic()
        try:
            job_id = live(bench, is_meant, at, fault)
            bench.mend()
            bench.site.until_completed([job_id], 30)
        except AssertionError as wrong:
            row.violations.append(f"command {at}: {wrong}")
            bench.trap.unset()
            continue
        took_s = time.monotonic() - began_s
        has_fired = bench.trap.has_fired.is_set()
        bench.trap.unset()
        if not has_fired:
            break
        row.runs += 1
        row.recover_s.append(took_s)
        _check(row, bench, job_id, at, fault)
    row.note = f"{row.runs} commands"
    return row


def _check(row: Row, bench: Bench, job_id: str, at: int, fault: str) -> None:
    """The job has completed, at its second attempt; without a kill no handler was begun more often than that."""
    command = bench.trap.seen[at - 1].decode() if len(bench.trap.seen) >= at else "?"
    where = f"command {at} ({command})"
    record = bench.site.records([job_id])[job_id]
    if record.get("state") != "completed":
        row.lost += 1
        row.violations.append(f"{where}: {job_id} is {record.get('state')}: {record}")
        return
    runs = [run for run in bench.site.executions() if run.job_id == job_id]
    most = RUNS + ("killed" in fault)
    row.twice += max(0, len(runs) - RUNS)
    row.demand(len(runs) <= most, f"{where}: {len(runs)} executions: {[(r.attempt, r.pid) for r in runs]}")
    row.demand("killed" in fault or record["attempts"] == "2", f"{where}: {record['attempts']} attempts counted")
    deadline_s = time.monotonic() + 8
    while (found := faults(bench.site.client)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    row.violations += [f"{where}: {fault}" for fault in found[:3]]


def _life(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
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


def _birth(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """The runner is replaced, and the job waits for the new one (or lies in the old one's list: it is popped)."""
    time.sleep(YOUNG_S)
    (old,) = bench.worker.runner_pids()
    os.kill(old, signal.SIGSTOP)
    bench.trap.set(lambda pid: is_meant(pid) and pid != old, at, fault, from_pop=False)
    job_id = bench.post(bench.site.body("fail_once"))
    os.kill(old, signal.SIGKILL)
    return job_id


def _server_birth(bench: Bench, is_meant: Callable[[int], bool], at: int, fault: str) -> str:
    """The server has just been started; the job is its first."""
    bench.server.kill()
    others = {bench.worker.pid, *bench.worker.runner_pids()}
    bench.trap.set(lambda pid: pid not in others, at, fault, from_pop=False)
    bench.server = bench.site.server(url=bench.proxy.url, is_awaited=False)
    return bench.post(bench.site.body("fail_once"))
