"""Idempotency keys: which job a request sent again stands for. Pure; enqueue.lua decides."""

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
    """The job under its caller's key. pointer: where the key came from. Raises InvalidFields."""
    return job._replace(idempotency_key=f"{call.caller.name} {_key(text, pointer)}", fingerprint=_fingerprint(body))


def keyed(call: Call) -> Keyed:
    """The key of a request that changes something and has no body: its path and query say what it asks for. Raises
    InvalidFields."""
    text = call.request.headers.get("idempotency-key")
    if text is None:
        return NO_KEY
    asked = f"{call.request.method} {call.request.path} {sorted(call.parameters.items())}"
    return Keyed(f"{call.caller.name} {_key(text, 'Idempotency-Key')}", _digest(asked))


def reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("it came before with another body; send the same body again, or another key")


def _key(text: str, pointer: str) -> str:
    """The key of an Idempotency-Key header: a quoted string, as the draft has it, or the bare text."""
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not _KEY.fullmatch(key):
        detail = "must be 1 to 255 visible ASCII characters, in double quotes if you like"
        raise InvalidFields(f"the {pointer.lstrip('/')} {detail}", errors=[FieldError(pointer, detail)])
    return key


def _fingerprint(body: dict[str, Any]) -> str:
    """Of what was asked for, not of how it was written: white space, the order of names and fields of null do not
    count."""
    asked = {name: value for name, value in body.items() if value is not None}
    return _digest(json.dumps(asked, sort_keys=True, ensure_ascii=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
