"""A request for a job, checked: the JSON that POST /api/jobs takes, and what a handler's `ctx.enqueue` is given. Pure.

    {"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}, "delay_s": 60}

becomes a NewJob for job_store.py to enqueue, or one InvalidFields that names every wrong field by a JSON Pointer.
Nothing is queued here.
"""

import re
from typing import Any, Final

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds
from lib.jobs.author_checks import Invalid
from lib.jobs.end_webhook import faults_of_callback
from lib.jobs.group import group_named_by
from lib.jobs.job import DEBOUNCE, KEEP, REPLACE, NewJob, make_new_job
from lib.jobs.registry import JobType, Registry
from lib.jobs.request_fields import CHECKS, REQUIRED, FieldFault, checked, fields_error, object_in
from lib.jobs.spec import JobSpec, make_spec
from lib.jobs.workflow import WORKFLOW_TYPE
from lib.tracing import Trace

BRIEF = FieldError("/unique/ttl_s", "is shorter than the delay: the key would be free again before the job may run")
_TAKES_A_PLACE: Final = (
    "can't stand beside unique.mode replace or debounce, by which a job may become another one: leave it out, or use"
    " the mode keep or throttle"
)
GRAPH_FIELDS: Final = frozenset(("after", "then"))
"""A request with one of these fields asks for several jobs at once. job_graph_request.py takes them out, and has the
job itself read here."""
_ONCE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _of_other_jobs(value: Any) -> None:
    raise FieldFault("has no place here: send the job to POST /api/jobs, which takes `after` and `then`")


_ALL_CHECKS: Final = {**CHECKS, **dict.fromkeys(sorted(GRAPH_FIELDS), _of_other_jobs)}


def read(body: Any, registry: Registry, ids: JobIds, *, request_id: str, trace: Trace) -> tuple[NewJob, JobSpec]:
    """The job that `body` asks for, under a new id. Raises InvalidFields with every fault."""
    body = object_in(body)
    errors: list[FieldError] = []
    fields = checked(body, _ALL_CHECKS, errors, REQUIRED)
    job_type = _job_type(body, fields, registry, errors)
    if errors or job_type is None:
        raise fields_error(errors)
    asked = job_type.defaults | fields
    if job_type.group_of is not None and "group" not in fields:
        asked["group"] = job_type.group_of(fields["payload"])
    asked["request_id"], asked["trace"] = request_id, trace
    asked["unique_key"], unique_ttl_ms, unique_mode = asked["unique"]
    spec = make_spec(asked)
    spec_text = spec.to_text()
    if not spec_text.isascii() and not _is_utf8(spec_text):
        raise fields_error([FieldError("/payload", "holds half of a surrogate pair, which is no text")])
    job = make_new_job(
        ids.new(asked["queue"], request_id),
        asked["priority"],
        spec_text,
        asked["delay_s"],
        asked["run_at"],
        asked["expires_in_s"],
        asked["unique_key"],
        unique_ttl_ms,
        unique_mode,
        asked["retain_s"],
        asked["give_up_after_s"],
        asked["group"],
        asked["tags"],
        asked["group"] != "" and "group" not in fields,
        asked["callback_url"] != "",
    )
    return job, spec


def _job_type(
    body: dict[str, Any], fields: dict[str, Any], registry: Registry, errors: list[FieldError]
) -> JobType | None:
    """The type that the body names; with it, what is wrong with the fields together is added to `errors`."""
    if "type" not in body or "payload" not in body:
        errors.extend(FieldError("/" + name, "is missing") for name in REQUIRED if name not in body)
    if fields.get("delay_s"):
        _check_delay(fields, errors)
    if "unique" in fields:
        _set_quiet_time(fields, errors)
    if "callback_url" in fields:
        _check_callback(fields, registry, errors)
    if "type" not in fields:
        return None
    job_type = registry.get(fields["type"])
    if job_type is None:
        errors.append(FieldError("/type", _why_unknown(fields["type"], registry)))
    elif "payload" in fields:
        try:
            job_type.admit(fields["payload"], "/payload")
        except Invalid as fault:
            errors.extend(fault.errors)
        if job_type.group_by and "group" not in fields:
            _name_group(job_type, fields, errors)
    return job_type


def _why_unknown(type_name: str, registry: Registry) -> str:
    if type_name == WORKFLOW_TYPE:
        return "has no handler: POST /api/workflows makes one, with its jobs"
    if type_name == "webhook":
        return "no job module defines it; add lib.handlers.webhook to JOB_MODULES, of workers too, and restart them"
    return f"no job module defines it; known: {', '.join(registry.names) or 'none'} (see JOB_MODULES)"


def _name_group(job_type: JobType, fields: dict[str, Any], errors: list[FieldError]) -> None:
    """Have the payload name the job's group, if it does. A field that is wrong already is not found wrong twice."""
    try:
        if group := group_named_by(fields["payload"], job_type.group_by):
            fields["group"] = group
    except Invalid as fault:
        known = {error.pointer for error in errors}
        errors.extend(error for error in fault.errors if error.pointer not in known)


def _check_delay(fields: dict[str, Any], errors: list[FieldError]) -> None:
    _, unique_ttl_ms, *_ = fields.get("unique", ("", 0, ""))
    if unique_ttl_ms and unique_ttl_ms < fields["delay_s"]:
        errors.append(BRIEF)  # For a run_at, enqueue.lua compares: that takes Redis' clock.
    if fields.get("run_at") is not None:
        errors.append(FieldError("/run_at", "can't stand beside delay_s; give one of them"))


def _set_quiet_time(fields: dict[str, Any], errors: list[FieldError]) -> None:
    """Of the mode debounce the ttl_s is the job's delay."""
    key, unique_ttl_ms, mode, *quiet_ms = fields["unique"]
    if not quiet_ms:
        return
    given = [name for name in ("delay_s", "run_at") if fields.get(name) is not None]
    beside = "can't stand beside unique.mode debounce: its ttl_s is the delay"
    errors.extend(FieldError(f"/{name}", beside) for name in given)
    fields["unique"] = key, unique_ttl_ms, mode
    fields["delay_s"] = quiet_ms[0]


def _check_callback(fields: dict[str, Any], registry: Registry, errors: list[FieldError]) -> None:
    errors.extend(faults_of_callback(fields["callback_url"], registry))
    _, _, mode, *_ = fields.get("unique", ("", 0, KEEP))
    if mode in (REPLACE, DEBOUNCE):
        errors.append(FieldError("/callback_url", _TAKES_A_PLACE))


def without_group(job: NewJob) -> NewJob:
    """The job as it would be if nothing named a group for it."""
    spec = JobSpec.from_text(job.spec_text)
    return job._replace(spec_text=spec._replace(group="").to_text(), group="", may_lose_group=False)


def _is_utf8(text: str) -> bool:
    """Whether the text can be sent to Redis. A request's body always can; what a handler enqueues may not."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def check_once(name: object) -> None:
    """Raises InvalidFields for a name under which a running job can't enqueue another one (`once`)."""
    if not isinstance(name, str) or not _ONCE_NAME.fullmatch(name):
        raise once_error("must be a name of 1 to 64 letters, digits, _ . or -")


def once_error(detail: str) -> InvalidFields:
    """The error of a `ctx.enqueue` whose `once` can't be had."""
    return InvalidFields(f"once {detail}", errors=[FieldError("/once", detail)])
