"""100,000 jobs through a server and a worker: what each process holds is, at the end, what it was near the beginning.

Memory, threads, open files and children of the server, the supervisor and the runner; one job in a hundred fails once.
"""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.faults.row import Row
from tests.faults.site import Site

KEPT = 1000
BITE = 20_000
PIPELINED = 50
PER_LINK = 1000  # The server ends a connection after so many requests.
FAILS_EVERY = 100
GROWTH_MB = 6.0
GROWTH_FILES = 3


class Holding(NamedTuple):
    """What one process holds."""

    memory_mb: float
    threads: int
    files: int
    children: int

    @classmethod
    def of(cls, pid: int) -> "Holding":
        status = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
            if ":" in line
        )
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        memory_mb = int(status["VmRSS"].split()[0]) / 1000
        return cls(memory_mb, int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd")), len(children))  # noqa: PTH208


def run(*, is_quick: bool) -> Iterator[Row]:
    count = 60_000 if is_quick else 100_000
    row = Row(f"{count:,} jobs over HTTP: leaks", runs=count)
    with Site() as site:
        server = site.server()
        url = server.url  # Read from its log, which is rotated soon.
        worker = site.worker(WORKER_QUEUES="default=50", RETAIN_COMPLETED=KEPT)
        (runner,) = worker.runner_pids()
        processes = {"server": server.pid, "supervisor": worker.pid, "runner": runner}
        seen: list[dict[str, Holding]] = []
        for done in range(BITE, count + 1, BITE):
            taken = _post_all(site, url, BITE)
            row.demand(taken == BITE, f"{taken} of {BITE} were answered 202")
            site.until(lambda: _completed(site) == done, "all have completed", 120, 0.1)  # noqa: B023
            site.until(lambda: site.client.zcard(f"{site.base}all") <= KEPT, "the rest is trimmed", 60, 0.1)
            seen.append({name: Holding.of(pid) for name, pid in processes.items()})
        row.lost = count - _completed(site)
        _compare(row, seen[0], seen[-1])
        site.judge(row)
    yield row


def _compare(row: Row, before: dict[str, Holding], after: dict[str, Holding]) -> None:
    """The first bite warms up: pools are filled, and what is imported late is there."""
    for name, was in before.items():
        now = after[name]
        row.demand(now.memory_mb < was.memory_mb + GROWTH_MB, f"{name} grew: {was} -> {now}")
        row.demand(now.files <= was.files + GROWTH_FILES, f"{name} has more files open: {was} -> {now}")
        is_same = (now.threads, now.children) == (was.threads, was.children)
        row.demand(is_same, f"{name} has other threads or children: {was} -> {now}")
    row.note = ", ".join(
        f"{name} {was.memory_mb:.0f} -> {after[name].memory_mb:.0f} MB, {after[name].files} files"
        for name, was in before.items()
    )


def _post_all(site: Site, url: str, count: int) -> int:
    """How many of so many POSTs, sent a bundle at a time, were answered 202."""
    return sum(_post(site, url, PER_LINK) for _ in range(count // PER_LINK))


def _post(site: Site, url: str, count: int) -> int:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    kinds = ["fail_once" if number % FAILS_EVERY == 0 else "nothing" for number in range(count)]
    requests = [_request(site.body(kind)) for kind in kinds]
    taken = 0
    with socket.create_connection(address, timeout=30) as link, link.makefile("rb") as stream:
        for at in range(0, count, PIPELINED):
            bundle = requests[at : at + PIPELINED]
            link.sendall(b"".join(bundle))
            taken += sum(_status(stream) == 202 for _ in bundle)
    return taken


def _request(body: dict[str, Any]) -> bytes:
    body["payload"]["ledger"] = ""
    text = json.dumps({**body, "backoff": {"base_s": 0.1, "cap_s": 0.1}}).encode()
    head = (
        f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    )
    return f"{head}\r\n\r\n".encode() + text


def _status(stream: Any) -> int:
    """One answer's status; the rest of it is read and dropped."""
    line = stream.readline()
    headers = http.client.parse_headers(stream)
    stream.read(int(headers["Content-Length"]))
    return int(line.split()[1])


def _completed(site: Site) -> int:
    """How many have, since the queue began."""
    totals: Any = site.client.hgetall(f"{site.base}totals")
    return sum(int(count) for field, count in totals.items() if field.startswith(b"completed "))
