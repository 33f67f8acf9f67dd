"""Filters: which jobs a list shows, and to which ones a change of many jobs is made. One name means one thing. Pure.

    GET /api/jobs?tag=eu&error=ValueError
    POST /api/queues/email/redrive {"tag": "eu", "error": "ValueError"}

are both Wanted(tag="eu", error="ValueError"). Values are text in both: times are RFC 3339.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lib.ids import ID_DIGITS, JOB_ID
from lib.jobs.group import GROUP_NAME, GROUP_RULE
from lib.jobs.payload import json_type
from lib.jobs.request_fields import TAG, TAG_RULE, FieldFault
from lib.jobs.schedule_request import SCHEDULE_NAME
from lib.jobs.state import STATES
from lib.jobs.timestamps import milliseconds
from lib.queue.listing import ORDERS, TIME_DIGITS, Order, Wanted
from lib.web import query

_ERROR_CHARS = 200
_WORKER_CHARS = 300
_DIGITS = re.compile(f"[0-9a-f]{{{TIME_DIGITS},{ID_DIGITS}}}")
FEWEST_SOUGHT, MOST_SOUGHT = 3, 200
"""So many characters the text has at least and at most that `q` looks for."""


STATES_KNOWN: Final = frozenset(STATES)


class JobFilter(NamedTuple):
    """One filter: the field of Wanted that it sets, and how its text is read. read raises FieldFault."""

    field: str
    read: Callable[[str], Any]


def _as_it_is(text: str) -> str:
    return text


def _tag(text: str) -> str:
    if not TAG.fullmatch(text):
        raise FieldFault(f"must be a tag: {TAG_RULE}")
    return text


def _group(text: str) -> str:
    if not GROUP_NAME.fullmatch(text):
        raise FieldFault(f"must be a group's name: {GROUP_RULE}")
    return text


def _schedule(text: str) -> str:
    if not SCHEDULE_NAME.fullmatch(text):
        raise FieldFault("must be a schedule's name: 1 to 100 of a-z, 0-9 and . _ -, beginning with a letter or digit")
    return text


def _job_id(text: str) -> str:
    if not JOB_ID.fullmatch(text):
        raise FieldFault("must be a job's id, such as email-01a2074f9c0b800080005d12a47e70c4")
    return text


def _error(text: str) -> str:
    if len(text) > _ERROR_CHARS:
        raise FieldFault(f"must be the type of an error, such as ValueError, of {_ERROR_CHARS} characters at most")
    return text


def _worker(text: str) -> str:
    if len(text) > _WORKER_CHARS:
        raise FieldFault(f"must be a worker's id, as GET /api/workers gives it, of {_WORKER_CHARS} characters at most")
    return text


def _sought(text: str) -> str:
    if not FEWEST_SOUGHT <= len(text) <= MOST_SOUGHT:
        raise FieldFault(f"must have {FEWEST_SOUGHT} to {MOST_SOUGHT} characters")
    if not text.isprintable():
        raise FieldFault("must have printable characters alone; in a job's JSON a line end is written as \\n")
    return text


def _digits(text: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise FieldFault(f"must be the first {TIME_DIGITS} to {ID_DIGITS} digits of a job's id, behind its queue")
    return text


def _time(text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError as fault:
        raise FieldFault(str(fault)) from None


FILTERS: Final[Mapping[str, JobFilter]] = {
    "type": JobFilter("type_name", _as_it_is),
    "tag": JobFilter("tag", _tag),
    "group": JobFilter("group", _group),
    "error": JobFilter("error", _error),
    "before": JobFilter("before_ms", _time),
    "after": JobFilter("after_ms", _time),
    "request_id": JobFilter("request_id", _as_it_is),
    "schedule": JobFilter("schedule", _schedule),
    "by": JobFilter("by", _job_id),
    "workflow": JobFilter("workflow", _job_id),
    "worker": JobFilter("worker", _worker),
}


_READERS: Final[Mapping[str, JobFilter]] = {
    "q": JobFilter("sought", _sought),
    "id": JobFilter("digits", _digits),
    **FILTERS,
}


def state_filter(known: tuple[str, ...]) -> Callable[[Any], str]:
    """The check of a state, which must be one of `known`."""

    def check(value: Any) -> str:
        if value not in known:
            raise FieldFault("must be one of " + ", ".join(known))
        return str(value)

    return check


def wanted_of_query(found: Mapping[str, str]) -> Wanted:
    """The filters among the parameters of GET /api/jobs. Raises InvalidFields.

    `q` and `id` are no filters of a body: what a text happens to be found in is too much by chance to be changed by it,
    and whoever knows ids names them."""
    values = _states(found) if "state" in found else {}
    for name in found:
        if (one := _READERS.get(name)) is not None:
            try:
                values[one.field] = one.read(found[name])
            except FieldFault as fault:
                raise query.parameter_error(name, str(fault)) from None
    wanted = Wanted(**values)
    if is_time_empty(wanted):
        raise query.parameter_error("after", NO_TIME_LEFT)
    return wanted


def _states(found: Mapping[str, str]) -> dict[str, Any]:
    """The fields of Wanted for `state=dead` or `state=dead,cancelled`. Raises InvalidFields."""
    names = dict.fromkeys(found["state"].split(","))
    if not STATES_KNOWN.issuperset(names):
        detail = f"must be one of {', '.join(STATES)}, or several of them, parted by commas"
        raise query.parameter_error("state", detail)
    ordered = [state for state in STATES if state in names]
    return {"state": ordered[0], "or_states": tuple(ordered[1:])}


def order_of_query(found: Mapping[str, str], wanted: Wanted) -> Order | None:
    """The order that the parameter `order` asks for; None without one. Raises InvalidFields where it does not fit."""
    order = found.get("order")
    if order is None:
        return None
    if order not in ORDERS:
        raise query.parameter_error("order", f"must be one of {', '.join(ORDERS)}")
    if order == "next" and wanted.states not in (("ready",), ("delayed",)):
        raise query.parameter_error("order", "next goes with state=ready or state=delayed alone; take newest or oldest")
    if order == "started" and wanted.states != ("active",):
        raise query.parameter_error("order", "started goes with state=active alone; take newest or oldest")
    return order


def usual_order(wanted: Wanted) -> Order:
    """The order of a list for which no order was asked.

    WHY newest with a tag or a request id: their jobs have an index, or ids, by which they are found among a million.
    WHY oldest with the digits of an id: its time is told by them, and most jobs behind that one are none of them."""
    if wanted.digits is not None:
        return "oldest"
    is_next = wanted.states in (("ready",), ("delayed",)) and wanted.tag is None and wanted.request_id is None
    return "next" if is_next else "newest"


def in_body(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """The check of a filter that stands in a JSON body."""

    def check(value: Any) -> Any:
        if type(value) is not str:
            raise FieldFault(f"must be a string, not {json_type(value)}")
        return read(value)

    return check


FILTER_CHECKS: Final = {name: in_body(one.read) for name, one in FILTERS.items()}


def wanted_of_fields(fields: Mapping[str, Any]) -> Wanted:
    """The state and the filters among the checked fields of a body."""
    values = {one.field: fields[name] for name, one in FILTERS.items() if name in fields}
    return Wanted(state=fields.get("state"), **values)


NO_TIME_LEFT: Final = "must be earlier than before; no job can be in between"


def is_time_empty(wanted: Wanted) -> bool:
    return wanted.after_ms is not None and wanted.before_ms is not None and wanted.after_ms >= wanted.before_ms
