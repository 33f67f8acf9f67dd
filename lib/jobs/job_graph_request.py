"""POST /api/jobs with `after` or `then`, and a handler's `ctx.enqueue` with these: the request, checked. Pure.

    {"type": "sum", "payload": {}, "after": ["email-0192…", {"job": "default-0192…", "on": "ended", "name": "fetch"}],
     "then": [{"type": "email", "payload": {"to": "ops@example.org", …}, "on": "failed"}]}

becomes a Graph (workflow.py): the job itself is the anchor, and waits for two jobs that are there already; the one of
`then` waits for it. Or it becomes one InvalidFields that names every wrong field: /after/1/on, or /then/0/payload/to.
"""

from typing import Any, Final

from lib.ids import JOB_ID, JobIds
from lib.jobs.graph_reader import NAME, NAME_RULE, NO_UNIQUE, GraphReader
from lib.jobs.registry import Registry
from lib.jobs.request_fields import object_in
from lib.jobs.submission import GRAPH_FIELDS as GRAPH_FIELDS
from lib.jobs.workflow import Edge, Graph, OutsideEdge
from lib.tracing import Trace

MOST_PARENTS: Final = 1000
_NO_UNIQUE: Final = {"unique": NO_UNIQUE}


def read_job_graph(body: Any, registry: Registry, ids: JobIds, *, request_id: str, trace: Trace, by: str = "") -> Graph:
    """The graph that `body` asks for. by: the id of the job whose handler asks for it. Raises InvalidFields with every
    fault."""
    asked = dict(object_in(body))
    after, then = asked.pop("after", None), asked.pop("then", None)
    reader = GraphReader(registry, ids, request_id=request_id, trace=trace, by=by)
    # Of an anchor that is not valid its edges and its `then` are checked all the same.
    anchor = reader.read_job(asked, "", _NO_UNIQUE) or reader.workflow(reader.new_id("default"), None)
    edges = _outside_edges(reader, after)
    anchor.edges.extend(edges)
    reader.read_then(then, anchor)
    return reader.graph(anchor, [OutsideEdge(edge.parent_id, anchor.job.job_id, edge.rule) for edge in edges])


def _outside_edges(reader: GraphReader, value: Any) -> list[Edge]:
    """An edge for each element of `after`, in that order."""
    elements = reader.array_in(value, "/after")
    if len(elements) > MOST_PARENTS:
        reader.refuse("/after", f"has {len(elements)} elements; a job waits for {MOST_PARENTS} jobs at most")
        return []
    edges: list[Edge] = []
    ids, names = set[str](), set[str]()
    for number, element in enumerate(elements):
        edge = _outside_edge(reader, element, f"/after/{number}")
        if edge is None:
            continue
        if edge.parent_id in ids:
            reader.refuse(f"/after/{number}", f"the job {edge.parent_id} is given twice")
        if edge.name in names:
            reader.refuse(f"/after/{number}/name", f"the name {edge.name} is given twice")
        ids.add(edge.parent_id)
        names.update({edge.name} - {""})
        edges.append(edge)
    return edges


def _outside_edge(reader: GraphReader, element: Any, pointer: str) -> Edge | None:
    parent = reader.read_parent(element, pointer, known=("job", "on", "name"))
    if parent is None:
        return None
    if not JOB_ID.fullmatch(parent.job):
        reader.refuse(parent.pointer, "must be a job's id, as POST /api/jobs answers it")
        return None
    name = element.get("name") if type(element) is dict else None
    if name is not None and (type(name) is not str or not NAME.fullmatch(name)):
        reader.refuse(f"{pointer}/name", f"must be a name: {NAME_RULE}")
        return None
    return Edge(parent.job, parent.rule, name or "")
