"""Errors as the caller sees them: `application/problem+json` (RFC 9457), one shape for every failure.

{"type": "/problems/job-not-found", "title": "No such job", "status": 404, "detail": "there is no job email-…",
 "request_id": "0192…"}
"""

from collections.abc import Sequence
from typing import Any

from lib.errors import FieldError, WaybillError
from lib.http1.message import Response
from lib.json_text import to_json
from lib.web.json_answer import answer_text

RETRY_AFTER_S = 2
DETAIL_CHARS = 1000
POINTER_CHARS = 200
ERRORS_BYTES = 14 * 1024


class InternalError(WaybillError):
    """A bug in Waybill. The caller gets the request id, and finds the details under it in the log."""


def body_of(error: WaybillError, request_id: str) -> dict[str, Any]:
    """A failure as a Problem: the body of a response, or the outcome of one job of a batch."""
    body: dict[str, Any] = {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": _printable(error.detail, DETAIL_CHARS),
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = _within_bounds(error.errors)
    retry_after_s = _retry_after_s(error)
    if retry_after_s is not None:
        body["retry_after_s"] = retry_after_s
    return {**body, **error.members}


def _retry_after_s(error: WaybillError) -> int | None:
    """Seconds after which to try again: the error's own Retry-After, or else RETRY_AFTER_S for a 503."""
    own = [int(value) for name, value in error.headers if name == "Retry-After"]
    return own[0] if own else RETRY_AFTER_S if error.status == 503 else None


def problem(error: WaybillError, request_id: str) -> Response:
    """The response for an expected failure."""
    body = body_of(error, request_id)
    headers = [field for field in error.headers if field[0] != "Retry-After"]
    if "retry_after_s" in body:
        headers.append(("Retry-After", str(body["retry_after_s"])))
    return answer_text(error.status, to_json(body), headers, content_type="application/problem+json")


def _within_bounds(errors: Sequence[FieldError]) -> list[dict[str, str]]:
    """The first errors, as many as fit into ERRORS_BYTES, one at least. (They quote names, and a name may be a MiB.)"""
    shown: list[dict[str, str]] = []
    size = 0
    for pointer, detail in errors:
        one = {"pointer": _printable(pointer, POINTER_CHARS), "detail": _printable(detail, DETAIL_CHARS)}
        size += len(to_json(one).encode())
        if size > ERRORS_BYTES and shown:
            break
        shown.append(one)
    return shown


def _printable(text: str, most: int) -> str:
    """`text` cut to `most` characters, a lone surrogate in it written as \\udc80: UTF-8 can't hold one."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()
