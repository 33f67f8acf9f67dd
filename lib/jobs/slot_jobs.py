"""What a schedule queues at a slot: a job, or a graph (workflow.py) of a job with its `then` or of a workflow. Pure.

A schedule's jobs were checked when it was PUT, and the defaults of their types were written into them. So whoever
queues them needs to know no types.

The graph of a slot is written in several steps, its anchor last (lib/queue/schedule_slots.py). So all its ids are made
of the schedule's name, its version and the slot, and of nothing else: two supervisors that try the same slot, or one
that goes on where another died, write the same jobs.
"""

import hashlib
from typing import Any, Final

from lib.ids import JobIds, derived_id, derived_request_id
from lib.jobs import submission
from lib.jobs.job import NewJob
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.job_type import JobType
from lib.jobs.registry import Registry
from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Graph, GraphJob, under
from lib.jobs.workflow_request import read_workflow
from lib.tracing import KEEP_ALL, Sampler, Trace, trace_of


class _AnyType(Registry):
    """Knows every type, and lets any payload pass. Its defaults say nothing, as each of the type's own stands in the
    job."""

    def __init__(self) -> None:
        super().__init__((), signs_webhooks=True)

    def get(self, name: str) -> JobType:
        return JobType(name, _never_run, lambda value, pointer: value, is_async=True)


async def _never_run(ctx: Any, payload: Any) -> None:
    raise AssertionError("the registry of a supervisor runs no job")


_ANY_TYPE: Final = _AnyType()


def job_of(
    schedule: Schedule, ids: JobIds, *, name: str, slot: ScheduleSlot | None, request_id: str, trace: Trace
) -> tuple[NewJob, JobSpec]:
    """The job of one slot, under a new id. slot: None for a run that somebody asked for. Raises InvalidFields where a
    later version of Waybill wrote a job that this one can't read."""
    job, spec = submission.read(schedule.job, _ANY_TYPE, ids, request_id=request_id, trace=trace)
    spec = spec._replace(schedule=name, scheduled_for=slot.at_ms if slot else 0)
    return job._replace(spec_text=spec.to_text()), spec


def job_of_slot(
    schedule: Schedule, ids: JobIds, name: str, version: int, slot: ScheduleSlot, sampler: Sampler = KEEP_ALL
) -> tuple[NewJob, JobSpec]:
    """The job of one slot. Its request id and its trace are made of the schedule's name, its version and the slot, and
    of nothing else. Raises what `job_of` raises."""
    request_id = derived_request_id(name, version, slot.at_ms)
    trace = sampler.decided(_trace_of_slot(name, version, slot))
    return job_of(schedule, ids, name=name, slot=slot, request_id=request_id, trace=trace)


def graph_of(
    schedule: Schedule, ids: JobIds, *, name: str, slot: ScheduleSlot | None, request_id: str, trace: Trace
) -> Graph:
    """As `job_of`, for a schedule that has a graph: each job of it is one of the schedule's."""
    if schedule.workflow is None:
        graph = read_job_graph(schedule.job, _ANY_TYPE, ids, request_id=request_id, trace=trace)
    else:
        graph = read_workflow(schedule.workflow, _ANY_TYPE, ids, request_id=request_id, trace=trace)
    slot_ms = slot.at_ms if slot else 0
    members = tuple(_of_schedule(member, name, slot_ms) for member in graph.members)
    return graph._replace(anchor=_of_schedule(graph.anchor, name, slot_ms), members=members)


def graph_of_slot(
    schedule: Schedule, ids: JobIds, name: str, version: int, slot: ScheduleSlot, sampler: Sampler = KEEP_ALL
) -> Graph:
    """As `job_of_slot`, for a schedule that has a graph."""
    request_id = derived_request_id(name, version, slot.at_ms)
    trace = sampler.decided(_trace_of_slot(name, version, slot))
    graph = graph_of(schedule, ids, name=name, slot=slot, request_id=request_id, trace=trace)
    # The digits of the request id stand for name, version and slot; its time, which the new id takes over, is the
    # slot's.
    return under(graph, derived_id(schedule.queue, request_id.replace("-", ""), "slot", request_id))


def _of_schedule(one: GraphJob, name: str, slot_ms: int) -> GraphJob:
    spec = one.spec._replace(schedule=name, scheduled_for=slot_ms)
    return one._replace(spec=spec, job=one.job._replace(spec_text=spec.to_text()))


def _trace_of_slot(name: str, version: int, slot: ScheduleSlot) -> Trace:
    return trace_of(hashlib.sha256(f"trace {name} {version} {slot.at_ms}".encode()).hexdigest()[:48])
