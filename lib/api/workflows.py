"""/api/workflows: start a workflow, read it with the states of its jobs, cancel it, and run it again.

A workflow is a job of the type `workflow`, so that the rest of what can be asked of a job (list, delete, explain) is
under /api/jobs, and cancel and retry are the same there and here. What this file adds is the graph in one request, and
the view of all its jobs.
"""

from collections.abc import Sequence

from lib.api import idempotency
from lib.api.job_wait import JobWait
from lib.api.jobs import OUTCOME
from lib.api.shown_workflow import present_workflow
from lib.errors import JobNotFound, RedisKeysBroken, RedisUnavailable, behind_a_change
from lib.http1.message import Request, Response
from lib.ids import JobIds
from lib.jobs.edges import OF_MEMBERS
from lib.jobs.job import JobRecord
from lib.jobs.registry import Registry
from lib.jobs.shown import just_taken
from lib.jobs.state import BLOCKED, FINISHED
from lib.jobs.workflow import Graph, under
from lib.jobs.workflow_request import read_workflow
from lib.jobs.workflow_view import WorkflowMember, members_of
from lib.logs.log import Log
from lib.queue.job_store import JobStore
from lib.queue.workflow_store import Planted
from lib.web import json_body
from lib.web.json_answer import answer_json
from lib.web.preferences import preferred_by
from lib.web.router import Call


class WorkflowOperations:
    """The operations on workflows."""

    def __init__(self, job_store: JobStore, registry: Registry, ids: JobIds, waits: JobWait, log: Log) -> None:
        self._job_store = job_store
        self._registry = registry
        self._ids = ids
        self._waits = waits
        self._log = log

    async def create(self, call: Call) -> Response:
        body, preferred = json_body.parse(call.request.body), preferred_by(call)
        graph = read_workflow(body, self._registry, self._ids, request_id=call.request_id, trace=call.trace)
        planted = await self._job_store.workflows.plant(graph, idempotency.keyed_with_body(call, body))
        if not planted.is_replayed:
            self._log_planted(call, graph, planted)
        record, members = await self._planted(graph, planted, preferred.wait_s, call.request)
        is_finished = not record.state or record.state in FINISHED
        outcome = "replayed" if planted.is_replayed else "created"
        headers = [("Location", f"/api/workflows/{planted.anchor_id}"), (OUTCOME, outcome)]
        headers += preferred.applied(is_finished=is_finished)
        if planted.is_replayed:
            headers.append(idempotency.REPLAYED)
        status = 200 if is_finished and preferred.wait_s else 202
        return answer_json(status, {**present_workflow(record, members), "outcome": outcome}, headers)

    async def read(self, call: Call) -> Response:
        preferred = preferred_by(call)
        record = await self._workflow(call.path["workflow_id"])
        if preferred.wait_s and record.state not in FINISHED:
            record = await self._waits.until_ended(record.job_id, preferred.wait_s, call.request)
        return await self._shown(record, preferred.applied(is_finished=True))

    async def cancel(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        workflow_id = (await self._workflow(call.path["workflow_id"])).job_id
        is_replay = await self._job_store.cancel(workflow_id, keyed=idempotency.keyed(call))
        return await self._changed(call, workflow_id, is_replay, "job.cancel_asked", "Workflow asked to be cancelled")

    async def retry(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        workflow_id = (await self._workflow(call.path["workflow_id"])).job_id
        is_replay = await self._job_store.retry(workflow_id, idempotency.keyed(call))
        return await self._changed(call, workflow_id, is_replay, "job.revived", "Workflow to be run again")

    async def _workflow(self, job_id: str) -> JobRecord:
        """The workflow's own job. Raises JobNotFound for any other job."""
        record = await self._job_store.read(job_id)
        if not record.is_workflow:
            raise JobNotFound(f"the job {job_id} is no workflow; GET /api/jobs/{job_id} shows it")
        return record

    async def _changed(self, call: Call, workflow_id: str, is_replay: bool, event: str, msg: str) -> Response:
        """The answer to a change. is_replay: it was made before, under the same idempotency key, and is not now."""
        if is_replay:
            return await self._shown(await self._job_store.read(workflow_id), [idempotency.REPLAYED])
        self._log.info(event, f"{msg}: {workflow_id}", **call.asked_by, job_id=workflow_id)
        with behind_a_change():
            record = await self._job_store.read(workflow_id)
            self._job_store.notices.attend([record])
            return await self._shown(record)

    async def _shown(self, record: JobRecord, headers: Sequence[tuple[str, str]] = ()) -> Response:
        members = await self._job_store.workflow_views.members(record.job_id)
        return answer_json(200, present_workflow(record, members), headers)

    async def _planted(
        self, graph: Graph, planted: Planted, wait_s: float, request: Request
    ) -> tuple[JobRecord, list[WorkflowMember]]:
        """The workflow as it is when it has ended, or after wait_s. Where it can't be read it is shown as it was sent:
        it is in Redis, and a 503 would make its sender send it again. Where an earlier request started it and it has
        ended and is trimmed, its jobs are shown without states."""
        try:
            # For a wait of 0 s this reads the workflow, and waits for nothing.
            record = await self._waits.until_ended(planted.anchor_id, wait_s, request)
            return record, await self._job_store.workflow_views.members(planted.anchor_id)
        except JobNotFound:
            state = ""
        except (RedisUnavailable, RedisKeysBroken):
            if planted.is_replayed:
                raise
            state = BLOCKED
        graph = under(graph, planted.anchor_id)
        record = just_taken(graph.anchor.job, graph.anchor.spec, planted.created_ms)._replace(state=state)
        return record, members_of(graph, state)

    def _log_planted(self, call: Call, graph: Graph, planted: Planted) -> None:
        count = sum(edge.rule in OF_MEMBERS for edge in graph.anchor.edges)
        msg = f"Workflow of {count} job{'s' * (count != 1)} started: {planted.anchor_id}"
        about = {"job_id": planted.anchor_id, "queue": graph.anchor.job.queue, "jobs": count}
        self._log.info("workflow.planted", msg, **call.asked_by, trace_id=call.trace.trace_id, **about)
