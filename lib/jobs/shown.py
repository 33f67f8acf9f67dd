"""A job as the API shows it: the fields of openapi.yaml's Job, with secrets masked. Pure.

    {"id": "email-0192…", "type": "email", "queue": "email", "state": "ready", "payload": {"to": "a@b.c", …}, …}

`present` makes them of a job's record; `job_text` is their JSON, `new_job` the JSON of a job that was just created. To
show one more field: a line in `present`, and if jobs of one type differ in the field, as in `unique_key`, its name in
_VARYING and _FILLED_IN, and its JSON in `new_job`.
"""

import functools
import operator
from collections.abc import Mapping
from typing import Any, Final

from lib.jobs.job import Accepted, JobRecord, NewJob
from lib.jobs.masking import known_secrets, masked, masked_error, names_secrets, shown_url
from lib.jobs.shown_edges import shown_edges
from lib.jobs.spec import JobSpec, payload_text
from lib.jobs.timestamps import LAST_MS, timestamp
from lib.json_text import to_json
from lib.tracing import NO_TRACE


def present(record: JobRecord) -> dict[str, Any]:
    """A job's record in the words of the API: times as RFC 3339, secrets of the payload masked in errors too."""
    spec = record.spec
    has_errors = record.error is not None or any(attempt.error for attempt in record.history)
    secrets = known_secrets(spec.payload) if spec and has_errors else []
    shown: dict[str, Any] = {
        "id": record.job_id,
        "type": spec.type if spec else None,
        "queue": record.queue,
        "state": record.state or None,
        "priority": spec.priority if spec else None,
        "payload": masked(spec.payload) if spec else None,
        "attempts": record.attempts,
        "max_attempts": spec.max_attempts if spec else None,
        "backoff": spec.backoff._asdict() if spec else None,
        "timeout_s": spec.timeout_s if spec else None,
        "created_at": shown_time(record.created_ms),
        "run_at": shown_time(record.run_at_ms),
        "expires_at": shown_time(record.expires_ms),
        "started_at": shown_time(record.started_ms),
        "finished_at": shown_time(record.finished_ms),
        "progress": record.progress,
        "checkpoint": masked(record.checkpoint),
        "checkpointed_at": shown_time(record.checkpointed_ms),
        "result": record.result,
        "error": masked_error(record.error, secrets),
        "worker_id": record.runner_id,
        "request_id": spec.request_id if spec else None,
        "trace_id": spec.trace.trace_id if spec else None,
        "group": (spec.group or None) if spec else None,
        "tags": [*spec.tags] if spec else [],
        "unique_key": (spec.unique_key or None) if spec else None,
        "schedule": (spec.schedule or None) if spec else None,
        "scheduled_for": shown_time(spec.scheduled_for or None) if spec else None,
        "by": (spec.by or None) if spec else None,
        "workflow": (spec.workflow or None) if spec else None,
        "after": shown_edges(record.edges),
        "then": [*record.then],
        "callback_url": shown_url(spec.callback_url) if spec and spec.callback_url else None,
        "retain_s": seconds_of(record.retain_ms),
        "give_up_after_s": seconds_of(record.give_up_ms),
        "give_up_at": shown_time(record.gives_up_ms),
        "cancel_requested_at": shown_time(record.cancel_requested_ms),
        "history": [
            {
                "attempt": attempt.attempt,
                "ready_at": shown_time(attempt.ready_ms),
                "started_at": shown_time(attempt.started_ms),
                "finished_at": shown_time(attempt.finished_ms),
                "worker_id": attempt.runner_id,
                "outcome": attempt.outcome,
                "retry_at": shown_time(attempt.retry_ms),
                "error": masked_error(attempt.error, secrets),
            }
            for attempt in record.history
        ],
    }
    if record.is_result_truncated:
        shown["result_truncated"] = True
    if record.result_error is not None:
        shown["result_error"] = record.result_error
    return shown


OUTCOMES = {"new": "created", "superseding": "created", "duplicate": "duplicate", "replaced": "replaced"}


def outcome_of(accepted: Accepted) -> str:
    """The API's word for what became of a job that was sent: created, duplicate, replaced or replayed."""
    return OUTCOMES.get(accepted.outcome, "replayed")


def job_text(record: JobRecord) -> str:
    """JSON of `present`. A field that JSON can't hold is shown as null, and the rest of the job as ever.

    (A NaN or too many levels, which an older version let in or somebody wrote into Redis by hand.)"""
    try:
        return to_json(present(record))
    except Exception:  # noqa: BLE001  Whatever is wrong with one job, the other jobs of its page are shown.
        return to_json(_less_what_fails(record))


def _less_what_fails(record: JobRecord) -> dict[str, Any]:
    """As `present`, with null for each part that can't be written as JSON."""
    spec, has_result = record.spec, not _fails(record.result)
    has_payload = spec is not None and not _fails(spec.payload)
    if spec is not None and not has_payload:
        spec = spec._replace(payload={})
    shown = present(
        record._replace(
            spec=None if _fails(spec) else spec,
            result=record.result if has_result else None,
            result_error=record.result_error if has_result else "it can't be shown as JSON",
            progress=None if _fails(record.progress) else record.progress,
            checkpoint=None if _fails(record.checkpoint) else record.checkpoint,
            error=None if _fails(record.error) else record.error,
            history=tuple(one._replace(error=None) if _fails(one.error) else one for one in record.history),
        )
    )
    return shown if has_payload else {**shown, "payload": None}


def _fails(value: Any) -> bool:
    try:
        to_json(masked(value))
    except Exception:  # noqa: BLE001  as in job_text
        return True
    return False


