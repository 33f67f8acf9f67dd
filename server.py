"""python server.py: take jobs over HTTP. Settings, logs, Redis, listener, in this order; drains on SIGTERM.

python server.py --new-key NAME --scope read|write|admin: make an API key, and do nothing else.

With SERVER_PROCESSES above 1 this process is the parent of so many, each of which is this file with --place.
"""

import sys

from lib.settings import needs

if not needs.are_met():  # Before the other imports: they would end in a traceback.
    sys.exit(needs.EXIT_CONFIG)

import asyncio
import contextlib
import errno
import random
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from lib.api.bulk.batch import BatchOperations
from lib.api.events import EventOperations
from lib.api.job_types import TypeOperations
from lib.api.jobs import JobOperations
from lib.api.manual import ManualOperations
from lib.api.metrics import MetricsOperations
from lib.api.queues import QueueOperations
from lib.api.routes import routes
from lib.api.system import SystemOperations
from lib.errors import ConfigError, RedisUnavailable
from lib.http1.server.limits import Limits
from lib.http1.server.listener import Listener, bind
from lib.ids import JobIds
from lib.jobs import registry
from lib.jobs.registry import Registry
from lib.logs.log import Log, open_logs
from lib.processes import exits, guard, loops
from lib.processes.signals import live_through_hang_ups, obey_the_pipe_alone
from lib.processes.slot import Alone, OneOfSeveral, Slot
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.caller_rates import CallerRates, Rate
from lib.queue.endings import EndWaiters
from lib.queue.epochs import Epochs
from lib.queue.event_stream import EventStream
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.meters import Meters
from lib.queue.queue_store import QueueStore
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink, open_link
from lib.settings import api_keys
from lib.settings.config import EXIT_CONFIG, Settings, describe, from_environment
from lib.settings.kinds import without_password
from lib.web import middleware
from lib.web.auth import Auth
from lib.web.failed_tries import FailedTries
from lib.web.key_ring import KeyRing
from lib.web.rate_limit import RateLimit
from lib.web.request_counts import PLACE_BYTES, RequestCounts
from lib.web.router import Router

ROOT = Path(__file__).resolve().parent
CALL_TIMEOUT_S = 0.9  # A commit is sent twice at most: with Redis away a POST is answered within 2 s.
RATE_TIMEOUT_S = 0.15
LOOK_FOR_REDIS_S = 1.0
TELL_STATE_S = 1.0
TICK_S = 1.0
EXIT_CANT_LISTEN = 1


def main() -> int:
    """The exit code: 0 after a signal, 78 for settings that can't be used, 1 where the port can't be had."""
    handed = _handed()
    if sys.argv[1:] and not handed:
        from lib.commands import new_key  # Here, for no other start needs it and the parser of arguments.

        return new_key.run(sys.argv[1:])
    if handed:
        obey_the_pipe_alone()
    else:
        live_through_hang_ups()
    try:
        settings = from_environment(ROOT)
        is_parent = settings.server_processes > 1 and not handed
        # A parent does without the job modules: what they do when imported is not to happen to it.
        types = None if is_parent else _job_types(settings, handed)
    except ConfigError as fault:
        sys.stderr.write(describe(fault.faults))
        return EXIT_CONFIG
    try:
        listening = socket.socket(fileno=handed.listening) if handed else bind(settings.host, settings.port)
    except OSError as fault:
        sys.stderr.write(_why_not(settings, fault))
        return EXIT_CANT_LISTEN
    log = open_logs(
        settings.log_dir and settings.log_dir / "app.log",
        level=settings.log_level,
        console_format=settings.log_format,
        max_bytes=settings.log_max_bytes,
        backups=settings.log_backups,
    )
    if not handed:
        log.info("environment.loaded", f"Environment file loaded: {', '.join(settings.env_files) or 'none'}")
        for doubt in settings.env_doubts:
            log.warning("environment.doubted", doubt)
        for warning in api_keys.ageing(settings.api_keys, time.time()):
            log.warning("key.ending", f"API_KEYS: {warning}")
    exit_code = 0
    if types is not None:
        loops.run(_stand(settings, types, log, listening, handed))
    else:
        from lib.processes.parent import Parent  # Here, for no other process starts processes.

        keys = KeyRing(settings.api_keys, _keys, log)
        parent = Parent(settings, log, ROOT / "server.py", listening, PLACE_BYTES, keys.reread)
        loops.run(parent.run())
        exit_code = parent.exit_code
    log.close()
    return exit_code


class Handed(NamedTuple):
    """What a parent hands its child, each as `--name N`; the last three are descriptors."""

    place: int
    listening: int
    memory: int
    pipe: int


def _handed() -> Handed | None:
    """None where this is no child."""
    if "--place" not in sys.argv:
        return None
    names = [name.removeprefix("--") for name in sys.argv[1::2]]
    return Handed(**dict(zip(names, map(int, sys.argv[2::2]), strict=True)))


def _job_types(settings: Settings, handed: Handed | None) -> Registry:
    """Raises ConfigError."""
    with guard.around_imports(*(handed[1:] if handed else ())):
        return registry.load(settings.job_modules, settings)


async def _stand(
    settings: Settings, types: Registry, log: Log, listening: socket.socket, handed: Handed | None
) -> None:
    """Serve, alone or in a place under a parent."""
    if handed is None:
        await serve(settings, types, log, listening, Alone(log, PLACE_BYTES))
    else:
        place = await OneOfSeveral.under(handed.place, handed.memory, handed.pipe, log)
        await serve(settings, types, log, listening, place)


