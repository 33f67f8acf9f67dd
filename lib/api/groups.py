"""/api/queues/{queue}/groups: the groups of a queue with their numbers, limits of single groups, the end of a hold.

A group's name may hold `/` and `:`, and is one segment of the path: `/api/queues/email/groups/smtp.example.com%3A587`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lib.api import idempotency
from lib.api.queues import LIMITS_SINCE, check_name
from lib.errors import GroupNotFound
from lib.http1.message import Response
from lib.jobs.group import GROUP_NAME, GROUP_RULE
from lib.jobs.group_strikes import GroupStrikes
from lib.jobs.queue_settings import as_asked
from lib.jobs.start_limits import group_changes_in, rate_shown
from lib.jobs.timestamps import timestamp
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.fleet import UpgradeGate
from lib.queue.group_store import Group, GroupStore
from lib.web import json_body, query
from lib.web.json_answer import answer_json
from lib.web.router import Call


class GroupOperations:
    """The operations on groups. gate: refuses limits while an older program runs."""

    def __init__(self, groups: GroupStore, gate: UpgradeGate, log: Log) -> None:
        self._groups = groups
        self._gate = gate
        self._log = log

    async def list_page(self, call: Call) -> Response:
        check_name(call.path["queue"])
        limit = query.whole(call.parameters, "limit", 1, 200, 50)
        page = await self._groups.page(call.path["queue"], place_in(call.parameters.get("cursor", "")), limit)
        items = [_present(group) for group in page.items]
        return answer_json(200, {"items": items, "next_cursor": cursor_of(page.end) if page.end else None})

    async def read(self, call: Call) -> Response:
        """One group, with no jobs where it has not begun: the queue's limits hold for it all the same."""
        return answer_json(200, _present(await self._groups.read(*_names(call.path))))

    async def change(self, call: Call) -> Response:
        """Give a group limits of its own. A limit that is null is the queue's again."""
        queue, name = _names(call.path)
        changes = group_changes_in(json_body.parse(call.request.body))
        if any(value for value in changes.values()):
            await self._gate.require("limits of groups", LIMITS_SINCE)
        group = await self._groups.change(queue, name, changes)
        told = ", ".join(f"{field.removeprefix('is_')} {to_json(as_asked(value))}" for field, value in changes.items())
        self._tell(call, "group.changed", f"Group {name} of queue {queue} changed: {told}", queue, name)
        return answer_json(200, _present(group))

    async def remove(self, call: Call) -> Response:
        """Take the limits that a group has of its own away."""
        queue, name = _names(call.path)
        await self._groups.reset(queue, name)
        self._tell(call, "group.changed", f"Group {name} of queue {queue} has no limits of its own now", queue, name)
        return Response(204)

    async def release(self, call: Call) -> Response:
        """End a hold before its time, and take the group's strikes away."""
        queue, name = _names(call.path)
        json_body.expect_no_fields(call.request.body)
        group, is_replayed = await self._groups.release(queue, name, idempotency.keyed(call))
        if not is_replayed:
            self._tell(call, "group.released", f"Group {name} of queue {queue} is held no more", queue, name)
        return answer_json(200, _present(group), [idempotency.REPLAYED] if is_replayed else ())

    def _tell(self, call: Call, event: str, text: str, queue: str, name: str) -> None:
        self._log.info(event, text, **call.asked_by, queue=queue, group=name)


def _names(path: Mapping[str, str]) -> tuple[str, str]:
    """The queue and the group in a path. Raises QueueNotFound or GroupNotFound for what can't be a name."""
    check_name(path["queue"])
    name = unquote(path["group"], errors="replace")
    if not GROUP_NAME.fullmatch(name):
        raise GroupNotFound(f"that can't be a group's name: {GROUP_RULE}; percent-encode a / in the path")
    return path["queue"], name


def _present(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "ready": group.ready,
        "running": group.running,
        "limited_by": group.limited_by,
        "until": timestamp(group.until_ms) if group.until_ms is not None else None,
        "limits": {"concurrency": group.concurrency, "rate": rate_shown(group.rate)},
        "own": group.own is not None,
        "strikes": None if group.strikes is None else strikes_shown(group.strikes),
    }


def strikes_shown(strikes: GroupStrikes) -> dict[str, Any]:
    """{"count": 3, "last_at": "2026-…", "until": "2026-…", "error": "LinkLost: api.example.com:443 …"}"""
    last_at, until = timestamp(strikes.last_ms), timestamp(strikes.until_ms)
    return {"count": strikes.times, "last_at": last_at, "until": until, "error": strikes.words}


# A cursor is the last group's name in base64. A name that somebody wrote into Redis by hand may hold any bytes.


def cursor_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode(errors="surrogateescape")).rstrip(b"=").decode()


def place_in(cursor: str) -> str:
    """The name in a cursor. Raises InvalidFields for a text that no page gave."""
    try:
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise query.parameter_error("cursor", "is not one that a page gave as next_cursor") from None
    return raw.decode(errors="surrogateescape")
