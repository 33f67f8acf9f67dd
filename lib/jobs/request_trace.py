"""What became of one request, as spans: the call, its jobs, and in each job the waits, attempts and pauses. Pure.

    POST /api/jobs  order-4711      |-|
      flaky                           |------------------------------|        a job
        wait                          |-|                                     it was ready, and no slot was free
        attempt 1                       |---|                                 retried
        backoff                             |----------|
        wait                                           |-|
        attempt 2                                        |-----------|        completed
          email                                            |--|               a job that the attempt queued
            …

The ids of spans are those that `traceparent` carried (lib/tracing.py). All times but the beginning of a call are by
Redis' clock; the beginning is in the id of the first job, by the server's clock, and never behind what came of it.

A job keeps its last 20 attempts. Where there were more, `attempts_not_kept` says of how many, at most, there is no
span.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from lib.ids import id_ms
from lib.jobs.edges import KnownEdge
from lib.jobs.job import HISTORY_KEPT, Attempt, JobRecord
from lib.jobs.masking import known_secrets, masked_error
from lib.jobs.shown_edges import ON
from lib.jobs.spec import JobSpec
from lib.jobs.state import BLOCKED, FINISHED
from lib.tracing import attempt_span_id, job_span_id, part_span_id

CALLS: Final = {"email": "mail", "webhook": "webhook"}
"""Type of job -> the kind of span of what each of its attempts sends."""
PAUSES: Final = {"retried": "backoff", "snoozed": "snooze"}
"""Outcome of an attempt -> the name of the pause behind it."""


class Span(NamedTuple):
    """kind: server, job, wait, backoff, attempt, mail or webhook. job_id: "" of a call. end_ms: None while it lasts.
    outcome: of a job its state; of an attempt retried, snoozed, released, crashed, completed, dead or cancelled; "" for
    none. parent_id: "" for none.

    name: of a wait `wait` where the job was ready and no slot was free; `delay`, `snooze`, `blocked` (by other jobs) or
    `ended` (until somebody retried it) where it was not ready."""

    span_id: str
    parent_id: str
    kind: str
    name: str
    job_id: str
    start_ms: int
    end_ms: int | None
    outcome: str = ""
    attributes: dict[str, Any] | None = None


class Link(NamedTuple):
    """A job waits, or has waited, for another one. Both are ids of spans. on: completed, ended or failed."""

    from_id: str
    to_id: str
    on: str


def spans_of(records: Sequence[JobRecord]) -> list[Span]:
    """The spans of these jobs of one request, in the order in which they begin; parents before what they hold."""
    known = [record for record in records if record.created_ms is not None]
    spans = [*_calls(known), *(span for record in known for span in _spans_of_job(record))]
    return _by_beginning(spans)


def _by_beginning(spans: Sequence[Span]) -> list[Span]:
    """WHY a span counts as begun no sooner than its parent: Redis' clock can be set back in between."""
    by_id = {span.span_id: span for span in spans}
    places: dict[str, tuple[int, int]] = {}
    for span in spans:
        chain: list[Span] = []
        above: Span | None = span
        while above is not None and above.span_id not in places:
            places[above.span_id] = above.start_ms, 0
            chain.append(above)
            above = by_id.get(above.parent_id)
        begun_ms, depth = places[above.span_id] if above is not None else (0, 0)
        for one in reversed(chain):
            begun_ms, depth = max(begun_ms, one.start_ms), depth + 1
            places[one.span_id] = begun_ms, depth
    return sorted(spans, key=lambda span: places[span.span_id])


def rooted(spans: Sequence[Span]) -> list[Span]:
    """These spans, all there are, with no parent where it is not among them: its job is gone, or its attempt was not
    kept."""
    known = {span.span_id for span in spans}
    return [span if span.parent_id in known else span._replace(parent_id="") for span in spans]


def links_of(records: Iterable[JobRecord]) -> list[Link]:
    return [
        Link(job_span_id(record.job_id), job_span_id(edge.parent_id), on)
        for record in records
        for edge, on in links_of_one(record)
    ]


def links_of_one(record: JobRecord) -> list[tuple[KnownEdge, str]]:
    """The edges to jobs that this one waits for, or has waited for, and how each of these was to end."""
    return [(edge, ON[edge.rule]) for edge in record.edges if edge.rule in ON]


# What has ended, for the export (exported_spans.py).


