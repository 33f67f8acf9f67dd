"""An exception as a job keeps it, in a dict that is JSON. Never raises, whatever the exception does.

    {"type": "SMTPServerBusy", "message": "451 try again later",
     "traceback": "File \"reports/jobs.py\", line 12, in report\n  await send(page)",
     "cause": {"type": "ConnectionResetError", "message": "[Errno 104] …"}}

WHY so careful: nothing of an exception is safe to ask for. Its class may have a metaclass, its attributes may be
properties, its text is made by code of its own, and each of these can raise, even SystemExit. So types are compared by
`issubclass(type(fault), …)`, which runs no code of theirs (`isinstance` reads `__class__`), and attributes are read in
this module alone, by BaseException's own descriptors.

The error is kept with its job and in each line of the job's history, so its size is bounded: ERROR_BYTES of JSON.
"""

from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

from lib.jobs.frames import traceback_words
from lib.json_text import to_json
from lib.logs.log_lines import class_name

MESSAGE_CHARS = 8 << 10
TRACEBACK_CHARS = 4 << 10
"""Some 30 frames."""
CAUSES_KEPT = 3
CAUSE_CHARS = 1000
"""How much is kept of each cause's message, and of its traceback."""
ERROR_BYTES = 12 << 10
OTHERS_BYTES = 1 << 10
"""Left for what is neither message nor traceback, so that a long message does not cost all of the traceback."""
DETAIL_CHARS = 1024
GAVE_UP = "gave_up"
"""The `type` of the error of a job whose give_up_after_s is over."""

_traceback_of = BaseException.__dict__["__traceback__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_hides_context = BaseException.__dict__["__suppress_context__"].__get__
_members_of = BaseExceptionGroup.__dict__["exceptions"].__get__


class Detailed(Exception):
    """An exception whose `details` stand in the job's error beside its type and message, as {"status": 503, "body":
    "try later"}. At most DETAIL_CHARS of each text are kept."""

    __slots__ = ("details",)

    def __init__(self, message: str, **details: int | str) -> None:
        super().__init__(message)
        self.details = {name: _cut(value) for name, value in details.items()}


def _cut(value: int | str) -> int | str:
    return _encodable(value)[:DETAIL_CHARS] if type(value) is str else value


# The slot's own descriptor, as for the attributes above: a subclass may have a property of that name.
_details_of = Detailed.__dict__["details"].__get__


def failure(fault: BaseException, *, keeps_traceback: bool = True) -> dict[str, Any]:
    """The error object of a job. It has a `cause` if there is one, and a `traceback` if the job's own code was running.

    keeps_traceback: False leaves that out, of the causes too."""
    try:
        return _bounded(_with_causes(fault, keeps_traceback=keeps_traceback))
    except BaseException:  # noqa: BLE001  An exception in the chain raised once more; the job has failed all the same.
        return briefly(fault)


def briefly(fault: BaseException) -> dict[str, Any]:
    """The error object without traceback and causes: the reason of a snooze, where nothing has failed."""
    return _bounded({"type": class_name(fault), "message": message_of(fault)})


def gave_up(fault: BaseException, *, keeps_traceback: bool = True) -> dict[str, Any]:
    """The error object of a job that has attempts left, but whose next one would begin after its give_up_after_s.

    fault: what the last attempt raised; it becomes the `cause`. keeps_traceback: as of `failure`.
    """
    return gave_up_behind(failure(fault, keeps_traceback=keeps_traceback), summary(fault))


def gave_up_behind(last: dict[str, Any], words: str) -> dict[str, Any]:
    """The same behind an error object; words: that one's `Type: message`."""
    message = f"the next try would come behind its give_up_after_s; the last one: {words}"
    return _bounded({"type": GAVE_UP, "message": message[:MESSAGE_CHARS], "cause": last})


def message_of(fault: BaseException) -> str:
    """str() of the exception: a plain str of at most MESSAGE_CHARS that can be encoded as UTF-8."""
    try:
        # str() may give an instance of a subclass of str, whose slices are made by code of its own.
        return _encodable(str.__getitem__(str(fault), slice(MESSAGE_CHARS)))
    except BaseException:  # noqa: BLE001  A user's __str__ may fail in any way; the job has failed all the same.
        return "its message can't be shown: str() of it raised"


def summary(fault: BaseException) -> str:
    """`Type: message`, for a log line."""
    return f"{class_name(fault)}: {message_of(fault)}"


def traceback_of(fault: BaseException) -> TracebackType | None:
    """The exception's real traceback, whatever its class answers to `__traceback__`."""
    found: TracebackType | None = _traceback_of(fault)
    return found


def _with_causes(fault: BaseException, *, keeps_traceback: bool) -> dict[str, Any]:
    error = innermost = _one_error(fault, MESSAGE_CHARS, TRACEBACK_CHARS if keeps_traceback else 0)
    seen = {id(fault)}
    for cause in islice(_causes(fault), CAUSES_KEPT):
        if id(cause) in seen:
            break  # Two exceptions may each be the other's cause.
        seen.add(id(cause))
        innermost["cause"] = innermost = _one_error(cause, CAUSE_CHARS, CAUSE_CHARS if keeps_traceback else 0)
    return error


def _one_error(fault: BaseException, message_chars: int, traceback_chars: int) -> dict[str, Any]:
    error: dict[str, Any] = {"type": class_name(fault), "message": message_of(fault)[:message_chars]}
    if issubclass(type(fault), Detailed):
        error.update(_details_of(fault))
    room = min(traceback_chars, ERROR_BYTES - OTHERS_BYTES - len(error["message"]))
    traceback = _encodable(traceback_words(traceback_of(fault), room)) if traceback_chars else ""
    return {**error, "traceback": traceback} if traceback else error


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The exceptions that led to this one, the nearest first, as Python prints them."""
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
        cause = members[0] if members else None  # A group's first member says more than the group.
    return cause


def _bounded(error: dict[str, Any]) -> dict[str, Any]:
    """Cut `error` until it takes ERROR_BYTES at most. A character takes up to six bytes, as UTF-8 or as a \\u
    escape."""
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
    """The text with ? for each half of a surrogate pair, which UTF-8 can't encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
