"""What a caller would like (RFC 7240, Prefer): `wait=10`, and `respond-async`. Pure.

`?wait=10` asks for the same as `Prefer: wait=10`, and stands above it; it may have a fraction.

A preference is never refused: one that is not known, or makes no sense, is passed over, as section 2 asks.
"""

import math
import re
from typing import NamedTuple

from lib.web import query
from lib.web.router import Call

MAX_WAIT_S = 60
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# The closing quote may be missing: else an unclosed string would be gone through again from each \" in it.
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"?'
_ELEMENT = re.compile(rf"(?>(?:{_QUOTED}|[^,\"])+)")
_PREFERENCE = re.compile(rf"[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*({_TOKEN}|{_QUOTED})?[ \t]*)?(?:;.*)?", re.DOTALL)


class Preferences(NamedTuple):
    """wait_s: how long the answer may be held for the job's end; 0 where nobody asked for that."""

    wait_s: float = 0
    is_async: bool = False

    def applied(self, *, is_finished: bool) -> list[tuple[str, str]]:
        """The Preference-Applied field, if any was: who asked for an hour is told that it was a minute."""
        names = ["respond-async"] if self.is_async and not is_finished else []
        if self.wait_s:
            names.append(f"wait={math.ceil(self.wait_s)}")  # Prefer has whole seconds alone.
        return [("Preference-Applied", ", ".join(names))] if names else []


NOTHING = Preferences()


def preferred_by(call: Call) -> Preferences:
    """What a request asks for in its query and its header. Raises InvalidFields, for a `wait` in the query alone."""
    if not call.parameters and "prefer" not in call.request.headers:
        return NOTHING
    preferred = preferences(call.request.headers.get("prefer"))
    wait_s = query.seconds(call.parameters, "wait", MAX_WAIT_S, is_capped=True)
    return preferred if wait_s is None else preferred._replace(wait_s=wait_s)


def preferences(header: str | None) -> Preferences:
    """What a Prefer field says, its lines joined by commas. Of one that stands there twice the first counts."""
    if header is None:
        return Preferences()
    found: dict[str, str] = {}
    for element in _ELEMENT.findall(header):
        match = _PREFERENCE.fullmatch(element)
        if match:
            found.setdefault(match[1].lower(), (match[2] or "").strip('"'))
    seconds = found.get("wait", "")
    wait_s = min(int(seconds), MAX_WAIT_S) if re.fullmatch(r"[0-9]{1,18}", seconds) else 0
    return Preferences(wait_s, "respond-async" in found)
