"""The parts of a runner, made once at its start: what its queues share, and a consumer for each queue."""

import functools
import os
import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib import __version__
from lib.ids import JobIds, is_alone, new_runner_id
from lib.jobs.registry import Registry, probes_of
from lib.logs.log import Log
from lib.queue.bulkheads import Bulkheads
from lib.queue.fleet import Fleet, UpgradeGate
from lib.queue.job_spans import open_spans
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.queue.meters import Meters
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_store import QueueStore
from lib.queue.told_log import logged_notices
from lib.redis_link.link import RedisLink, open_link
from lib.settings import otel
from lib.settings.config import Settings
from lib.work.runner.consumer import Consumer
from lib.work.runner.context import Services
from lib.work.runner.current_job import BlankContext
from lib.work.runner.loop_parts import LoopParts
from lib.work.runner.prefetch.prefetch import BusyQueues
from lib.work.runner.prefetch.turns import Turns
from lib.work.runner.resources import Resources
from lib.work.runner.timings import Timings
from lib.work.runner.warnings import Warnings

if TYPE_CHECKING:
    from lib.work.runner.schedule_writer import ScheduleWriter

CALL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """What runner.py works with. consumers: one for each queue of WORKER_QUEUES, in its order. schedule_writer: None
    where no job type declares a schedule."""

    consumers: list[Consumer]
    services: Services
    loop: LoopParts
    queues: QueueStore
    warnings: Warnings
    schedule_writer: "ScheduleWriter | None"


def assemble(
    settings: Settings,
    registry: Registry,
    log: Log,
    runner_id: str,
    *,
    is_waiting: bool,
    is_draining: Callable[[], bool],
    retire: Callable[[str], None],
) -> RunnerParts:
    """is_waiting: the consumers begin without a slot; see Runner."""
    link, keys = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S), RedisKeys(settings.key_prefix)
    queues = QueueStore(link, keys)
    services, parts = _shared(settings, registry, log, runner_id, link, keys, is_draining, retire)
    consumers = []
    for queue, limit in settings.worker_queues.items():
        most = 1 if is_alone(runner_id) else limit
        # An isolation runner has a slot only while it runs a suspect.
        first_limit = 0 if is_waiting or is_alone(runner_id) else most
        make_lease = _lease_maker(queue, runner_id, settings, link, keys, parts, services.job_store.notices.poke)
        consumers.append(Consumer(first_limit, make_lease, _about(settings, most), queues, services, parts))
    probes = probes_of(settings.job_modules)
    warnings = Warnings(probes, services.resources, queues, parts.bulkheads, log, parts.rng)
    writer = _schedule_writer(services, parts, queues, link, keys) if registry.schedules else None
    return RunnerParts(consumers, services, parts, queues, warnings, writer)


def _shared(
    settings: Settings,
    registry: Registry,
    log: Log,
    runner_id: str,
    link: RedisLink,
    keys: RedisKeys,
    is_draining: Callable[[], bool],
    retire: Callable[[str], None],
) -> tuple[Services, LoopParts]:
    blank, bulkheads = BlankContext(), Bulkheads(log)
    ack_replicas = settings.ack_replicas
    spans = open_spans(otel.collector_of(settings, otel.WORKER), link, keys, log)
    outcomes = OutcomeLog(JobStore(link, keys), log, spans)
    notices = logged_notices(link, keys, log, outcomes, bulkheads, ack_replicas=ack_replicas)
    services = Services(
        registry=registry,
        log=log,
        job_store=JobStore(
            link, keys, ack_replicas=ack_replicas, notices=notices, first_settings=registry.first_settings
        ),
        ids=JobIds(),
        resources=Resources(settings, log, blank.copy),
        is_draining=is_draining,
    )
    parts = LoopParts(
        settings=settings,
        threads=ThreadPoolExecutor(sum(settings.worker_queues.values()), "job"),
        rng=random.Random(),
        timings=Timings(Meters(link, keys), runner_id, bulkheads, services.resources.take_outcomes),
        busy=BusyQueues(),
        turns=Turns(),
        blank=blank,
        bulkheads=bulkheads,
        retire=retire,
        spans=spans,
    )
    return services, parts


def _schedule_writer(
    services: Services, parts: LoopParts, queues: QueueStore, link: RedisLink, keys: RedisKeys
) -> "ScheduleWriter":
    # Imported here: most deployments declare no schedule, and their runners start sooner without.
    from lib.queue.code_schedules import CodeSchedules
    from lib.work.runner.schedule_writer import ScheduleWriter

    gate = UpgradeGate(Fleet(link, keys))
    registry, ids, log = services.registry, services.ids, services.log
    return ScheduleWriter(registry, ids, CodeSchedules(link, keys), gate, queues.warnings, parts.bulkheads, log)


def _lease_maker(
    queue: str,
    runner_id: str,
    settings: Settings,
    link: RedisLink,
    keys: RedisKeys,
    parts: LoopParts,
    on_notices: Callable[[str], None],
) -> Callable[[], Lease]:
    """Makes leases: the first under the id that the supervisor knows this runner by, any other under a new id."""
    first_ids = iter([runner_id])

    # The ends of attempts wait here because a key in Redis is broken; None: they have gone through.
    on_ends = functools.partial(parts.bulkheads.teller("ending"), queue)

    def make_lease() -> Lease:
        new_id = next(first_ids, None) or new_runner_id(socket.gethostname(), os.getpid(), is_alone=is_alone(runner_id))
        pop_link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
        return Lease(link, pop_link, keys, queue, new_id, parts.rng, on_ends, on_notices)

    return make_lease


def _about(settings: Settings, concurrency: int) -> dict[str, object]:
    """What GET /api/workers shows of this runner."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "concurrency": concurrency,
        "started_ms": time.time_ns() // 1_000_000,
        "version": __version__,
        "lease_s": settings.lease_s,
    }
