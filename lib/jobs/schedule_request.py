"""Requests for schedules, checked: the JSON of PUT /api/schedules/{name} and of …/preview, and what Redis keeps of it.
Pure but for the zones, which are the host's.

    {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "job": {"type": "report", "payload": {"month": "2026-11"}}}

becomes a Schedule, or one InvalidFields that names every wrong field, `/cron` or `/job/payload/month` say. The job is
checked as POST /api/jobs checks one, and so are the jobs of its `then`; a `workflow`, in the place of the job, is
checked as POST /api/workflows checks one. The defaults of their types are written into all of them, so that whoever
queues them later needs to know no types (slot_jobs.py).
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.cron_text import CronError, read_cron
from lib.jobs.graph_reader import MOST_IN_THEN
from lib.jobs.job import MAX_DELAY_S, NewJob
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.masking import unmasked
from lib.jobs.payload import json_type, whole
from lib.jobs.registry import Registry
from lib.jobs.request_fields import CHECKS, FieldFault, checked, fields_error, object_in, seconds
from lib.jobs.schedule import CATCH_UPS, OVERLAPS, Schedule
from lib.jobs.schedule_tree import each_job, with_each_job, with_kept_urls
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import WORKFLOW_TYPE
from lib.jobs.workflow_request import MOST_JOBS as MOST_IN_WORKFLOWS
from lib.jobs.workflow_request import read_workflow
from lib.jobs.zones import UnknownZone, find_zone
from lib.json_text import to_json
from lib.tracing import trace_of

SCHEDULE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
LAST_YEAR_MS: Final = 7_258_118_400_000
"""2200-01-01T00:00:00Z: no schedule starts or ends later."""
MAX_JITTER_S: Final = 86_400
MOST_PREVIEWED: Final = 50
MOST_JOBS: Final = MOST_IN_WORKFLOWS + MOST_IN_THEN
_OWNER: Final = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")
MOST_TEXT: Final = 1 << 20
"""So many bytes has the text of a schedule of several jobs at most. A supervisor reads it at each slot."""
_NOT_IN_A_JOB: Final = {
    "delay_s": "has no place here: the schedule says when the job is queued",
    "run_at": "has no place here: the schedule says when the job is queued",
    "unique": 'has no place here: use the schedule\'s overlap ("skip", "queue" or "allow")',
    "after": "has no place here: a schedule's run waits for no job; what is to run behind it stands in its `then`",
}
_NOT_IN_OTHER_JOBS: Final = {
    "run_at": "has no place here: it is one time, and the schedule has many; use delay_s",
    "unique": _NOT_IN_A_JOB["unique"],
}
"""The same of the other jobs of a schedule: those of a `then`, and of a workflow."""
_OF_GRAPHS: Final = ("on", "after", "optional")
"""What a job of a graph says of the jobs for which it waits, or which wait for it."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise FieldFault(f"must be a string, not {json_type(value)}")
    return value


def _cron(value: Any) -> str:
    try:
        return read_cron(_text(value)).text
    except CronError as fault:
        raise FieldFault(str(fault)) from None


def _every_ms(value: Any) -> int:
    return round(seconds(value, 1, MAX_DELAY_S) * 1000)


def _timezone(value: Any) -> str:
    try:
        find_zone(_text(value))
    except UnknownZone as fault:
        raise FieldFault(str(fault)) from None
    return str(value)


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise FieldFault("must be one of " + ", ".join(words))
        return str(value)

    return check


def _jitter_ms(value: Any) -> int:
    return round(seconds(value, 0, MAX_JITTER_S) * 1000)


def _bound_ms(value: Any) -> int:
    bound_ms: int = CHECKS["run_at"](value)
    if bound_ms >= LAST_YEAR_MS:
        raise FieldFault("must be before the year 2200")
    return bound_ms


