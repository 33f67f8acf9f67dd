"""The bodies of redrive, purge and actions, checked. Pure.

    {"type": "report", "limit": 500, "dry_run": true}      ->  SweepAsked(Wanted("dead", "report"), 500, is_dry=True)
    {"action": "cancel", "ids": ["email-0192…"]}           ->  ActionAsked("cancel", ("email-0192…",))

Every fault is told with a pointer to its field.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from lib.api.job_filters import FILTER_CHECKS, NO_TIME_LEFT, in_body, is_time_empty, state_filter, wanted_of_fields
from lib.errors import FieldError
from lib.ids import QUEUE_NAME
from lib.jobs.job import MAX_DELAY_S
from lib.jobs.payload import json_type, whole
from lib.jobs.request_fields import FieldFault, checked, fields_error, object_in
from lib.jobs.state import STATES
from lib.queue.listing import Wanted

MOST_JOBS: Final = 10_000
"""So many jobs a call of redrive or purge changes at most, and so many a dry run counts."""
MOST_IDS: Final = 200
REDRIVABLE: Final = ("dead", "cancelled")
PURGEABLE: Final = ("completed", "dead", "cancelled", "ready", "delayed", "blocked")
Kind = Literal["retry", "cancel", "delete"]
_ENDED: Final = ("completed", "dead", "cancelled")
FITTING: Final[Mapping[Kind, tuple[str, ...]]] = {
    "retry": _ENDED,
    "cancel": ("ready", "delayed", "blocked", "active"),
    "delete": _ENDED,
}
"""Each action, and the states of the jobs that it is for."""
_BY_FILTER: Final = ("queue", "state", "limit", "cursor", *FILTER_CHECKS)

Checks = Mapping[str, Callable[[Any], Any]]


class SweepAsked(NamedTuple):
    """Which jobs of a queue are to be changed: those that fit `wanted`, `limit` at most.

    older_than_ms: the jobs' least age at the moment of the first call; None for any.
    named: the filters as the body has them, by name; they go into the cursor's mark and into the log.
    """

    wanted: Wanted
    limit: int
    is_dry: bool
    cursor: str | None
    older_than_ms: int | None
    named: dict[str, Any]


class ActionAsked(NamedTuple):
    """What is to be done to which jobs: those of `ids`, or those of `queue` that fit `sweep.wanted`."""

    action: Kind
    ids: tuple[str, ...]
    queue: str
    sweep: SweepAsked
    is_forced: bool


def read_redrive(body: Any) -> SweepAsked:
    """Raises InvalidFields with every fault."""
    fields = _checked(body, _REDRIVE)
    return _sweep({"state": "dead", **fields}, {"state": "dead", **body})


def read_purge(body: Any) -> SweepAsked:
    """Raises InvalidFields with every fault."""
    fields = _checked(body, _PURGE, "state", PURGEABLE)
    if "before" in fields and "older_than_s" in fields:
        raise fields_error([FieldError("/older_than_s", "says the same as before; give one of the two")])
    return _sweep(fields, body)


def read_action(body: Any) -> ActionAsked:
    """Raises InvalidFields with every fault."""
    fields = _checked(body, _ACTION, "action", tuple(FITTING))
    by_filter = [name for name in _BY_FILTER if name in fields]
    action, is_by_id = fields["action"], "ids" in fields
    errors = []
    if is_by_id and by_filter:
        errors.append(FieldError(f"/{by_filter[0]}", "goes with queue and state; give those, or ids"))
    if not is_by_id:
        missing = [name for name in ("queue", "state") if name not in fields]
        errors += [FieldError(f"/{name}", "is missing; give ids, or queue and state") for name in missing]
    if fields.get("state", FITTING[action][0]) not in FITTING[action]:
        errors.append(FieldError("/state", f"must be one of {', '.join(FITTING[action])} for the action {action}"))
    if fields.get("force") and action != "cancel":
        errors.append(FieldError("/force", "goes with the action cancel alone"))
    if errors:
        raise fields_error(errors)
    sweep = _sweep({"limit": MOST_IDS, **fields}, body)
    return ActionAsked(action, fields.get("ids", ()), fields.get("queue", ""), sweep, fields.get("force", False))


def _sweep(fields: dict[str, Any], body: dict[str, Any]) -> SweepAsked:
    wanted = wanted_of_fields(fields)
    if is_time_empty(wanted):
        raise fields_error([FieldError("/after", NO_TIME_LEFT)])
    passed_over = ("limit", "cursor", "ids")
    return SweepAsked(
        wanted,
        fields.get("limit", MOST_JOBS),
        fields.get("dry_run", False),
        fields.get("cursor"),
        fields.get("older_than_s"),
        {name: value for name, value in body.items() if name in fields and name not in passed_over},
    )


def _checked(body: Any, checks: Checks, required: str = "", values: tuple[str, ...] = ()) -> dict[str, Any]:
    """required: the member that the body must have, if there is one. values: what that one may be."""
    errors: list[FieldError] = []
    members = object_in(body)
    fields = checked(members, checks, errors, (required,))
    if required and required not in members:
        errors.append(FieldError(f"/{required}", f"is missing; give one of {', '.join(values)}"))
    if errors:
        raise fields_error(errors)
    return fields


def _limit(most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = whole(value)
        if number is None or not 1 <= number <= most:
            raise FieldFault(f"must be an integer from 1 to {most}")
        return number

    return check


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldFault(f"must be a boolean, not {json_type(value)}")
    return value


def _age_ms(value: Any) -> int:
    if type(value) not in (int, float):
        raise FieldFault(f"must be a number of seconds, not {json_type(value)}")
    if not 0 <= value <= MAX_DELAY_S:
        raise FieldFault(f"must be from 0 to {MAX_DELAY_S} at most")
    return round(float(value) * 1000)


def _queue(text: str) -> str:
    if not QUEUE_NAME.fullmatch(text):
        raise FieldFault("must be a queue's name: a-z, 0-9, _ and -, beginning with a letter or digit, 64 at most")
    return text


def _ids(value: Any) -> tuple[str, ...]:
    if type(value) is not list:
        raise FieldFault(f"must be an array of jobs' ids, not {json_type(value)}")
    if not 1 <= len(value) <= MOST_IDS:
        raise FieldFault(f"must have 1 to {MOST_IDS} ids, and has {len(value)}")
    for index, one in enumerate(value):
        if type(one) is not str:
            raise FieldFault(f"must be a job's id, not {json_type(one)}", f"/{index}")
    return tuple(value)


def _cursor(text: str) -> str:
    return text


_COMMON: Final[Checks] = {"limit": _limit(MOST_JOBS), "cursor": in_body(_cursor), "dry_run": _flag}
_REDRIVE: Final[Checks] = {"state": state_filter(REDRIVABLE), **FILTER_CHECKS, **_COMMON}
_PURGE: Final[Checks] = {"state": state_filter(PURGEABLE), **FILTER_CHECKS, "older_than_s": _age_ms, **_COMMON}
_ACTION: Final[Checks] = {
    "action": state_filter(tuple(FITTING)),
    "ids": _ids,
    "queue": in_body(_queue),
    "state": state_filter(STATES),
    **FILTER_CHECKS,
    **_COMMON,
    "limit": _limit(MOST_IDS),
    "force": _flag,
}
