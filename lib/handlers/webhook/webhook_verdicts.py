"""What a receiver's answer means for a webhook: the job's result, or the exception that ends the attempt. Pure.

    answer                                           verdict                what happens to the job
    2xx                                              -                      completed
    410 Gone                                         HTTPStatusFinal        dead
    any with the field  Waybill-Retry: no            HTTPStatusFinal        dead
    a status of the payload's give_up_on             HTTPStatusFinal        dead
    429, 503 with the field  Retry-After: 30         HTTPStatus             tried again in 30 s; so long the host rests
    another one with Retry-After                     HTTPStatus             tried again then
    3xx, which is never followed, and all else       HTTPStatus             tried again, by its backoff

No answer at all is a fault of lib/http1/client/faults.py: tried again, but for an address that may not be reached,
which is AddressNotAllowed, dead. The names of the types stand in the job's record, and a redrive may name one.
"""

import base64
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from lib.handlers.webhook.webhook_payload import Webhook
from lib.http1.client.client_message import Answer
from lib.jobs.failure import Detailed
from lib.jobs.registry import Discard, Retry
from lib.jobs.result import RESULT_BYTES
from lib.jobs.webhook_defaults import BACKOFF
from lib.json_text import to_json

MOST_WAIT_S = 86_400.0
HASTY_ATTEMPTS = 5
"""Behind so many failed attempts at most, the next begins when Retry-After asks for it, however soon. Later a shorter
time than the backoff's is passed over: a receiver that is down for an hour, and says `Retry-After: 1`, would else use
up all attempts of a job in a minute."""

RESULT_FIELDS = ("content-type", "retry-after", "location", "date", "x-request-id")
FIELD_CHARS = 1_000
_ASKED_TO_REST = (429, 503)
_SURE_TO_FIT_BYTES = 4 << 10
"""A body of so many bytes can be kept, whatever it holds: JSON makes six letters of a control character, so that it
takes 24 KiB at most, and the fields beside it take 30 KiB."""


class HTTPStatus(Detailed, Retry):
    """The receiver answered with a status that is not 2xx. `details`: status, and the answer's first characters."""

    def __init__(self, message: str, after_s: float | None, *, hold: bool, **details: int | str) -> None:
        super().__init__(message, **details)
        self.after_s = after_s
        self.hold = hold


class HTTPStatusFinal(Detailed, Discard):
    """The receiver answered that it will never take this webhook, or the payload's give_up_on names the status."""


class AddressNotAllowed(Discard):
    """The URL's host has no address that webhooks may reach (WEBHOOK_ALLOW_PRIVATE). No byte was sent."""


class NoSecret(Exception):
    """The payload asks to be signed, and there is no secret to do it with. It is tried again: somebody sets one."""


def verdict(payload: Webhook, answer: Answer, attempt: int, now_s: float) -> Exception | None:
    """The exception for the attempt number `attempt` (1 = the first), None if the webhook was taken.

    now_s: seconds since 1970, for a Retry-After that is a date.
    """
    if 200 <= answer.status <= 299:
        return None
    fields = dict(answer.fields)
    text = text_of(answer.body, is_whole=not answer.is_truncated)
    details: dict[str, int | str] = {"status": answer.status, "body": text or ""}
    message = f"{answer.status} from {payload.target.host}"
    if why := _why_final(payload, answer.status, fields):
        return HTTPStatusFinal(f"{message}: {why}", **details)
    asked_s = retry_after_s(fields.get("retry-after", ""), now_s)
    if asked_s is not None and (attempt <= HASTY_ATTEMPTS or asked_s >= _usual_s(attempt)):
        return HTTPStatus(message, asked_s, hold=answer.status in _ASKED_TO_REST, **details)
    if 300 <= answer.status <= 399:
        message += ": a redirect, which is never followed; the URL must be that of the receiver itself"
    return HTTPStatus(message, None, hold=False, **details)


def retry_after_s(value: str, now_s: float) -> float | None:
    """The seconds that a field Retry-After asks for (RFC 9110, 10.2.3): "120", or a date. At most a day.

    None where it asks for no time: it is missing, 0, in the past or unreadable.
    """
    if value.isascii() and value.isdigit():
        asked_s = float(value[:9])
    else:
        try:
            date = parsedate_to_datetime(value)
            asked_s = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s
        except (ValueError, TypeError, OverflowError):
            return None
    return min(asked_s, MOST_WAIT_S) if asked_s > 0 else None


def result_of(answer: Answer, attempt: int) -> dict[str, Any]:
    """The job's result, cut so that it can be kept: RESULT_BYTES of JSON.

    {"status": 200, "headers": {"content-type": "text/plain"}, "body": "ok", "body_base64": None,
     "body_truncated": False, "address": "93.184.216.34", "duration_ms": 41.2, "attempt": 2}
    """
    fields = {name: value[:FIELD_CHARS] for name, value in answer.fields if name in RESULT_FIELDS}
    result: dict[str, Any] = {
        "status": answer.status,
        "headers": fields,
        "body": text_of(answer.body, is_whole=not answer.is_truncated),
        "body_base64": None,
        "body_truncated": answer.is_truncated,
        "address": answer.address,
        "duration_ms": round(answer.duration_ms, 1),
        "attempt": attempt,
    }
    name = "body"
    if result["body"] is None:
        name = "body_base64"
        result[name] = base64.b64encode(answer.body).decode()
    if len(answer.body) > _SURE_TO_FIT_BYTES:
        _cut_to_fit(result, name)
    return result


def text_of(body: bytes, *, is_whole: bool) -> str | None:
    """The body as text; None if it is not UTF-8. Of a body that was cut the last character may be cut, too."""
    for cut in range(1 if is_whole else 4):
        try:
            return body[: len(body) - cut].decode()
        except UnicodeDecodeError:
            continue
    return None


def _cut_to_fit(result: dict[str, Any], name: str) -> None:
    """Shorten the text under `name` until the result can be kept: escapes make JSON longer than the text."""
    while (size_bytes := len(to_json(result).encode())) > RESULT_BYTES:
        text = result[name]
        result["body_truncated"] = True
        kept = min(len(text) - 1, len(text) * RESULT_BYTES // size_bytes)
        result[name] = text[: kept // 4 * 4]  # Four letters of base64 are three bytes.


def _why_final(payload: Webhook, status: int, fields: Mapping[str, str]) -> str:
    if status == 410:
        return "the receiver is gone for good"
    if fields.get("waybill-retry", "").lower() == "no":
        return "its answer says Waybill-Retry: no"
    return "give_up_on names that status" if status in payload.give_up_on else ""


def _usual_s(attempt: int) -> float:
    """The type's backoff behind that attempt, without its jitter: the mean."""
    base_s, cap_s = BACKOFF
    return min(cap_s, base_s * 2.0 ** (attempt - 1)) / 2
