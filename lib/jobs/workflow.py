"""A graph of jobs that wait for jobs, as values. Pure.

The anchor is the job whose writing decides that the graph runs: the workflow, or for `then` alone the job itself. An
edge is one wait: `Edge("default-01…", "c", "fetch")` waits until that job, which the follower knows as `fetch`, has
completed.
"""

from typing import NamedTuple

from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec


class Edge(NamedTuple):
    """One wait of a job for the job `parent_id`.

    rule: c until the parent has completed, e until it has ended, f until it has failed, o until its anchor is open; and
    of a workflow for a member: m the member must complete, n it is optional.
    name: by which the follower knows the parent, "" for none; of the rules m and n "<place>/<name>".
    """

    parent_id: str
    rule: str
    name: str = ""


class OutsideEdge(NamedTuple):
    """An edge of a job of the graph to a parent that is no part of the graph."""

    parent_id: str
    follower_id: str
    rule: str


class GraphJob(NamedTuple):
    """A job of a graph. followers: ids of the jobs that wait for its end."""

    job: NewJob
    edges: tuple[Edge, ...]
    followers: tuple[str, ...]
    is_workflow: bool
    spec: JobSpec


class Graph(NamedTuple):
    """members: all jobs but the anchor. outside: the edges to parents that are no part of the graph, in the order of
    the request's `after`."""

    anchor: GraphJob
    members: tuple[GraphJob, ...]
    outside: tuple[OutsideEdge, ...]
