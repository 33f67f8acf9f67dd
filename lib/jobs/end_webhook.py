"""The webhook that tells a job's end to its `callback_url`: asked for with the job, made when the job has ended. Pure.

    {"type": "report", "payload": {}, "callback_url": "https://api.example.com/done"}

becomes, when the job has ended, a job of type webhook whose body is

    {"type": "job.completed", "timestamp": "2026-11-30T01:30:00.000Z", "data": {"id": "reports-01a2…", …}}

with the job as GET /api/jobs/{id} shows it. WHY the body is made once, and not at each attempt: a receiver that gets a
`webhook-id` twice takes it for the same webhook.
"""

import json
import re
from typing import Any, Final, NamedTuple

from lib.errors import FieldError
from lib.ids import derived_id, queue_of
from lib.jobs.author_checks import Invalid
from lib.jobs.job import JobRecord, NewJob
from lib.jobs.masking import masked_error
from lib.jobs.registry import Registry
from lib.jobs.shown import job_text
from lib.jobs.spec import JobSpec
from lib.jobs.timestamps import timestamp
from lib.jobs.webhook_defaults import (
    BACKOFF,
    MAX_ATTEMPTS,
    TIMEOUT_S,
    WEBHOOK_QUEUE,
    WEBHOOK_TYPE,
    group_of_host,
)
from lib.tracing import job_span_id

MOST_BYTES: Final = 256 * 1024
"""A job whose JSON is longer is sent without its payload, which whoever queued the job has."""
_NO_TYPE: Final = (
    "needs jobs of type webhook, which no job module defines: add lib.handlers.webhook to JOB_MODULES, of workers too,"
    " and restart them"
)
_NO_SECRET: Final = "is always signed, and there is no secret: set WEBHOOK_SECRET, of workers too, and restart them"
_TOO_MUCH: Final = "!"
_NO_PAYLOAD: Final = b',"payload":{}}'
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def faults_of_callback(url: str, registry: Registry) -> list[FieldError]:
    """What keeps the ends of jobs from being sent to that URL."""
    webhook = registry.get(WEBHOOK_TYPE)
    if webhook is None:
        return [FieldError("/callback_url", _NO_TYPE)]
    if not registry.signs_webhooks:
        return [FieldError("/callback_url", _NO_SECRET)]
    try:
        webhook.admit({"url": url}, "")
    except Invalid as fault:
        return [error._replace(pointer="/callback_url") for error in fault.errors]
    return []


class JobEnd(NamedTuple):
    """One end of a job, as the script that ended the job noted it.

    notice_id: of the notice, `1764410000123-0`: a job that is run again and ends again has another one.
    said: the job's result or error, JSON; "" for none, "!" where it was too much.
    spec_head: the text of the job's spec at its end, up to the payload.
    """

    job_id: str
    notice_id: str
    state: str
    finished: str
    said: str
    spec_head: bytes

    @property
    def spec(self) -> JobSpec:
        """The job's spec, with an empty payload. Raises SpecError for a head that no script of ours noted."""
        return JobSpec.from_text(self.spec_head + _NO_PAYLOAD)


def webhook_of(end: JobEnd, found: JobRecord | None) -> tuple[NewJob, JobSpec]:
    """The webhook that tells this end: always under the same id, in the story (request id, trace) of the job.

    found: the job as it is now; None where its record is gone. Raises SpecError or ValueError for an end that no script
    of ours noted."""
    spec = found.spec if found and found.spec else end.spec
    body = _body(_as_it_ended(end, found, spec), has_payload=found is not None)
    webhook = JobSpec(
        WEBHOOK_TYPE,
        {"url": spec.callback_url, "body": body, "signed": True},
        spec.request_id,
        spec.trace._replace(span_id=job_span_id(end.job_id)),
        MAX_ATTEMPTS,
        TIMEOUT_S,
        BACKOFF,
        group=group_of_host(spec.callback_url),
        by=end.job_id,
    )
    job_id = derived_id(WEBHOOK_QUEUE, end.job_id, f"end {end.notice_id}", spec.request_id)
    return NewJob(job_id, webhook.priority, webhook.to_text(), group=webhook.group), webhook


def _as_it_ended(end: JobEnd, found: JobRecord | None, spec: JobSpec) -> JobRecord:
    """The job at this end of it. It may have been run again meanwhile, or its record may be gone."""
    finished_ms = int(end.finished) if _NUMBER.fullmatch(end.finished) else None
    if found is not None and (found.state, found.finished_ms) == (end.state, finished_ms):
        return found
    said = json.loads(end.said) if end.said not in ("", _TOO_MUCH) else None
    has_completed = end.state == "completed"
    error = said if type(said) is dict and not has_completed else None
    if found is None:
        # WHY: it may quote secrets of the payload, and nobody knows these any more.
        error = masked_error(error, None)
    record = found or JobRecord(end.job_id, queue_of(end.job_id) or "", end.state, None)
    return record._replace(
        state=end.state,
        spec=spec,
        finished_ms=finished_ms,
        result=said if has_completed else None,
        is_result_truncated=has_completed and end.said == _TOO_MUCH,
        result_error=None,
        error=error,
    )


def _body(record: JobRecord, *, has_payload: bool) -> dict[str, Any]:
    """What is sent. has_payload: the record has its payload."""
    text = job_text(record)
    shown = json.loads(text)
    if not has_payload or len(text.encode()) > MOST_BYTES:
        shown["payload"] = None
        shown["payload_truncated"] = True
    kind = "workflow" if record.is_workflow else "job"
    ended_at = None if record.finished_ms is None else timestamp(record.finished_ms)
    return {"type": f"{kind}.{record.state}", "timestamp": ended_at, "data": shown}
