"""What is exported of a job's record when something of it has ended: spans of request_trace.py, as OTLP has them. Pure.

    exported(record, Ended.of_attempt(2), {})
    ->  wait, attempt 2 (CONSUMER), mail (CLIENT), and the job's own span, if it ended with that attempt

Each span is exported once, by the process in which its end became known, and by no other:

    the runner                      an attempt whose handler ended, and the job if it ended with that
    who takes back or gives up      an attempt whose runner is gone, a job that may not begin any more, a workflow
    a server                        a job that was cancelled or superseded before it began, an attempt that a callback
                                    ended; and the spans of requests (lib/web/request_spans.py)
    the supervisor that fires       the span of a schedule's slot, from which the slot's jobs hang

A job that somebody runs again after its end has its own span once more, under the same id, when it ends again.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lib.jobs.job import JobRecord
from lib.jobs.masking import known_secrets, masked_error
from lib.jobs.request_trace import Span, call_of, job_that_ended, links_of_one, stretch_of
from lib.jobs.spec import JobSpec
from lib.jobs.state import BLOCKED, FINISHED
from lib.otlp_text import CLIENT, CONSUMER, INTERNAL, OtlpLink, OtlpSpan
from lib.tracing import is_sampled, job_span_id

_KINDS: Final = {"attempt": CONSUMER, "mail": CLIENT, "webhook": CLIENT}
"""Kind of a span here -> its kind in OTLP. All others are INTERNAL: a slot of a schedule serves nobody's request."""
_NAMES: Final = {
    "attempt": "waybill.attempt",
    "worker_id": "waybill.worker_id",
    "message_id": "waybill.message_id",
    "status": "http.response.status_code",
}
"""Name among a span's attributes in GET /api/requests/{request_id} -> its name in OTLP."""
_FAILED: Final = ("retried", "crashed", "dead")
_MS: Final = 1_000_000
MOST_LINKS: Final = 128


class Ended(NamedTuple):
    """What is known to have ended. token: of the attempt; 0 for none. word:

    attempt     that attempt, in its runner or by a callback; and the job, if it ended with it
    otherwise   the last attempt, or the job without one, and no runner has exported it
    in_place    the job, by a request, before an attempt of it began
    fired       nothing: a slot of a schedule has queued the job
    """

    word: str
    token: int = 0

    @classmethod
    def of_attempt(cls, token: int) -> "Ended":
        return cls("attempt", token)


OTHERWISE, IN_PLACE, FIRED = Ended("otherwise"), Ended("in_place"), Ended("fired")


def is_exported(spec: JobSpec | None) -> bool:
    """Whether spans of such a job are exported: by the flags of its trace."""
    return spec is not None and is_sampled(spec.trace.flags)


def exported(record: JobRecord, ended: Ended, traces: Mapping[str, str]) -> list[OtlpSpan]:
    """The spans that ended, [] for a job that is not sampled. traces: the trace id of each job that the job has waited
    for, as far as they are known: those of `parents_of`."""
    spec = record.spec
    if spec is None or not is_exported(spec):
        return []
    return [_otlp(span, record, spec, traces) for span in _ended(record, ended)]


def parents_of(record: JobRecord, ended: Ended) -> list[str]:
    """The ids of the jobs to which the exported span of this job has links."""
    if not (record.edges and record.state in FINISHED and is_exported(record.spec)) or ended.word == "fired":
        return []
    return [edge.parent_id for edge, _ in links_of_one(record)][:MOST_LINKS]


def _ended(record: JobRecord, ended: Ended) -> list[Span]:
    if ended.word == "fired":
        return call_of(record)
    is_over = record.state in FINISHED
    if ended.word == "in_place" and not (is_over and record.cancel_requested_ms is None):
        return []  # It runs, and was asked to stop: its runner will export it, or has.
    last = record.history[-1] if record.history else None
    ended_job = is_over and last is not None and last.finished_ms == record.finished_ms
    if ended.word == "attempt":
        is_last = ended_job and last is not None and last.token == ended.token
        return [*stretch_of(record, ended.token), *(job_that_ended(record) if is_last else [])]
    if last is None or last.token is None:
        return job_that_ended(record)
    # An attempt is new if it ended the job. Of a job that goes on, that of its last claim is, or of the one before,
    # where the job has been claimed again meanwhile. Others were exported when they ended.
    new_tokens = (record.token, record.token - 1) if record.state in ("active", BLOCKED) else (record.token,)
    is_new = ended_job if is_over else last.token in new_tokens
    return [*(stretch_of(record, last.token) if is_new else []), *job_that_ended(record)]


def _otlp(span: Span, record: JobRecord, spec: JobSpec, traces: Mapping[str, str]) -> OtlpSpan:
    is_job = span.kind == "job"
    error = _error_of(span, record, spec)
    end_ms = span.start_ms if span.end_ms is None else span.end_ms
    return OtlpSpan(
        spec.trace.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        _KINDS.get(span.kind, INTERNAL),
        span.start_ms * _MS,
        end_ms * _MS,
        _attributes(span, record, spec, error),
        _links(record, traces) if is_job else (),
        _failure(span, error),
    )


def _error_of(span: Span, record: JobRecord, spec: JobSpec) -> Mapping[str, Any]:
    if span.kind == "job" and record.error is not None:
        return masked_error(record.error, known_secrets(spec.payload)) or {}
    error: Mapping[str, Any] = (span.attributes or {}).get("error") or {}
    return error


def _attributes(span: Span, record: JobRecord, spec: JobSpec, error: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "messaging.system": "waybill",
        "messaging.destination.name": record.queue,
        "messaging.message.id": record.job_id,
        "waybill.span": span.kind,
        "waybill.type": spec.type,
        "waybill.request_id": spec.request_id,
        "waybill.outcome": span.outcome or None,
        "waybill.attempts": record.attempts if span.kind == "job" else None,
        "error.type": error.get("type"),
    }
    about = span.attributes or {}
    attributes.update((key, about.get(name)) for name, key in _NAMES.items())
    return {name: value for name, value in attributes.items() if value is not None}


def _failure(span: Span, error: Mapping[str, Any]) -> str | None:
    """What went wrong; None where nothing did."""
    if span.kind == "webhook":
        status = (span.attributes or {}).get("status")
        return f"status {status}" if isinstance(status, int) and status >= 400 else None
    return str(error.get("message") or span.outcome) if span.outcome in _FAILED else None


def _links(record: JobRecord, traces: Mapping[str, str]) -> list[OtlpLink]:
    return [
        OtlpLink(traces[edge.parent_id], job_span_id(edge.parent_id), {"waybill.on": on})
        for edge, on in links_of_one(record)
        if edge.parent_id in traces
    ][:MOST_LINKS]
