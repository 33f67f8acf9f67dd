"""GET /api/types: the job types of this server's JOB_MODULES, with all that a form or a client must know of them.

The server lists the types that it has loaded itself, by which POST checks a payload. Workers may have other
JOB_MODULES; a worker snoozes a job whose type it does not know.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from lib.http1.message import Response
from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.payload_schema import first_line, payload_schema
from lib.jobs.registry import JobType, Registry
from lib.jobs.shown import seconds_of
from lib.json_text import to_json
from lib.web.router import Call


class TypeOperations:
    """The operation on job types. The types do not change until the server ends, so the answer is made once."""

    def __init__(self, registry: Registry, modules: Sequence[str]) -> None:
        """modules: JOB_MODULES, those that the registry's types come from and those that have a doctor alone."""
        self._registry = registry
        self._modules = list(modules)
        self._body = b""

    async def list_all(self, call: Call) -> Response:
        if not self._body:
            items = [_present(job_type) for job_type in self._registry.types]
            self._body = to_json({"items": items, "modules": self._modules}).encode("utf-8", "replace")
        return Response(200, self._body)


def _present(job_type: JobType) -> dict[str, Any]:
    base_s, cap_s = job_type.backoff
    return {
        "name": job_type.name,
        "description": first_line(inspect.getdoc(job_type.handler)),
        "module": job_type.handler.__module__,
        "queue": job_type.queue,
        "max_attempts": job_type.max_attempts,
        "backoff": {"base_s": _number(base_s), "cap_s": _number(cap_s)},
        "timeout_s": _number(job_type.timeout_s),
        "retain_s": seconds_of(job_type.retain_ms),
        "give_up_after_s": seconds_of(job_type.give_up_ms),
        "group_by": job_type.group_by or None,
        "group": job_type.group or None,
        "group_concurrency": job_type.group_concurrency,
        "schedule": _schedule(job_type.schedule),
        "payload_schema": payload_schema(job_type.annotation),
    }


def _schedule(declared: DeclaredSchedule | None) -> dict[str, Any] | None:
    """What the code declares; GET /api/schedules/{name} tells what became of it."""
    if declared is None:
        return None
    times = {name: declared.body.get(name) for name in ("cron", "every_s")}
    return {"name": declared.name, **times, "timezone": declared.body.get("timezone", "UTC")}


def _number(value: float) -> float:
    """60 for 60.0, and 0.5. A job module may have given a number of any class, such as a Decimal."""
    number = float(value)
    return int(number) if number.is_integer() else number
