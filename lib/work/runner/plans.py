"""What a handler asks for beyond a single job: jobs that wait for others, workflows, and more jobs of its own workflow.

context.py calls this for `ctx.enqueue` with `after` or `then`, for `ctx.workflow` and for `ctx.add`. The request is
checked as the API checks it (lib/jobs/), and queue/workflow_store.py writes the jobs. Every job has the request id and
the trace of the running job, and its id as `by`.
"""

from collections.abc import Callable
from typing import Any

from lib.errors import WrongState
from lib.ids import JobIds
from lib.jobs.addition import NO_MEMBER, Adder, read_addition, rule_of_member
from lib.jobs.job import NO_KEY, ClaimedJob
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.registry import Registry
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Graph
from lib.jobs.workflow_request import read_workflow
from lib.json_text import through_json
from lib.queue.job_store import JobStore
from lib.tracing import Trace


class Plans:
    """The plans of one running job. trace: the running attempt, under which the new jobs stand in traces."""

    def __init__(
        self, job: ClaimedJob, spec: JobSpec, trace: Trace, registry: Registry, ids: JobIds, job_store: JobStore
    ) -> None:
        self._job = job
        self._spec = spec
        self._trace = trace
        self._registry = registry
        self._ids = ids
        self._job_store = job_store

    async def enqueue(self, body: dict[str, Any], once: str | None) -> str:
        """The id of a job that waits for others, or for which others wait. body: of POST /api/jobs, with `after` or
        `then`. once: see queue/named_jobs.py."""
        return await self._plant(self._read(read_job_graph, body), once)

    async def workflow(self, body: dict[str, Any], once: str | None) -> str:
        """The id of a new workflow. body: of POST /api/workflows."""
        return await self._plant(self._read(read_workflow, body), once)

    async def add(self, name: str, body: dict[str, Any], *, is_optional: Any) -> str:
        """The id of one more job in the workflow of the running job: the same however often it is asked for."""
        workflow_id = self._spec.workflow
        if not workflow_id:
            raise WrongState(NO_MEMBER)
        store, rule = self._job_store.workflows, rule_of_member(is_optional)
        members = await store.members(workflow_id) if body.get("after") else ()
        by_name = {member.name: member.job_id for member in members}
        adder = Adder(self._job.job_id, workflow_id, by_name, self._spec.request_id, self._trace)
        added = read_addition(name, through_json(body), adder, self._registry, self._ids)
        await store.add(workflow_id, added, name, rule)
        return added.job.job_id

    def _read(self, read: Callable[..., Graph], body: dict[str, Any]) -> Graph:
        return read(
            through_json(body),
            self._registry,
            self._ids,
            request_id=self._spec.request_id,
            trace=self._trace,
            by=self._job.job_id,
        )

    async def _plant(self, graph: Graph, once: str | None) -> str:
        if once is None:
            return (await self._job_store.workflows.plant(graph, NO_KEY)).anchor_id
        return await self._job_store.named_jobs.plant(self._job, once, graph, self._spec.request_id)
