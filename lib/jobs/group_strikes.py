"""The strikes of a group: how often in a row its jobs got no answer from what they call. Pure.

    "3 1760000030000 1760000034000 LinkLost: api.example.com:443 refused the connection"    as Redis keeps them
    -> GroupStrikes(3, 1760000030000, 1760000034000, "LinkLost: api.example.com:443 refused the connection")

lua/parts/strike.lua counts them, and says how long the group rests.
"""

from typing import NamedTuple

from lib.jobs.timestamps import LAST_MS


class GroupStrikes(NamedTuple):
    """times: so often in a row. last_ms: the last time. until_ms: the group rests for that until then; afterwards one
    job of the group runs at a time, until one is completed. words: what went wrong the last time, "" where nobody
    said."""

    times: int
    last_ms: int
    until_ms: int
    words: str


def strikes_from(text: str) -> GroupStrikes | None:
    """None for "", and for what somebody wrote there by hand."""
    parts = text.split(" ", 3)
    if len(parts) < 3 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts[:3]):
        return None
    times, last_ms, until_ms = map(int, parts[:3])
    if max(last_ms, until_ms) > LAST_MS:
        return None
    return GroupStrikes(times, last_ms, until_ms, parts[3] if len(parts) > 3 else "")
