"""POST /api/jobs with `after` or `then`: a job that waits for others, or for which others wait.

    {"type": "sum", "payload": {}, "after": ["email-0192…"], "then": [{"type": "noop", "payload": {}, "on": "failed"}]}

job_graph_request.py reads the body, workflow_store.py plants the jobs, and jobs.py answers with the first of them, as
it does for a job that is queued by itself. A body whose two fields say nothing (null, []) asks for such a job.
"""

import contextlib
from typing import Any, Final

from lib.api import idempotency
from lib.errors import JobNotFound, RedisKeysBroken, RedisUnavailable
from lib.ids import JobIds
from lib.jobs.edges import KnownEdge
from lib.jobs.job import Accepted, JobRecord
from lib.jobs.job_graph_request import GRAPH_FIELDS, read_job_graph
from lib.jobs.registry import Registry
from lib.jobs.shown import just_taken
from lib.jobs.spec import JobSpec
from lib.jobs.state import BLOCKED
from lib.jobs.workflow import RULES, Graph, GraphJob, under
from lib.logs.log import Log
from lib.queue.job_store import JobStore
from lib.web.router import Call

_NOTHING: Final[tuple[Any, ...]] = (None, [])
_RULES: Final = frozenset(RULES.values())


def without_graph(body: dict[str, Any]) -> dict[str, Any] | None:
    """The body without the two fields, where they say nothing; None where they do."""
    if any(body.get(name) not in _NOTHING for name in GRAPH_FIELDS):
        return None
    return {name: value for name, value in body.items() if name not in GRAPH_FIELDS}


class JobGraphs:
    """Takes in the graphs of POST /api/jobs."""

    def __init__(self, job_store: JobStore, registry: Registry, ids: JobIds, log: Log) -> None:
        self._job_store = job_store
        self._registry = registry
        self._ids = ids
        self._log = log

    async def take_in(self, call: Call, body: dict[str, Any]) -> tuple[JobRecord, Accepted]:
        """Plant the graph that the body asks for. Returns the job itself as it was taken in, and what became of it.

        Raises InvalidFields and what Workflows.plant raises."""
        graph = read_job_graph(body, self._registry, self._ids, request_id=call.request_id, trace=call.trace)
        planted = await self._job_store.workflows.plant(graph, idempotency.keyed_job(call, body))
        graph = under(graph, planted.anchor_id)
        outcome = "replayed-new" if planted.is_replayed else "new"
        accepted = Accepted(planted.anchor_id, outcome, planted.created_ms)
        if planted.is_replayed:
            return just_planted(graph.anchor, accepted), accepted
        self._log_planted(call, graph)
        return await self._taken(graph, accepted), accepted

    async def _taken(self, graph: Graph, accepted: Accepted) -> JobRecord:
        """The job as it is now. One that waits for jobs outside of the graph is read: these may have ended by now."""
        if graph.outside:
            # Where it can't be read it is there all the same: a 503 would make its sender send it again.
            with contextlib.suppress(JobNotFound, RedisUnavailable, RedisKeysBroken):
                return await self._job_store.read(accepted.job_id)
        return just_planted(graph.anchor, accepted)

    def _log_planted(self, call: Call, graph: Graph) -> None:
        """A line for each job, as for each that is queued by itself."""
        for one in (graph.anchor, *graph.members):
            job_id, count = one.job.job_id, sum(edge.rule in _RULES for edge in one.edges)
            event, msg = "job.enqueued", f"Job added to queue: {job_id}"
            if count:
                event, msg = "job.blocked", f"Job waits for {count} job{'s' if count > 1 else ''}: {job_id}"
            self._log.info(
                event,
                msg,
                **call.asked_by,
                trace_id=call.trace.trace_id,
                job_id=job_id,
                queue=one.job.queue,
                type=one.spec.type,
            )


def just_planted(anchor: GraphJob, accepted: Accepted) -> JobRecord:
    """The record of the job at the moment when it was planted, made here without asking Redis."""
    spec = JobSpec.from_text(anchor.job.spec_text)  # As whoever reads the job gets it: 60 for the type's 60.0.
    record = just_taken(anchor.job, spec, accepted.created_ms)._replace(then=anchor.followers)
    if not anchor.edges:
        return record
    due_ms = record.run_at_ms if anchor.job.delay_ms is None else None  # A delay begins when the job is free.
    edges = tuple(KnownEdge(edge.rule, ".", edge.parent_id, edge.name) for edge in anchor.edges)
    return record._replace(state=BLOCKED, run_at_ms=due_ms, gives_up_ms=None, edges=edges)
