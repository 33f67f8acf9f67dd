"""What bounds the starts of jobs: how many run at once, and how many start in a time. Checked, stored and shown. Pure.

A queue has limits for all its jobs and limits for each of its groups (queue_settings.py); one group may have limits of
its own (`OwnLimits`). A rate has three forms:

    {"limit": 100, "per_s": 60}     in requests and answers
    Rate(100, 60_000)               here
    "100/60000"                     in Redis
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lib.jobs.payload import escape_pointer, json_type, whole
from lib.jobs.request_fields import Check, FieldFault, changes_in

MAX_CONCURRENCY = 100_000
MAX_RATE = 1_000_000
LEAST_PER_S, MOST_PER_S = 0.001, 86_400
_EXAMPLE = '{"limit": 100, "per_s": 60}'
_PAUSE = "must be 1 at least; to let nothing start, pause it"
_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,7})")


class Rate(NamedTuple):
    """At most `limit` starts in any `per_ms` milliseconds."""

    limit: int
    per_ms: int

    @property
    def text(self) -> str:
        """As Redis keeps it: "100/60000"."""
        return f"{self.limit}/{self.per_ms}"

    @property
    def shown(self) -> dict[str, float]:
        """As the API shows it: {"limit": 100, "per_s": 60}."""
        per_s = self.per_ms / 1000
        return {"limit": self.limit, "per_s": int(per_s) if per_s.is_integer() else per_s}


def concurrency_in(value: Any) -> int | None:
    """A concurrency as a request gives it; null is none. Raises FieldFault."""
    number = whole(value)
    if number == 0:
        raise FieldFault(_PAUSE)
    if value is not None and (number is None or not 1 <= number <= MAX_CONCURRENCY):
        raise FieldFault(f"must be an integer from 1 to {MAX_CONCURRENCY}, or null for no limit")
    return number


def rate_in(value: Any) -> Rate | None:
    """A rate as a request gives it, whole: {"limit": 100, "per_s": 60}; null is none. Raises FieldFault."""
    if value is None:
        return None
    members = members_in(value, {"limit": _rate_limit, "per_s": _per_ms}, _EXAMPLE)
    for name in ("limit", "per_s"):
        if name not in members:
            raise FieldFault(f"is missing; a rate is given whole, as in {_EXAMPLE}", f"/{name}")
    return Rate(members["limit"], members["per_s"])


def members_in(value: Any, checks: Mapping[str, Check], example: str) -> dict[str, Any]:
    """The checked members that an object has. Raises FieldFault, which points at the first wrong member."""
    if type(value) is not dict:
        raise FieldFault(f"must be an object, as in {example}, or null for no limit, not {json_type(value)}")
    members = {}
    for name, member in value.items():
        try:
            if name not in checks:
                raise FieldFault("is not known here; known: " + ", ".join(checks))
            members[name] = checks[name](member)
        except FieldFault as fault:
            raise FieldFault(str(fault), f"/{escape_pointer(name)}{fault.below}") from None
    return members


def _rate_limit(value: Any) -> int:
    limit = whole(value)
    if limit == 0:
        raise FieldFault(_PAUSE)
    if limit is None or not 1 <= limit <= MAX_RATE:
        raise FieldFault(f"must be an integer from 1 to {MAX_RATE}")
    return limit


def _per_ms(value: Any) -> int:
    if type(value) not in (int, float) or not LEAST_PER_S <= value <= MOST_PER_S:
        raise FieldFault(f"must be a number of seconds from {LEAST_PER_S} to {MOST_PER_S}")
    return round(float(value) * 1000)


def number_text(number: int | None) -> str:
    """As Redis keeps a whole number; "" for none."""
    return "" if number is None else str(number)


def rate_text(rate: Rate | None) -> str:
    """As Redis keeps a rate; "" for none."""
    return "" if rate is None else rate.text


def number_from(text: str | None) -> int | None:
    """The number that Redis keeps; None for no text, and for one that somebody wrote by hand and is no number."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def concurrency_from(text: str | None) -> int | None:
    """The concurrency that Redis keeps; None for none, and for a 0, which no request can set."""
    return number_from(text) or None


def rate_from(text: str | None) -> Rate | None:
    """The rate that Redis keeps, "100/60000"; None for no text and for one that is no rate."""
    match = _RATE.fullmatch(text or "")
    return Rate(int(match[1]), int(match[2])) if match else None


def rate_shown(rate: Rate | None) -> dict[str, float] | None:
    """As the API shows a rate; None for none."""
    return None if rate is None else rate.shown


class OwnLimits(NamedTuple):
    """What was set for one group alone. None: the queue's `groups` say it, as for every other group."""

    concurrency: int | None = None
    rate: Rate | None = None
    is_paused: bool = False

    @property
    def text(self) -> str:
        """As Redis keeps it: "2|100/60000|1", "2||"; "" where nothing is left of it."""
        if self == OwnLimits():
            return ""
        return f"{number_text(self.concurrency)}|{rate_text(self.rate)}|{'1' if self.is_paused else ''}"


def own_limits_from(text: str) -> OwnLimits:
    """What Redis keeps for one group. A part that somebody wrote by hand and is no limit counts as none."""
    concurrency, rate, paused = [*text.split("|"), "", ""][:3]
    return OwnLimits(concurrency_from(concurrency), rate_from(rate), paused == "1")


def group_changes_in(body: Any) -> dict[str, Any]:
    """The body of PATCH /api/queues/{queue}/groups/{group}: {"paused": true} is {"is_paused": True}, the fields of
    OwnLimits that it gives. Raises InvalidFields with every fault."""
    changes = changes_in(body, _OF_GROUP)
    return {"is_paused" if name == "paused" else name: value for name, value in changes.items()}


def paused_in(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldFault(f"must be a boolean, not {json_type(value)}")
    return value


_OF_GROUP: Final[Mapping[str, Check]] = {"concurrency": concurrency_in, "rate": rate_in, "paused": paused_in}
