"""A request for a job, checked: the JSON that POST /api/jobs takes, and what a handler's `ctx.enqueue` is given.

Every fault is found at once, each with a pointer to the field. Pure: nothing is queued here.
"""

import functools
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lib.errors import FieldError, InvalidFields
from lib.ids import QUEUE_NAME, JobIds
from lib.jobs.backoff import Backoff
from lib.jobs.job import MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S, PRIORITIES, JobSpec, NewJob
from lib.jobs.payload import MOST_FAULTS, Invalid, escape_pointer, json_type, whole
from lib.jobs.registry import JobType, Registry
from lib.tracing import Trace

LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z: the last one that RFC 3339 can write
MAX_UNIQUE_KEY = 255
UNIQUE_TTL_S = 86_400
BRIEF = FieldError("/unique/ttl_s", "is shorter than the delay: the key would be free again before the job may run")
_RFC3339 = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))[Tt ]"
    r"((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_ONCE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Wrong(ValueError):
    """A field's value is not what it must be; the message comes behind the pointer. below: what it adds to that."""

    def __init__(self, detail: str, below: str = "") -> None:
        super().__init__(detail)
        self.below = below


def read(body: Any, registry: Registry, ids: JobIds, *, request_id: str, trace: Trace) -> tuple[NewJob, JobSpec]:
    """The job that `body` asks for. Raises InvalidFields with every fault."""
    body = object_in(body)
    errors: list[FieldError] = []
    fields = checked(body, CHECKS, errors, REQUIRED)
    if "type" not in body or "payload" not in body:
        errors.extend(FieldError("/" + name, "is missing") for name in REQUIRED if name not in body)
    unique_key, unique_ttl_ms = fields.get("unique", ("", 0))
    if unique_ttl_ms and unique_ttl_ms < (fields.get("delay_s") or 0):
        errors.append(BRIEF)  # For a run_at it takes Redis' clock: see enqueue.lua.
    if fields.get("delay_s") and fields.get("run_at") is not None:
        errors.append(FieldError("/run_at", "can't stand beside delay_s; give one of them"))
    job_type = _type(fields.get("type"), registry, errors) if "type" in fields else None
    if job_type is not None and "payload" in fields:
        try:
            job_type.admit(fields["payload"], "/payload")
        except Invalid as fault:
            errors.extend(fault.errors)
    if errors or job_type is None:
        raise fields_error(errors)
    priority = fields.get("priority", "normal")
    asked = (
        job_type.name,
        fields["payload"],
        request_id,
        trace,
        fields.get("max_attempts", job_type.max_attempts),
        fields.get("timeout_s", job_type.timeout_s),
        fields.get("backoff", job_type.backoff),
        priority,
        unique_key,
    )
    spec = tuple.__new__(JobSpec, asked)  # as in job.py's first lines
    spec_text = spec.to_text()
    if not spec_text.isascii() and not _is_utf8(spec_text):
        raise fields_error([FieldError("/payload", "holds half of a surrogate pair, which is no text")])
    times = fields.get("delay_s"), fields.get("run_at"), fields.get("expires_in_s")
    job_id = ids.new(fields.get("queue", job_type.queue))
    retain_ms = fields.get("retain_s", job_type.retain_ms)
    give_up_ms = fields.get("give_up_after_s", job_type.give_up_ms)
    kept = (unique_key, unique_ttl_ms, "", "", retain_ms, give_up_ms)
    job = tuple.__new__(NewJob, (job_id, priority, spec_text, *times, *kept))
    return job, spec


def milliseconds(text: str) -> int:
    """An RFC 3339 time in ms since 1970. Raises Wrong."""
    match = _RFC3339.fullmatch(text)
    try:
        if not match:
            raise ValueError
        date, minute, second, fraction, zone = match.groups()
        is_leap = second == "60"
        text = f"{date}T{minute}:{'59' if is_leap else second}{'+00:00' if zone in 'Zz' else zone}"
        seconds = int(datetime.fromisoformat(text).timestamp()) + is_leap
        # A leap second is a day's last in UTC (RFC 3339, 5.7), and here the first of the next, as POSIX counts.
        if is_leap and seconds % 86_400:
            raise ValueError
        ms = seconds * 1000 + int(f"{fraction or ''}000"[:3])
    except (ValueError, OverflowError):
        raise Wrong("must be a time as RFC 3339 has it, with its zone, such as 2026-11-23T12:49:48.123Z") from None
    if not 0 <= ms <= LAST_MS:
        raise Wrong("must be from 1970 to 9999, in UTC")
    return ms


@functools.lru_cache(maxsize=64)  # All jobs of a commit were taken in at one time.
def timestamp(ms: int) -> str:
    """RFC 3339, UTC, with milliseconds. 0 <= ms <= LAST_MS."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@functools.lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _is_utf8(text: str) -> bool:
    """Whether it can be sent to Redis. A request's body always can; what a handler enqueues may not."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def check_once(name: object) -> None:
    """The name under which a running job enqueues another (`once`). Raises InvalidFields."""
    if not isinstance(name, str) or not _ONCE_NAME.fullmatch(name):
        raise wrong_once("must be a name of 1 to 64 letters, digits, _ . or -")


def wrong_once(detail: str) -> InvalidFields:
    return InvalidFields(f"once {detail}", errors=[FieldError("/once", detail)])


