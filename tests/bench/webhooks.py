"""Webhooks a second to a receiver on this machine, 20 at a time over kept links, beside what others reach with it.

http.client in 20 threads, with nothing around it, is the measure: no queue, no log, no signature. Waybill, BullMQ with
undici and Celery with requests (webhook_peers.py) have the same jobs queued beforehand, in a Redis of their own that is
set up the same, and sign each webhook. All rates are the receiver's: from request number WARM to the last. Beside each
rate stands what a webhook costs meanwhile in CPU: of the processes that send, of Redis, and of the receiver.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Final, NamedTuple

from tests.bench.figure import Figure
from tests.bench.fill import fill
from tests.bench.http_client_alone import BODY, http_client_alone
from tests.bench.proc import cpu_s, family
from tests.bench.spent import Spent
from tests.bench.webhook_sink import webhook_sink
from tests.private_redis import PrivateRedis
from tests.processes import Worker

WEBHOOKS: Final = 10_000
WARM: Final = 400
"""So many are sent before the clock begins to run: by then all links stand, and nothing is new."""
AT_ONCE: Final = 20
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq0"
RUNNERS: Final = (1, 2)


class Sender(NamedTuple):
    """Who sends: the first of its processes, and its Redis."""

    pid: int
    redis: PrivateRedis | None = None


Contender = Callable[[int, int], AbstractContextManager[Sender]]
"""Given the receiver's port and how many webhooks to send it; has begun when the `with` has."""


def run(*, is_quick: bool) -> Iterator[Figure]:
    webhooks = WEBHOOKS // (10 if is_quick else 1)
    yield from measured("webhooks.http_client", http_client, webhooks, are_signed=False)
    for runners in RUNNERS:
        yield from measured(f"webhooks.runners_{runners}", functools.partial(waybill, runners=runners), webhooks)
    yield Figure("webhooks.load", os.getloadavg()[0], "processes")


def measured(key: str, contender: Contender, webhooks: int, *, are_signed: bool = True) -> Iterator[Figure]:
    """How fast `contender` sends, and what it takes."""
    with webhook_sink(webhooks, WARM) as sink, contender(sink.port, webhooks) as sender:
        sink.wait_until_warm()
        before, spent = _cpu_us(sender.pid, sink.pid), Spent(sender.redis) if sender.redis else None
        said = sink.wait_until_all()
        after, redis_us = _cpu_us(sender.pid, sink.pid), spent.cpu_us if spent else 0.0
    if are_signed and said["bare"]:
        raise ValueError(f"{said['bare']:g} webhooks of {key} came without a signature")
    yield Figure(f"{key}.rate", said["per_s"], "webhooks/s")
    yield Figure(f"{key}.links", said["links"], "links")
    costs = {"sender": after[0] - before[0], "redis": redis_us, "receiver": after[1] - before[1]}
    for name, us in costs.items():
        yield Figure(f"{key}.{name}_us", us / (webhooks - WARM), "µs per webhook")


def _cpu_us(sender: int, receiver: int) -> tuple[float, float]:
    return cpu_s(family(sender)) * 1e6, cpu_s([receiver]) * 1e6


@contextmanager
def http_client(port: int, webhooks: int) -> Iterator[Sender]:
    with http_client_alone(port, AT_ONCE, webhooks) as pid:
        yield Sender(pid)


@contextmanager
def waybill(port: int, webhooks: int, *, runners: int) -> Iterator[Sender]:
    """Every webhook has the group that it has by default: host and port of its URL."""
    payload = {"url": f"http://127.0.0.1:{port}/hook", "body": BODY}
    settings = {
        "JOB_MODULES": "lib.handlers.webhook",
        "WORKER_QUEUES": f"webhook={AT_ONCE}",
        "WORKER_PROCESSES": runners,
        "WEBHOOK_ALLOW_PRIVATE": "1",
        "WEBHOOK_SECRET": SECRET,
    }
    with PrivateRedis(aof="everysec") as redis:
        fill(redis, webhooks, payload, "webhook", group=f"127.0.0.1:{port}")
        with closing(Worker(redis.url, **settings)) as worker:
            worker.start()
            yield Sender(worker.pid, redis)
