"""What can be set for a queue as a whole, a row a setting: how a request gives it, what Redis keeps, what is shown.

PATCH /api/queues/email with {"max_depth": 1000, "paused": true} is kept in the hash wb:{email}:meta as
{max_depth: "1000", paused: "1"}. A setting that is off or null has no field there. Pure: api/queues.py reads requests
with `read`, queue/queue_store.py writes the hash with `stored` and reads it with `shown`, and enqueue.lua and claim.lua
act on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from lib.jobs.payload import json_type, whole
from lib.jobs.request_fields import FieldFault, changes_in

MAX_DEPTH = 1_000_000_000
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class QueueSetting(Generic[Value]):
    """One row of SETTINGS.

    check: the value of a request's JSON, as the other two take it; raises FieldFault. It is asked about null as well:
    where it raises then, the field is passed over.
    stored: the text that Redis keeps; "" where the field goes from the hash.
    shown: the value that the API shows of that text; None stands for a hash without the field. The text may be
    anything, for somebody may have written it by hand.
    """

    check: Callable[[Any], Value]
    stored: Callable[[Value], str]
    shown: Callable[[str | None], Value]


def read(body: Any) -> dict[str, Any]:
    """The settings that the body of a PATCH gives, by name. Raises InvalidFields with every fault."""
    return changes_in(body, _CHECKS)


def stored(settings: Mapping[str, Any]) -> dict[str, str]:
    """The texts that Redis keeps: {"paused": True, "max_depth": None} -> {"paused": "1", "max_depth": ""}."""
    return {name: SETTINGS[name].stored(value) for name, value in settings.items()}


def shown(texts: Mapping[str, str]) -> dict[str, Any]:
    """Every setting as the API shows it: {"max_depth": "1000"} -> {"paused": False, "max_depth": 1000}."""
    return {name: setting.shown(texts.get(name)) for name, setting in SETTINGS.items()}


def _paused(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldFault(f"must be a boolean, not {json_type(value)}")
    return value


def _max_depth(value: Any) -> int | None:
    depth = whole(value)
    if value is not None and (depth is None or not 0 <= depth <= MAX_DEPTH):
        raise FieldFault(f"must be an integer from 0 to {MAX_DEPTH}, or null for no limit")
    return depth


SETTINGS: Final[Mapping[str, QueueSetting[Any]]] = {
    "paused": QueueSetting(
        check=_paused,
        stored=lambda is_paused: "1" if is_paused else "",
        shown=lambda text: text is not None,
    ),
    "max_depth": QueueSetting(
        check=_max_depth,
        stored=lambda depth: "" if depth is None else str(depth),
        shown=lambda text: int(text) if text is not None and text.isdecimal() else None,
    ),
}
_CHECKS = {name: setting.check for name, setting in SETTINGS.items()}
