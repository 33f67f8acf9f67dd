"""The fields of a request for a job: what each may be, in one table, and how a body is checked by a table. Pure.

A check takes the JSON value of its field and returns the value that Waybill works with, or raises FieldFault:

    {"delay_s": 1.5, "priority": "high"}     ->  {"delay_s": 1500, "priority": "high"}
    {"delay_s": -1, "colour": "red"}         ->  FieldError("/delay_s", "must be from 0 to 316224000 at most"),
                                                 FieldError("/colour", "is not known here; known: type, payload, …")

POST /api/jobs and a handler's `ctx.enqueue` take every field of FIELDS (submission.py), PATCH /api/jobs/{job_id} those
that are marked `is_changeable` (revision.py).
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lib.errors import FieldError, InvalidFields
from lib.http1.client.url import read_url
from lib.ids import QUEUE_NAME
from lib.jobs.backoff import DEFAULT_BACKOFF, Backoff
from lib.jobs.group import GROUP_NAME, GROUP_RULE
from lib.jobs.job import DEBOUNCE, KEEP, MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S, PRIORITIES, UNIQUE_MODES
from lib.jobs.masking import MASK
from lib.jobs.payload import MOST_FAULTS, escape_pointer, json_type, whole
from lib.jobs.timestamps import milliseconds

MAX_UNIQUE_KEY = 255
UNIQUE_TTL_S = 86_400
"""For how long after its due time a job holds its unique key, where `unique` has no ttl_s. enqueue.lua adds it."""
MOST_WAIT_S = 86_400
"""For how long after the first request a job of the mode debounce is put off at most, where `unique` has no
max_wait_s."""

MAX_TAGS = 10
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
TAG_RULE = "1 to 64 letters of A-Z a-z, digits or . _ : / -, the first a letter or digit"

Check = Callable[[Any], Any]


class FieldFault(ValueError):
    """A field's value is not what it must be. The message follows the field's name: "must be a string, not null".

    below: the pointer from the field to the part that is wrong, as in "/base_s" of a backoff.
    """

    def __init__(self, detail: str, below: str = "") -> None:
        super().__init__(detail)
        self.below = below


def fields_error(errors: list[FieldError]) -> InvalidFields:
    """The error that tells the caller of these faults, of the first MOST_FAULTS at most."""
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
    body: dict[str, Any], checks: Mapping[str, Check], errors: list[FieldError], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The checked values of the fields that the body has. Each fault is added to `errors`.

    A field that is null counts as left out, because clients that are generated from a contract send every field they
    know. Those of `required` may not be null, and the caller looks whether they are there.
    """
    fields = {}
    for name, value in body.items():
        check = checks.get(name)
        try:
            if check is None:
                raise FieldFault("is not known here; known: " + ", ".join(checks))
            fields[name] = check(value)
        except FieldFault as fault:
            if value is None and check is not None and name not in required:
                continue
            errors.append(FieldError("/" + escape_pointer(name) + fault.below, str(fault)))
            if len(errors) > MOST_FAULTS:
                break
    return fields


