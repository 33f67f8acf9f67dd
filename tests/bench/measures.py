"""The list of all measures, and what of the peers runs beside each. Each is a function of a module of its theme."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from tests.bench import (
    batch,
    depth,
    limits,
    limits_peers,
    mails,
    memory,
    node,
    pickup,
    posts,
    resting,
    scaling,
    schedules,
    start,
    wakeups,
    webhooks,
    webhooks_peers,
    work,
    workflows,
    workflows_peers,
)
from tests.bench.figure import Figure
from tests.bench.peers import told


class Measure(Protocol):
    """is_quick: a tenth of everything, to try the tool; such figures say little."""

    def __call__(self, *, is_quick: bool) -> Iterator[Figure]: ...


MEASURES: dict[str, Measure] = {
    "post": posts.run,
    "batch": batch.run,
    "work": work.run,
    "idle": pickup.run,
    "memory": memory.run,
    "start": start.run,
    "resting": resting.run,
    "mails": mails.run,
    "depth": depth.run,
    "scaling": scaling.run,
    "limits": limits.run,
    "wakeups": wakeups.run,
    "schedules": schedules.run,
    "limits_peers": limits_peers.run,
    "workflows": workflows.run,
    "workflows_peers": workflows_peers.run,
    "webhooks": webhooks.run,
}
_HTTP = ("express", "fastify", "fastapi")
_JOBS = ("bullmq.process_c100", "bullmq.process_c1", "bee-queue.process_c100", "huey.process_c100")
PEERS: dict[str, Callable[[Path], Iterable[Figure]]] = {
    "post": told(_HTTP, [f"{peer}.http_jobs_c64.{what}" for peer in _HTTP for what in ("rate", "p50", "p99")]),
    "batch": told(["bullmq", "bee"], ["bullmq.enqueue_bulk.rate", "bee-queue.enqueue_bulk.rate"]),
    "work": told(["bullmq", "bee", "huey"], [f"{what}.rate" for what in _JOBS]),
    "idle": told(["bullmq_latency"], ["bullmq.pickup_ms.p50", "bullmq.pickup_ms.p99"]),
    "memory": node.waiting,
    "start": node.start_up,
    "resting": node.at_rest,
    "limits_peers": limits_peers.peers,
    "workflows_peers": workflows_peers.peers,
    "webhooks": webhooks_peers.peers,
}
"""By measure, each given the folder of peers.py. WHY ardiq is not there: it needs a Python newer than the 3.11 here."""
QUICK_PEERS: dict[str, Callable[[Path], Iterable[Figure]]] = {
    "limits_peers": limits_peers.quick_peers,
    "workflows_peers": workflows_peers.quick_peers,
    "webhooks": webhooks_peers.quick_peers,
}
"""In the place of the function in PEERS where only the tool is tried; the other peers take their time all the same."""
