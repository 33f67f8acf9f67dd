"""How soon an idle worker begins a job: from just before it is sent to the first line of its handler.

Sent by POST; and by a job of the same runner, as BullMQ's figure is taken: no HTTP, and both ends in one process.
"""

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.figure import Figure
from tests.bench.posts import MODULES
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker

PICKUPS = 500
PAUSE_S = 0.004


def run(*, is_quick: bool) -> Iterator[Figure]:
    pickups = PICKUPS // (10 if is_quick else 1)
    with (
        PrivateRedis(aof="everysec") as redis,
        Server(redis.url, JOB_MODULES=MODULES) as server,
        Worker(redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="default=10") as worker,
    ):
        posted, chained = worker.folder / "posted", worker.folder / "chained"
        post_one = _poster(server.url)
        for _ in range(pickups):
            post_one({"type": "stamp", "payload": {"sent_s": time.time(), "path": str(posted)}})
            time.sleep(PAUSE_S)
        yield from _figures("idle", posted, pickups)
        post_one({"type": "chain", "payload": {"stamps": pickups, "pause_s": PAUSE_S, "path": str(chained)}})
        yield from _figures("idle.chained", chained, pickups)


def _figures(name: str, path: Path, pickups: int) -> Iterator[Figure]:
    stamps_s = wait_until(lambda: len(lines := stamps_in(path)) == pickups and lines, "every job has begun")
    delays_ms = sorted(stamp_s * 1000 for stamp_s in stamps_s)
    yield Figure(f"{name}.p50", delays_ms[pickups // 2], "ms")
    yield Figure(f"{name}.p99", delays_ms[pickups * 99 // 100], "ms")


def stamps_in(path: Path) -> list[float]:
    """What the jobs of type `stamp` wrote so far."""
    return [float(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _poster(url: str) -> Callable[[dict[str, Any]], None]:
    """By a bare socket: what http.client takes to write and read a request is not Waybill's time."""
    parts = urlsplit(url)
    link = socket.create_connection((parts.hostname, parts.port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = f"POST /api/jobs HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "

    def post_one(body: dict[str, Any]) -> None:
        text = json.dumps(body)
        link.sendall(f"{head}{len(text)}\r\n\r\n{text}".encode())
        reply = http.client.HTTPResponse(link)
        reply.begin()
        reply.read()
        if reply.status != 202:
            sys.exit(f"POST answered {reply.status}")

    return post_one