def fields_error(errors: list[FieldError]) -> InvalidFields:
    """What the caller is told of these faults."""
    shown = errors[:MOST_FAULTS]
    count = "many" if len(errors) > MOST_FAULTS else len(errors)
    return InvalidFields(f"{count} field{' is' if count == 1 else 's are'} not valid; see errors", errors=shown)


def object_in(body: Any) -> dict[str, Any]:
    """The body, if it is a JSON object. Raises InvalidFields."""
    if type(body) is not dict:
        raise fields_error([FieldError("", f"the body must be a JSON object, not {json_type(body)}")])
    fields: dict[str, Any] = body
    return fields


def checked(
    body: dict[str, Any],
    checks: Mapping[str, Callable[[Any], Any]],
    errors: list[FieldError],
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The fields that are there and right, in the form that a spec has them. One that is null is as if it were not
    there: clients that are made from a contract send each field that they know."""
    fields = {}
    for name, value in body.items():
        check = checks.get(name)
        try:
            if check is None:
                raise Wrong("is not known here; known: " + ", ".join(checks))
            fields[name] = check(value)
        except Wrong as fault:
            if value is None and check is not None and name not in required:
                continue
            errors.append(FieldError("/" + escape_pointer(name) + fault.below, str(fault)))
            if len(errors) > MOST_FAULTS:
                break
    return fields


def _type(name: str | None, registry: Registry, errors: list[FieldError]) -> JobType | None:
    job_type = registry.get(name) if name is not None else None
    if job_type is None:
        known = ", ".join(registry.names) or "none"
        errors.append(FieldError("/type", f"no job module defines it; known: {known} (see JOB_MODULES)"))
    return job_type


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Wrong(f"must be a string, not {json_type(value)}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise Wrong(f"must be an object, not {json_type(value)}")
    return value


def _queue(value: Any) -> str:
    if not QUEUE_NAME.fullmatch(_text(value)):
        raise Wrong("must be a queue's name: a-z, 0-9, _ and -, beginning with a letter or digit, 64 at most")
    return str(value)


def _priority(value: Any) -> str:
    if value not in PRIORITIES:
        raise Wrong("must be one of " + ", ".join(PRIORITIES))
    return str(value)


def _number(value: Any, low: float, high: float, *, above_low: bool = False) -> float:
    if type(value) not in (int, float):
        raise Wrong(f"must be a number of seconds, not {json_type(value)}")
    if not low <= value <= high or not math.isfinite(value) or (above_low and value == low):
        raise Wrong(f"must be {'above' if above_low else 'from'} {low} {'and' if above_low else 'to'} {high} at most")
    # 60.0 and 60 are one number; it is written, stored and shown in its short form.
    return int(value) if value == int(value) else value


def _delay_ms(value: Any) -> int | None:
    return round(_number(value, 0, MAX_DELAY_S) * 1000) or None


def _run_at_ms(value: Any) -> int:
    return milliseconds(_text(value))


def _max_attempts(value: Any) -> int:
    number = whole(value)
    if number is None or not 1 <= number <= MAX_ATTEMPTS:
        raise Wrong(f"must be an integer from 1 to {MAX_ATTEMPTS}")
    return number


def _timeout_s(value: Any) -> float:
    return _number(value, 0, MAX_TIMEOUT_S, above_low=True)


def _only(value: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in value:
        if name not in known:
            raise Wrong("is not known here; known: " + ", ".join(known), "/" + escape_pointer(name))


def _backoff(value: Any) -> Backoff:
    _only(_object(value), ("base_s", "cap_s"))
    base_s, cap_s = value.get("base_s"), value.get("cap_s")
    base_s = Backoff().base_s if base_s is None else _number(base_s, 0, MAX_DELAY_S, above_low=True)
    cap_s = max(base_s, Backoff().cap_s) if cap_s is None else _number(cap_s, 0, MAX_DELAY_S, above_low=True)
    if base_s > cap_s:
        raise Wrong("has a base_s above its cap_s")
    return Backoff(base_s, cap_s)


def _expires_in_ms(value: Any) -> int:
    return max(1, round(_number(value, 0, MAX_DELAY_S, above_low=True) * 1000))


def _unique(value: Any) -> tuple[str, int]:
    _only(_object(value), ("key", "ttl_s"))
    if value.get("key") is None:
        raise Wrong("is missing", "/key")
    key = _text(value["key"])
    if not 1 <= len(key) <= MAX_UNIQUE_KEY or not key.isprintable():
        raise Wrong(f"has a key that is not of 1 to {MAX_UNIQUE_KEY} printable characters")
    if value.get("ttl_s") is None:
        return key, 0
    return key, round(_number(value["ttl_s"], 0, MAX_DELAY_S, above_low=True) * 1000) or 1


def _retain_ms(value: Any) -> int:
    return round(_number(value, 0, MAX_DELAY_S) * 1000)


def _give_up_ms(value: Any) -> int:
    return max(1, round(_number(value, 0, MAX_DELAY_S, above_low=True) * 1000))


REQUIRED: Final = ("type", "payload")
CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "type": _text,
    "payload": _object,
    "queue": _queue,
    "priority": _priority,
    "delay_s": _delay_ms,
    "run_at": _run_at_ms,
    "max_attempts": _max_attempts,
    "timeout_s": _timeout_s,
    "backoff": _backoff,
    "expires_in_s": _expires_in_ms,
    "unique": _unique,
    "retain_s": _retain_ms,
    "give_up_after_s": _give_up_ms,
}
