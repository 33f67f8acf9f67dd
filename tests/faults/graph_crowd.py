"""Who takes graphs in and runs them, and may be killed, stopped or cut off meanwhile.

crowd = Crowd(site, url)
crowd.kill(rng)                    # kill -9 of one of them; another one takes its place
proxy.judge = Meddler(rng).judge   # loses commands
"""

import contextlib
import hashlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import redis

from lib.queue.scripts import text_of
from tests.faults.graph_errands import CRASHING
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.processes import Server
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, Request, Verdict
from tests.redis.graphs import QUEUES

LEASE_S = 5
FROZEN_S = 17.0
"""Longer than the 15 s after which jobs ask for an anchor that is not there: they are cancelled, and healed later."""
CUT_SHARE = 0.01
KILL_SHARE = 0.05


class Crowd:
    """Two servers and two workers for all queues, each behind `url`; and a worker for jobs that crash, which nobody
    kills. killed: the runners that were, by pid. frozen: servers that were stopped for a while."""

    def __init__(self, site: Site, url: str, *, ack_replicas: int = 0) -> None:
        self._site = site
        self._url = url
        self._ack_replicas = ack_replicas
        self.killed: set[int] = set()
        self.frozen: set[int] = set()
        self.kills: Counter[str] = Counter()
        self.servers = [self._server() for _ in range(2)]
        self.workers = [self._worker() for _ in range(2)]
        # A job that takes its runner down is dead the second time.
        self.crashing = site.worker(
            is_awaited=False, WORKER_QUEUES=f"{CRASHING}=2", CRASH_LIMIT=2, LEASE_S=LEASE_S, ACK_REPLICAS=ack_replicas
        )
        for program in (*self.servers, *self.workers, self.crashing):
            program.wait_until_ready()

    @property
    def urls(self) -> list[Callable[[], str]]:
        return [lambda: self.servers[0].url, lambda: self.servers[1].url]

    def kill(self, rng: Random) -> None:
        """kill -9 of a runner, mostly; or a server, a supervisor, or a supervisor with its runners. Who has just been
        started is let be: a machine with too much to do would never have all of them up."""
        (what,) = rng.choices(("runner", "server", "supervisor", "host"), (6, 3, 1, 1))
        at = rng.randrange(2)
        if self._is_up(at, what):
            self.kills[what] += 1
            KILLERS[what](self, at, rng)

    def _is_up(self, at: int, what: str) -> bool:
        server = self.servers[at]
        if what == "server":
            return server.pid not in self.frozen and bool(server.logged("server.started"))
        try:
            return self.workers[at].is_ready()
        except redis.RedisError:
            return False  # A node that the runners' registrations lie on is away.

    def kill_runner(self, at: int, rng: Random) -> None:
        pid = rng.choice(self.workers[at].runner_pids())
        os.kill(pid, signal.SIGKILL)
        self.killed.add(pid)

    def kill_server(self, at: int, rng: Random) -> None:
        self.servers[at].kill()
        self.servers[at] = self._server()

    def kill_supervisor(self, at: int, rng: Random) -> None:
        """Its runners end what they have begun."""
        os.kill(self.workers[at].pid, signal.SIGKILL)
        self.workers[at] = self._worker()

    def kill_host(self, at: int, rng: Random) -> None:
        self.killed.update(self.workers[at].runner_pids())
        self.workers[at].kill_all()
        self.workers[at] = self._worker()

    def replace_dead(self) -> None:
        """Start a server, or a worker, for each that has ended."""
        for at, server in enumerate(self.servers):
            if server.process is not None and server.process.poll() is not None:
                self.servers[at] = self._server()
        for at, worker in enumerate(self.workers):
            if worker.process is not None and worker.process.poll() is not None:
                self.workers[at] = self._worker()

    def freeze(self, pid: int) -> None:
        """Stop that server for a while."""
        self.frozen.add(pid)
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(FROZEN_S, self._thaw, (pid,)).start()

    def _thaw(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        self.frozen.discard(pid)

    def _server(self) -> Server:
        return self._site.server(url=self._url, is_awaited=False, ACK_REPLICAS=self._ack_replicas)

    def _worker(self) -> Runners:
        queues = ",".join(f"{queue}=4" for queue in QUEUES)
        # Killed from outside, a job is innocent however often.
        return self._site.worker(
            url=self._url,
            is_awaited=False,
            WORKER_QUEUES=queues,
            WORKER_PROCESSES=2,
            LEASE_S=LEASE_S,
            CRASH_LIMIT=100,
            ACK_REPLICAS=self._ack_replicas,
        )


KILLERS: dict[str, Callable[[Crowd, int, Random], None]] = {
    "runner": Crowd.kill_runner,
    "server": Crowd.kill_server,
    "supervisor": Crowd.kill_supervisor,
    "host": Crowd.kill_host,
}


class Meddler:
    """Loses one in a hundred requests and replies of a Redis; and stops a server at its `freeze_at`th call of
    plant.lua, between two jobs of a graph."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._plant = _hash_of("plant")
        self.crowd: Crowd | None = None
        self.freeze_at = 0
        self.is_at_work = True
        self.cuts = 0
        self._plants = 0

    def judge(self, request: Request) -> Verdict:
        with self._lock:
            if not self.is_at_work or self.crowd is None:
                return PASS
            if request.words[:2] == (b"EVALSHA", self._plant):
                self._plants += 1
                if self._plants == self.freeze_at:
                    self.crowd.freeze(request.pid)
                    return PASS
            if self._rng.random() < CUT_SHARE:
                self.cuts += 1
                return self._rng.choice((CUT_REQUEST, CUT_REPLY))
            return PASS


class Assassin:
    """Kills who tells jobs what became of others, at one in twenty of the commands of telling: before Redis has carried
    it out, or behind that."""

    def __init__(self, rng: Random, crowd: Crowd) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._crowd = crowd
        self._resolve = (b"EVALSHA", _hash_of("resolve"))
        self.kills = 0

    def judge(self, request: Request) -> Verdict:
        with self._lock:
            is_telling = request.words[:2] == self._resolve or request.words[0] == b"XDEL"
            if not is_telling or self._rng.random() > KILL_SHARE:
                return PASS
            self.kills += 1
            self._crowd.killed.add(request.pid)
            return Verdict(self._rng.choice(("cut_request", "cut_reply")), partial(_kill, request.pid))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def killer_at(script: str, pid: int) -> Callable[[Request], Verdict]:
    """A proxy's judge: kills that process when Redis has carried out its first call of the script."""
    wanted = (b"EVALSHA", _hash_of(script))

    verdict = Verdict("cut_reply", partial(_kill, pid))
    return lambda request: verdict if request.words[:2] == wanted and request.pid == pid else PASS


def _hash_of(script: str) -> bytes:
    return hashlib.sha1(text_of(script).encode()).hexdigest().encode()