def call_of(record: JobRecord) -> list[Span]:
    """The span of the call, or slot of a schedule, that queued this job; [] where a job did."""
    return list(_calls([record]))


def job_that_ended(record: JobRecord) -> list[Span]:
    """The job's own span; [] while it has not ended."""
    return [_job_span(record)] if record.state in FINISHED and record.created_ms is not None else []


def stretch_of(record: JobRecord, token: int) -> list[Span]:
    """The attempt with this token, if it has ended, what it sent, and the pause and the wait before it."""
    if record.created_ms is None:
        return []
    for attempt, spans in _stretches(record):
        if attempt is not None and attempt.token == token and attempt.finished_ms is not None:
            return spans
    return []


# The calls.


def _calls(records: Sequence[JobRecord]) -> Iterator[Span]:
    """A span for each call, or slot of a schedule, that queued some of these jobs: not those that a job queued."""
    first: dict[str, tuple[JobRecord, JobSpec]] = {}
    ends: dict[str, int] = {}
    for record in records:
        spec, created_ms = record.spec, record.created_ms or 0
        if spec is None or spec.by:
            continue
        span_id = spec.trace.span_id
        if span_id not in first or _begun_ms(record) < _begun_ms(first[span_id][0]):
            first[span_id] = record, spec
        ends[span_id] = max(ends.get(span_id, 0), created_ms)
    for span_id, (record, spec) in first.items():
        name = f"schedule {spec.schedule}" if spec.schedule else "request"
        about = {"trace_id": spec.trace.trace_id}
        yield Span(span_id, "", "server", name, "", _begun_ms(record), ends[span_id], attributes=about)


def _begun_ms(record: JobRecord) -> int:
    """When the call began that queued the job: the time in the job's id, if that is not behind the job itself."""
    created_ms = record.created_ms or 0
    return min(id_ms(record.job_id) or created_ms, created_ms)


# One job.


def _spans_of_job(record: JobRecord) -> Iterator[Span]:
    yield _job_span(record)
    for _, spans in _stretches(record):
        yield from spans


def _stretches(record: JobRecord) -> Iterator[tuple[Attempt | None, list[Span]]]:
    """The spans in the job's span, up to the end of each attempt, with the attempt; last, those behind all attempts,
    with None."""
    span_id = job_span_id(record.job_id)
    attempts, not_kept = _attempts(record), _not_kept(record)
    before: Attempt | None = None
    at_ms = record.created_ms or 0
    for attempt in attempts:
        started_ms = max(at_ms, attempt.started_ms or at_ms)
        spans: list[Span] = []
        if before is not None or not not_kept:
            ready_ms = attempt.ready_ms or _ready_ms(record, before, started_ms, is_last=attempt is attempts[-1])
            spans += _until_begun(record, span_id, before, at_ms, ready_ms, started_ms)
        yield attempt, [*spans, *_spans_of_attempt(record, span_id, attempt, started_ms)]
        at_ms, before = max(started_ms, attempt.finished_ms or started_ms), attempt
    if record.state not in FINISHED and (before is None or before.finished_ms is not None):
        ready_ms = _ready_ms(record, before, None, is_last=True)
        yield None, list(_until_begun(record, span_id, before, at_ms, ready_ms, None))


def _not_kept(record: JobRecord) -> int:
    """How many attempts were before those of the history, at most: by the number of the first claim that is kept, and a
    claim that was given back before its handler began has a number as well, and leaves no line."""
    history = record.history
    return max(0, (history[0].token or history[0].attempt) - 1) if len(history) >= HISTORY_KEPT else 0


def _job_span(record: JobRecord) -> Span:
    span_id, not_kept = job_span_id(record.job_id), _not_kept(record)
    about: dict[str, Any] = {"attempts_not_kept": not_kept} if not_kept else {}
    spec, created_ms = record.spec, record.created_ms or 0
    end_ms = max(created_ms, record.finished_ms or created_ms) if record.state in FINISHED else None
    parent_id, name = (spec.trace.span_id, spec.type) if spec else ("", "unreadable")
    return Span(span_id, parent_id, "job", name, record.job_id, created_ms, end_ms, record.state, about)


def _attempts(record: JobRecord) -> list[Attempt]:
    """Those that have ended, and the one that goes on, in a runner or with a service that is to call back."""
    goes_on = record.state == "active" or (record.state == BLOCKED and record.started_ms is not None)
    if not goes_on:
        return list(record.history)
    now = Attempt(record.attempts, record.started_ms, None, record.runner_id, "", None, token=record.token)
    return [*record.history, now]


