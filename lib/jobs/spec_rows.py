"""The fields of a spec that may be left out, a row each: how the value is written, found and read (spec.py). Pure.

    SpecRow("tags", …)      ("eu", "order-17")  ->  `,"tags":["eu","order-17"]` in the spec's text, and back

OPTIONS has the values that most jobs of a type share, RARE those that most jobs do not have. A value can be hashed: a
tuple, no list. A field that listings search for must end within the text's first 1,024 bytes: its row stands before
that of `unique_key`, which may be longer than that.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lib.jobs.backoff import Backoff
from lib.json_text import to_json

ENDLESS_S = 1e10
"""Three hundred years. Timers do not take a time of that length or more, so no spec may hold one."""


class SpecRow(NamedTuple):
    """How one field stands in the text. `read` turns the JSON value into the field's, and raises ValueError or
    TypeError for a value that no job can be run by.

    form: a regular expression of what `write` gives, and of no text that goes on behind the value. The quick reader
    parses what it matches, and leaves text of another form to the slow one. "[^,]" costs less than a set of characters.
    """

    name: str
    write: Callable[[Any], str]
    form: str
    read: Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:
    return value


def _read_max_attempts(value: Any) -> int:
    if not value >= 1:
        raise ValueError("max_attempts is not one")
    attempts: int = value
    return attempts


def _read_timeout(value: Any) -> float:
    if not 0 < value < ENDLESS_S:
        # The deadline is worked out from it: a lane that stumbles there would never run another job.
        raise ValueError("timeout_s is not one")
    timeout_s: float = value
    return timeout_s


def _read_backoff(value: Any) -> Backoff:
    base_s, cap_s = value
    if not 0 <= base_s < ENDLESS_S > cap_s >= 0:
        raise ValueError("backoff is not one")
    return Backoff(base_s, cap_s)


def _read_scheduled_for(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("scheduled_for is not one")
    return value


def _write_number(value: float) -> str:
    return f"{value:.15g}"


def _write_backoff(value: Backoff) -> str:
    return f"[{_write_number(value.base_s)},{_write_number(value.cap_s)}]"


def _write_tags(value: tuple[str, ...]) -> str:
    return to_json(list(value))


def _read_tags(value: Any) -> tuple[str, ...]:
    # Somebody may have written the spec by hand. Tags that make no sense cost the job its tags, and not its run.
    return tuple(map(str, value)) if type(value) is list else ()


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("it must be a text")
    return value


_NUMBER = "[^,]{1,25}"
_JOB_ID = '"[a-z0-9_-]{34,97}"'
_STRING = r'"(?:[^"\\]|\\.)*"'
OPTIONS: Final = (
    SpecRow("max_attempts", str, _NUMBER, _read_max_attempts),
    SpecRow("timeout_s", _write_number, _NUMBER, _read_timeout),
    SpecRow("backoff", _write_backoff, r"\[[^]]{1,60}\]", _read_backoff),
    SpecRow("priority", to_json, '"[a-z]{1,9}"', _as_it_is),
)
RARE: Final = (
    SpecRow("group", to_json, _STRING, _as_it_is),
    SpecRow("schedule", to_json, '"[a-z0-9._-]{1,100}"', _as_it_is),
    SpecRow("scheduled_for", str, "[0-9]{1,15}", _read_scheduled_for),
    SpecRow("tags", _write_tags, r"\[[^]]*\]", _read_tags),
    SpecRow("by", to_json, _JOB_ID, _as_it_is),
    SpecRow("workflow", to_json, _JOB_ID, _as_it_is),
    SpecRow("unique_key", to_json, _STRING, _as_it_is),
    SpecRow("callback_url", to_json, _STRING, _read_text),
)
