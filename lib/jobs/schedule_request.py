"""Requests for schedules, checked: the JSON of PUT /api/schedules/{name} and of …/preview, and what Redis keeps of it.
Pure but for the zones, which are the host's.

    {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "job": {"type": "report", "payload": {"month": "2026-11"}}}

becomes a Schedule, or one InvalidFields that names every wrong field, `/cron` or `/job/payload/month` say. The job is
checked as POST /api/jobs checks one, and the defaults of its type are written into it, so that whoever queues it later
needs to know no types (`job_of`).
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds, derived_request_id
from lib.jobs import submission
from lib.jobs.cron_text import CronError, read_cron
from lib.jobs.job import MAX_DELAY_S, NewJob
from lib.jobs.job_type import JobType
from lib.jobs.masking import unmasked
from lib.jobs.payload import json_type, whole
from lib.jobs.registry import Registry
from lib.jobs.request_fields import CHECKS, FieldFault, checked, fields_error, object_in, seconds
from lib.jobs.schedule import CATCH_UPS, OVERLAPS, Schedule, ScheduleSlot
from lib.jobs.spec import JobSpec
from lib.jobs.zones import UnknownZone, find_zone
from lib.json_text import to_json
from lib.tracing import Trace, trace_of

SCHEDULE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
LAST_YEAR_MS: Final = 7_258_118_400_000
"""2200-01-01T00:00:00Z: no schedule starts or ends later."""
MAX_JITTER_S: Final = 86_400
MOST_PREVIEWED: Final = 50
_OWNER: Final = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")
_UNTIL_WORKFLOWS = "comes with a later version; schedules of this version queue a job by itself"
_NOT_IN_A_JOB: Final = {
    "delay_s": "has no place here: the schedule says when the job is queued",
    "run_at": "has no place here: the schedule says when the job is queued",
    "unique": 'has no place here: use the schedule\'s overlap ("skip", "queue" or "allow")',
    "then": _UNTIL_WORKFLOWS,
    "after": _UNTIL_WORKFLOWS,
}


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
    "overlap": _one_of(*OVERLAPS),
    "catch_up": _one_of(*CATCH_UPS),
    "paused": _paused,
    "owner": _owner,
}
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
    fields = _fields(body, _FIELDS, errors, required=("job",))
    if "job" in fields:
        fields["job"] = _resolved(fields["job"], registry, ids, kept, errors)
    elif "job" not in body:
        errors.append(FieldError("/job", "is missing"))
    if errors:
        raise fields_error(errors)
    paused = kept.paused if kept is not None else False
    return Schedule(**{**_BARE, "paused": paused, **fields})


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
    sent: dict[str, Any], registry: Registry, ids: JobIds, kept: Schedule | None, errors: list[FieldError]
) -> dict[str, Any]:
    """The job with the defaults of its type. What is wrong with it is added to `errors`, with pointers under /job."""
    refused = [name for name in _NOT_IN_A_JOB if sent.get(name) is not None]
    errors.extend(FieldError(f"/job/{name}", _NOT_IN_A_JOB[name]) for name in refused)
    job = {name: value for name, value in sent.items() if name not in _NOT_IN_A_JOB}
    masks: list[FieldError] = []
    stored = kept.job.get("payload") if kept is not None else None
    if "payload" in job:
        job["payload"] = unmasked(job["payload"], stored, "/payload", masks)
    try:
        made, spec = submission.read(job, registry, ids, request_id="schedule", trace=trace_of("0" * 48))
    except InvalidFields as fault:
        masks += fault.errors
    errors.extend(FieldError(f"/job{pointer}", detail) for pointer, detail in masks)
    return {} if masks else _with_defaults(made, spec)


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


# What Redis keeps, and the job of a slot.


def schedule_text(schedule: Schedule) -> str:
    """The schedule's JSON."""
    return to_json(schedule._asdict())


def schedule_from(text: bytes | str) -> Schedule:
    """The schedule that a text of `schedule_text` holds. Raises ValueError for any other text."""
    try:
        fields = json.loads(text)
        schedule = Schedule(**fields)
        schedule.queue  # noqa: B018  Raises KeyError where the job names none.
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise ValueError(f"the schedule can't be read: {fault!r}") from None
    return schedule


class _AnyType(Registry):
    """Knows every type, and lets any payload pass: a schedule's job was checked when it was PUT. Its defaults say
    nothing, as each of the type's own stands in the job."""

    def __init__(self) -> None:
        super().__init__(())

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


def job_of_slot(schedule: Schedule, ids: JobIds, name: str, version: int, slot: ScheduleSlot) -> tuple[NewJob, JobSpec]:
    """The job of one slot. Its request id and its trace are made of the schedule's name, its version and the slot, and
    of nothing else. Raises what `job_of` raises."""
    trace = trace_of(hashlib.sha256(f"trace {name} {version} {slot.at_ms}".encode()).hexdigest()[:48])
    request_id = derived_request_id(name, version, slot.at_ms)
    return job_of(schedule, ids, name=name, slot=slot, request_id=request_id, trace=trace)
