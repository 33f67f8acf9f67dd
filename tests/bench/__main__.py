"""make bench: how fast is it, measured from outside: HTTP in, real processes, a Redis of its own with AOF everysec.

    python -m tests.bench [--rounds 3] [--peers FOLDER_OF_PEERS_PY] [name …]

Names: post work idle memory. Prints a JSON object a line, medians of the rounds, and writes results.json beside this
file. A machine's own speed varies; quote ratios of one run. With --peers, `peers.py` of that folder runs in between.
Needs redis-server, and wrk for `post`.
"""

import argparse
import http.client
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker

HERE = Path(__file__).resolve().parent
MODULES = "tests.bench.jobs,lib.handlers.email"
CONNECTIONS = 64
POST_S = 5
JOBS = {1: 8_000, 10: 40_000, 100: 80_000}
PICKUPS = 500
TEXT_450 = "x" * 450
WAITING = 20_000


def main() -> int:
    arguments = _arguments()
    results: dict[str, Any] = {}
    for name in arguments.names or list(MEASURES):
        rounds = [dict(MEASURES[name]()) for _ in range(arguments.rounds)]
        for what in rounds[0]:
            results[what] = _median([one[what] for one in rounds])
            print(json.dumps({"waybill": what, **results[what]}), flush=True)
        if arguments.peers and name in PEERS:
            results.setdefault("peers", []).extend(_peers(arguments.peers, PEERS[name]))
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    return 0


def post() -> Iterator[tuple[str, dict[str, float]]]:
    """POST /api/jobs from 64 connections, each waiting for its 202; request log on, as it is by default."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("make bench needs wrk: apt-get install wrk (or brew install wrk)")
    with PrivateRedis(aof="everysec") as redis, Server(redis.url, JOB_MODULES=MODULES) as server:
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{POST_S}s", "--latency", "-s", str(HERE / "post.lua")]
        said = subprocess.run([*command, f"{server.url}/api/jobs"], capture_output=True, text=True, check=True).stdout
        accepted = int(redis.client.hget("wb:{default}:totals", "enqueued noop") or 0)
    if "Non-2xx" in said:
        sys.exit(f"some requests were refused:\n{said}")
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", said))
    yield "post_c64", {"per_s": rate, "p50_ms": _ms(said, "50%"), "p99_ms": _ms(said, "99%"), "accepted": accepted}


def work() -> Iterator[tuple[str, dict[str, float]]]:
    """Jobs a second of one runner over jobs that do nothing, from the first that ended to the last."""
    for limit, jobs in JOBS.items():
        with PrivateRedis(aof="everysec") as redis:
            _fill(redis, jobs)
            before_us = _redis_cpu_us(redis)
            with Worker(redis.url, JOB_MODULES=MODULES, WORKER_QUEUES=f"default={limit}"):
                rate = _drain_rate(redis, jobs)
            redis_us = (_redis_cpu_us(redis) - before_us) / jobs
        yield f"work_c{limit}", {"per_s": round(rate), "redis_us_per_job": round(redis_us, 1)}


def idle() -> Iterator[tuple[str, dict[str, float]]]:
    """From just before a POST is sent to the first line of its handler, worker and server otherwise idle."""
    with (
        PrivateRedis(aof="everysec") as redis,
        Server(redis.url, JOB_MODULES=MODULES) as server,
        Worker(redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="default=10") as worker,
    ):
        path = worker.folder / "stamps"
        post_one = _poster(server.url)
        for _ in range(PICKUPS):
            post_one({"type": "stamp", "payload": {"sent_s": time.time(), "path": str(path)}})
            time.sleep(0.004)
        stamps = wait_until(lambda: len(lines := _lines(path)) == PICKUPS and lines, "every job has begun")
    delays_ms = sorted(float(line) * 1000 for line in stamps)
    yield "pickup", {"p50_ms": round(delays_ms[PICKUPS // 2], 2), "p99_ms": round(delays_ms[PICKUPS * 99 // 100], 2)}


def memory() -> Iterator[tuple[str, dict[str, float]]]:
    """Bytes of Redis memory for each waiting job, its payload a mail with a text of 450 bytes (500 in all)."""
    with PrivateRedis() as redis:
        before = int(redis.client.info("memory")["used_memory"])
        _fill(redis, WAITING, {"to": "test@gmail.com", "subject": "hi", "text": TEXT_450})
        after = int(redis.client.info("memory")["used_memory"])
    yield "memory", {"bytes_per_waiting_job": round((after - before) / WAITING)}


MEASURES: dict[str, Callable[[], Iterator[tuple[str, dict[str, float]]]]] = {
    "post": post,
    "work": work,
    "idle": idle,
    "memory": memory,
}
PEERS = {"post": ["express", "fastify"], "work": ["bullmq", "bee"], "idle": ["bullmq_latency"]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], metavar="name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, metavar="FOLDER")
    return parser.parse_args()


def _fill(redis: PrivateRedis, jobs: int, payload: dict[str, Any] | None = None) -> None:
    """Put jobs in through the API's own code, in a process of its own that ends with it."""
    body = json.dumps(
        {"type": "noop", "payload": payload or {"to": "test@gmail.com", "subject": "hi", "text": "hello"}}
    )
    subprocess.run([sys.executable, "-m", "tests.bench.fill", redis.url, str(jobs), body], check=True)


def _drain_rate(redis: PrivateRedis, jobs: int) -> float:
    first: tuple[int, float] | None = None
    while True:
        done = int(redis.client.hget("wb:{default}:totals", "completed noop") or 0)
        now_s = time.perf_counter()
        if first is None and done:
            first = done, now_s
        if first is not None and done >= jobs:
            return (done - first[0]) / (now_s - first[1])
        time.sleep(0.01)


def _redis_cpu_us(redis: PrivateRedis) -> float:
    cpu = redis.client.info("cpu")
    return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6


def _poster(url: str) -> Callable[[dict[str, Any]], None]:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def post_one(body: dict[str, Any]) -> None:
        link.request("POST", "/api/jobs", json.dumps(body), {"Content-Type": "application/json"})
        reply = link.getresponse()
        reply.read()
        if reply.status != 202:
            sys.exit(f"POST answered {reply.status}")

    return post_one


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"{pattern!r} is not in:\n{text}")
    return match[1]


def _ms(said: str, percentile: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", _found(rf"{percentile}\s+(\S+)", said)).groups()  # type: ignore[union-attr]
    return round(float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], 2)


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def _peers(folder: Path, names: list[str]) -> list[Any]:
    said = subprocess.run([sys.executable, "peers.py", *names], cwd=folder, capture_output=True, text=True).stdout
    print(said, end="", flush=True)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(main())
