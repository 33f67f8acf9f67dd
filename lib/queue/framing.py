r"""How Python and the Lua scripts write several values into one string, and how bytes of Redis' are read. Pure.

Redis carries bytes. Where a script takes or returns many values at once, they stand in one string, parted by control
characters that no value of Waybill's holds: ids and names have none, and JSON writes them as `\u001f`. WHY one string
and not one argument for each value: Redis and Lua handle every argument and every element of a reply by itself.

    RECORD  \x1e   ends a record                       FIELD  \x1f   parts the fields of a record
    PART    \x1d   parts the values within one field   LINE   \x1c   ends a line of a job's history

The forms, with `;` for RECORD, `|` for FIELD, `/` for PART, and `id1` for an id like email-0…1 (who reads, who writes):

    id1|normal||{"v":1,…};id2|high|d+5000/|{…};    new jobs, for enqueue.lua                   enqueue_text.py
    1764410000123;2|duplicate|id9                  what enqueue.lua answers                    enqueue_text.py
    more|1764410000123|250|…;id1|7|1|;id2|1|1|     the first element of claim.lua's reply      claim_reply.py
    id1|7|-email|{"sent":1};id2|1|-email|;         ends of attempts, for finish.lua            end_record.py
    3/lsent the head/p{"fraction":0.5,…}           what a running job noted, for note.lua      notes.py
    1764410000000||state|ready|spec|{…}            a job, as record_text.lua gives it          job_record.py
    completed email|12|dead email|1                counters of a queue, or its settings        `counters`, `texts`
"""

import json
from typing import Any

RECORD, FIELD, PART, LINE = "\x1e", "\x1f", "\x1d", "\x1c"
RECORD_BYTE, FIELD_BYTE, PART_BYTE, LINE_BYTE = (mark.encode() for mark in (RECORD, FIELD, PART, LINE))

# Three ways to read bytes as text. The third is a plain `raw.decode()`: for what a script wrote itself, where a byte
# that is no UTF-8 is an error (see `unreadable.understood`).


def shown_text(raw: bytes) -> str:
    """Text to be shown or compared: a byte that is no UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def exact_text(raw: bytes) -> str:
    """Text that is sent to Redis again, like an id that somebody wrote by hand: `resp.encoded` restores each byte."""
    return raw.decode("utf-8", "surrogateescape")


def optional_text(raw: bytes | None) -> str | None:
    """None for a field that is absent or empty."""
    return shown_text(raw) if raw else None


def optional_number(raw: bytes | None) -> int | None:
    """None for anything but digits: a field that is absent, empty, or written by hand."""
    return int(raw) if raw and raw.isdigit() else None


def optional_json(raw: bytes | None) -> Any:
    """None for a field that is absent, empty, or no JSON."""
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None


def optional_object(raw: bytes | None) -> dict[str, Any] | None:
    """None for anything but a JSON object."""
    value = optional_json(raw)
    return value if isinstance(value, dict) else None


def texts(joined: bytes) -> dict[str, str]:
    """A hash, joined by FIELD: `paused|1|max_depth|500` -> {"paused": "1", "max_depth": "500"}.

    Raises ValueError if a name has no value behind it.
    """
    flat = shown_text(joined).split(FIELD) if joined else []
    return dict(zip(flat[::2], flat[1::2], strict=True))


def named(reply: list[Any]) -> dict[str, Any]:
    """What census.lua and survey.lua answer: [b"active", 1, b"totals", b"…"] -> {"active": 1, "totals": b"…"}.

    Raises ValueError if a name has no value behind it.
    """
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def counters(joined: bytes) -> dict[str, int]:
    """A hash of counts, joined by FIELD: `completed email|12|dead email|1` -> {"completed email": 12, "dead email": 1}.

    A value that is not digits is left out. Raises ValueError if a name has no value behind it.
    """
    return {name: int(count) for name, count in texts(joined).items() if count.isdigit()}
