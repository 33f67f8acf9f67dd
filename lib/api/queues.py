"""/api/queues/{queue}: a queue with its counts and settings, and how they change. queue_pages.py lists all queues."""

from typing import Any

from lib.api import idempotency
from lib.api.shown_queue import present_one_queue
from lib.errors import QueueNotFound, behind_a_change
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs import queue_settings
from lib.jobs.job import NO_KEY, Keyed
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.fleet import UpgradeGate
from lib.queue.job_store import JobStore
from lib.queue.queue_store import QueueStore
from lib.web import json_body
from lib.web.json_answer import answer_json
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

    async def read(self, call: Call) -> Response:
        queue = call.path["queue"]
        check_name(queue)
        census = await self._queues.census(queue)
        return answer_json(200, present_one_queue(census, await self._queues.quarantine(queue)))

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
        self._log.info("queue.changed", f"Queue {queue} changed: {changes}", **call.asked_by, queue=queue)
        with behind_a_change():
            return await self.read(call)

    async def remove(self, call: Call) -> Response:
        queue = call.path["queue"]
        check_name(queue)
        await self._queues.remove(queue, self._job_store.prepare_removal(queue))
        self._log.info("queue.removed", f"Queue {queue} removed", **call.asked_by, queue=queue)
        return Response(204)


def check_name(queue: str) -> None:
    """Raises QueueNotFound for what can't be a queue's name."""
    if not QUEUE_NAME.fullmatch(queue):
        raise QueueNotFound("that can't be a queue's name: a-z, 0-9, _ and -, 64 at most")
