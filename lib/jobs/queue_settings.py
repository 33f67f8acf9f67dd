"""What can be set for a queue as a whole, a row a setting: how a request gives it, what Redis keeps, what is shown.

PATCH /api/queues/email with {"max_depth": 1000, "paused": true} is kept in the hash wb:{email}:meta as
{max_depth: "1000", paused: "1"}. A setting that is off or null has no field there. Most settings are one field of the
hash; `groups` is three, and a member of `groups` that a request leaves out stays as it is. Pure: api/queues.py reads
requests with `read`, queue/queue_store.py writes the hash with `stored` and reads it with `shown`, and enqueue.lua,
claim.lua and others act on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from lib.jobs.payload import whole
from lib.jobs.request_fields import FieldFault, changes_in
from lib.jobs.start_limits import (
    Rate,
    concurrency_from,
    concurrency_in,
    members_in,
    number_from,
    number_text,
    paused_in,
    rate_from,
    rate_in,
    rate_shown,
    rate_text,
)

MAX_DEPTH = 1_000_000_000
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class QueueSetting(Generic[Value]):
    """One row of SETTINGS.

    check: the value of a request's JSON, as the other two take it; raises FieldFault. It is asked about null as well:
    where it raises then, the field is passed over.
    stored: the fields of the hash that the value writes; "" for a field that goes from the hash.
    shown: the value that the API shows of the whole hash. Its texts may be anything, for somebody may have written them
    by hand.
    """

    check: Callable[[Any], Value]
    stored: Callable[[Value], Mapping[str, str]]
    shown: Callable[[Mapping[str, str]], Any]


def read(body: Any) -> dict[str, Any]:
    """The settings that the body of a PATCH gives, by name. Raises InvalidFields with every fault."""
    return changes_in(body, _CHECKS)


def stored(settings: Mapping[str, Any]) -> dict[str, str]:
    """The texts that Redis keeps: {"paused": True, "max_depth": None} -> {"paused": "1", "max_depth": ""}."""
    return {field: text for name, value in settings.items() for field, text in SETTINGS[name].stored(value).items()}


def shown(texts: Mapping[str, str]) -> dict[str, Any]:
    """Every setting as the API shows it: {"max_depth": "1000"} -> {"paused": False, "max_depth": 1000}."""
    return {name: setting.shown(texts) for name, setting in SETTINGS.items()}


def as_asked(value: Any) -> Any:
    """A setting's value in the form in which a request gives it, for a log line: Rate(5, 1000) is {"limit": 5, …}."""
    if isinstance(value, Rate):
        return value.shown
    return {name: as_asked(member) for name, member in value.items()} if isinstance(value, Mapping) else value


def bounds_starts(settings: Mapping[str, Any]) -> bool:
    """True if one of these settings, as `read` gives them, is a limit that an older version would not keep to.

    {"concurrency": 20} is one, and so is {"groups": {"rate": Rate(5, 1000)}}; {"concurrency": None} takes one away.
    """
    groups = settings.get("groups") or {}
    limits = (settings.get("concurrency"), settings.get("rate"), *groups.values())
    return any(limit is not None for limit in limits)


def _max_depth(value: Any) -> int | None:
    depth = whole(value)
    if value is not None and (depth is None or not 0 <= depth <= MAX_DEPTH):
        raise FieldFault(f"must be an integer from 0 to {MAX_DEPTH}, or null for no limit")
    return depth


_GROUPS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "concurrency": concurrency_in,
    "rate": rate_in,
    "max_depth": _max_depth,
}


def _groups(value: Any) -> dict[str, Any]:
    """The members of `groups` that are given; null stands for null in each of them."""
    if value is None:
        return dict.fromkeys(_GROUPS)
    members = members_in(value, _GROUPS, '{"concurrency": 2}')
    if not members:
        raise FieldFault("changes nothing; give one of " + ", ".join(_GROUPS))
    return members


def _group_texts(members: Mapping[str, Any]) -> dict[str, str]:
    """{"concurrency": 2, "rate": None} -> {"group_concurrency": "2", "group_rate": ""}."""
    return {
        f"group_{name}": rate_text(value) if name == "rate" else number_text(value) for name, value in members.items()
    }


def _groups_shown(texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "concurrency": concurrency_from(texts.get("group_concurrency")),
        "rate": rate_shown(rate_from(texts.get("group_rate"))),
        "max_depth": number_from(texts.get("group_max_depth")),
    }


SETTINGS: Final[Mapping[str, QueueSetting[Any]]] = {
    "paused": QueueSetting(
        check=paused_in,
        stored=lambda is_paused: {"paused": "1" if is_paused else ""},
        shown=lambda texts: "paused" in texts,
    ),
    "max_depth": QueueSetting(
        check=_max_depth,
        stored=lambda depth: {"max_depth": number_text(depth)},
        shown=lambda texts: number_from(texts.get("max_depth")),
    ),
    "concurrency": QueueSetting(
        check=concurrency_in,
        stored=lambda concurrency: {"concurrency": number_text(concurrency)},
        shown=lambda texts: concurrency_from(texts.get("concurrency")),
    ),
    "rate": QueueSetting(
        check=rate_in,
        stored=lambda rate: {"rate": rate_text(rate)},
        shown=lambda texts: rate_shown(rate_from(texts.get("rate"))),
    ),
    "groups": QueueSetting(check=_groups, stored=_group_texts, shown=_groups_shown),
}
_CHECKS = {name: setting.check for name, setting in SETTINGS.items()}
