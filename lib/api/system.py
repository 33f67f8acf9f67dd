"""Whether the service works: /api/health for people, /livez and /readyz for probes. And its contract, /openapi.yaml."""

import contextlib
import time
from pathlib import Path
from typing import Any

from lib import __version__
from lib.errors import Draining, RedisKeysBroken, RedisUnavailable
from lib.http1.message import Response
from lib.jobs.registry import Registry
from lib.jobs.timestamps import timestamp
from lib.queue.epochs import Epochs
from lib.queue.fleet import Fleet, mixed_warning, version_text, versions_of
from lib.queue.late_schedules import LateSchedules
from lib.queue.queue_store import QueueStore
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.warning_codes import HealthWarning
from lib.web.drain import Drain
from lib.web.json_answer import answer_json
from lib.web.page import page
from lib.web.router import Call

OK = b'{"status":"ok"}\n'


class SystemOperations:
    """The operations on the service itself. contract: the file openapi.yaml. drain: once begun, /readyz is a 503."""

    def __init__(
        self,
        link: RedisLink,
        queues: QueueStore,
        schedules: LateSchedules,
        contract: Path,
        epochs: Epochs,
        fleet: Fleet,
        types: Registry,
        drain: Drain,
    ) -> None:
        self._link = link
        self._queues = queues
        self._schedules = schedules
        self._contract = contract.read_bytes()
        self._epochs = epochs
        self._fleet = fleet
        self._types = types
        self._started_s = time.monotonic()
        self._drain = drain

    async def health(self, call: Call) -> Response:
        body: dict[str, Any] = {
            "status": "ok",
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started_s, 3),
            "redis": {"status": "up", "name": None, "version": None, "latency_ms": None},
            "workers": None,
            "versions": [],
            "warnings": [],
        }
        try:
            state = await redis_info.inspect(self._link)
            body["redis"] |= {"name": state.name, "version": state.version, "latency_ms": state.latency_ms}
            warnings = [*self._epochs.warnings, *state.warnings]
            with contextlib.suppress(RedisKeysBroken):
                body["workers"] = await self._queues.runners.count_alive()
                if body["workers"]:
                    warnings += await self._queues.unserved(self._types.queues)
            with contextlib.suppress(RedisKeysBroken):
                warnings += await self._queues.warnings.all()
            with contextlib.suppress(RedisKeysBroken):
                programs = await self._fleet.programs()
                versions = versions_of(programs)
                body["versions"] = [row._asdict() | {"version": version_text(row.version)} for row in versions]
                warnings += filter(None, [mixed_warning(versions)])
                names = await self._queues.some_names(self._types.queues)
                warnings += await self._schedules.warnings(names, programs)
                warnings += await self._queues.untold.warnings(names)
        except RedisUnavailable as fault:
            body["status"] = "unavailable"
            body["redis"]["status"] = "down"
            body["warnings"] = [_present(HealthWarning("redis_away", fault.detail))]
            return answer_json(503, body, [("Retry-After", "2")])
        warnings += _about_workers(body["workers"])
        # sorted() leaves those of one severity in their order.
        body["warnings"] = list(map(_present, sorted(warnings, key=lambda one: one.severity != "error")))
        return answer_json(200, body)

    async def livez(self, call: Call) -> Response:
        return Response(200, OK)

    async def readyz(self, call: Call) -> Response:
        if self._drain.has_begun:
            raise Draining("this server is shutting down; another one takes new requests")
        await redis_info.ping(self._link)
        return Response(200, OK)

    async def contract(self, call: Call) -> Response:
        return page(call.request, self._contract, "application/yaml")


def _about_workers(count: int | None) -> list[HealthWarning]:
    """count: the runners that live; None where that could not be read."""
    if count is None:
        text = "nobody knows how many workers run: somebody broke the set of runners in Redis"
        return [HealthWarning("workers_unknown", text)]
    return [] if count else [HealthWarning("no_worker", "no worker is running: jobs wait")]


def _present(warning: HealthWarning) -> dict[str, Any]:
    return {
        "code": warning.code,
        "severity": warning.severity,
        "queue": warning.queue or None,
        "text": warning.text,
        "what_to_do": warning.what_to_do,
        "since": None if warning.since_ms is None else timestamp(warning.since_ms),
    }
