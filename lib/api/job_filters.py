"""Filters: which jobs a list shows, and to which ones a change of many jobs is made. One name means one thing. Pure.

    GET /api/jobs?tag=eu&error=ValueError
    POST /api/queues/email/redrive {"tag": "eu", "error": "ValueError"}

are both Wanted(tag="eu", error="ValueError"). Values are text in both: times are RFC 3339.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lib.ids import JOB_ID
from lib.jobs.group import GROUP_NAME, GROUP_RULE
from lib.jobs.payload import json_type
from lib.jobs.request_fields import TAG, TAG_RULE, FieldFault
from lib.jobs.schedule_request import SCHEDULE_NAME
from lib.jobs.state import STATES
from lib.jobs.timestamps import milliseconds
from lib.queue.listing import Wanted
from lib.web import query

_ERROR_CHARS = 200


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
}


def state_filter(known: tuple[str, ...]) -> Callable[[Any], str]:
    """The check of a state, which must be one of `known`."""

    def check(value: Any) -> str:
        if value not in known:
            raise FieldFault("must be one of " + ", ".join(known))
        return str(value)

    return check


def wanted_of_query(found: Mapping[str, str]) -> Wanted:
    """The filters among the parameters of GET /api/jobs. Raises InvalidFields."""
    readers = {"state": JobFilter("state", state_filter(STATES)), **FILTERS}
    values: dict[str, Any] = {}
    for name, one in readers.items():
        if name in found:
            try:
                values[one.field] = one.read(found[name])
            except FieldFault as fault:
                raise query.parameter_error(name, str(fault)) from None
    wanted = Wanted(**values)
    if is_time_empty(wanted):
        raise query.parameter_error("after", NO_TIME_LEFT)
    return wanted


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
