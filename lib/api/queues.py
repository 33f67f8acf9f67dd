"""/api/queues and /api/workers: the queues with their counts and settings, and the runners that serve them.

In paths and answers a runner is called a worker: {"id": "web-1.4711.1f3a9c0e", "host": "web-1", "active": 3, …}.
"""

from typing import Any

from lib.api import idempotency
from lib.errors import QueueNotFound, behind_a_change
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs import queue_settings
from lib.jobs.job import NO_KEY, Keyed
from lib.jobs.timestamps import timestamp
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.fleet import UpgradeGate
from lib.queue.job_store import JobStore
from lib.queue.queue_store import Census, Limited, Quarantined, QueueStore
from lib.queue.runners import RunnerSeen
from lib.queue.unreadable import Unreadable
from lib.web import json_body
from lib.web.json_answer import answer_json, answer_text
from lib.web.router import Call

LIMITS_SINCE = "0.3.0"
"""The first version whose programs keep to limits and know groups."""


class QueueOperations:
    """The operations on queues and workers."""

    def __init__(self, queues: QueueStore, job_store: JobStore, gate: UpgradeGate, log: Log) -> None:
        """gate: refuses limits while a program runs that does not know them."""
        self._queues = queues
        self._gate = gate
        self._job_store = job_store
        self._log = log

    async def list_all(self, call: Call) -> Response:
        texts, warnings = [], []
        async for some in self._queues.census_of_all():
            for census in some:
                if isinstance(census, Unreadable):
                    warnings.append(census.warning)
                else:
                    texts.append(to_json(present_census(census)))
        body = f'{{"items":[{",".join(texts)}],"warnings":{to_json(warnings)}}}'
        return answer_text(200, body)

    async def read(self, call: Call) -> Response:
        queue = call.path["queue"]
        check_name(queue)
        census = present_census(await self._queues.census(queue))
        found = await self._queues.quarantine(queue)
        return answer_json(200, {**census, "quarantine": [_quarantined(item) for item in found]})

    async def change(self, call: Call) -> Response:
        """Change settings. A queue that does not exist yet begins with its first setting, before its first job."""
        settings = queue_settings.read(json_body.parse(call.request.body))
        if queue_settings.bounds_starts(settings):
            await self._gate.require("limits", LIMITS_SINCE)
        return await self._adjust(call, settings, begins=True)

    async def pause(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        return await self._adjust(call, {"paused": True}, idempotency.keyed(call))

    async def resume(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        return await self._adjust(call, {"paused": False}, idempotency.keyed(call))

    async def _adjust(
        self, call: Call, settings: dict[str, Any], keyed: Keyed = NO_KEY, *, begins: bool = False
    ) -> Response:
        queue = call.path["queue"]
        check_name(queue)
        if await self._queues.adjust(queue, settings, keyed, begins=begins):
            response = await self.read(call)
            response.add_header(*idempotency.REPLAYED)
            return response
        changes = ", ".join(f"{name} {to_json(queue_settings.as_asked(value))}" for name, value in settings.items())
        self._log.info("queue.changed", f"Queue {queue} changed: {changes}", request_id=call.request_id, queue=queue)
        with behind_a_change():
            return await self.read(call)

    async def remove(self, call: Call) -> Response:
        queue = call.path["queue"]
        check_name(queue)
        await self._queues.remove(queue, self._job_store.prepare_removal(queue))
        self._log.info("queue.removed", f"Queue {queue} removed", request_id=call.request_id, queue=queue)
        return Response(204)

    async def workers(self, call: Call) -> Response:
        return answer_json(200, {"items": await runners(self._queues)})


def check_name(queue: str) -> None:
    """Raises QueueNotFound for what can't be a queue's name."""
    if not QUEUE_NAME.fullmatch(queue):
        raise QueueNotFound("that can't be a queue's name: a-z, 0-9, _ and -, 64 at most")


async def runners(queues: QueueStore) -> list[dict[str, Any]]:
    """Every live runner as the API shows it, with the queues that it serves, sorted by id."""
    found: dict[str, dict[str, Any]] = {}
    async for queue, rostered in queues.runners.rosters():
        for seen in rostered:
            runner = found.setdefault(seen.runner_id, _runner(seen))
            runner["queues"].append(
                {"queue": queue, "concurrency": seen.about.get("concurrency"), "active": seen.active}
            )
            runner["active"] += seen.active
            ages = [age for age in (runner["last_beat_age_s"], seen.beat_age_s) if age is not None]
            runner["last_beat_age_s"] = min(ages, default=None)
    return [found[runner_id] for runner_id in sorted(found)]


def _runner(seen: RunnerSeen) -> dict[str, Any]:
    started_ms = seen.about.get("started_ms")
    return {
        "id": seen.runner_id,
        "host": seen.about.get("host"),
        "pid": seen.about.get("pid"),
        "version": seen.about.get("version"),
        "started_at": timestamp(started_ms) if type(started_ms) is int else None,
        "last_beat_age_s": seen.beat_age_s,
        "active": 0,
        "queues": [],
    }


def present_census(census: Census) -> dict[str, Any]:
    """A queue as the API shows it."""
    return {
        "name": census.queue,
        "counts": census.counts,
        "oldest_ready_age_s": census.oldest_ready_age_s,
        "per_minute": census.per_minute,
        "totals": census.totals,
        "workers": census.workers,
        **census.settings,
        "limited": _limited(census.limited),
    }


def _limited(limited: Limited | None) -> dict[str, Any] | None:
    if limited is None:
        return None
    return {"by": limited.by, "until": timestamp(limited.until_ms) if limited.until_ms is not None else None}


def _quarantined(item: Quarantined) -> dict[str, Any]:
    found_at = timestamp(item.found_ms) if item.found_ms is not None else None
    return {"id": item.job_id, "reason": item.reason, "found_at": found_at}
