"""One server process, put together and run: links to Redis, the stores on them, the operations, the app, a listener.

server.py reads argv and the settings and calls `serve`. The Slot knows whether this process is alone or a child of a
parent: it says when to stop, and tells a parent that requests are answered and how many connections were cut off.
"""

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from lib.api.actions.operations import ActionOperations
from lib.api.background import (
    REDIS_POLL_S,
    Background,
    announce_redis,
    read_zones_anew,
    report_state,
    show_in_fleet,
    tick,
    watch_epochs,
)
from lib.api.bulk.batch import BatchOperations
from lib.api.callbacks import CallbackOperations
from lib.api.dashboard import DashboardOperations
from lib.api.events import EventOperations
from lib.api.explain import ExplainOperations
from lib.api.groups import GroupOperations
from lib.api.hosts import HostOperations
from lib.api.job_list import JobList
from lib.api.job_pages import JobPages
from lib.api.job_search import JobSearch
from lib.api.job_types import TypeOperations
from lib.api.job_wait import JobWait
from lib.api.jobs import JobOperations
from lib.api.manual import ManualOperations
from lib.api.metrics import MetricsOperations
from lib.api.queue_pages import QueuePages
from lib.api.queues import QueueOperations
from lib.api.requests import RequestOperations
from lib.api.routes import AllOperations, routes
from lib.api.schedule_pages import SchedulePages
from lib.api.schedules import ScheduleOperations
from lib.api.stats import StatsOperations
from lib.api.system import SystemOperations
from lib.api.workers import WorkerOperations
from lib.api.workflows import WorkflowOperations
from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.http1.server.limits import Limits
from lib.http1.server.listener import Listener
from lib.ids import JobIds
from lib.jobs.registry import Registry
from lib.jobs.zones import READ_ANEW_S
from lib.logs.log import Log
from lib.processes.slot import Alone, Slot
from lib.queue.bulkheads import Bulkheads
from lib.queue.caller_rates import CallerRate, CallerRates
from lib.queue.census_board import CensusBoard
from lib.queue.crews import Crews
from lib.queue.end_waiters import EndWaiters
from lib.queue.epochs import Epochs
from lib.queue.error_store import ErrorStore
from lib.queue.event_stream import EventStream
from lib.queue.explanation_facts import ExplanationFacts
from lib.queue.fleet import Fleet, UpgradeGate, this_program
from lib.queue.job_spans import open_spans
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.late_schedules import LateSchedules
from lib.queue.meters import Meters
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_beginnings import FirstSettings
from lib.queue.queue_store import QueueStore
from lib.queue.recent_census import RecentCensus
from lib.queue.schedule_store import ScheduleStore
from lib.queue.stats_store import StatsStore
from lib.queue.told_log import logged_notices
from lib.redis_link.link import open_link
from lib.settings import otel
from lib.settings.api_keys import ApiKey
from lib.settings.config import Settings
from lib.web import middleware
from lib.web.auth import Auth
from lib.web.drain import Drain
from lib.web.failed_tries import FailedTries
from lib.web.key_ring import KeyRing
from lib.web.rate_limit import RateLimit
from lib.web.request_counts import RequestCounts
from lib.web.request_spans import RequestSpans
from lib.web.router import Router

REQUEST_CALL_TIMEOUT_S = 0.9  # A commit is sent twice at most: with Redis away a POST is answered within 2 s.
RATE_CALL_TIMEOUT_S = 0.15


