"""/api/queues and /api/workers: what is where, and who works on it."""

from typing import Any

from lib.api.router import Call
from lib.errors import QueueNotFound
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs.job import to_json
from lib.jobs.submission import timestamp
from lib.queue.queues import Census, Quarantined, Queues, RunnerSeen


class QueueViews:
    """The operations that look at queues and workers."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def list_all(self, call: Call) -> Response:
        return _reply({"items": [_present(census) for census in await self._queues.census_of_all()]})

    async def read(self, call: Call) -> Response:
        queue = call.path["queue"]
        if not QUEUE_NAME.fullmatch(queue):
            raise QueueNotFound("that can't be a queue's name: a-z, 0-9, _ and -, 64 at most")
        census = _present(await self._queues.census(queue))
        found = await self._queues.quarantine(queue)
        return _reply({**census, "quarantine": [_quarantined(item) for item in found]})

    async def workers(self, call: Call) -> Response:
        return _reply({"items": await runners(self._queues)})


async def runners(queues: Queues) -> list[dict[str, Any]]:
    """Every runner, with the queues that it serves."""
    found: dict[str, dict[str, Any]] = {}
    for queue in await queues.names():
        for seen in await queues.roster(queue):
            runner = found.setdefault(seen.worker_id, _runner(seen))
            runner["queues"].append(
                {"queue": queue, "concurrency": seen.about.get("concurrency"), "active": seen.active}
            )
            runner["active"] += seen.active
            ages = [age for age in (runner["last_beat_age_s"], seen.beat_age_s) if age is not None]
            runner["last_beat_age_s"] = min(ages, default=None)
    return [found[worker_id] for worker_id in sorted(found)]


def _runner(seen: RunnerSeen) -> dict[str, Any]:
    started_ms = seen.about.get("started_ms")
    return {
        "id": seen.worker_id,
        "host": seen.about.get("host"),
        "pid": seen.about.get("pid"),
        "version": seen.about.get("version"),
        "started_at": timestamp(started_ms) if type(started_ms) is int else None,
        "last_beat_age_s": seen.beat_age_s,
        "active": 0,
        "queues": [],
    }


def _present(census: Census) -> dict[str, Any]:
    return {
        "name": census.queue,
        "counts": census.counts,
        "oldest_ready_age_s": census.oldest_ready_age_s,
        "per_minute": census.per_minute,
        "totals": census.totals,
        "workers": census.workers,
    }


def _quarantined(item: Quarantined) -> dict[str, Any]:
    found_at = timestamp(item.found_ms) if item.found_ms is not None else None
    return {"id": item.job_id, "reason": item.reason, "found_at": found_at}


def _reply(value: Any) -> Response:
    return Response(200, to_json(value).encode("utf-8", "replace"))