def changes_in(body: Any, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The checked values of the fields that the body of a PATCH has, one at least. Raises InvalidFields with every
    fault."""
    errors: list[FieldError] = []
    fields = checked(object_in(body), checks, errors)
    if not errors and not fields:
        errors.append(FieldError("", "changes nothing; give one of " + ", ".join(checks)))
    if errors:
        raise fields_error(errors)
    return fields


def _text(value: Any) -> str:
    if type(value) is not str:
        raise FieldFault(f"must be a string, not {json_type(value)}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise FieldFault(f"must be an object, not {json_type(value)}")
    return value


def _object_of(value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """An object with members of these names alone."""
    members = _object(value)
    for name in members:
        if name not in known:
            raise FieldFault("is not known here; known: " + ", ".join(known), "/" + escape_pointer(name))
    return members


def seconds(value: Any, low: float, high: float, *, above_low: bool = False) -> float:
    """A number of seconds from `low`, or above it, to `high`. Raises FieldFault."""
    if type(value) not in (int, float):
        raise FieldFault(f"must be a number of seconds, not {json_type(value)}")
    if not low <= value <= high or not math.isfinite(value) or (above_low and value == low):
        raise FieldFault(
            f"must be {'above' if above_low else 'from'} {low} {'and' if above_low else 'to'} {high} at most"
        )
    # 60.0 and 60 are one number; it is written, stored and shown in its short form.
    return int(value) if value == int(value) else value


def _from_0_ms(value: Any) -> int:
    return round(seconds(value, 0, MAX_DELAY_S) * 1000)


def _above_0_ms(value: Any) -> int:
    return max(1, round(seconds(value, 0, MAX_DELAY_S, above_low=True) * 1000))


def _queue(value: Any) -> str:
    if not QUEUE_NAME.fullmatch(_text(value)):
        raise FieldFault("must be a queue's name: a-z, 0-9, _ and -, beginning with a letter or digit, 64 at most")
    return str(value)


def _priority(value: Any) -> str:
    if value not in PRIORITIES:
        raise FieldFault("must be one of " + ", ".join(PRIORITIES))
    return str(value)


def _delay_ms(value: Any) -> int | None:
    return _from_0_ms(value) or None


def _run_at_ms(value: Any) -> int:
    try:
        return milliseconds(_text(value))
    except ValueError as fault:
        raise FieldFault(str(fault)) from None


def _max_attempts(value: Any) -> int:
    number = whole(value)
    if number is None or not 1 <= number <= MAX_ATTEMPTS:
        raise FieldFault(f"must be an integer from 1 to {MAX_ATTEMPTS}")
    return number


def _timeout_s(value: Any) -> float:
    return seconds(value, 0, MAX_TIMEOUT_S, above_low=True)


def _backoff(value: Any) -> Backoff:
    """{"base_s": 1, "cap_s": 2} is Backoff(1, 2). A member that is left out or null has its default."""
    members = _object_of(value, Backoff._fields)
    base_s, cap_s = members.get("base_s"), members.get("cap_s")
    base_s = DEFAULT_BACKOFF.base_s if base_s is None else seconds(base_s, 0, MAX_DELAY_S, above_low=True)
    cap_s = max(base_s, DEFAULT_BACKOFF.cap_s) if cap_s is None else seconds(cap_s, 0, MAX_DELAY_S, above_low=True)
    if base_s > cap_s:
        raise FieldFault("has a base_s above its cap_s")
    return Backoff(base_s, cap_s)


def _unique(value: Any) -> tuple[Any, ...]:
    """{"key": "order-4711", "ttl_s": 60, "mode": "throttle"} is ("order-4711", 60000, "throttle"); without a ttl_s the
    second is 0, without a mode the third is "keep". Of the mode debounce the second is max_wait_s, and the ttl_s comes
    fourth: ("search-eu", 86400000, "debounce", 5000)."""
    members = _object_of(value, ("key", "ttl_s", "mode", "max_wait_s"))
    if members.get("key") is None:
        raise FieldFault("is missing", "/key")
    key = _text(members["key"])
    if not 1 <= len(key) <= MAX_UNIQUE_KEY or not key.isprintable():
        raise FieldFault(f"has a key that is not of 1 to {MAX_UNIQUE_KEY} printable characters")
    mode = KEEP if members.get("mode") is None else _unique_mode(members["mode"])
    ttl_ms = 0 if members.get("ttl_s") is None else _above_0_ms(members["ttl_s"])
    if mode == DEBOUNCE:
        return key, _most_wait_ms(members, ttl_ms), mode, ttl_ms
    if members.get("max_wait_s") is not None:
        raise FieldFault("has a meaning with the mode debounce alone: leave it out", "/max_wait_s")
    return key, ttl_ms, mode


def _most_wait_ms(members: dict[str, Any], quiet_ms: int) -> int:
    if not quiet_ms:
        raise FieldFault("is missing: with the mode debounce it says for how long nobody may ask again", "/ttl_s")
    if members.get("max_wait_s") is None:
        return max(quiet_ms, MOST_WAIT_S * 1000)
    most_wait_ms = _above_0_ms(members["max_wait_s"])
    if most_wait_ms < quiet_ms:
        raise FieldFault("is shorter than ttl_s: the job would never wait for that long", "/max_wait_s")
    return most_wait_ms


def _unique_mode(value: Any) -> str:
    if value not in UNIQUE_MODES:
        raise FieldFault("must be one of " + ", ".join(UNIQUE_MODES), "/mode")
    return str(value)


def _group(value: Any) -> str:
    if not GROUP_NAME.fullmatch(_text(value)):
        raise FieldFault(f"must be a group's name: {GROUP_RULE}")
    return str(value)


def _tags(value: Any) -> tuple[str, ...]:
    """["eu", "order-17", "eu"] is ("eu", "order-17"): a job has a tag or has it not, so the second one says nothing."""
    if type(value) is not list:
        raise FieldFault(f"must be an array of strings, not {json_type(value)}")
    if len(value) > MAX_TAGS:
        raise FieldFault(f"has {len(value)} tags; a job has {MAX_TAGS} at most")
    for number, tag in enumerate(value):
        if type(tag) is not str or not TAG.fullmatch(tag):
            raise FieldFault(f"must be a tag: {TAG_RULE}", f"/{number}")
    return tuple(dict.fromkeys(value))


def _callback_url(value: Any) -> str:
    if MASK in _text(value):
        raise FieldFault(f"holds {MASK}, which stands for a secret where a job is shown: send the URL itself")
    try:
        read_url(value)
    except ValueError as fault:
        raise FieldFault(str(fault)) from None
    return str(value)


class RequestField(NamedTuple):
    """What one field may be. is_changeable: PATCH takes it too."""

    check: Check
    is_required: bool = False
    is_changeable: bool = False


FIELDS: Final[Mapping[str, RequestField]] = {
    "type": RequestField(_text, is_required=True),
    "payload": RequestField(_object, is_required=True, is_changeable=True),
    "queue": RequestField(_queue),
    "priority": RequestField(_priority, is_changeable=True),
    "delay_s": RequestField(_delay_ms),
    "run_at": RequestField(_run_at_ms, is_changeable=True),
    "max_attempts": RequestField(_max_attempts, is_changeable=True),
    "timeout_s": RequestField(_timeout_s),
    "backoff": RequestField(_backoff),
    "expires_in_s": RequestField(_above_0_ms),
    "group": RequestField(_group),
    "tags": RequestField(_tags, is_changeable=True),
    "unique": RequestField(_unique),
    "retain_s": RequestField(_from_0_ms),
    "give_up_after_s": RequestField(_above_0_ms),
    "callback_url": RequestField(_callback_url),
}
CHECKS: Final[Mapping[str, Check]] = {name: field.check for name, field in FIELDS.items()}
REQUIRED: Final = tuple(name for name, field in FIELDS.items() if field.is_required)
CHANGEABLE: Final = tuple(name for name, field in FIELDS.items() if field.is_changeable)