async def serve(
    settings: Settings,
    types: Registry,
    log: Log,
    listening: socket.socket,
    slot: Slot,
    *,
    contract: Path,
    read_keys: Callable[[], tuple[ApiKey, ...]],
) -> None:
    """Serve until the slot says stop, and then until the requests in flight have been answered.

    listening: a bound socket. contract: the file openapi.yaml. read_keys: the API keys as the settings have them now;
    it raises ConfigError."""
    stores = ServiceStores(settings, log, types.first_settings)
    spans = stores.spans
    drain = Drain()
    counts = RequestCounts(slot.memory, slot.number)
    tries = FailedTries()
    auth = Auth(settings.api_keys, tries, log)
    operations = _operations(settings, types, log, stores, counts, drain, contract, tries)
    app = _app(settings, log, stores, operations, auth, counts)
    listener = Listener(app, limits=Limits(idle_s=settings.keep_alive_s), max_connections=settings.max_connections)

    background = Background(log)
    background.begin(report_state(counts, listener, log))
    if slot.number == 0:
        # The log line about Redis comes before "Server started", if Redis answers soon.
        announced = background.begin(announce_redis(settings.redis_url, stores.link, log))
        await asyncio.wait({announced}, timeout=REDIS_POLL_S)
        log.info("middlewares.loaded", f"Middlewares loaded: {', '.join(middleware.NAMES)}")
    await listener.start(sock=listening)
    slot.ready(_url(*listener.address))

    background.begin(asyncio.to_thread(operations.manual.prepare))
    background.begin(asyncio.to_thread(operations.dashboard.prepare))
    background.begin(watch_epochs(stores.epochs, stores.jobs, log))
    server = this_program("server")
    background.begin(show_in_fleet(stores.fleet, server, settings.lease_s, log))
    background.begin(tick(slot))
    if spans is not None:
        background.begin(spans.count())
    background.begin(read_zones_anew(log, READ_ANEW_S, is_spokesman=slot.number == 0))

    def use(keys: tuple[ApiKey, ...]) -> None:
        auth.replace(keys)
        operations.events.end_unless(auth.has_good_key)

    # Where there are several server processes, their parent logs which keys are new; a child logs only faults in keys.
    keys = KeyRing(settings.api_keys, read_keys, log, is_spokesman=isinstance(slot, Alone), use=use)
    await slot.wait_for_stop(keys.reread)
    drain.begin()
    cut_off = await listener.drain(settings.shutdown_grace_s)
    background.end()
    with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
        await stores.fleet.hide([server])
    if spans is not None:
        await spans.close()
    await stores.close()
    slot.leaving(cut_off)


class ServiceStores:
    """The objects by which this process reads and changes jobs, queues and counters in Redis, and their links."""

    def __init__(self, settings: Settings, log: Log, first_settings: FirstSettings) -> None:
        """first_settings: what queues begin with."""
        url, keys = settings.redis_url, RedisKeys(settings.key_prefix)
        self.link = open_link(url, timeout_s=REQUEST_CALL_TIMEOUT_S)
        # For commits of new jobs alone: a long read, or a wait for replicas, must not hold up a POST.
        self._commit_link = open_link(url, timeout_s=REQUEST_CALL_TIMEOUT_S)
        # With a short timeout: if Redis is stuck, the caller's rate is given up before the request itself waits.
        self._rate_link = open_link(url, timeout_s=RATE_CALL_TIMEOUT_S)
        self.queues = QueueStore(self.link, keys, lease_s=settings.lease_s)
        self.spans = open_spans(otel.collector_of(settings, otel.SERVER), self.link, keys, log)
        self.outcomes = outcomes = OutcomeLog(JobStore(self.link, keys), log, self.spans)
        ack_replicas = settings.ack_replicas
        commit_link = self._commit_link
        notices = logged_notices(
            self.link, keys, log, outcomes, Bulkheads(log), ack_replicas=ack_replicas, commit_link=commit_link
        )
        self.jobs = JobStore(
            self.link,
            keys,
            commit_link=commit_link,
            ack_replicas=ack_replicas,
            notices=notices,
            first_settings=first_settings,
        )
        self.explanation_facts = ExplanationFacts(self.link, keys, self.queues.runners, lease_s=settings.lease_s)
        self.schedules = ScheduleStore(self.link, keys)
        self.late_schedules = LateSchedules(self.link, keys)
        self.endings = EndWaiters(self.link, keys, random.Random())
        self.events = EventStream(self.link, keys, self.queues)
        self.board = CensusBoard(self.link, self.queues, self.events)
        self.epochs = Epochs(self.link, keys)
        self.fleet = Fleet(self.link, keys)
        self.crews = Crews(self.link, keys, lease_s=settings.lease_s)
        self.meters = Meters(self.link, keys)
        self.stats = StatsStore(self.link, keys, self.queues)
        self.errors = ErrorStore(self.link, keys, self.queues)
        rate = CallerRate(*settings.rate_limit) if settings.rate_limit else None
        self.rate_limit = RateLimit(CallerRates(self._rate_link, keys, rate).count_call, *rate) if rate else None

    async def close(self) -> None:
        for one in (self.endings, self.events, self.link, self._commit_link, self._rate_link):
            await one.close()


