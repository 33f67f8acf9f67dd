"""A server and a worker behind one proxy, and the trap in it: the k-th command of one of their processes goes wrong."""

import http.client
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.private_redis import wait_until
from tests.processes import Server, is_alive
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, SWALLOW_REPLY, Proxy, Request, Verdict


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
            # SIGKILL only orders the end, which takes up to some 10 ms. Whoever hears of it and looks at once would see
            # a process that lives, start no other in its place, and wait for a job that nobody is there to run.
            wait_until(lambda: not is_alive(pid), f"process {pid} has ended", every_s=0.001)
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
        self.cancelled: list[str] = []
        self._are_runners: dict[int, bool] = {}

    def _worker(self) -> Runners:
        return self.site.worker(url=self.proxy.url, WORKER_QUEUES="default=2", CRASH_LIMIT=3, SHUTDOWN_GRACE_S=1)

    def is_server(self, pid: int) -> bool:
        return pid == self.server.pid

    def is_supervisor(self, pid: int) -> bool:
        return pid == self.worker.pid

    def is_runner(self, pid: int) -> bool:
        """By what it was started with: the pid of a supervisor that is being started is not known here yet.

        Not an isolation runner, which is kept ready after a kill: what it asks meanwhile is not the job's life.
        """
        if pid not in self._are_runners:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                self._are_runners[pid] = b"--runner" in words and not any(word.endswith(b".alone") for word in words)
            except OSError:
                return False  # It has ended.
        return self._are_runners[pid]

    def post(self, body: dict[str, Any]) -> str:
        """The id; sent again, to another server where this one was killed, until it is there."""
        job = self.ask("POST", "/api/jobs", {202}, body, idempotency_key=f'"{uuid.uuid4()}"')
        self.site.accepted.append(job["id"])
        return str(job["id"])

    def ask(
        self,
        method: str,
        path: str,
        wanted: set[int],
        body: Any = None,
        is_done: Callable[[], bool] = lambda: False,
        **headers: str,
    ) -> Any:
        """Ask until the status is one that is wanted, or it is done: the answer's body."""
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s and not is_done():
            # Killed before it listened, it never will; a look at its url would wait for that.
            self.site.until(self._is_known, "the server listens, or is dead")
            if not is_alive(self.server.pid):
                self.mend()
                continue
            try:
                status, answer, _ = self.server.request(method, path, body, **headers)
                if status in wanted:
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        if not is_done():
            raise AssertionError(f"{method} {path} was not answered {wanted} within 20 s")
        return None

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
        self.site.until(
            lambda: self.worker.is_ready() or not is_alive(self.worker.pid), "the worker serves, or is dead"
        )
        self.mend()  # The command at which it is killed may come a moment after it was looked at.
        self.worker.wait_until_ready()