async def serve(settings: Settings, types: Registry, log: Log, listening: socket.socket, place: Slot) -> None:
    """Until the place is told to stop; then until what is in flight has been answered."""
    link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
    keys = RedisKeys(settings.key_prefix)
    queues = QueueStore(link, keys, lease_s=settings.lease_s)
    endings = EndWaiters(link, keys, random.Random())
    # A link of their own for commits: what is read, or waits for replicas, must not hold up a POST.
    commit_link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
    queue = JobStore(link, keys, commit_link=commit_link, ack_replicas=settings.ack_replicas)
    ids = JobIds()
    jobs = JobOperations(queue, queues, types, ids, endings, log)
    transitions = EventStream(link, keys, queues)
    events = EventOperations(transitions, queue)
    batches = BatchOperations(queue, types, ids, log)
    epochs = Epochs(link, keys)
    system = SystemOperations(link, queues, ROOT / "openapi.yaml", epochs, types)
    auth = Auth(settings.api_keys, FailedTries(), log)
    counts = RequestCounts(place.memory, place.number)
    metrics = MetricsOperations(queues, Meters(link, keys), counts, types)
    manual = ManualOperations(ROOT / "openapi.yaml", asks_for_key=bool(settings.api_keys))
    queue_views = QueueOperations(queues, queue, log)
    table = routes(jobs, batches, TypeOperations(types), queue_views, events, system, metrics, manual)
    counts.lay_out(route.pattern for route in table)
    rate = Rate(*settings.rate_limit) if settings.rate_limit else None
    # A link of its own: with Redis stuck, what a caller has left is soon given up, before the request itself waits.
    rate_link = open_link(settings.redis_url, timeout_s=RATE_TIMEOUT_S)
    rate_limit = RateLimit(CallerRates(rate_link, keys, rate).count_call, *rate) if rate else None
    app = middleware.Middleware(Router(table), auth, log, counts, _hosts(settings), rate_limit)
    listener = Listener(app, limits=Limits(idle_s=settings.keep_alive_s), max_connections=settings.max_connections)

    background = Background(log)
    background.begin(_tell_state(counts, listener, log))
    if place.number == 0:
        # The line about the database comes before the server's, if it can be known soon.
        await asyncio.wait({background.begin(_announce_redis(settings, link, log))}, timeout=LOOK_FOR_REDIS_S)
        log.info("middlewares.loaded", f"Middlewares loaded: {', '.join(middleware.NAMES)}")
    await listener.start(sock=listening)
    host, port = listener.address
    place.ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    background.begin(asyncio.to_thread(manual.prepare))
    background.begin(_watch_redis(epochs, queue, log, Bulkheads(log)))
    background.begin(_tick(place))
    # Under a parent, which has read them before and said what is new, each says only what is wrong.
    ring = KeyRing(settings.api_keys, _keys, log, is_spokesman=isinstance(place, Alone), use=auth.replace)
    await place.told_to_stop(ring.reread)
    system.drain()
    jobs.drain()
    batches.drain()
    events.drain()
    cut_off = await listener.drain(settings.shutdown_grace_s)
    background.end()
    await endings.close()
    await transitions.close()
    await link.close()
    await commit_link.close()
    await rate_link.close()
    place.leaving(cut_off)


class Background:
    """What runs beside the requests. If a part ends by a fault of its own, that is said, and requests are served on."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_fault)
        self._tasks.append(task)
        return task

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _note_fault(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.exception("server.failed", "A part of the server ended by a fault of its own", fault)


async def _tick(place: Slot) -> None:
    while True:
        place.tick()
        await asyncio.sleep(TICK_S)


async def _tell_state(counts: RequestCounts, listener: Listener[middleware.WebRequest], log: Log) -> None:
    """Write down, once a second, what a scrape that another process answers could not ask this one for."""
    while True:
        counts.state(open_connections=listener.open_connections, lines_dropped=log.dropped_total)
        await asyncio.sleep(TELL_STATE_S)


async def _announce_redis(settings: Settings, link: RedisLink, log: Log) -> None:
    """Say that the database is connected, once it is; and what about it is not as it should be."""
    url = without_password(settings.redis_url)
    is_first = True
    while True:
        try:
            state = await redis_info.inspect(link)
            break
        except RedisUnavailable as fault:
            if is_first:
                log.warning(
                    "redis.lost", f"Database away: {url}: {fault.detail}; requests are answered 503 until it is back"
                )
            is_first = False
            await asyncio.sleep(LOOK_FOR_REDIS_S)
    redis_info.found(settings.redis_url, state, log)


async def _watch_redis(epochs: Epochs, queue: JobStore, log: Log, bulkheads: Bulkheads) -> None:
    """Say it loudly where Redis has lost what it held."""
    while True:
        with contextlib.suppress(RedisUnavailable), bulkheads.around(ALL, "epoch"):
            if loss := await epochs.look():
                log.error("redis.emptied", loss.text, queues=loss.queues)
                queue.forget_names()
        await asyncio.sleep(LOOK_FOR_REDIS_S)


def _keys() -> tuple[api_keys.ApiKey, ...]:
    """As the settings have them now. Raises ConfigError."""
    return from_environment(ROOT).api_keys


def _hosts(settings: Settings) -> tuple[str, ...]:
    return (*settings.allowed_hosts, settings.host, f"[{settings.host}]")


def _why_not(settings: Settings, fault: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if fault.errno == errno.EADDRINUSE:
        return f"Waybill can't listen on {where}: another process does. Stop it, or set PORT to a free one.\n"
    return f"Waybill can't listen on {where}: {fault.strerror or fault}. Set HOST and PORT.\n"


if __name__ == "__main__":
    exits.end_with(main)
