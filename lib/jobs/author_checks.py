"""Runs what the author of a payload wrote to refuse values: a dataclass's own code, and the check of `@job(check=…)`.

Whatever this code raises refuses the value and becomes a FieldError: a ValueError by its message, any other exception
by its class and message. SystemExit and CancelledError refuse it, too: a check that exits would end the server for
every caller. Called by payload.py and job_type.py. Pure.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lib.errors import FieldError


class Invalid(Exception):
    """A value that is not what was asked for. A dataclass's `__post_init__` may raise it to refuse its own fields.

    errors: one or more FieldErrors, such as FieldError("/to/0", "must be a string, not null"); or a sentence about the
    whole value.
    """

    def __init__(self, errors: Sequence[FieldError] | str) -> None:
        self.errors = [FieldError("", errors)] if isinstance(errors, str) else list(errors)
        super().__init__("; ".join(f"{pointer or '/'}: {detail}" for pointer, detail in self.errors))


class Refused(Invalid):
    """A value of the right form that the author's code did not take."""


def construct(kind: type, arguments: dict[str, Any], pointer: str) -> Any:
    """Make the dataclass `kind`. Raises Refused for what its `__post_init__`, a default_factory or a property
    raises."""
    try:
        return kind(**arguments)
    except BaseException as fault:  # noqa: BLE001  See the first lines.
        raise Refused(_errors_of(fault, pointer)) from None


def vet(check: Callable[[Any], object], value: Any, pointer: str) -> None:
    """Have `check` look at a decoded payload. Raises Refused for whatever `check` raises."""
    try:
        check(value)
    except BaseException as fault:  # noqa: BLE001  See the first lines.
        raise Refused(_errors_of(fault, pointer)) from None


def _errors_of(fault: BaseException, pointer: str) -> list[FieldError]:
    """The faults that an exception of the author's names. Its class and its text are code of the author's as well."""
    try:
        if isinstance(fault, Invalid) and fault.errors:
            return [FieldError(f"{pointer}{below}", f"{detail}") for below, detail in fault.errors]
        message = f"{fault}"
        if isinstance(fault, ValueError):
            return [FieldError(pointer, message or "is not valid")]
        name = type(fault).__name__
        return [FieldError(pointer, f"{name}: {message}" if message else name)]
    except BaseException:  # noqa: BLE001
        return [FieldError(pointer, "is not valid, and what its own check says can't be shown")]
