"""Times in requests and answers: RFC 3339 text on one side, ms since 1970 on the other. Pure.

1795438188123 is "2026-11-23T12:49:48.123Z".
"""

import functools
import re
from datetime import UTC, datetime

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last time that RFC 3339 can write."""

_RFC3339 = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))[Tt ]"
    r"((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def milliseconds(text: str) -> int:
    """An RFC 3339 time in ms since 1970. Raises ValueError, whose words follow the name of the field."""
    try:
        ms = _read(text)
    except (ValueError, OverflowError):
        raise ValueError("must be a time as RFC 3339 has it, with its zone, such as 2026-11-23T12:49:48.123Z") from None
    if not 0 <= ms <= LAST_MS:
        raise ValueError("must be from 1970 to 9999, in UTC")
    return ms


def _read(text: str) -> int:
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError
    date, minute, second, fraction, zone = found.groups()
    is_leap = second == "60"
    plain = f"{date}T{minute}:{'59' if is_leap else second}{'+00:00' if zone in 'Zz' else zone}"
    seconds = int(datetime.fromisoformat(plain).timestamp()) + is_leap
    # A leap second ends a day in UTC (RFC 3339, 5.7). POSIX counts it as the first second of the next day.
    if is_leap and seconds % 86_400:
        raise ValueError
    return seconds * 1000 + int(f"{fraction or ''}000"[:3])


@functools.lru_cache(maxsize=64)  # All jobs of a commit have one time.
def timestamp(ms: int) -> str:
    """RFC 3339, UTC, with milliseconds. 0 <= ms <= LAST_MS."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


def timestamp_or_none(ms: int | None) -> str | None:
    """The same; None for None, and for a number that is no time, which somebody may have written into Redis by hand."""
    return timestamp(ms) if ms is not None and 0 <= ms <= LAST_MS else None


@functools.lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
