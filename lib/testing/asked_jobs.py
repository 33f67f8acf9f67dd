"""The jobs that a handler asks for in a unit test: checked as in a running Waybill, and given ids. Nothing is queued.

For a JobContext of lib/testing, which keeps what was asked for.
"""

from collections.abc import Iterable
from typing import Any

from lib.errors import WrongState
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.addition import NO_MEMBER, Adder, name_taken, read_addition, rule_of_member
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.job_type import JobType
from lib.jobs.payload import decoder_for
from lib.jobs.registry import Registry
from lib.jobs.workflow_request import read_workflow
from lib.json_text import through_json
from lib.tracing import Trace

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")
_WORKFLOW_ID = "default-00000000000000000000000000000002"


class AnyType(Registry):
    """The types of some handlers; a type of any other name takes any object."""

    def get(self, name: str) -> JobType | None:
        return super().get(name) or JobType(name, print, decoder_for(dict), True)


class AskedJobs:
    """What one job has asked for. members: as JobContext has it."""

    def __init__(self, types: AnyType, job_id: str, request_id: str, members: Iterable[str] | None) -> None:
        self._types = types
        self._job_id = job_id
        self._request_id = request_id
        self._ids = JobIds()
        self._names: dict[str, str] = {}
        """The names under which the job has enqueued others (`once`), with their ids."""
        self._members: dict[str, str] | None = None
        if members is not None:
            self._members = {name: self._ids.new("default", request_id) for name in members}

    def job(self, body: dict[str, Any]) -> str:
        """The id of a new job, or of a graph's anchor."""
        if submission.GRAPH_FIELDS.isdisjoint(body):
            return submission.read(body, self._types, self._ids, request_id=self._request_id, trace=TRACE)[0].job_id
        graph = read_job_graph(through_json(body), self._types, self._ids, request_id=self._request_id, trace=TRACE)
        return graph.anchor.job.job_id

    def workflow(self, body: dict[str, Any]) -> str:
        """The id of a new workflow."""
        graph = read_workflow(through_json(body), self._types, self._ids, request_id=self._request_id, trace=TRACE)
        return graph.anchor.job.job_id

    def added(self, name: str, body: dict[str, Any]) -> str:
        """The id of a job in the workflow of the running one."""
        if self._members is None:
            raise WrongState(NO_MEMBER)
        asked = through_json(body)
        rule_of_member(asked.pop("optional"))
        adder = Adder(self._job_id, _WORKFLOW_ID, self._members, self._request_id, TRACE)
        job_id = read_addition(name, asked, adder, self._types, self._ids).job.job_id
        if self._members.setdefault(name, job_id) != job_id:
            raise name_taken(name)
        return job_id

    def named(self, once: str | None, new_id: str) -> str:
        """The id that stands for the name: `new_id`, or that of an earlier call."""
        if once is None:
            return new_id
        submission.check_once(once)
        return self._names.setdefault(once, new_id)
