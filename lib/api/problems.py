"""Errors as the caller sees them: `application/problem+json` (RFC 9457), one shape for every failure."""

from typing import Any

from lib.errors import WaybillError
from lib.http1.message import Response
from lib.jobs.job import to_json

RETRY_AFTER_S = 2


class InternalError(WaybillError):
    """A bug: the caller gets the request id, by which the log tells the rest."""


def problem(error: WaybillError, request_id: str) -> Response:
    """The response for an expected failure."""
    body: dict[str, Any] = {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": _printable(error.detail),
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"pointer": _printable(f.pointer), "detail": _printable(f.detail)} for f in error.errors]
    headers = list(error.headers)
    if error.status == 503 and not any(name == "Retry-After" for name, _ in headers):
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    content = to_json(body).encode()
    return Response(error.status, content, headers, content_type="application/problem+json")


def _printable(text: str) -> str:
    """What was sent may be quoted in an answer; a lone surrogate could not even be sent back."""
    return text.encode("utf-8", "backslashreplace").decode()
