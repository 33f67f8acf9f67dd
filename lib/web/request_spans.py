"""The spans of the requests that change something, exported to a collector (lib/otlp.py).

    POST /api/jobs       SERVER, 202       its parent is the span in the caller's `traceparent`
    POST /api/jobs/{job_id}/cancel …

Reads (GET, HEAD, OPTIONS) have no span: health checks, scrapes and open pages are most of them, and none of what a
request caused hangs on them. Nor has a request that matches no operation, or is refused before that: strangers can send
as many as they like. A refused one with a span (409, 422) is exported like any other.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lib.http1.message import Response
from lib.otlp_text import SERVER, Attributes, OtlpSpan
from lib.tracing import is_sampled, parse_traceparent
from lib.web.browsers import SAFE_METHODS

if TYPE_CHECKING:
    from lib.web.middleware import WebRequest


class RequestSpans:
    """add: takes spans that have ended, and never blocks. clock_ns: since 1970."""

    def __init__(self, add: Callable[[Sequence[OtlpSpan]], object], clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._add = add
        self._clock_ns = clock_ns

    def note(self, request: "WebRequest", response: Response, duration_s: float) -> None:
        """The request has been answered, duration_s after its first byte."""
        trace = request.trace
        if request.method in SAFE_METHODS or request.route is None or not is_sampled(trace.flags):
            return
        sent = request.headers.get("traceparent")
        caller = parse_traceparent(sent) if sent else None
        pattern = request.route[0].pattern
        attributes: Attributes = {
            "http.request.method": request.method,
            "http.route": pattern,
            "http.response.status_code": response.status,
            "waybill.request_id": request.request_id,
        }
        end_ns = self._clock_ns()
        error = f"status {response.status}" if response.status >= 500 else None
        parent_id = caller.span_id if caller else ""
        name, start_ns = f"{request.method} {pattern}", end_ns - int(duration_s * 1e9)
        self._add(
            [OtlpSpan(*trace[:2], parent_id, name, SERVER, start_ns, end_ns, attributes, error=error)],
        )
