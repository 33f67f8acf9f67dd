"""What the requests for graphs have in common: each job in them, each `then` and each parent is read here. Pure.

    "then": [{"type": "email", "payload": {…}, "on": "failed", "then": [{"type": "noop", "payload": {}}]}]

is two jobs: "then 0", which runs if its parent has failed, and "then 0.0", which runs if "then 0" has completed. A
fault in the second one's payload is told as /then/0/then/0/payload/to.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.end_webhook import faults_of_callback
from lib.jobs.job import NewJob
from lib.jobs.job_type import WITHOUT_SETTINGS
from lib.jobs.payload import MOST_FAULTS, escape_pointer, json_type
from lib.jobs.registry import Registry
from lib.jobs.request_fields import fields_error
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import ANCHORED, RULES, WORKFLOW_TYPE, Edge, Graph, GraphJob, OutsideEdge, member_id
from lib.tracing import Trace

MOST_IN_THEN: Final = 1000
NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NAME_RULE: Final = "1 to 64 letters of A-Z a-z, digits, _ . or -"
NO_UNIQUE: Final = (
    "has no place beside `after` or `then`: send an Idempotency-Key with the request, or in a handler give `once`"
)
MADE_ELSEWHERE: Final = "POST /api/workflows makes one; a workflow within another has `jobs`, and no type"
_NOT_IN_THEN: Final = {
    "unique": NO_UNIQUE,
    "after": "has no place here: a job of `then` waits for the job whose `then` it stands in",
}


class Draft:
    """A job of a request that is not yet read to its end: each job that is read later may add itself to `followers`."""

    __slots__ = ("edges", "followers", "is_workflow", "job", "name", "opens", "spec")

    def __init__(self, job: NewJob, spec: JobSpec, *, is_workflow: bool = False) -> None:
        self.job = job
        self.spec = spec
        self.name = ""
        self.is_workflow = is_workflow
        self.edges: list[Edge] = []
        self.followers: list[str] = []
        self.opens: list[str] = []

    def wait_for(self, parent: "Draft", rule: str, name: str) -> None:
        """This job waits for the end of `parent`."""
        self.edges.append(Edge(parent.job.job_id, rule, name))
        parent.followers.append(self.job.job_id)

    def whole(self) -> GraphJob:
        edges, followers, opens = tuple(self.edges), tuple(self.followers), tuple(self.opens)
        return GraphJob(self.job, edges, followers, self.is_workflow, self.spec, opens, self.name)


class ParentInRequest(NamedTuple):
    """An element of an `after`. job: the id or the name that stands there; pointer: where it stands."""

    job: str
    rule: str
    pointer: str


class _FollowUp(NamedTuple):
    """An element of a `then` that is yet to be read."""

    sent: Any
    pointer: str
    name: str
    parent: Draft


class GraphReader:
    """Reads the jobs of one request. `errors`: what is wrong with it. `members`: the jobs read, but for the anchor."""

    def __init__(self, registry: Registry, ids: JobIds, *, request_id: str, trace: Trace, by: str) -> None:
        """by: the id of the job whose handler asks for the graph; "" for none."""
        self._registry = registry
        self._ids = ids
        self._request_id = request_id
        self._trace = trace
        self._by = by
        self.errors: list[FieldError] = []
        self.members: list[Draft] = []

    @property
    def has_enough(self) -> bool:
        """Whether more faults were found than are told."""
        return len(self.errors) > MOST_FAULTS

    def refuse(self, pointer: str, detail: str) -> None:
        self.errors.append(FieldError(pointer, detail))

    def new_id(self, queue: str) -> str:
        """A new job's id."""
        return self._ids.new(queue, self._request_id)

    def graph(self, anchor: Draft, outside: Sequence[OutsideEdge] = ()) -> Graph:
        """The graph of all that was read. Raises InvalidFields with every fault."""
        if self.errors:
            raise fields_error(self.errors)
        return Graph(anchor.whole(), tuple(member.whole() for member in self.members), tuple(outside))

    # Single jobs.

    def read_job(self, sent: dict[str, Any], pointer: str, refused: Mapping[str, str]) -> Draft | None:
        """A job as POST /api/jobs takes one, but for the fields of `refused`, each with the reason. None where it is
        not valid, and then `errors` says why."""
        count = len(self.errors)
        for name in refused:
            if sent.get(name) is not None:
                self.refuse(f"{pointer}/{name}", refused[name])
        if sent.get("type") == WORKFLOW_TYPE:
            self.refuse(f"{pointer}/type", MADE_ELSEWHERE)
        if len(self.errors) > count:
            return None
        try:
            job, spec = submission.read(sent, self._registry, self._ids, request_id=self._request_id, trace=self._trace)
        except InvalidFields as fault:
            self.errors.extend(error._replace(pointer=pointer + error.pointer) for error in fault.errors)
            return None
        if self._by:
            spec = spec._replace(by=self._by)
            job = job._replace(spec_text=spec.to_text())
        return Draft(job, spec)

    def workflow(self, job_id: str, name: str | None) -> Draft:
        """A workflow's own job. No handler runs it, so its max_attempts, timeout_s and backoff mean nothing."""
        spec = JobSpec(
            WORKFLOW_TYPE,
            {"name": name} if name is not None else {},
            self._request_id,
            self._trace,
            max_attempts=1,
            timeout_s=WITHOUT_SETTINGS.timeout_s,
            backoff=WITHOUT_SETTINGS.backoff,
            by=self._by,
        )
        return Draft(NewJob(job_id, "normal", spec.to_text()), spec, is_workflow=True)

    def call_back(self, workflow: Draft, url: str, pointer: str) -> None:
        """The end of the workflow that stands at `pointer` is sent to the URL; "" for none."""
        if url:
            faults = faults_of_callback(url, self._registry)
            self.errors.extend(fault._replace(pointer=pointer + fault.pointer) for fault in faults)
            workflow.spec = workflow.spec._replace(callback_url=url)
            workflow.job = workflow.job._replace(spec_text=workflow.spec.to_text(), calls_back=True)

    def name_member(self, draft: Draft, anchor_id: str, name: str) -> None:
        """Give the job its id among those of the anchor, or of the workflow whose member it is."""
        draft.name = name
        draft.job = draft.job._replace(job_id=member_id(draft.job.queue, anchor_id, name))
        self.members.append(draft)

    # Parts of a request.

    def read_rule(self, on: Any, pointer: str) -> str:
        """The rule's letter for the word of `on`; that of `completed` where it is null or wrong."""
        if on is not None and (type(on) is not str or on not in RULES):
            self.refuse(pointer, "must be one of " + ", ".join(RULES))
            return RULES["completed"]
        return RULES[on or "completed"]

    def read_parent(self, element: Any, pointer: str, known: tuple[str, ...]) -> ParentInRequest | None:
        """`"fetch"` or `{"job": "fetch", "on": "ended"}`, with members of these names; None where it is neither."""
        if type(element) is str:
            return ParentInRequest(element, RULES["completed"], pointer)
        if type(element) is not dict:
            self.refuse(pointer, f"must be a string or an object with job and on, not {json_type(element)}")
            return None
        for name in element:
            if name not in known:
                self.refuse(below(pointer, name), "is not known here; known: " + ", ".join(known))
        rule = self.read_rule(element.get("on"), f"{pointer}/on")
        job = element.get("job")
        if type(job) is not str:
            self.refuse(f"{pointer}/job", "is missing" if job is None else f"must be a string, not {json_type(job)}")
            return None
        return ParentInRequest(job, rule, f"{pointer}/job")

    def array_in(self, value: Any, pointer: str) -> list[Any]:
        """The elements of an array; of null none."""
        if value is not None and type(value) is not list:
            self.refuse(pointer, f"must be an array, not {json_type(value)}")
            return []
        return value or []

    # `then`.

    def read_then(self, value: Any, anchor: Draft) -> None:
        """The jobs of the anchor's `then`, and those of theirs, the nearest to the anchor first."""
        waiting: deque[_FollowUp] = deque()
        count = self._note_then(value, "/then", "then ", anchor, waiting)
        while waiting and count <= MOST_IN_THEN and not self.has_enough:
            count += self._read_follow_up(waiting.popleft(), anchor, waiting)
        if count > MOST_IN_THEN:
            self.refuse("/then", f"has more than {MOST_IN_THEN} jobs in all")

    def _note_then(self, value: Any, pointer: str, prefix: str, parent: Draft, waiting: deque[_FollowUp]) -> int:
        """Put the elements of one `then` into `waiting`. Returns how many there are."""
        elements = self.array_in(value, pointer)
        for number, sent in enumerate(elements[: MOST_IN_THEN + 1]):
            waiting.append(_FollowUp(sent, f"{pointer}/{number}", f"{prefix}{number}", parent))
        return len(elements)

    def _read_follow_up(self, follow_up: _FollowUp, anchor: Draft, waiting: deque[_FollowUp]) -> int:
        """Read the job into `members`, and put the elements of its own `then` into `waiting`. Returns how many there
        are."""
        sent, pointer, name, parent = follow_up
        if type(sent) is not dict:
            self.refuse(pointer, f"must be an object, a job, not {json_type(sent)}")
            return 0
        asked = dict(sent)
        rule = self.read_rule(asked.pop("on", None), f"{pointer}/on")
        then = asked.pop("then", None)
        draft = self.read_job(asked, pointer, _NOT_IN_THEN)
        if draft is None:
            return 0
        self.name_member(draft, anchor.job.job_id, name)
        draft.wait_for(parent, rule, "")
        if parent is not anchor:
            # An anchor that was never written tells nobody of its end: who waits for others alone would not hear of it.
            draft.edges.append(Edge(anchor.job.job_id, ANCHORED, ""))
            anchor.opens.append(draft.job.job_id)
        return self._note_then(then, f"{pointer}/then", f"{name}.", draft, waiting)


def below(pointer: str, name: str) -> str:
    """The pointer of a member of an object: ("/jobs", "a/b") gives "/jobs/a~1b"."""
    return f"{pointer}/{escape_pointer(name)}"
