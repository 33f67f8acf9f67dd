"""/api/schedules/{schedule}: write a schedule, read, pause, resume and delete it, run it now; and preview times.
schedule_pages.py lists all schedules.

Each operation parses its request, makes one call on the ScheduleStore, logs the change, and shows the schedule
(shown_schedule.py). A schedule has a version, which is its ETag: a change with `If-Match: "7"` is made to that version
or to none, and a PUT with `If-None-Match: *` makes a new schedule or none.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from lib.api import idempotency
from lib.api.job_graphs import just_planted
from lib.api.jobs import OUTCOME
from lib.api.shown_schedule import present_preview, present_schedule
from lib.errors import FieldError, JobNotFound, ScheduleNotFound, behind_a_change
from lib.http1.message import Response
from lib.ids import JobIds
from lib.jobs.job import Accepted, JobRecord, Keyed
from lib.jobs.registry import Registry
from lib.jobs.request_fields import fields_error
from lib.jobs.schedule import Schedule
from lib.jobs.schedule_request import SCHEDULE_NAME, read_preview, read_schedule
from lib.jobs.shown import job_text, just_taken, outcome_of
from lib.jobs.slot_jobs import graph_of, job_of
from lib.jobs.workflow import under
from lib.jobs.zones import UnknownZone
from lib.logs.log import Log
from lib.queue.fleet import UpgradeGate
from lib.queue.job_store import JobStore
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_store import Precondition, ScheduleStore, always
from lib.web import json_body
from lib.web.json_answer import answer_json, answer_text
from lib.web.router import Call

_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


class ScheduleOperations:
    """The operations on schedules."""

    def __init__(
        self,
        schedules: ScheduleStore,
        job_store: JobStore,
        registry: Registry,
        ids: JobIds,
        gate: UpgradeGate,
        log: Log,
    ) -> None:
        self._schedules = schedules
        self._job_store = job_store
        self._registry = registry
        self._ids = ids
        self._gate = gate
        self._log = log

    async def put(self, call: Call) -> Response:
        name, body = _name(call), json_body.parse(call.request.body)
        await self._gate.require(_feature(body), "0.3.0")
        with _zone_faults("/timezone"):
            seen, is_new = await self._schedules.put(
                name, lambda present: self._wanted(body, present), _precondition(call)
            )
        if is_new is not None:
            self._log_change(call, seen, "created" if is_new else "changed")
        headers = [_etag(seen), *([("Location", f"/api/schedules/{name}")] if is_new else [])]
        return answer_json(201 if is_new else 200, present_schedule(seen), headers)

    async def read(self, call: Call) -> Response:
        return _answer(await self._schedules.read(_name(call)))

    async def delete(self, call: Call) -> Response:
        name = _name(call)
        await self._schedules.delete(name, _precondition(call))
        msg = f"Schedule {name} deleted; its jobs stay"
        self._log.info("schedule.deleted", msg, **call.asked_by, schedule=name)
        return Response(204)

    async def pause(self, call: Call) -> Response:
        return await self._set_paused(call, is_paused=True)

    async def resume(self, call: Call) -> Response:
        return await self._set_paused(call, is_paused=False)

    async def _set_paused(self, call: Call, *, is_paused: bool) -> Response:
        json_body.expect_no_fields(call.request.body)
        name, may_change = _name(call), _precondition(call)
        seen = await self._schedules.read(name)
        if seen.schedule.paused == is_paused and may_change(seen.version):
            return _answer(seen)
        with _zone_faults(""):
            seen, _ = await self._schedules.put(name, lambda present: _paused(name, present, is_paused), may_change)
        self._log_change(call, seen, "paused" if is_paused else "resumed")
        return _answer(seen)

    async def run(self, call: Call) -> Response:
        """Queue the schedule's job now. Its slots go on as they are."""
        json_body.expect_no_fields(call.request.body)
        keyed, seen = idempotency.keyed(call), await self._schedules.read(_name(call))
        if seen.schedule.has_graph:
            record, accepted = await self._run_graph(call, seen, keyed)
        else:
            record, accepted = await self._run_job(call, seen, keyed)
        with behind_a_change():
            await self._schedules.note_run(seen, accepted.job_id)
        msg = f"Schedule {seen.name} was run now: {accepted.job_id}"
        self._log.info("schedule.run", msg, **call.asked_by, schedule=seen.name, job_id=accepted.job_id)
        if accepted.outcome != "new":
            record = await self._known(record, accepted.job_id)
        return _job_answer(record, accepted)

    async def _run_job(self, call: Call, seen: ScheduleSeen, keyed: Keyed) -> tuple[JobRecord, Accepted]:
        made = job_of(seen.schedule, self._ids, name=seen.name, slot=None, request_id=call.request_id, trace=call.trace)
        job, spec = made
        accepted = await self._job_store.enqueue(job._replace(idempotency_key=keyed.key, fingerprint=keyed.fingerprint))
        if accepted.outcome == "conflict":
            raise idempotency.key_reused_error()
        return just_taken(job, spec, accepted.created_ms), accepted

    async def _run_graph(self, call: Call, seen: ScheduleSeen, keyed: Keyed) -> tuple[JobRecord, Accepted]:
        """`run` where the schedule has several jobs. Returns the anchor of their graph."""
        name, trace = seen.name, call.trace
        graph = graph_of(seen.schedule, self._ids, name=name, slot=None, request_id=call.request_id, trace=trace)
        planted = await self._job_store.workflows.plant(graph, keyed)
        outcome = "replayed-new" if planted.is_replayed else "new"
        accepted = Accepted(planted.anchor_id, outcome, planted.created_ms)
        return just_planted(under(graph, planted.anchor_id).anchor, accepted), accepted

    async def _known(self, record: JobRecord, job_id: str) -> JobRecord:
        """The job that an earlier request with this idempotency key queued; as `record` where it is trimmed."""
        try:
            return await self._job_store.read(job_id)
        except JobNotFound:
            return record._replace(job_id=job_id, state="")

    async def preview(self, call: Call) -> Response:
        schedule, count = read_preview(json_body.parse(call.request.body))
        with _zone_faults("/timezone"):
            return answer_json(200, present_preview(schedule, await self._schedules.now_ms(), count))

    def _wanted(self, body: Any, present: ScheduleSeen | None) -> Schedule:
        return read_schedule(body, self._registry, self._ids, present.schedule if present else None)

    def _log_change(self, call: Call, seen: ScheduleSeen, verb: str) -> None:
        msg = f"Schedule {seen.name} {verb}"
        about = {"schedule": seen.name, "queue": seen.schedule.queue, "version": seen.version}
        self._log.info(f"schedule.{verb}", msg, **call.asked_by, **about)


