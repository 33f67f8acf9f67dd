"""Graphs: jobs that wait for jobs, as values. workflow_request.py reads them from requests. Pure.

A POST /api/jobs with `after` or `then`, and a POST /api/workflows, each ask for one graph. Its jobs lie in many queues,
so that no single step can write them all. They are written one after the other, the anchor last:

    the workflow "import"       the anchor. Its being there decides that the graph runs
      fetch                     waits for the word that the workflow is open
      sum                       waits for that word, and for fetch

Every job of a graph but the anchor has an id that is made of the anchor's id and the job's name: written twice, because
an answer was lost, it is one job all the same.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from lib.ids import derived_id
from lib.jobs.job import WORKFLOW_TYPE as WORKFLOW_TYPE
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec

RULES: Final[Mapping[str, str]] = {"completed": "c", "ended": "e", "failed": "f"}
"""What a parent must have done, as a request says it with `on`, and as one letter."""
OPEN: Final = "o"
"""The rule of a member for its workflow: that must be open."""
ANCHORED: Final = "a"
"""The rule of a job, deep in a `then`, for the anchor of its graph: that must be there."""
MUST_COMPLETE, OPTIONAL = "m", "n"
"""The rules of a workflow over its members."""


class Edge(NamedTuple):
    """A job waits for the job `parent_id`.

    rule: a letter of RULES, OPEN, ANCHORED, MUST_COMPLETE or OPTIONAL. name: what the waiting job calls the parent, ""
    for none; of a workflow's member "<place>/<name>". The place is the member's number, from 0, in an order in which
    each stands behind those for whom it waits.
    """

    parent_id: str
    rule: str
    name: str


class GraphJob(NamedTuple):
    """One job of a graph.

    edges: for whom it waits. followers: the ids of the graph's jobs that wait for its end. opens: of the anchor, the
    ids of those that wait for the word that it is there (ANCHORED). is_workflow: it is a workflow, the graph's anchor
    or a nested one. name: the job's id is made of it and of the anchor's id, or of the id of the workflow whose member
    it is; "" of the anchor.
    """

    job: NewJob
    edges: tuple[Edge, ...]
    followers: tuple[str, ...]
    is_workflow: bool
    spec: JobSpec
    opens: tuple[str, ...] = ()
    name: str = ""


class OutsideEdge(NamedTuple):
    """The job `follower_id` of a graph waits for the job `parent_id`, which is no part of the graph."""

    parent_id: str
    follower_id: str
    rule: str


class Graph(NamedTuple):
    """The jobs that one request asks for.

    members: all but the anchor, each workflow before its own members. outside: in the order of the request's `after`.
    """

    anchor: GraphJob
    members: tuple[GraphJob, ...]
    outside: tuple[OutsideEdge, ...]

    @property
    def jobs(self) -> tuple[GraphJob, ...]:
        """All jobs, the anchor last, as they are written."""
        return (*self.members, self.anchor)


def member_id(queue: str, anchor_id: str, name: str) -> str:
    """The id of the job `name` of an anchor: the same at every call.

    It ends in the four digits in which the anchor's id ends, which is the mark of the first request for the graph. WHY
    not in the mark of this request: a request that is sent again has another id, and must make the same jobs.
    """
    return derived_id(queue, anchor_id, name, "")[:-4] + anchor_id[-4:]


def under(graph: Graph, anchor_id: str) -> Graph:
    """The same graph, of an anchor with that id: the one that an earlier try of the same request has begun to write."""
    first_id = graph.anchor.job.job_id
    if anchor_id == first_id:
        return graph
    new_ids = {first_id: anchor_id}
    for member in graph.members:
        made_of = next((edge.parent_id for edge in member.edges if edge.rule == OPEN), first_id)
        new_ids[member.job.job_id] = member_id(member.job.queue, new_ids[made_of], member.name)
    return Graph(
        _renamed(graph.anchor, new_ids),
        tuple(_renamed(member, new_ids) for member in graph.members),
        tuple(edge._replace(follower_id=new_ids[edge.follower_id]) for edge in graph.outside),
    )


def _renamed(one: GraphJob, new_ids: Mapping[str, str]) -> GraphJob:
    """The job with new ids in the place of old ones. A parent that is no part of the graph keeps its id."""
    job, spec = one.job._replace(job_id=new_ids[one.job.job_id]), one.spec
    if spec.workflow:
        spec = spec._replace(workflow=new_ids[spec.workflow])
        job = job._replace(spec_text=spec.to_text())
    return one._replace(
        job=job,
        spec=spec,
        edges=tuple(edge._replace(parent_id=new_ids.get(edge.parent_id, edge.parent_id)) for edge in one.edges),
        followers=tuple(new_ids[job_id] for job_id in one.followers),
        opens=tuple(new_ids[job_id] for job_id in one.opens),
    )
