"""NDJSON by curl to POST /api/jobs/batch: from the first byte until the last line is answered, all of it in Redis.

The peers' bulk calls beside it are in process: no HTTP, nothing to read or check. The payload is theirs.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.posts import MODULES, enqueued
from tests.private_redis import PrivateRedis
from tests.processes import Server

LINES = 200_000
LINE = '{{"type":"noop","payload":{{"to":"a@b.c","i":{}}}}}\n'
LIMIT_S = 120.0


def run(*, is_quick: bool) -> Iterator[Figure]:
    curl = shutil.which("curl")
    if curl is None:
        sys.exit("make bench needs curl: apt-get install curl (or brew install curl)")
    lines = LINES // (10 if is_quick else 1)
    with (
        tempfile.NamedTemporaryFile() as file,
        PrivateRedis(aof="everysec") as redis,
        Server(redis.url, JOB_MODULES=MODULES) as server,
    ):
        Path(file.name).write_text("".join(map(LINE.format, range(lines))), encoding="utf-8")
        command = [curl, "-sSf", "-T", file.name, "-X", "POST", "-H", "Content-Type: application/x-ndjson"]
        began_s = time.perf_counter()
        subprocess.run([*command, "-o", "/dev/null", f"{server.url}/api/jobs/batch"], check=True, timeout=LIMIT_S)
        took_s = time.perf_counter() - began_s
        if (count := enqueued(redis, "default", "noop")) != lines:
            sys.exit(f"{lines} lines were sent, and Redis has {count} jobs")
    yield Figure("batch.rate", lines / took_s, "jobs/s")
