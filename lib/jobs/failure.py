"""An exception as a job keeps it: type, message, traceback, cause. Whatever it is given, it gives an answer.

Nothing of an exception is safe to ask for. Its class may have a metaclass, its attributes may be properties, its text
is made by code of its own: each can raise, SystemExit too. So types are compared by `issubclass(type(fault), …)`, which
runs no code of theirs (`isinstance` reads `__class__`); all else is asked for here, of BaseException's own attributes.

An error is kept with its job and in each line of its history, so it is bounded: ERROR_BYTES of JSON at most.
"""

from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

from lib.jobs.frames import traceback_words
from lib.json_text import to_json
from lib.logs.log_lines import class_name

MESSAGE_CHARS = 8 << 10
TRACEBACK_CHARS = 2 << 10
CAUSES_KEPT = 3
CAUSE_CHARS = 1000
"""Of the message, and of the traceback, of each cause."""
ERROR_BYTES = 12 << 10
GAVE_UP = "gave_up"

_traceback_of = BaseException.__dict__["__traceback__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_hides_context = BaseException.__dict__["__suppress_context__"].__get__
_members_of = BaseExceptionGroup.__dict__["exceptions"].__get__


def failure(fault: BaseException) -> dict[str, Any]:
    """The error object of a job: `traceback` where code of the job's was running, `cause` where there is one."""
    try:
        return _bounded(_with_causes(fault))
    except BaseException:  # noqa: BLE001  What the exceptions in its chain may yet do; the job has failed all the same.
        return briefly(fault)


def briefly(fault: BaseException) -> dict[str, Any]:
    """The same without traceback and causes: for a snooze, where nothing has failed."""
    return _bounded({"type": class_name(fault), "message": message_of(fault)})


def gave_up(fault: BaseException) -> dict[str, Any]:
    """Of a job that is not tried again, though attempts are left: it would be too late. The fault is the last one's."""
    last = failure(fault)
    words = f"the next try would come behind its give_up_after_s; the last one: {summary(fault)}"
    return _bounded({"type": GAVE_UP, "message": words[:MESSAGE_CHARS], "cause": last})


def message_of(fault: BaseException) -> str:
    """str() of it, as a plain str of at most MESSAGE_CHARS that can be UTF-8."""
    try:
        # A str of a class of its own may be given, with a way of being cut that is its own as well.
        return _encodable(str.__getitem__(str(fault), slice(MESSAGE_CHARS)))
    except BaseException:  # noqa: BLE001  A user's __str__ may fail in any way; the job has failed all the same.
        return "its message can't be shown: str() of it raised"


def summary(fault: BaseException) -> str:
    """`Type: message`, for a log line."""
    return f"{class_name(fault)}: {message_of(fault)}"


def traceback_of(fault: BaseException) -> TracebackType | None:
    """Whatever its class says that it is."""
    found: TracebackType | None = _traceback_of(fault)
    return found


def _with_causes(fault: BaseException) -> dict[str, Any]:
    error = told = _told(fault, MESSAGE_CHARS, TRACEBACK_CHARS)
    seen = {id(fault)}
    for cause in islice(_causes(fault), CAUSES_KEPT):
        if id(cause) in seen:
            break  # Each is the other's cause.
        seen.add(id(cause))
        told["cause"] = told = _told(cause, CAUSE_CHARS, CAUSE_CHARS)
    return error


def _told(fault: BaseException, message_chars: int, traceback_chars: int) -> dict[str, Any]:
    told = {"type": class_name(fault), "message": message_of(fault)[:message_chars]}
    traceback = _encodable(traceback_words(traceback_of(fault), traceback_chars))
    return {**told, "traceback": traceback} if traceback else told


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """What led to it, the nearest first, as Python itself tells it."""
    found = _cause(fault)
    while found is not None:
        yield found
        found = _cause(found)


def _cause(fault: BaseException) -> BaseException | None:
    cause: BaseException | None = _cause_of(fault)
    if cause is None and not _hides_context(fault):
        cause = _context_of(fault)
    if cause is None and issubclass(type(fault), BaseExceptionGroup):
        members = _members_of(fault)
        cause = members[0] if members else None  # The first of a group says more than the group does.
    return cause


def _bounded(error: dict[str, Any]) -> dict[str, Any]:
    """Cut until it takes ERROR_BYTES at most: a character takes up to six, as UTF-8 or a \\u escape."""
    if _size_bytes(error) <= ERROR_BYTES:
        return error
    for part in ("cause", "traceback"):
        if _size_bytes(error) > ERROR_BYTES:
            error.pop(part, None)
    while _size_bytes(error) > ERROR_BYTES:
        error["message"] = error["message"][: len(error["message"]) // 2]
    return error


def _size_bytes(error: dict[str, Any]) -> int:
    text = to_json(error)
    return len(text) if text.isascii() else len(text.encode())


def _encodable(text: str) -> str:
    """The same, with ? for each half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
