"""What a handler did with the context of its unit test: a value for each call, for the test to look at. Pure."""

from typing import Any, NamedTuple


class Told(NamedTuple):
    """One call of `ctx.tell`."""

    event: str
    msg: str
    fields: dict[str, object]


class Step(NamedTuple):
    """One call of `ctx.progress`."""

    fraction: float
    note: str


class Enqueued(NamedTuple):
    """One call of `ctx.enqueue`. options: the other fields of POST /api/jobs that were given."""

    job_id: str
    type: str
    payload: dict[str, Any]
    once: str | None
    options: dict[str, Any]


class Planned(NamedTuple):
    """One call of `ctx.workflow`. job_id: the workflow's. options: name, queue and then, where they were given."""

    job_id: str
    jobs: dict[str, Any]
    once: str | None
    options: dict[str, Any]


class Added(NamedTuple):
    """One call of `ctx.add`. options: optional, and the other fields of POST /api/jobs that were given."""

    job_id: str
    name: str
    type: str
    payload: dict[str, Any]
    after: Any
    options: dict[str, Any]
