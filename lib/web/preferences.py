"""The Prefer field (RFC 7240): `wait=10` asks to wait for a job's end, `respond-async` not to. Pure.

`?wait=10` in the query asks for the same as `Prefer: wait=10` and outweighs it; `?wait=0.5` may have a fraction.
A preference is never refused: an unknown or senseless one is passed over, as section 2 asks.
"""

import math
import re
from typing import NamedTuple

from lib.web import query
from lib.web.router import Call

MAX_WAIT_S = 60
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# The closing quote may be missing: if it had to be there, the search would start again at each \" of an open string.
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"?'
_ELEMENT = re.compile(rf"(?>(?:{_QUOTED}|[^,\"])+)")
_PREFERENCE = re.compile(rf"[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*({_TOKEN}|{_QUOTED})?[ \t]*)?(?:;.*)?", re.DOTALL)


class Preferences(NamedTuple):
    """wait_s: how long the answer may be held until the job has ended; 0 for a caller that did not ask to wait."""

    wait_s: float = 0
    is_async: bool = False

    def applied(self, *, is_finished: bool) -> list[tuple[str, str]]:
        """The field Preference-Applied, if there is any preference. A caller that asked for an hour reads wait=60."""
        names = ["respond-async"] if self.is_async and not is_finished else []
        if self.wait_s:
            names.append(f"wait={math.ceil(self.wait_s)}")  # Prefer has whole seconds alone.
        return [("Preference-Applied", ", ".join(names))] if names else []


NOTHING = Preferences()


def preferred_by(call: Call) -> Preferences:
    """The preferences of the query and the Prefer field. Raises InvalidFields for a bad `wait` in the query."""
    if not call.parameters and "prefer" not in call.request.headers:
        return NOTHING
    preferred = preferences(call.request.headers.get("prefer"))
    wait_s = query.seconds(call.parameters, "wait", MAX_WAIT_S, is_capped=True)
    return preferred if wait_s is None else preferred._replace(wait_s=wait_s)


def preferences(header: str | None) -> Preferences:
    """The preferences of a Prefer field, its lines joined by commas. If a preference stands twice, the first counts."""
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
