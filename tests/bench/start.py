"""How long a start takes: the server until it says that it is ready, the worker until a job that waits is begun."""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

from tests.bench.figure import Figure
from tests.bench.pickup import stamps_in
from tests.bench.posts import MODULES
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker

STARTS = 5
LOOK_S = 0.002


def run(*, is_quick: bool) -> Iterator[Figure]:
    """The middle one of five. Python's files are in the page cache, as at every start but a machine's first."""
    starts = range(1 if is_quick else STARTS)
    yield Figure("start.server", statistics.median([_server_ms() for _ in starts]), "ms")
    yield Figure("start.worker", statistics.median([_worker_ms() for _ in starts]), "ms")


def _server_ms() -> float:
    with PrivateRedis(aof="everysec") as redis:
        server = Server(redis.url, JOB_MODULES=MODULES, PORT=(port := free_port()))
        try:
            began_s = time.perf_counter()
            server.start()
            wait_until(lambda: answers(port, "/readyz"), "/readyz is 200", every_s=LOOK_S)
            return (time.perf_counter() - began_s) * 1000
        finally:
            server.close()


def _worker_ms() -> float:
    with PrivateRedis(aof="everysec") as redis:
        worker = Worker(redis.url, JOB_MODULES=MODULES)
        path = worker.folder / "stamps"
        body = json.dumps({"type": "stamp", "payload": {"sent_s": 0, "path": str(path)}})
        subprocess.run([sys.executable, "-m", "tests.bench.fill", redis.url, "1", body], check=True)
        try:
            began_s = time.time()  # A job's stamp is another process's, so it is the time of day.
            worker.start()
            (begun_s,) = wait_until(lambda: stamps_in(path), "the job is begun", every_s=LOOK_S)
            return float(begun_s - began_s) * 1000
        finally:
            worker.wait_until_ready()
            worker.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Whether it is a 200."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as link:
            link.request("GET", path)
            return link.getresponse().status == 200
    except OSError:
        return False