def _paused(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldFault(f"must be a boolean, not {json_type(value)}")
    return value


def _owner(value: Any) -> str:
    if not _OWNER.fullmatch(_text(value)):
        raise FieldFault("must be 1 to 128 letters, digits and . _ : @ / -")
    return str(value)


def _count(value: Any) -> int:
    count = whole(value)
    if count is None or not 1 <= count <= MOST_PREVIEWED:
        raise FieldFault(f"must be an integer from 1 to {MOST_PREVIEWED}")
    return count


_TIMES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cron": _cron,
    "every_s": _every_ms,
    "timezone": _timezone,
    "jitter_s": _jitter_ms,
    "starts_at": _bound_ms,
    "ends_at": _bound_ms,
}
_FIELDS: Final = {
    **_TIMES,
    "job": CHECKS["payload"],
    "workflow": CHECKS["payload"],
    "overlap": _one_of(*OVERLAPS),
    "catch_up": _one_of(*CATCH_UPS),
    "paused": _paused,
    "owner": _owner,
}
KINDS: Final = ("job", "workflow")
_NO_TRACE: Final = trace_of("0" * 48)
_PREVIEWED: Final = {**_TIMES, "count": _count}
_STORED_AS: Final = {"every_s": "every_ms", "jitter_s": "jitter_ms", "starts_at": "starts_ms", "ends_at": "ends_ms"}
_BARE: Final[Mapping[str, Any]] = {"cron": "", "every_ms": 0, "timezone": "UTC", "job": {}}


def read_preview(body: Any) -> tuple[Schedule, int]:
    """The times that are asked about, as a schedule without a job, and how many are to be shown. Raises
    InvalidFields."""
    errors: list[FieldError] = []
    fields = _fields(object_in(body), _PREVIEWED, errors)
    if errors:
        raise fields_error(errors)
    count = fields.pop("count", 5)
    return Schedule(**{**_BARE, **fields}), count


def read_schedule(body: Any, registry: Registry, ids: JobIds, kept: Schedule | None) -> Schedule:
    """The schedule that `body` asks for. kept: the schedule that Redis holds under the name. Where the body has masks
    in the payload, as GET shows them, the secrets of `kept` are put back; where the body does not say `paused`, the
    pause of `kept` stays. Raises InvalidFields with every fault.

    WHY: a deploy sends its schedules again each time, and must not undo what a person has paused."""
    body = object_in(body)
    errors: list[FieldError] = []
    fields = _fields(body, _FIELDS, errors)
    given = [kind for kind in KINDS if body.get(kind) is not None]
    if not given:
        errors.append(FieldError("/job", "is missing; give it, or a workflow"))
    if len(given) == 2:
        errors.append(FieldError("/workflow", "can't stand beside job; give one of them"))
    for kind in given:
        if kind in fields:
            fields[kind] = _resolved(kind, fields[kind], registry, ids, kept, errors)
    if errors:
        raise fields_error(errors)
    paused = kept.paused if kept is not None else False
    schedule = Schedule(**{**_BARE, "paused": paused, **fields})
    if schedule.has_graph and (length := len(schedule_text(schedule).encode())) > MOST_TEXT:
        detail = f"has {length} bytes with the defaults of its jobs' types, and {MOST_TEXT} are the most"
        raise fields_error([FieldError(f"/{given[0]}", f"{detail}: have long payloads lie elsewhere, or split it")])
    return schedule