def _name(call: Call) -> str:
    name = call.path["schedule"]
    if not SCHEDULE_NAME.fullmatch(name):
        raise ScheduleNotFound(
            "that can't be a schedule's name: a-z, 0-9, . _ and -, beginning with a letter or digit, 100 at most"
        )
    return name


def _feature(body: Any) -> str:
    """What a PUT asks for, as the gate says it."""
    if type(body) is dict and body.get("workflow") is not None:
        return "schedules of workflows"
    job = body.get("job") if type(body) is dict else None
    return "schedules with `then`" if type(job) is dict and job.get("then") else "schedules"


def _paused(name: str, present: ScheduleSeen | None, is_paused: bool) -> Schedule:
    if present is None:
        raise ScheduleNotFound(f"there is no schedule {name!r}; somebody has just deleted it")
    return present.schedule._replace(paused=is_paused)


def _answer(seen: ScheduleSeen) -> Response:
    return answer_json(200, present_schedule(seen), [_etag(seen)])


def _job_answer(record: JobRecord, accepted: Accepted) -> Response:
    headers = [("Location", f"/api/jobs/{accepted.job_id}"), (OUTCOME, outcome_of(accepted))]
    if accepted.outcome.startswith("replayed"):
        headers.append(idempotency.REPLAYED)
    return answer_text(202, f'{job_text(record)[:-1]},"outcome":"{outcome_of(accepted)}"}}', headers)


@contextlib.contextmanager
def _zone_faults(pointer: str) -> Iterator[None]:
    """A zone that this host does not know is the caller's fault in a PUT, and else the host's: 422 in each case."""
    try:
        yield
    except UnknownZone as fault:
        raise fields_error([FieldError(pointer, str(fault))]) from None


def _etag(seen: ScheduleSeen) -> tuple[str, str]:
    return "ETag", f'"{seen.version}"'


def _precondition(call: Call) -> Precondition:
    """What If-Match and If-None-Match allow (RFC 9110, 13.1): a list of ETags, or `*` for any version."""
    match, none_match = (call.request.headers.get(name) for name in ("if-match", "if-none-match"))
    if match is None and none_match is None:
        return always
    allows, forbids = _versions(match), _versions(none_match)
    return lambda version: (match is None or allows(version)) and not (none_match is not None and forbids(version))


def _versions(text: str | None) -> Callable[[int | None], bool]:
    """Whether a version is among those of the field. A weak ETag (W/"7") is none of ours."""
    if text is None or text.strip() == "*":
        return lambda version: version is not None
    named = {found[2] for found in _ETAG.finditer(text) if not found[1]}
    return lambda version: str(version) in named