def _operations(
    settings: Settings,
    types: Registry,
    log: Log,
    stores: ServiceStores,
    counts: RequestCounts,
    drain: Drain,
    contract: Path,
    tries: FailedTries,
) -> AllOperations:
    ids = JobIds()
    gate = UpgradeGate(stores.fleet)
    waits = JobWait(stores.jobs, stores.endings, drain)
    search = JobSearch(stores.jobs)
    return AllOperations(
        jobs=JobOperations(stores.jobs, types, ids, waits, log, stores.spans),
        job_list=JobList(JobPages(stores.jobs, search), stores.queues),
        batches=BatchOperations(stores.jobs, types, ids, log, drain),
        actions=ActionOperations(stores.jobs, search, stores.queues, log, stores.spans),
        types=TypeOperations(types, settings.job_modules),
        queues=QueueOperations(stores.queues, stores.jobs, gate, log),
        queue_pages=QueuePages(stores.queues, RecentCensus(stores.queues), stores.stats),
        workers=WorkerOperations(stores.crews),
        groups=GroupOperations(stores.queues.groups, gate, log),
        schedules=ScheduleOperations(stores.schedules, stores.jobs, types, ids, gate, log),
        schedule_pages=SchedulePages(stores.schedules),
        events=EventOperations(stores.events, stores.board, stores.jobs, drain),
        system=SystemOperations(
            stores.link, stores.queues, stores.late_schedules, contract, stores.epochs, stores.fleet, types, drain
        ),
        metrics=MetricsOperations(stores.queues, stores.meters, stores.fleet, counts, types),
        manual=ManualOperations(contract, asks_for_key=bool(settings.api_keys)),
        explain=ExplainOperations(stores.explanation_facts),
        workflows=WorkflowOperations(stores.jobs, types, ids, waits, log),
        callbacks=CallbackOperations(stores.jobs, stores.outcomes, tries, log, random.Random(), stores.spans),
        hosts=HostOperations(stores.queues.groups),
        requests=RequestOperations(search, stores.queues),
        stats=StatsOperations(stores.stats, stores.errors),
        dashboard=DashboardOperations(is_on=settings.dashboard),
    )


def _app(
    settings: Settings, log: Log, stores: ServiceStores, operations: AllOperations, auth: Auth, counts: RequestCounts
) -> middleware.Middleware:
    table = routes(operations)
    counts.lay_out(route.pattern for route in table)
    hosts = (*settings.allowed_hosts, settings.host, f"[{settings.host}]", *_public_host(settings))
    spans = RequestSpans(stores.spans.exporter.add) if stores.spans is not None else None
    sampler = otel.sampler_of(settings) if spans is not None else None
    return middleware.Middleware(Router(table), auth, log, counts, hosts, stores.rate_limit, sampler, spans)


def _public_host(settings: Settings) -> list[str]:
    """The host under which receivers of webhooks call back, as a Host field names it: in lower case, without a port."""
    host = urlsplit(settings.public_url).hostname if settings.public_url else None
    return [f"[{host}]" if ":" in host else host] if host else []


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
