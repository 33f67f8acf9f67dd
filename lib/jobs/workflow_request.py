"""POST /api/workflows, and a handler's `ctx.workflow`: the request, checked. Pure.

    {"name": "import 2026-11", "jobs": {
        "fetch": {"type": "fetch", "payload": {}},
        "parts": {"jobs": {"a": {"type": "part", "payload": {}}, "b": {…}}, "after": ["fetch"]},
        "sum":   {"type": "sum", "payload": {}, "after": [{"job": "parts", "on": "ended"}], "optional": true}}}

becomes a Graph (workflow.py) of six jobs: the workflow, which is the anchor, fetch, the workflow `parts` in it with its
jobs a and b, and sum. Or it becomes one InvalidFields that names every wrong field: /jobs/parts/jobs/a/payload/n, say.
A job is checked as POST /api/jobs checks one.
"""

from typing import Any, Final, NamedTuple

from lib.errors import FieldError
from lib.ids import JobIds
from lib.jobs.graph_reader import MADE_ELSEWHERE, NAME, NAME_RULE, Draft, GraphReader, ParentInRequest, below
from lib.jobs.payload import json_type
from lib.jobs.registry import Registry
from lib.jobs.request_fields import CHECKS, FieldFault, checked, object_in
from lib.jobs.workflow import MUST_COMPLETE, OPEN, OPTIONAL, Edge, Graph
from lib.jobs.workflow_order import Cycle, ordered
from lib.tracing import Trace

MOST_MEMBERS: Final = 1000
MOST_JOBS: Final = 10_000
MOST_LEVELS: Final = 10
MOST_IN_NAME: Final = 200
_REFUSED: Final = {
    "unique": "has no place in a workflow: give the workflow an Idempotency-Key",
    "then": "has no place here: give the job that is to follow an `after`",
    "on": 'has no place here: write it into `after`, as in {"job": "fetch", "on": "ended"}',
}


def read_workflow(body: Any, registry: Registry, ids: JobIds, *, request_id: str, trace: Trace, by: str = "") -> Graph:
    """The graph that `body` asks for: the workflow, its jobs and those of its `then`. by: the id of the job whose
    handler asks for it. Raises InvalidFields with every fault."""
    body = object_in(body)
    reader = GraphReader(registry, ids, request_id=request_id, trace=trace, by=by)
    fields = checked(body, _WORKFLOW_FIELDS, reader.errors, required=("jobs",))
    anchor = reader.workflow(reader.new_id(fields.get("queue", "default")), fields.get("name"))
    reader.call_back(anchor, fields.get("callback_url", ""), "")
    if "jobs" not in body:
        reader.refuse("/jobs", "is missing: the workflow's jobs, each under its name")
    elif _are_too_many(fields.get("jobs", {})):
        reader.refuse("/jobs", f"are more than {MOST_JOBS} jobs in all")
    elif "jobs" in fields:
        _read_members(reader, _Level(anchor, fields["jobs"], "/jobs", 1))
    reader.read_then(fields.get("then"), anchor)
    return reader.graph(anchor)


class _Level(NamedTuple):
    """The jobs of one workflow. pointer: where they stand. number: 1 for the anchor's, 2 for those of a workflow in
    it."""

    workflow: Draft
    jobs: dict[str, Any]
    pointer: str
    number: int


def _are_too_many(jobs: dict[str, Any]) -> bool:
    """Whether these and the jobs of all workflows in them are more than MOST_JOBS."""
    levels, count = [jobs], 0
    while levels and count <= MOST_JOBS:
        level = levels.pop()
        count += len(level)
        members = (sent.get("jobs") for sent in level.values() if type(sent) is dict)
        levels.extend(below for below in members if type(below) is dict)
    return count > MOST_JOBS


def _read_members(reader: GraphReader, level: _Level) -> None:
    """Read the jobs of a workflow, and then their edges, as a name may stand before the job that has it."""
    if not level.jobs:
        reader.refuse(level.pointer, "is empty: a workflow has one job at least")
    if len(level.jobs) > MOST_MEMBERS:
        detail = f"has {len(level.jobs)} jobs; a workflow has {MOST_MEMBERS} at most, and may have workflows among them"
        reader.refuse(level.pointer, detail)
        return
    drafts: dict[str, Draft] = {}
    for name, sent in level.jobs.items():
        if reader.has_enough:
            return
        draft = _read_member(reader, level, name, sent)
        if draft is not None:
            drafts[name] = draft
    _connect(reader, level, drafts)


