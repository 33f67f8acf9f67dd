"""The members of a workflow as they are seen at one moment, and how many are in which state. Pure.

    WorkflowMember("fetch", "default-8f1c…", "m", "c", state="completed", type_name="fetch")
    counts_of(members)       {"jobs": 5, "blocked": 3, "ready": 1, …, "gone": 0}

The workflow itself remembers of each member its name, its id and what it said at its end, a mark (edges.py has rules
and marks). The member's own record has the rest, and may have been trimmed or deleted by now.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from lib.jobs.edges import OF_MEMBERS, KnownEdge
from lib.jobs.state import FINISHED, STATES
from lib.jobs.workflow import OPEN, Graph

SKIPPED: Final = "skipped"
GONE: Final = "gone"
_STATE_OF_MARK: Final[Mapping[str, str]] = {
    "c": "completed",
    "d": "dead",
    "x": "cancelled",
    "k": "cancelled",
    "s": SKIPPED,
}
_ENDED: Final = (*FINISHED, SKIPPED, GONE)


class WorkflowMember(NamedTuple):
    """A job of a workflow. state: "" where its record is gone; then all that stands behind it is not known either.

    due_ms: of one that is delayed. started_ms: when the attempt began that runs, waits for a callback, or was the last
    one of a job that has ended."""

    name: str
    job_id: str
    rule: str
    mark: str
    state: str = ""
    type_name: str = ""
    edges: tuple[KnownEdge, ...] = ()
    due_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None

    @property
    def is_optional(self) -> bool:
        return self.rule == "n"

    @property
    def shown_state(self) -> str:
        """A job's state, or SKIPPED, or GONE. WHY the record first: a member that runs again is no longer what it said
        at its first end."""
        if self.state == "cancelled" and self.mark == "s":
            return SKIPPED
        return self.state or _STATE_OF_MARK.get(self.mark, GONE)

    @property
    def is_lost(self) -> bool:
        """Whether the member would have to run when the workflow is run again, and can't, for its record is gone."""
        return not self.state and self.mark not in ("c", "s")


def members_of(graph: Graph, state: str) -> list[WorkflowMember]:
    """The members of the workflow that is the graph's anchor, by their places: as they are planned, all in `state`."""
    jobs = {one.job.job_id: one for one in graph.members}
    members = []
    for edge in graph.anchor.edges:
        if edge.rule in OF_MEMBERS:
            one, name = jobs[edge.parent_id], edge.name.partition("/")[2]
            waits = [KnownEdge(to.rule, ".", to.parent_id, to.name) for to in one.edges if to.rule != OPEN]
            members.append(WorkflowMember(name, edge.parent_id, edge.rule, ".", state, one.spec.type, tuple(waits)))
    return members


def counts_of(members: Iterable[WorkflowMember]) -> dict[str, int]:
    """How many members there are, and how many in each state."""
    counts = dict.fromkeys(("jobs", *STATES, SKIPPED, GONE), 0)
    for member in members:
        counts["jobs"] += 1
        counts[member.shown_state] = counts.get(member.shown_state, 0) + 1
    return counts


def progress_of(counts: Mapping[str, int]) -> float:
    """The share of the jobs that have ended, from 0 to 1."""
    return round(sum(counts[state] for state in _ENDED) / counts["jobs"], 4) if counts["jobs"] else 1.0
