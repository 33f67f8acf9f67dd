"""GET /api/hosts: how the receivers of webhooks are. Nothing is kept for it: a host is a group of the queue `webhook`.

Group("api.example.com:443", ready=812, running=0, limited_by="hold", until_ms=1764410004123, …, strikes=…)

{"host": "api.example.com:443", "waiting": 812, "running": 0, "strikes": 3,
 "last_failure": {"at": "2025-…", "error": "LinkLost: …"}, "held_until": "2025-…", "reason": "strikes"}
"""

from typing import Any

from lib.api.groups import cursor_of, place_in
from lib.api.queues import check_name
from lib.http1.message import Response
from lib.jobs.timestamps import timestamp
from lib.jobs.webhook_defaults import WEBHOOK_QUEUE
from lib.queue.group_store import Group, GroupStore
from lib.web import query
from lib.web.json_answer import answer_json
from lib.web.router import Call


class HostOperations:
    """The operation on hosts."""

    def __init__(self, groups: GroupStore) -> None:
        self._groups = groups

    async def list_page(self, call: Call) -> Response:
        queue = call.parameters.get("queue", WEBHOOK_QUEUE)
        check_name(queue)
        limit = query.whole(call.parameters, "limit", 1, 200, 50)
        page = await self._groups.page(queue, place_in(call.parameters.get("cursor", "")), limit)
        items = [_present(group) for group in page.items]
        return answer_json(200, {"items": items, "next_cursor": cursor_of(page.end) if page.end else None})


def _present(group: Group) -> dict[str, Any]:
    strikes = group.strikes
    failure = None if strikes is None else {"at": timestamp(strikes.last_ms), "error": strikes.words}
    return {
        "host": group.name,
        "waiting": group.ready,
        "running": group.running,
        "strikes": 0 if strikes is None else strikes.times,
        "last_failure": failure,
        "held_until": None if group.until_ms is None else timestamp(group.until_ms),
        "reason": _reason(group),
    }


def _reason(group: Group) -> str | None:
    """Why webhooks for the host wait. None also where as many are under way as may: those go out."""
    if group.limited_by == "hold" and not group.rests_for_strikes:
        return "retry_after"
    if group.limited_by in ("paused", "rate"):
        return group.limited_by
    return "strikes" if group.strikes else None