def just_taken(job: NewJob, spec: JobSpec, created_ms: int) -> JobRecord:
    """The record of a job at the moment when Redis took it in, made here without asking Redis."""
    due_ms = job.due_ms(created_ms)
    return JobRecord(
        job.job_id,
        job.queue,
        "ready" if due_ms is None else "delayed",
        spec,
        created_ms=created_ms,
        run_at_ms=due_ms,
        expires_ms=None if job.expires_in_ms is None else created_ms + job.expires_in_ms,
        retain_ms=job.retain_ms,
        give_up_ms=job.give_up_ms,
        gives_up_ms=None if job.give_up_ms is None else (due_ms or created_ms) + job.give_up_ms,
    )


_FILLED_IN = {
    "id": '"?"',
    "queue": '"?"',
    "state": '"?"',
    "payload": "?",
    "created_at": '"?"',
    "run_at": "?",
    "expires_at": "?",
    "request_id": '"?"',
    "trace_id": '"?"',
    "group": "?",
    "tags": "?",
    "unique_key": "?",
    "give_up_at": "?",
}
"""The fields in which new jobs of one type differ, in the order of `present`; `new_job` fills each in at the "?"."""
_VARYING: Final[Mapping[str, Any]] = {
    "payload": {},
    "request_id": "",
    "trace": NO_TRACE,
    "group": "",
    "tags": (),
    "unique_key": "",
}
"""The fields of a spec in which new jobs of one type differ, each with the value that `_form` gives it."""
_ALIKE = [name for name in JobSpec._fields if name not in _VARYING]
_alike_in = operator.itemgetter(*map(JobSpec._fields.index, _ALIKE))


def new_job(job: NewJob, spec: JobSpec, created_ms: int) -> bytes:
    """The answer to almost every POST: a job to which nothing has happened, as JSON with its outcome and a newline.

    The same text as `present(just_taken(…))` gives, held equal by a test. WHY not `present` itself: a dict of 30 fields
    takes five times as long, a tenth of the whole request. So `present` is asked once for all jobs that are alike
    (_form), and the payload, which is JSON in the spec's text already, is copied from there.
    """
    job_id, _, spec_text, delay_ms, run_at_ms, expires_in_ms = job[:6]
    retain_ms, give_up_ms = job.retain_ms, job.give_up_ms
    payload, group, tags, unique_key = spec.payload, spec.group, spec.tags, spec.unique_key
    if spec.callback_url:
        return _new_with_callback(job, created_ms)
    due_ms = None if delay_ms is None and run_at_ms is None else job.due_ms(created_ms)
    pieces = [*_form(_alike_in(spec), retain_ms, give_up_ms)]
    pieces[1::2] = (
        job_id,
        job_id[:-33],
        "ready" if due_ms is None else "delayed",
        to_json(masked(payload)) if names_secrets(payload) else payload_text(spec_text),
        timestamp(created_ms),
        "null" if due_ms is None else _time_text(due_ms),
        "null" if expires_in_ms is None else _time_text(created_ms + expires_in_ms),
        spec.request_id,
        spec.trace.trace_id,
        f'"{group}"' if group else "null",
        to_json([*tags]) if tags else "[]",
        to_json(unique_key) if unique_key else "null",
        "null" if give_up_ms is None else _time_text((due_ms or created_ms) + give_up_ms),
    )
    return "".join(pieces).encode()


def _new_with_callback(job: NewJob, created_ms: int) -> bytes:
    """`new_job` for the few jobs that have a callback_url, which differs from job to job."""
    spec = JobSpec.from_text(job.spec_text)  # As whoever reads the job gets it: 60 for the type's 60.0.
    return f'{job_text(just_taken(job, spec, created_ms))[:-1]},"outcome":"{OUTCOMES["new"]}"}}\n'.encode()


@functools.lru_cache(maxsize=1024)
def _form(alike: tuple[Any, ...], retain_ms: int | None, give_up_ms: int | None) -> tuple[str, ...]:
    """The JSON of a new job as `present` shows it, cut at the fields of _FILLED_IN, with "" in place of each:

    ('{"id":"', "", '","type":"email","queue":"', "", '","state":"', "", '","priority":"normal","payload":', "", …)

    alike: the values of _ALIKE in the job's spec. (Of 60 and 60.0, which are one key, either may be shown.)"""
    spec = JobSpec(**dict(zip(_ALIKE, alike, strict=True)), **_VARYING)
    shown = present(JobRecord("", "", "", spec, retain_ms=retain_ms, give_up_ms=give_up_ms))
    marks = {name: f"\0{name}" for name in _FILLED_IN}
    rest = to_json({**shown, **marks, "outcome": OUTCOMES["new"]})
    pieces: list[str] = []
    for name, place in _FILLED_IN.items():
        # Raises ValueError, at the first job, where the table and `present` have come apart.
        before, rest = rest.split(to_json(marks[name]), 1)
        opening, closing = place.split("?")
        pieces += (before + opening, "")
        rest = closing + rest
    return (*pieces, f"{rest}\n")


def shown_time(ms: int | None) -> str | None:
    """The time as RFC 3339; None where there is none."""
    # Somebody may have written a number into Redis by hand that is no time.
    return timestamp(ms) if ms is not None and ms <= LAST_MS else None


def seconds_of(ms: int | None) -> float | None:
    """60 for 60000 ms, 1.5 for 1500 ms."""
    return None if ms is None else ms / 1000 if ms % 1000 else ms // 1000


def _time_text(ms: int) -> str:
    return f'"{timestamp(ms)}"' if ms <= LAST_MS else "null"
