"""W3C Trace Context: `traceparent` read from a request, continued or begun, and sent along with a job's own calls.
Pure.

    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

is version 00, the trace id, which is the same in all steps of a story, the span id of one step, and flags. Source:
https://www.w3.org/TR/trace-context/ (level 1).
"""

import hashlib
import re
from typing import NamedTuple

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """One step's place in a trace: 32 hex digits, 16 hex digits, and the two of the flags (01: sampled)."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


NO_TRACE = Trace("0" * 32, "0" * 16, "00")
"""Stands for a trace in a spec that is made as a pattern for others."""


def trace_of(digits: str) -> Trace:
    """A new trace, made of 48 random hex digits."""
    # Made for each request; a named tuple's own __new__ is Python, and takes twice as long.
    return tuple.__new__(Trace, (digits[:32], digits[32:], "01"))


def is_sampled(flags: str) -> bool:
    """Whether spans of a trace with these flags are kept: the last of their bits."""
    return int(flags, 16) & 1 == 1


class Sampler(NamedTuple):
    """Decides which traces are kept, where spans are exported (lib/otlp.py). What it decides stands in the flags of the
    trace, by which all that belongs to the trace goes, here and elsewhere.

    ratio: how much of the traces that begin here is kept, 0 to 1. obeys_caller: a trace that a caller has begun keeps
    the caller's flags; else it is decided on as if it began here."""

    ratio: float = 1.0
    obeys_caller: bool = True

    def trace_from(self, header: str | None, digits: str) -> Trace:
        """As the function `trace_from`."""
        parent = parse_traceparent(header) if header else None
        if parent is None:
            return self.decided(trace_of(digits))
        trace = parent._replace(span_id=digits[32:])
        return trace if self.obeys_caller else self.decided(trace)

    def decided(self, trace: Trace) -> Trace:
        """The trace with the flag `sampled` as this sampler decides, for a trace that begins in this program.

        WHY by the id and not by chance: two processes that begin the same trace, as supervisors do for one slot of a
        schedule, decide the same."""
        keeps = int(trace.trace_id[16:], 16) < self.ratio * 2**64
        return trace._replace(flags="01" if keeps else "00")


KEEP_ALL = Sampler()


def job_span_id(job_id: str) -> str:
    """The span of a job, from when it is taken in to its end. Its parent is the span in the job's spec: that of the
    request that queued the job, or of the attempt whose handler did."""
    return _span_id(job_id)


def attempt_span_id(job_id: str, token: int) -> str:
    """The span of one attempt, the same whoever asks. token: the number of the claim; no two attempts of a job have the
    same. Its parent is the job's span."""
    return _span_id(f"{job_id} {token}")


def part_span_id(job_id: str, part: str) -> str:
    """The span of another part of a job, `wait 2` say."""
    return _span_id(f"{job_id} {part}")


def _span_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def trace_from(header: str | None, digits: str) -> Trace:
    """A new step of the trace in a `traceparent` header; a new trace where the header is missing or malformed. digits:
    48 random hex digits."""
    parent = parse_traceparent(header) if header else None
    return parent._replace(span_id=digits[32:]) if parent else trace_of(digits)


def parse_traceparent(text: str) -> Trace | None:
    """The trace in a `traceparent`; None for a text that the specification says to ignore."""
    match = _TRACEPARENT.fullmatch(text)
    if not match:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    # Version ff is invalid; 00 has exactly four fields; a later version may have more behind them.
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, flags)
