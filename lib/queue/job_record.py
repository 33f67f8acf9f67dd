"""A job out of the text that lua/read.lua gives of it. Pure."""

import json
from typing import Any

from lib.ids import queue_of
from lib.jobs.job import HISTORY_KEPT, Attempt, JobRecord
from lib.jobs.spec import JobSpec, SpecError
from lib.jobs.state import FINISHED
from lib.json_text import TOO_DEEP, is_too_deep


def record_from(job_id: str, text: bytes) -> JobRecord:
    """A field that makes no sense (somebody wrote it by hand) is left out."""
    created, due, *flat = text.split(b"\x1f")
    fields = {name.decode("ascii", "replace"): value for name, value in zip(flat[::2], flat[1::2], strict=False)}
    state = _text(fields.get("state")) or ""
    if state == "completed":
        fields.pop("error", None)  # Of an attempt before the last one; its line of history keeps it.
    has_run = state not in ("ready", "delayed")
    result, result_error = _result(fields)
    return JobRecord(
        job_id=job_id,
        queue=queue_of(job_id) or "",
        state=state,
        spec=_spec(fields.get("spec", b"")),
        attempts=_number(fields.get("attempts")) or 0,
        token=_number(fields.get("claims")) or 0,
        created_ms=_number(created),
        run_at_ms=_number(due) or _number(fields.get("since")),
        expires_ms=_number(fields.get("expires")),
        started_ms=_number(fields.get("started")) if has_run else None,
        finished_ms=_number(fields.get("finished")),
        runner_id=_text(fields.get("worker")) if has_run else None,
        cancel_requested_ms=_number(fields.get("cancel_requested")),
        progress=_object(fields.get("progress")),
        result=result,
        is_result_truncated="result_truncated" in fields,
        result_error=result_error,
        error=_object(fields.get("error")),
        history=_history(fields, state),
        checkpoint=_json(fields.get("checkpoint")),
        checkpointed_ms=_number(fields.get("checkpointed")),
        give_up_ms=_number(fields.get("patience")),
        gives_up_ms=_number(fields.get("gives_up")),
        size_bytes=len(text),
        spec_text=fields.get("spec", b""),
        retain_ms=_number(fields.get("retain")),
    )


def _history(fields: dict[str, bytes], state: str) -> tuple[Attempt, ...]:
    """The attempts that were written down, and the last one, which the job's own fields tell until it is run again."""
    history = [_attempt(line.split(b"\x1d")) for line in fields.get("history", b"").split(b"\x1c") if line]
    started_ms = _number(fields.get("started"))
    # Two attempts may have begun in one ms; of one that was given back, the number was given back as well.
    attempts = _number(fields.get("attempts")) or 0
    is_told = bool(history) and history[-1].started_ms == started_ms and history[-1].attempt >= attempts
    if state in FINISHED and started_ms is not None and not is_told:
        names = ("attempts", "started", "finished", "worker", "state", "error")
        history.append(_attempt([fields.get(name, b"") for name in names]))
    return tuple(history[-HISTORY_KEPT:])


def _attempt(parts: list[bytes]) -> Attempt:
    attempt, started, finished, worker, outcome, error = (*parts, *[b""] * 6)[:6]
    return Attempt(
        _number(attempt) or 0, _number(started), _number(finished), _text(worker), _text(outcome) or "", _object(error)
    )


def _spec(text: bytes) -> JobSpec | None:
    try:
        return JobSpec.from_text(text)
    except SpecError:
        return None


def _number(text: bytes | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _text(text: bytes | None) -> str | None:
    return text.decode("utf-8", "replace") if text else None


def _result(fields: dict[str, bytes]) -> tuple[Any, str | None]:
    """The result, or why there is none. Older versions kept results of any depth, and no reason."""
    if "result_truncated" in fields:
        # Asked first: an older server that has the job run again takes away this mark, and not the reason.
        return None, _text(fields.get("result_error")) or "it was over 64 KiB, or no JSON"
    if is_too_deep(_text(fields.get("result")) or ""):
        return None, TOO_DEEP
    return _json(fields.get("result")), None


def _json(text: bytes | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _object(text: bytes | None) -> dict[str, Any] | None:
    value = _json(text)
    return value if isinstance(value, dict) else None
