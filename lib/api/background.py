"""The tasks of a server process beside its requests: log that Redis is there, watch for a Redis that was emptied, send
the parent a tick every second, write down counts for GET /metrics, show this server in the fleet (queue/fleet.py), and
read the host's tzdata anew once a day.

service.py begins each task, and ends them all when the requests have been answered.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from lib.errors import RedisUnavailable
from lib.http1.server.listener import Listener
from lib.jobs import zones
from lib.logs.log import Log
from lib.processes.pipe import TICK_S
from lib.processes.slot import Slot
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.epochs import Epochs
from lib.queue.fleet import Fleet, Program
from lib.queue.job_store import JobStore
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.settings.kinds import without_password
from lib.web.middleware import WebRequest
from lib.web.request_counts import RequestCounts

REDIS_POLL_S = 1.0
REPORT_S = 1.0


class Background:
    """Tasks beside the requests. If a task ends by a bug, the bug is logged, and requests are served on."""

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


async def tick(slot: Slot) -> None:
    """Tell the parent every TICK_S that the loop of this process turns. The parent kills a child that is silent."""
    while True:
        slot.tick()
        await asyncio.sleep(TICK_S)


async def report_state(counts: RequestCounts, listener: Listener[WebRequest], log: Log) -> None:
    """Write this process's open connections and lost log lines into the shared memory, for GET /metrics, which any of
    the processes may answer."""
    while True:
        counts.report(open_connections=listener.open_connections, lines_dropped=log.dropped_total)
        await asyncio.sleep(REPORT_S)


async def show_in_fleet(fleet: Fleet, server: Program, lease_s: float, log: Log) -> None:
    """Write into Redis, five times in each lease_s, that this server runs and of which version it is."""
    bulkheads = Bulkheads(log)
    while True:
        with contextlib.suppress(RedisUnavailable), bulkheads.around(ALL, "fleet"):
            await fleet.show([server], lease_s)
        await asyncio.sleep(lease_s / 5)


async def read_zones_anew(log: Log, every_s: float, *, is_spokesman: bool) -> None:
    """Have next_runs and previews go by the tzdata that the host has then, which may have been upgraded. is_spokesman:
    this one of the server's processes warns where tzdata is gone."""
    while True:
        await asyncio.sleep(every_s)
        if (warning := zones.read_anew()) and is_spokesman:
            log.warning("zones.missing", warning)


async def announce_redis(url: str, link: RedisLink, log: Log) -> None:
    """Wait until Redis answers; then log its version, and a warning for each setting under which jobs can be lost. If
    the first try fails, log that Redis is away."""
    is_first = True
    while True:
        try:
            state = await redis_info.inspect(link)
            break
        except RedisUnavailable as fault:
            if is_first:
                away = f"Database away: {without_password(url)}: {fault.detail}"
                log.warning("redis.lost", f"{away}; requests are answered 503 until it is back")
            is_first = False
            await asyncio.sleep(REDIS_POLL_S)
    redis_info.log_found(url, state, log)


async def watch_epochs(epochs: Epochs, job_store: JobStore, log: Log) -> None:
    """When Redis has lost its data, log an error, and have the next job of each queue name the queue again."""
    bulkheads = Bulkheads(log)
    while True:
        with contextlib.suppress(RedisUnavailable), bulkheads.around(ALL, "epoch"):
            if loss := await epochs.check():
                log.error("redis.emptied", loss.text, queues=loss.queues)
                job_store.forget_names()
        await asyncio.sleep(REDIS_POLL_S)
