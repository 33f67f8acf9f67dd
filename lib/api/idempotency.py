"""Idempotency keys: a request that is sent again under its key has the effect of one request. Pure.

A key is kept with the name of its caller, `ops order-1217`, and the fingerprint of the request. enqueue.lua compares
the two with those of earlier requests: the same key and fingerprint is a replay, the same key with another fingerprint
is a 409.
"""

import hashlib
import json
import re
from typing import Any

from lib.errors import FieldError, IdempotencyKeyReused, InvalidFields
from lib.jobs.job import NO_KEY, Keyed, NewJob
from lib.web.router import Call

REPLAYED = ("Idempotency-Replayed", "true")
_KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")


def under_key(job: NewJob, text: str, call: Call, body: dict[str, Any], *, pointer: str) -> NewJob:
    """The job with the idempotency key `text`. pointer: the field that held the key. Raises InvalidFields."""
    return job._replace(idempotency_key=f"{call.caller.name} {_key(text, pointer)}", fingerprint=_fingerprint(body))


def keyed_job(call: Call, body: dict[str, Any]) -> Keyed:
    """The key of a POST /api/jobs, which is that of the job as well: see `under_key`. Raises InvalidFields."""
    text = call.request.headers.get("idempotency-key")
    if text is None:
        return NO_KEY
    return Keyed(f"{call.caller.name} {_key(text, 'Idempotency-Key')}", _fingerprint(body))


def keyed(call: Call) -> Keyed:
    """The key of a request without a body, such as POST …/cancel; the fingerprint is that of its path and query.

    Raises InvalidFields."""
    text = call.request.headers.get("idempotency-key")
    if text is None:
        return NO_KEY
    asked = f"{call.request.method} {call.request.path} {sorted(call.parameters.items())}"
    return Keyed(f"{call.caller.name} {_key(text, 'Idempotency-Key')}", _digest(asked))


def keyed_with_body(call: Call, body: dict[str, Any]) -> Keyed:
    """The key of a request with a JSON body that changes many jobs. Raises InvalidFields."""
    path = keyed(call)
    return path._replace(fingerprint=_digest(path.fingerprint + _fingerprint(body))) if path.key else path


def key_reused_error() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("it came before with another body; send the same body again, or another key")


def _key(text: str, pointer: str) -> str:
    """The key without its quotes: "order-1217", as the IETF's draft has it, or the bare order-1217."""
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not _KEY.fullmatch(key):
        detail = "must be 1 to 255 visible ASCII characters, in double quotes if you like"
        raise InvalidFields(f"the {pointer.lstrip('/')} {detail}", errors=[FieldError(pointer, detail)])
    return key


def _fingerprint(body: dict[str, Any]) -> str:
    """Equal for two bodies that ask for the same: white space, the order of names and fields of null do not count."""
    asked = {name: value for name, value in body.items() if value is not None}
    return _digest(json.dumps(asked, sort_keys=True, ensure_ascii=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
