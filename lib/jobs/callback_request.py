"""What a service says of the work that it has taken, checked: the JSON of POST /api/callbacks/{key} and …/extend. Pure.

{"outcome": "completed", "result": {"rows": 5}}
{"outcome": "failed", "error": {"type": "NoPaper", "message": "tray 2 is empty"}, "retry_after_s": 60}
{"extend_s": 3600, "progress": 0.4, "note": "page 4 of 10"}
"""

from typing import Any, Final, NamedTuple

from lib.errors import FieldError
from lib.jobs.failure import MESSAGE_CHARS
from lib.jobs.job import MAX_DELAY_S
from lib.jobs.payload import json_type
from lib.jobs.request_fields import FieldFault, checked, fields_error, object_in
from lib.jobs.result import Unkept, result_text
from lib.json_text import to_json

MAX_EXTEND_S = 2_592_000
MAX_NOTE, MAX_TYPE = 1_000, 100
OUTCOMES: Final = ("completed", "failed")
NO_WORDS: Final = {"type": "Failed", "message": "the service that had taken the job said that it failed"}


class CallbackOutcome(NamedTuple):
    """result: JSON, "" for none. error: what has failed; None where the job is completed. may_retry: whether another
    attempt is of use. retry_after_s: when that begins; None: by the job's backoff."""

    result: str
    error: dict[str, Any] | None = None
    may_retry: bool = True
    retry_after_s: float | None = None


class Extension(NamedTuple):
    """extend_s: from now on. progress: JSON, as a handler's `ctx.progress` leaves it; "" to leave it as it is."""

    extend_s: float
    progress: str


def read_outcome(body: Any) -> CallbackOutcome:
    """Raises InvalidFields with every fault."""
    fields, errors = _read(body, _OUTCOME_CHECKS, "outcome")
    outcome = fields.get("outcome")
    misplaced = {"completed": ("error", "retry", "retry_after_s"), "failed": ("result",)}.get(outcome or "", ())
    errors += [
        FieldError(f"/{name}", f"has no place beside the outcome {outcome}") for name in misplaced if name in fields
    ]
    if errors:
        raise fields_error(errors)
    if outcome == "completed":
        return CallbackOutcome(fields.get("result", ""))
    return CallbackOutcome("", fields.get("error", NO_WORDS), fields.get("retry", True), fields.get("retry_after_s"))


def read_extension(body: Any) -> Extension:
    """Raises InvalidFields with every fault."""
    fields, errors = _read(body, _EXTENSION_CHECKS, "extend_s")
    if "note" in fields and "progress" not in fields:
        errors.append(FieldError("/note", "goes with progress; give that too"))
    if errors:
        raise fields_error(errors)
    has_progress = "progress" in fields
    said = {"fraction": fields["progress"], "note": fields.get("note", "")} if has_progress else None
    return Extension(fields["extend_s"], to_json(said) if said else "")


def _read(body: Any, checks: dict[str, Any], required: str) -> tuple[dict[str, Any], list[FieldError]]:
    errors: list[FieldError] = []
    body = object_in(body)
    fields = checked(body, checks, errors, (required,))
    if required not in body:
        errors.append(FieldError(f"/{required}", "is missing"))
    return fields, errors


def _outcome(value: Any) -> str:
    if value not in OUTCOMES:
        raise FieldFault("must be completed or failed")
    return str(value)


def _result(value: Any) -> str:
    try:
        return result_text(value)
    except Unkept as fault:
        raise FieldFault(f"can't be kept: {fault}") from None


def _error(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise FieldFault(f"must be an object, not {json_type(value)}")
    for name in value.keys() - {"type", "message"}:
        raise FieldFault("is not known here; known: type, message", f"/{name[:100]}")
    kind, message = (value.get(name, NO_WORDS[name]) for name in ("type", "message"))
    for name, text, most in (("type", kind, MAX_TYPE), ("message", message, MESSAGE_CHARS)):
        if type(text) is not str or not 0 < len(text) <= most:
            raise FieldFault(f"must be a string of 1 to {most} characters", f"/{name}")
    return {"type": kind, "message": message}


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldFault(f"must be true or false, not {json_type(value)}")
    return value


def _note(value: Any) -> str:
    if type(value) is not str or len(value) > MAX_NOTE:
        raise FieldFault(f"must be a string of at most {MAX_NOTE} characters")
    return value


class _Number(NamedTuple):
    """A check for a number in a range."""

    least: float
    most: float

    def __call__(self, value: Any) -> float:
        is_number = type(value) is int or type(value) is float
        if not is_number or not self.least <= value <= self.most:
            raise FieldFault(f"must be a number from {self.least:g} to {self.most:.15g}")
        return float(value)


_OUTCOME_CHECKS: Final[dict[str, Any]] = {
    "outcome": _outcome,
    "result": _result,
    "error": _error,
    "retry": _flag,
    "retry_after_s": _Number(0, MAX_DELAY_S),
}
_MISPLACED: Final = {"completed": ("error", "retry", "retry_after_s"), "failed": ("result",)}
_EXTENSION_CHECKS: Final[dict[str, Any]] = {
    "extend_s": _Number(1, MAX_EXTEND_S),
    "progress": _Number(0, 1),
    "note": _note,
}