def _fields(
    body: dict[str, Any],
    checks: Mapping[str, Callable[[Any], Any]],
    errors: list[FieldError],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The checked values under the names of Schedule, and what is wrong with them together."""
    fields = checked(body, checks, errors, required)
    given = [name for name in ("cron", "every_s") if body.get(name) is not None]
    if not given:
        errors.append(FieldError("/cron", 'is missing; give it, as "0 3 * * *", or every_s, as 300'))
    if len(given) == 2:
        errors.append(FieldError("/every_s", "can't stand beside cron; give one of them"))
    if "starts_at" in fields and "ends_at" in fields and fields["ends_at"] <= fields["starts_at"]:
        errors.append(FieldError("/ends_at", "must be after starts_at"))
    return {_STORED_AS.get(name, name): value for name, value in fields.items()}


def _resolved(
    kind: str, sent: dict[str, Any], registry: Registry, ids: JobIds, kept: Schedule | None, errors: list[FieldError]
) -> dict[str, Any]:
    """The job or the workflow, with the defaults of the types of all its jobs. What is wrong with it is added to
    `errors`, with pointers under /job or /workflow."""
    if kind == "job" and sent.get("type") == WORKFLOW_TYPE:
        errors.append(FieldError("/job/type", "has no handler: give the workflow's jobs in `workflow`, without a job"))
        return {}
    # WHY before all else: what follows looks at each of them, and a body of a MiB may hold 300,000.
    if any(islice(each_job(sent), MOST_JOBS, None)):
        errors.append(FieldError(f"/{kind}", f"has more than {MOST_JOBS} jobs"))
        return {}
    faults: list[FieldError] = []
    wanted = with_each_job(sent, lambda job, at: _without_refused(job, at, kind, faults))
    errors.extend(FieldError(f"/{kind}{pointer}", detail) for pointer, detail in faults)
    masks: list[FieldError] = []
    known = getattr(kept, kind, None)
    stored = {at: job.get("payload") for at, job in each_job(known)}
    wanted = with_each_job(wanted, lambda job, at: _with_secrets(job, at, stored, masks))
    wanted = with_kept_urls(wanted, known)
    read = read_job_graph if kind == "job" else read_workflow
    try:
        read(wanted, registry, ids, request_id="schedule", trace=_NO_TRACE)
    except InvalidFields as fault:
        masks += fault.errors
    errors.extend(FieldError(f"/{kind}{pointer}", detail) for pointer, detail in masks)
    if masks:
        return {}
    if kind == "workflow":
        wanted = {**wanted, "queue": wanted.get("queue") or "default"}
    return dict(with_each_job(wanted, lambda job, at: _with_type_defaults(job, registry, ids)))


def _without_refused(job: dict[str, Any], pointer: str, kind: str, faults: list[FieldError]) -> dict[str, Any]:
    refused = _NOT_IN_OTHER_JOBS if pointer or kind == "workflow" else _NOT_IN_A_JOB
    faults.extend(FieldError(f"{pointer}/{name}", refused[name]) for name in refused if job.get(name) is not None)
    return {name: value for name, value in job.items() if name not in refused}


def _with_secrets(
    job: dict[str, Any], pointer: str, stored: Mapping[str, Any], masks: list[FieldError]
) -> dict[str, Any]:
    """The job with what `stored` has, by the jobs' pointers, in the place of each mask."""
    if "payload" not in job:
        return job
    return job | {"payload": unmasked(job["payload"], stored.get(pointer), f"{pointer}/payload", masks)}


def _with_type_defaults(job: dict[str, Any], registry: Registry, ids: JobIds) -> dict[str, Any]:
    alone = {name: value for name, value in job.items() if name not in (*_OF_GRAPHS, "jobs")}
    made, spec = submission.read(alone, registry, ids, request_id="schedule", trace=_NO_TRACE)
    of_graph = {name: job[name] for name in ("delay_s", *_OF_GRAPHS) if job.get(name) is not None}
    return _with_defaults(made, spec) | of_graph


def _with_defaults(made: NewJob, spec: JobSpec) -> dict[str, Any]:
    """The fields of the request for the job as the type's defaults fill them in; what says nothing is left out."""
    found: dict[str, Any] = {"type": spec.type, "payload": spec.payload, "queue": made.queue}
    found |= {name: getattr(spec, name) for name in CHECKS if name in JobSpec._fields and name not in found}
    lengths = {"expires_in_s": made.expires_in_ms, "retain_s": made.retain_ms, "give_up_after_s": made.give_up_ms}
    found |= {name: ms / 1000 for name, ms in lengths.items() if ms is not None}
    found["backoff"] = {name: _short(value) for name, value in spec.backoff._asdict().items()}
    return {name: _short(value) for name, value in found.items() if value not in ("", ())}


def _short(value: Any) -> Any:
    """As JSON shows it in a job: 60 for 60.0, a list for a tuple."""
    if type(value) is float and value.is_integer():
        return int(value)
    return list(value) if type(value) is tuple else value


# What Redis keeps.


def schedule_text(schedule: Schedule) -> str:
    """The schedule's JSON."""
    fields = schedule._asdict()
    if schedule.workflow is None:
        del fields["workflow"]
    return to_json(fields)


def schedule_from(text: bytes | str) -> Schedule:
    """The schedule that a text of `schedule_text` holds. Raises ValueError for any other text."""
    try:
        fields = json.loads(text)
        schedule = Schedule(**fields)
        schedule.queue  # noqa: B018  Raises KeyError where it names none.
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise ValueError(f"the schedule can't be read: {fault!r}") from None
    return schedule
