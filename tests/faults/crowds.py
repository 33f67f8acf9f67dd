"""Too many clients, or bad ones: no descriptors left, 500 that trickle, some that never read, 500 that are refused
while they send 5 MB, 10,000 at once.

Good clients are answered meanwhile, memory is bounded, and when the crowd has gone all is as before.
"""

import contextlib
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.load import Load, ask
from tests.faults.row import Row, percentile
from tests.faults.site import Site
from tests.processes import Server

FEW_FILES = 48
SLOW = 500
CROWD = 10_000
CAP = 1000
GREEDY = 20
MB_EACH = 0.05  # What one connection may cost.
QUIET_S = 3.0
UPLOAD_BYTES = 5_000_000
SLOWER = 3  # By how much a crowd of uploads may raise the good clients' p99.
NOISE_S = 0.03  # What the p99 of a shared machine is without any crowd.
ANSWER_S = 2.0  # A good client's slowest answer, beside all this on a shared machine.


class GoodClient:
    """Asks on one connection, that it has had from the beginning, again and again; each answer's status and time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.statuses: set[int] = set()
        self.took_s: list[float] = []

    def __enter__(self) -> "GoodClient":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stop.set()
        self._thread.join()
        self._link.close()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            began_s = time.monotonic()
            try:
                self._link.request("GET", "/api/jobs?limit=5")
                reply = self._link.getresponse()
                reply.read()
                self.statuses.add(reply.status)
            except (OSError, http.client.HTTPException):
                self.statuses.add(0)
                self._link.close()
            self.took_s.append(time.monotonic() - began_s)


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _no_descriptors()
    yield _slow()
    yield _never_reads()
    yield _uploads()
    # A connection has two ends, and both are of this machine: this process' own limit is what can be shown.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd = min(1000 if is_quick else CROWD, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield _crowd(crowd, cap=crowd + 100)
        yield _crowd(crowd, cap=min(CAP, crowd // 2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _no_descriptors() -> Row:
    """The server may open few files, and clients that say nothing have them all; even its link to Redis is cut."""
    row = Row("HTTP: no descriptors left (EMFILE)", runs=1)
    with Site() as site:
        server = site.server()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))
        url = server.url
        with Load(lambda: url, lambda: site.body("work"), per_s=50) as load:
            site.until(lambda: len(load.accepted) > 20, "load")
            with _crowd_of(url, 2 * FEW_FILES):
                site.until(lambda: _pauses(server), "the server says that it can't accept")
                done = len(load.accepted)
                site.until(lambda: len(load.accepted) > done + 50, "who was there is served")
                site.client.client_kill_filter(_type="normal", skipme=True)
                time.sleep(QUIET_S)
            left_s = time.monotonic()
            site.until(lambda: load.accepted_at_s[-1] > left_s, "jobs are taken in again")
            site.until(lambda: ask(url, "/readyz")[0] == 200, "a new client is served")
            row.recover_s.append(time.monotonic() - left_s)
        row.demand(_pauses(server) < 30, "a storm of log lines")
        odd = {answer for answer in load.answers if answer not in ("202", "503")}
        row.demand(not odd, f"the API answered {dict(load.answers)}")
        site.accepted += load.accepted
        row.note = f"{load.answers['202']} x 202, {load.answers['503']} x 503"
        site.judge(row, expected="ready")
    return row


def _pauses(server: Server) -> int:
    """How often it said that it could not accept."""
    return sum(line["event"] == "listener.paused" for line in server.logged())


def _slow() -> Row:
    """Heads and bodies that come a byte at a time."""
    row = Row(f"HTTP: {SLOW} slow clients", runs=SLOW)
    with Site() as site:
        server = site.server()
        with _Watch(row, site, server, SLOW) as watch, _crowd_of(watch.url, SLOW) as crowd:
            head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
            head += b"Content-Type: application/json\r\n\r\n"
            for number, link in enumerate(crowd):
                link.sendall(head if number % 2 else head[:20])
            ends_s = time.monotonic() + QUIET_S
            while time.monotonic() < ends_s:
                for link in crowd:
                    with contextlib.suppress(OSError):
                        link.sendall(b" " if link.fileno() % 2 else b"x")
                time.sleep(0.2)
    return row


def _never_reads() -> Row:
    """They ask for pages of 200 jobs, one after the other, and read none."""
    row = Row(f"HTTP: {GREEDY} clients that never read", runs=GREEDY)
    with Site() as site:
        site.put(200, "nothing", seconds=1.0)
        server = site.server()
        request = b"GET /api/jobs?limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with _Watch(row, site, server, 10 * GREEDY) as watch, _crowd_of(watch.url, GREEDY) as crowd:
            ends_s = time.monotonic() + QUIET_S
            while time.monotonic() < ends_s:
                for link in crowd:
                    link.setblocking(False)
                    with contextlib.suppress(OSError):
                        link.send(request * 100)
                time.sleep(0.05)
    return row


def _uploads() -> Row:
    """They send a body that is too large, all of it, and then read what became of it."""
    row = Row(f"HTTP: {SLOW} refused uploads of {UPLOAD_BYTES // 10**6} MB", runs=SLOW)
    with Site() as site:
        server = site.server()
        site.put(5, "nothing", seconds=1.0)
        with _Watch(row, site, server, SLOW), contextlib.ExitStack() as stack:
            good = [stack.enter_context(GoodClient(server.url)) for _ in range(4)]
            time.sleep(QUIET_S)
            alone_s = _p99(good)
            began_s = time.monotonic()
            port = urlsplit(server.url).port
            words = (sys.executable, "-m", "tests.faults.uploads", str(port), str(SLOW), str(UPLOAD_BYTES))
            said = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
            took_s, beside_s = time.monotonic() - began_s, _p99(good)
        row.demand(json.loads(said) == {"413": SLOW}, f"they saw {said.strip()}")
        is_quick = beside_s <= SLOWER * max(alone_s, NOISE_S / SLOWER)
        row.demand(is_quick, f"a p99 of {beside_s * 1000:.0f} ms where it was {alone_s * 1000:.0f} ms alone")
        row.note += f"; p99 {alone_s * 1000:.1f} ms alone, {beside_s * 1000:.1f} ms beside them, {took_s:.0f} s in all"
    return row


def _p99(clients: Sequence[GoodClient]) -> float:
    """Of all their answers since it was last asked."""
    taken_s = [client.took_s.copy() for client in clients]
    for client in clients:
        client.took_s.clear()
    return percentile([one for each in taken_s for one in each], 0.99)


def _crowd(count: int, *, cap: int) -> Row:
    """So many connections at once. Over the cap each is told 503 and closed."""
    row = Row(f"HTTP: {count:,} connections, MAX_CONNECTIONS {cap:,}", runs=count)
    with Site() as site:
        server = site.server(MAX_CONNECTIONS=cap)
        with _Watch(row, site, server, min(count, cap)) as watch, _crowd_of(watch.url, count) as crowd:
            row.demand(len(crowd) == count, f"only {len(crowd)} could connect")
            expected = min(count, cap - 1)
            site.until(lambda: watch.open_files() >= expected, f"{expected} are connected at once")
            watch.see()
            status, _, headers, _ = ask(watch.url, "/livez")
            if count > cap:
                is_told = status == 503 and "retry-after" in headers
                row.demand(is_told or status == 0, f"over the cap, /livez is answered {status} {headers}")
            else:
                row.demand(status == 200, f"below the cap, /livez is answered {status}")
    return row


class _Watch:
    """A good client beside the crowd, the server's memory at its most, and the return to what was before."""

    def __init__(self, row: Row, site: Site, server: Server, connections: int) -> None:
        self._row, self._site, self._server = row, site, server
        self._most_mb = MB_EACH * connections + 20
        self.url = server.url
        self._client = GoodClient(self.url)

    def __enter__(self) -> "_Watch":
        self._client.__enter__()
        self._site.until(lambda: len(self._client.took_s) > 5, "the good client is served")
        self._before_mb, self._files = _memory_mb(self._server.pid), self.open_files()
        self._seen_mb = self._before_mb
        return self

    def see(self) -> None:
        self._seen_mb = max(self._seen_mb, _memory_mb(self._server.pid))

    def __exit__(self, kind: object, *fault: object) -> None:
        left_s = time.monotonic()
        self.see()
        if kind is None:
            self._site.until(lambda: self.open_files() <= self._files + 2, "the crowd is gone", 60)
            self._site.until(lambda: ask(self.url, "/livez")[0] == 200, "a new client is served")
            self._row.recover_s.append(time.monotonic() - left_s)
        self._client.__exit__()
        client, grown_mb = self._client, self._seen_mb - self._before_mb
        self._row.demand(client.statuses == {200}, f"the good client was answered {client.statuses}")
        slowest_s = percentile(client.took_s, 1.0)
        self._row.demand(slowest_s < ANSWER_S, f"the good client waited {slowest_s:.1f} s")
        self._row.demand(grown_mb < self._most_mb, f"the server grew by {grown_mb:.0f} MB")
        self._row.note = f"+{grown_mb:.0f} MB, {len(client.took_s)} good answers, the slowest {slowest_s * 1000:.0f} ms"

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self._server.pid}/fd"))  # noqa: PTH208


@contextlib.contextmanager
def _crowd_of(url: str, count: int) -> Iterator[list[socket.socket]]:
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        links = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                links.append(stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), 10)))
        yield links


def _memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0
