"""GET /api/types: the job types that this server's JOB_MODULES define, as a form or a client has to know them.

The list is made of what the server itself has loaded, the same that POST checks a payload by. Which types the workers
have loaded is not asked: a worker with other JOB_MODULES puts a job of a type that it does not know off.
"""

import inspect
from typing import Any

from lib.http1.message import Response
from lib.jobs.payload_schema import first_line, payload_schema
from lib.jobs.registry import JobType, Registry
from lib.json_text import to_json
from lib.web.router import Call


class TypeOperations:
    """The operation on job types. They are the same until the server ends, so that the answer is made once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._body = b""

    async def list_all(self, call: Call) -> Response:
        if not self._body:
            items = [_present(job_type) for job_type in self._registry.types]
            self._body = to_json({"items": items}).encode("utf-8", "replace")
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
        "retain_s": _seconds(job_type.retain_ms),
        "give_up_after_s": _seconds(job_type.give_up_ms),
        "payload_schema": payload_schema(job_type.annotation),
    }


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else _number(ms / 1000)


def _number(value: float) -> float:
    """Whole ones without a point. A job module may have given a number of any class, such as a Decimal."""
    number = float(value)
    return int(number) if number.is_integer() else number
