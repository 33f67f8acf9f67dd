"""POST /api/jobs as fast as wrk asks, each connection waiting for its 202; request log on, as it is by default.

What is posted is an e-mail, as the peers are sent: its addresses are checked, which theirs are not. What Redis can do
with the same script is measured behind it, in commits as large.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import ceiling
from tests.bench.figure import Figure
from tests.bench.spent import Spent
from tests.private_redis import PrivateRedis
from tests.processes import Server

HERE = Path(__file__).resolve().parent
MODULES = "tests.bench.jobs,lib.handlers.email"
CONNECTIONS = 64
POST_S = 5
QUICK_S = 1
LIMIT_S = 30.0


class Posted(NamedTuple):
    """What wrk says of one run."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float


def run(*, is_quick: bool) -> Iterator[Figure]:
    with PrivateRedis(aof="everysec") as redis, Server(redis.url, JOB_MODULES=MODULES) as server:
        spent = Spent(redis)
        posted = drive(server.url, is_quick=is_quick)
        core_percent, used_us, calls = spent.core_percent, spent.cpu_us, spent.calls
        accepted = enqueued(redis, "email", "email")
    if accepted < posted.requests:
        sys.exit(f"{posted.requests} were answered 202, and Redis has {accepted}")
    yield Figure("post.rate", posted.per_s, "requests/s")
    yield Figure("post.p50", posted.p50_ms, "ms")
    yield Figure("post.p99", posted.p99_ms, "ms")
    yield Figure("post.redis_core", core_percent, "% of a core")
    yield Figure("post.redis_us", used_us / accepted, "µs per job")
    yield Figure("post.jobs_per_call", jobs_per_call := accepted / max(1.0, calls), "jobs")
    yield from ceiling.enqueue(in_a_commit=max(1, round(jobs_per_call)), is_quick=is_quick)


def drive(
    url: str, *, is_quick: bool, connections: int = CONNECTIONS, script: str = "post.lua", words: Sequence[str] = ()
) -> Posted:
    """words: for the script. Exits where wrk is missing, or where anything but a 2xx was answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("make bench needs wrk: apt-get install wrk (or brew install wrk)")
    seconds = QUICK_S if is_quick else POST_S
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / script)]
    command = [wrk, *options, f"{url}/api/jobs", "--", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + LIMIT_S).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"some requests were refused:\n{said}")
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", said))
    return Posted(int(_found(r"(\d+) requests in", said)), rate, milliseconds(said, "50%"), milliseconds(said, "99%"))


def milliseconds(said: str, label: str) -> float:
    """What stands behind `label` in wrk's own units, in ms."""
    # At the begin of its line: "97.50%" stands among wrk's other figures.
    found = _found(rf"\n +{label} +([\d.]+(?:us|ms|s))\n", said)
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", found).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def enqueued(redis: PrivateRedis, queue: str, type_name: str) -> int:
    """How many jobs of that type this queue has taken in."""
    count: Any = redis.client.hget(f"wb:{{{queue}}}:totals", f"enqueued {type_name}")
    return int(count or 0)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"{pattern!r} is not in:\n{text}")
    return match[1]
