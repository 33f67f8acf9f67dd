"""The webhooks of webhooks.py, sent by BullMQ with undici and by Celery with requests: the same work, the same Redis.

Each is one worker with 20 webhooks at a time: BullMQ by its concurrency, Celery once by threads and once by processes.
Each signs, keeps its links, has the end of each job in Redis, and keeps its result there.
"""

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.http_client_alone import BODY
from tests.bench.installed import npm, pip
from tests.bench.webhooks import AT_ONCE, SECRET, WEBHOOKS, Sender, measured
from tests.private_redis import PrivateRedis
from tests.processes import ROOT

PROGRAM = Path(__file__).resolve().with_name("webhooks_peers.js")
NODE_PACKAGES = {"bullmq": "6.7.0", "undici": "6.21.3"}
CELERY_PACKAGES = ("celery[redis]==5.7.0", "requests==2.34.2")
CELERY_MODULE = "tests.bench.webhooks_celery"
POOLS = ("threads", "prefork")


def peers(_folder: Path) -> Iterator[Figure]:
    return _peers(WEBHOOKS)


def quick_peers(_folder: Path) -> Iterator[Figure]:
    return _peers(WEBHOOKS // 10)


def _peers(webhooks: int) -> Iterator[Figure]:
    yield from measured("bullmq.webhooks", bullmq, webhooks)
    for pool in POOLS:
        yield from measured(f"celery.webhooks_{pool}", functools.partial(celery, pool=pool), webhooks)


@contextmanager
def bullmq(port: int, webhooks: int) -> Iterator[Sender]:
    environment = {"NODE_PATH": str(npm("webhooks", NODE_PACKAGES))}
    url, program = f"http://127.0.0.1:{port}/hook", ["node", str(PROGRAM)]
    add = [*program, "add", str(webhooks), url, json.dumps(BODY)]
    with _worker(add, [*program, "work", str(AT_ONCE), url, SECRET], environment) as sender:
        yield sender


@contextmanager
def celery(port: int, webhooks: int, *, pool: str) -> Iterator[Sender]:
    programs = pip("celery-requests", CELERY_PACKAGES, "celery")
    add = [str(programs / "python"), "-m", CELERY_MODULE, str(webhooks), f"http://127.0.0.1:{port}/hook"]
    work = [
        str(programs / "celery"),
        "-q",
        "-A",
        CELERY_MODULE,
        "worker",
        "-P",
        pool,
        "-c",
        str(AT_ONCE),
        "-l",
        "ERROR",
    ]
    with _worker([*add, json.dumps(BODY)], work, {"SECRET": SECRET}) as sender:
        yield sender


@contextmanager
def _worker(add: list[str], work: list[str], environment: dict[str, str]) -> Iterator[Sender]:
    """Queue the webhooks by the command `add`, and then have the command `work` send them."""
    with PrivateRedis(aof="everysec") as redis:
        environment = {**os.environ, **environment, "REDIS_SOCKET": str(redis.path)}
        subprocess.run(add, cwd=ROOT, env=environment, check=True)
        with redis.path.with_name("said").open("ab") as said:
            worker = subprocess.Popen(work, cwd=ROOT, env=environment, stdout=said, stderr=said)
        try:
            yield Sender(worker.pid, redis)
        finally:
            worker.terminate()
            worker.wait()
