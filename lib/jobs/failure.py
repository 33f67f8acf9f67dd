"""An exception as a job keeps it. Pure, and whatever it is given it gives an answer: a handler may raise anything.

Nothing of an exception is safe to ask for. Its class may have a metaclass, its attributes may be properties, its text
is made by code of its own: each can raise, SystemExit too. So types are compared by `issubclass(type(fault), …)`, which
runs no code of theirs (`isinstance` reads `__class__`), and all else is asked for here.
"""

from typing import Any

from lib.log_lines import class_name

MESSAGE_CHARS = 8 << 10


def failure(fault: BaseException) -> dict[str, Any]:
    """The error object of a job: its class and its text, cut at 8 KiB."""
    return {"type": class_name(fault), "message": message_of(fault)}


def message_of(fault: BaseException) -> str:
    """str() of it, as a plain str of at most MESSAGE_CHARS."""
    try:
        # A str of a class of its own may be given, with a way of being cut that is its own as well.
        return str.__getitem__(str(fault), slice(MESSAGE_CHARS))
    except BaseException:  # noqa: BLE001  A user's __str__ may fail in any way; the job has failed all the same.
        return "its message can't be shown: str() of it raised"


def summary(fault: BaseException) -> str:
    """`Type: message`, for a log line."""
    return f"{class_name(fault)}: {message_of(fault)}"