def _ready_ms(record: JobRecord, before: Attempt | None, started_ms: int | None, *, is_last: bool) -> int | None:
    """When an attempt was due whose line says nothing of that, or that has not begun (started_ms is None). is_last: it
    is about this attempt that the record says since when the job is ready."""
    due_ms = before.retry_ms if before is not None else None
    if due_ms is not None or not is_last:
        return due_ms
    # A time behind the attempt's begin is that of the next attempt, for which the job waits, or waited when it ended.
    is_of_next = started_ms is not None and (record.run_at_ms or 0) > started_ms
    return None if is_of_next else record.run_at_ms


def _until_begun(
    record: JobRecord, job_span: str, before: Attempt | None, from_ms: int, ready_ms: int | None, started_ms: int | None
) -> Iterator[Span]:
    """What lies between two attempts, or before the first: the pause until the job was ready, and the wait from then.

    ready_ms: since when the job was ready, or when it will be; None for from_ms on. started_ms: None where the next
    attempt has not begun."""
    is_pausing = started_ms is None and record.state in ("delayed", BLOCKED)
    ready_ms = max(from_ms, ready_ms or from_ms)
    if started_ms is not None:
        ready_ms = min(ready_ms, started_ms)
    behind = "" if before is None else f" behind {_mark_of(before)}"
    if is_pausing or ready_ms > from_ms:
        name = _pause_of(record, before)
        kind = "backoff" if name == "backoff" else "wait"
        yield _part(record, job_span, kind, name, f"pause{behind}", from_ms, None if is_pausing else ready_ms)
    if not is_pausing and (started_ms is None or started_ms > ready_ms):
        yield _part(record, job_span, "wait", "wait", f"wait{behind}", ready_ms, started_ms)


def _pause_of(record: JobRecord, before: Attempt | None) -> str:
    """Why the job was not ready: what the name of the span says."""
    if before is None:
        # A job of a workflow waits until that is open, also where it waits for no other job.
        is_member = record.spec is not None and record.spec.workflow != ""
        return "blocked" if record.edges or is_member or record.state == BLOCKED else "delay"
    return "ended" if before.outcome in FINISHED else PAUSES.get(before.outcome, "delay")


def _spans_of_attempt(record: JobRecord, job_span: str, attempt: Attempt, started_ms: int) -> Iterator[Span]:
    end_ms = None if attempt.finished_ms is None else max(started_ms, attempt.finished_ms)
    span_id = (
        part_span_id(record.job_id, _mark_of(attempt))
        if attempt.token is None
        else attempt_span_id(record.job_id, attempt.token)
    )
    about: dict[str, Any] = {"attempt": attempt.attempt, "worker_id": attempt.runner_id}
    if attempt.error is not None:
        error = masked_error(attempt.error, known_secrets(record.spec.payload) if record.spec else []) or {}
        about["error"] = {"type": error.get("type"), "message": error.get("message")}
    name = f"attempt {attempt.attempt}"
    yield Span(span_id, job_span, "attempt", name, record.job_id, started_ms, end_ms, attempt.outcome, about)
    kind = CALLS.get(record.spec.type) if record.spec else None
    if kind is not None and (said := _said(record, attempt)):
        call_id = part_span_id(record.job_id, f"{kind} of {_mark_of(attempt)}")
        yield Span(call_id, span_id, kind, kind, record.job_id, started_ms, end_ms, attributes=said)


def _mark_of(attempt: Attempt) -> str:
    """What no other attempt of the job has; older versions noted no token."""
    return f"{attempt.token}" if attempt.token is not None else f"{attempt.attempt} of {attempt.started_ms}"


def _said(record: JobRecord, attempt: Attempt) -> dict[str, Any]:
    """What the mail server or the receiver said, as far as the job has kept it; {} where it said nothing."""
    told = record.result if attempt.outcome == "completed" else attempt.error
    if not isinstance(told, dict):
        return {}
    return {name: told[name] for name in ("message_id", "status") if told.get(name) is not None}


def _part(record: JobRecord, job_span: str, kind: str, name: str, part: str, start_ms: int, end_ms: int | None) -> Span:
    return Span(part_span_id(record.job_id, part), job_span, kind, name, record.job_id, start_ms, end_ms)