def _read_member(reader: GraphReader, level: _Level, name: str, sent: Any) -> Draft | None:
    """The job of that name; None where it is not valid. Its edges to other members are left out."""
    pointer = below(level.pointer, name)
    if not NAME.fullmatch(name):
        reader.refuse(pointer, f"is not a name: {NAME_RULE}")
        return None
    if type(sent) is not dict:
        reader.refuse(pointer, f"must be an object, a job, not {json_type(sent)}")
        return None
    if sent.get("jobs") is not None:
        return _read_nested(reader, level, name, sent)
    asked = {field: value for field, value in sent.items() if field not in ("after", "optional", "jobs")}
    draft = reader.read_job(asked, pointer, _REFUSED)
    if draft is not None:
        _join(reader, level, draft, name)
    return draft


def _read_nested(reader: GraphReader, level: _Level, name: str, sent: dict[str, Any]) -> Draft | None:
    """A workflow within a workflow, with its members."""
    pointer = below(level.pointer, name)
    if level.number == MOST_LEVELS:
        reader.refuse(pointer, f"lies too deep: workflows may lie {MOST_LEVELS} deep in one another")
        return None
    if sent.get("type") is not None:
        reader.refuse(f"{pointer}/type", MADE_ELSEWHERE)
        return None
    faults: list[FieldError] = []
    fields = checked(sent, _NESTED_FIELDS, faults)
    reader.errors.extend(fault._replace(pointer=pointer + fault.pointer) for fault in faults)
    if faults:
        return None
    draft = reader.workflow(reader.new_id(fields.get("queue", level.workflow.job.queue)), name)
    reader.call_back(draft, fields.get("callback_url", ""), pointer)
    _join(reader, level, draft, name)
    _read_members(reader, _Level(draft, fields["jobs"], f"{pointer}/jobs", level.number + 1))
    return draft


def _join(reader: GraphReader, level: _Level, draft: Draft, name: str) -> None:
    """The job is a member of the workflow: it waits until the workflow is open."""
    workflow_id = level.workflow.job.job_id
    reader.name_member(draft, workflow_id, name)
    draft.spec = draft.spec._replace(workflow=workflow_id)
    draft.job = draft.job._replace(spec_text=draft.spec.to_text())
    draft.edges.append(Edge(workflow_id, OPEN, ""))


def _connect(reader: GraphReader, level: _Level, drafts: dict[str, Draft]) -> None:
    """Have the members wait for each other, and the workflow for all of them."""
    parents_of: dict[str, list[str]] = {name: [] for name in drafts}
    for name, draft in drafts.items():
        for parent in _parents_of(reader, level, name):
            if parent.job in drafts:
                draft.wait_for(drafts[parent.job], parent.rule, parent.job)
                parents_of[name].append(parent.job)
    try:
        order = ordered(parents_of)
    except Cycle as fault:
        reader.refuse(level.pointer, f"wait for each other: {fault}")
        return
    for place, name in enumerate(order):
        rule = OPTIONAL if _is_optional(reader, level, name) else MUST_COMPLETE
        level.workflow.wait_for(drafts[name], rule, f"{place}/{name}")


def _parents_of(reader: GraphReader, level: _Level, name: str) -> list[ParentInRequest]:
    """For whom a member waits, by its `after`."""
    pointer = f"{below(level.pointer, name)}/after"
    parents: dict[str, ParentInRequest] = {}
    for number, element in enumerate(reader.array_in(level.jobs[name].get("after"), pointer)):
        if reader.has_enough:
            break
        parent = reader.read_parent(element, f"{pointer}/{number}", known=("job", "on"))
        if parent is None:
            continue
        if parent.job not in level.jobs:
            reader.refuse(f"{pointer}/{number}", f"no job of this workflow has the name {parent.job[:64]}")
        elif parent.job in parents:
            reader.refuse(f"{pointer}/{number}", f"the job {parent.job} is given twice")
        else:
            parents[parent.job] = parent
    return list(parents.values())


def _is_optional(reader: GraphReader, level: _Level, name: str) -> bool:
    value = level.jobs[name].get("optional")
    if value is not None and type(value) is not bool:
        reader.refuse(f"{below(level.pointer, name)}/optional", f"must be a boolean, not {json_type(value)}")
    return value is True


def _name(value: Any) -> str:
    if type(value) is not str or not 1 <= len(value) <= MOST_IN_NAME or not value.isprintable():
        raise FieldFault(f"must be a text of 1 to {MOST_IN_NAME} printable characters")
    return value


def _as_it_is(value: Any) -> Any:
    return value


_OF_ALL: Final = {"jobs": CHECKS["payload"], "queue": CHECKS["queue"], "callback_url": CHECKS["callback_url"]}
_WORKFLOW_FIELDS: Final = {"name": _name, **_OF_ALL, "then": _as_it_is}
_NESTED_FIELDS: Final = {
    **_OF_ALL,
    "after": _as_it_is,
    "optional": _as_it_is,
}
