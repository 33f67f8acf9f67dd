"""A workflow as the API shows it: the fields of openapi.yaml's Workflow. Pure.

    {"id": "default-01…", "name": "import 2026-11", "state": "blocked", "counts": {"jobs": 5, "completed": 1, …},
     "progress": 0.2, "jobs": [{"name": "fetch", "id": "default-8f…", "type": "fetch", "state": "completed", …}, …], …}

It is made of the workflow's own job and of its members as they were seen (queue/workflow_views.py).
"""

from collections.abc import Sequence
from typing import Any

from lib.jobs.job import JobRecord
from lib.jobs.masking import shown_url
from lib.jobs.shown_edges import shown_edges
from lib.jobs.timestamps import LAST_MS, timestamp
from lib.jobs.workflow_view import WorkflowMember, counts_of, progress_of


def present_workflow(record: JobRecord, members: Sequence[WorkflowMember]) -> dict[str, Any]:
    """record: the workflow's own job; with the state "" where it has ended and its record is gone."""
    spec, counts = record.spec, counts_of(members)
    return {
        "id": record.job_id,
        "name": _name_in(spec.payload) if spec else None,
        "state": record.state or None,
        "request_id": spec.request_id if spec else None,
        "created_at": _time(record.created_ms),
        "finished_at": _time(record.finished_ms),
        "cancel_requested_at": _time(record.cancel_requested_ms),
        "error": record.error,
        "counts": counts,
        "progress": progress_of(counts),
        "jobs": [_member(member) for member in members],
        "after": shown_edges(record.edges),
        "then": [*record.then],
        "callback_url": shown_url(spec.callback_url) if spec and spec.callback_url else None,
        "workflow": (spec.workflow or None) if spec else None,
    }


def _member(member: WorkflowMember) -> dict[str, Any]:
    return {
        "name": member.name,
        "id": member.job_id,
        "type": member.type_name or None,
        "state": member.shown_state,
        "after": shown_edges(member.edges),
        "optional": member.is_optional,
        "run_at": _time(member.due_ms),
        "started_at": _time(member.started_ms),
        "finished_at": _time(member.finished_ms),
    }


def _name_in(payload: dict[str, Any]) -> str | None:
    name = payload.get("name")
    return name if isinstance(name, str) and name else None


def _time(ms: int | None) -> str | None:
    # Somebody may have written a number into Redis by hand that is no time.
    return timestamp(ms) if ms is not None and 0 <= ms <= LAST_MS else None
