"""One more job for a workflow that runs: what a running member asks for by `ctx.add`, checked. Pure.

    await ctx.add("page-7", "ocr", {"page": 7}, after=["fetch", {"job": "page-6", "on": "ended"}], optional=True)

becomes a GraphJob that waits for the word that its workflow is open, and for its parents. The parents are jobs of the
same workflow, by their names. Whether the workflow still takes a job, and whether the name is free, Redis decides
(adopt.lua).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds, derived_id
from lib.jobs.graph_reader import NAME, NAME_RULE, Draft, GraphReader
from lib.jobs.registry import Registry
from lib.jobs.request_fields import fields_error
from lib.jobs.workflow import MUST_COMPLETE, OPEN, OPTIONAL, Edge, GraphJob
from lib.tracing import Trace

_REFUSED: Final = {
    "unique": "has no place in a workflow: a job is added once for each name",
    "then": "has no place in a workflow's job: add the job that is to follow, too, with an `after`",
    "once": "has no place here: a job is added once for each name",
}
NO_MEMBER: Final = (
    "this job belongs to no workflow, and ctx.add adds to the running job's own; nothing was enqueued: "
    "take ctx.enqueue(…, after=[…]) or ctx.workflow({…})"
)


class Adder(NamedTuple):
    """The running job that adds one to its workflow. members: the ids of the workflow's jobs by name."""

    job_id: str
    workflow_id: str
    members: Mapping[str, str]
    request_id: str
    trace: Trace


def read_addition(name: Any, body: dict[str, Any], adder: Adder, registry: Registry, ids: JobIds) -> GraphJob:
    """The job to add. body: as of POST /api/jobs, with `after` of names; `name` and what is wrong with it is told under
    /name. Its id is made of the adder's id and the name, so that the adder's next attempt adds no second one.

    Raises InvalidFields with every fault.
    """
    reader = GraphReader(registry, ids, request_id=adder.request_id, trace=adder.trace, by=adder.job_id)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        reader.refuse("/name", f"must be a name: {NAME_RULE}")
    asked = dict(body)
    after = asked.pop("after", None)
    draft = reader.read_job(asked, "", _REFUSED)
    edges = _edges(reader, after, adder.members)
    if draft is None or reader.errors:
        raise fields_error(reader.errors)
    return _whole(draft, str(name), edges, adder)


def rule_of_member(optional: Any) -> str:
    """The rule of a workflow's edge to a job that is added to it. Raises InvalidFields."""
    if type(optional) is not bool:
        raise fields_error([FieldError("/optional", "must be a boolean")])
    return OPTIONAL if optional else MUST_COMPLETE


def name_taken(name: str) -> InvalidFields:
    """The error where another job of the workflow has the name."""
    return fields_error([FieldError("/name", f"another job of this workflow has the name {name}: take another one")])


def _whole(draft: Draft, name: str, edges: list[Edge], adder: Adder) -> GraphJob:
    spec = draft.spec._replace(workflow=adder.workflow_id)
    job_id = derived_id(draft.job.queue, adder.job_id, f"add {name}", adder.request_id)
    return draft.whole()._replace(
        job=draft.job._replace(job_id=job_id, spec_text=spec.to_text()),
        edges=(Edge(adder.workflow_id, OPEN, ""), *edges),
        followers=(adder.workflow_id,),
        spec=spec,
        name=name,
    )


def _edges(reader: GraphReader, after: Any, members: Mapping[str, str]) -> list[Edge]:
    """An edge for each element of `after`. A job that is named twice is a fault."""
    edges: list[Edge] = []
    for number, element in enumerate(reader.array_in(after, "/after")):
        parent = reader.read_parent(element, f"/after/{number}", known=("job", "on"))
        if parent is None:
            continue
        if parent.job not in members:
            known = ", ".join(list(members)[:20]) or "none"
            reader.refuse(parent.pointer, f"no job of this workflow has the name {parent.job[:64]}; known: {known}")
        elif any(edge.name == parent.job for edge in edges):
            reader.refuse(parent.pointer, f"the job {parent.job} is given twice")
        else:
            edges.append(Edge(members[parent.job], parent.rule, parent.job))
    return edges
