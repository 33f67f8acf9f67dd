"""W3C Trace Context: `traceparent` read from a request, continued or begun, and written to whatever the job calls.

A trace id names the whole story, a span id one step of it. Source: https://www.w3.org/TR/trace-context/ (level 1).
"""

import os
import re
from typing import NamedTuple

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """One step's place in a trace: 32 hex, 16 hex, and the two hex of the flags (01: sampled)."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def trace_of(digits: str) -> Trace:
    """The trace that 48 random hex digits begin."""
    # Made for each request; a named tuple's own __new__, which is Python, takes half as long again.
    return tuple.__new__(Trace, (digits[:32], digits[32:], "01"))


def child_of(trace: Trace) -> Trace:
    """The same trace, one step further."""
    return trace._replace(span_id=os.urandom(8).hex())


def trace_from(header: str | None, digits: str) -> Trace:
    """The caller's trace, continued with a span of our own; a new one, of 48 random hex digits, where the header is
    missing or malformed."""
    parent = parse_traceparent(header) if header else None
    return parent._replace(span_id=digits[32:]) if parent else trace_of(digits)


def parse_traceparent(text: str) -> Trace | None:
    """The trace that `text` names; None where the specification says to ignore it."""
    match = _TRACEPARENT.fullmatch(text)
    if not match:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    # Version ff is invalid; 00 has exactly four fields; a later version may have more behind them.
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, flags)
