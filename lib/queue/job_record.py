"""A job as Redis holds it, read out of the text that record_text.lua gives of the job. Pure.

    1764410000000||state|completed|spec|{"v":1,"type":"email",…}|attempts|2|claims|2|started|1764410003000|history|1/…

`|` stands for FIELD (framing.py). First come the ms at which the job was created and, while it is delayed, the ms at
which it is due; then the names and values of the job's hash, in any order. Of a job that waits for others there is
`edges` as well, in the form of lib/jobs/edges.py, and of one that others wait for `then`, their ids joined by commas.
A line of `history`, one for each earlier attempt, is `attempt/started/finished/runner/outcome/error/due/token/since`,
with `/` for PART, and ends with LINE.

A value that makes no sense, because somebody wrote it by hand, is read as absent.
"""

from typing import Any

from lib.ids import queue_of
from lib.jobs.edges import CALLBACK, edges_from
from lib.jobs.job import HISTORY_KEPT, Attempt, JobRecord
from lib.jobs.spec import JobSpec, SpecError
from lib.jobs.state import BLOCKED, FINISHED, WAITING
from lib.json_text import TOO_DEEP, is_too_deep
from lib.queue.framing import (
    FIELD_BYTE,
    LINE_BYTE,
    PART_BYTE,
    optional_json,
    optional_number,
    optional_object,
    optional_text,
    shown_text,
)


def record_from(job_id: str, text: bytes) -> JobRecord:
    """text: what record_text.lua gives, as above."""
    created, due, *flat = text.split(FIELD_BYTE)
    fields = {shown_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}
    state = optional_text(fields.get("state")) or ""
    if state == "completed":
        fields.pop("error", None)  # The error of an attempt before the last one; that attempt's line of history has it.
    has_run = (
        state not in WAITING or state == BLOCKED
    )  # A blocked job that has run is outside: it waits for a callback.
    result, result_error = _result(fields)
    return JobRecord(
        job_id=job_id,
        queue=queue_of(job_id) or "",
        state=state,
        spec=_spec(fields.get("spec", b"")),
        attempts=optional_number(fields.get("attempts")) or 0,
        token=optional_number(fields.get("claims")) or 0,
        created_ms=optional_number(created),
        run_at_ms=optional_number(due) or optional_number(fields.get("free_due" if state == BLOCKED else "since")),
        expires_ms=optional_number(fields.get("expires")),
        started_ms=optional_number(fields.get("started")) if has_run else None,
        finished_ms=optional_number(fields.get("finished")),
        runner_id=optional_text(fields.get("worker")) if has_run else None,
        cancel_requested_ms=optional_number(fields.get("cancel_requested")),
        progress=optional_object(fields.get("progress")),
        result=result,
        is_result_truncated="result_truncated" in fields,
        result_error=result_error,
        error=optional_object(fields.get("error")),
        history=_history(fields, state, optional_number(created)),
        checkpoint=optional_json(fields.get("checkpoint")),
        checkpointed_ms=optional_number(fields.get("checkpointed")),
        give_up_ms=optional_number(fields.get("patience")),
        gives_up_ms=optional_number(fields.get("gives_up")),
        size_bytes=len(text),
        spec_text=fields.get("spec", b""),
        retain_ms=optional_number(fields.get("retain")),
        edges=edges_from(shown_text(fields.get("edges", b""))),
        then=tuple(one for one in shown_text(fields.get("then", b"")).split(",") if one and one != CALLBACK),
    )


def _history(fields: dict[str, bytes], state: str, created_ms: int | None) -> tuple[Attempt, ...]:
    """The attempts in `history`, and the last one, which stands in the job's own fields until the job runs again."""
    lines = [line for line in fields.get("history", b"").split(LINE_BYTE) if line]
    history = [_attempt(line.split(PART_BYTE), created_ms) for line in lines]
    started_ms = optional_number(fields.get("started"))
    # Compared by the number too: two attempts may have begun in one ms. An attempt that was given back gave its number
    # back, so the line may have a higher one.
    attempts = optional_number(fields.get("attempts")) or 0
    is_in_history = bool(history) and history[-1].started_ms == started_ms and history[-1].attempt >= attempts
    if state in FINISHED and started_ms is not None and not is_in_history:
        names = ("attempts", "started", "finished", "worker", "state", "error", "", "claims", "since")
        history.append(_attempt([fields.get(name, b"") for name in names], created_ms))
    return tuple(history[-HISTORY_KEPT:])


def _attempt(parts: list[bytes], created_ms: int | None) -> Attempt:
    """Of a line that an older version wrote, the last parts are missing. An empty `since`: since it was created."""
    attempt, started, finished, runner_id, outcome, error, due, token = (*parts, *[b""] * 8)[:8]
    since = parts[8] if len(parts) > 8 else None
    return Attempt(
        attempt=optional_number(attempt) or 0,
        started_ms=optional_number(started),
        finished_ms=optional_number(finished),
        runner_id=optional_text(runner_id),
        outcome=optional_text(outcome) or "",
        error=optional_object(error),
        retry_ms=optional_number(due),
        token=optional_number(token),
        ready_ms=created_ms if since == b"" else optional_number(since),
    )


def _spec(text: bytes) -> JobSpec | None:
    try:
        return JobSpec.from_text(text)
    except SpecError:
        return None


def _result(fields: dict[str, bytes]) -> tuple[Any, str | None]:
    """The result, or the reason why it was not kept. Older versions kept results of any depth, and no reason."""
    if "result_truncated" in fields:
        # `result_truncated` decides: an older server that runs the job again clears it and leaves `result_error`.
        return None, optional_text(fields.get("result_error")) or "it was over 64 KiB, or no JSON"
    if is_too_deep(optional_text(fields.get("result")) or ""):
        return None, TOO_DEEP
    return optional_json(fields.get("result")), None
