"""A job's spec: what was asked for, as a value and as the JSON text that Redis keeps. Pure.

The spec is written when a job is taken in, and read by the runner that claims the job and by the API that shows it:

    {"v":1,"type":"email","request_id":"ba7c9e41-b433-4043-81c9-749d9397f8da",
     "trace":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","max_attempts":5,"timeout_s":60,"backoff":[2,3600],
     "priority":"high","group":"tenant-42","tags":["eu"],"unique_key":"order-4711",
     "payload":{"to":"test@gmail.com","subject":"Hi","text":"Hello"}}

In Redis the text has no line ends. A field that has its default in JobSpec is left out, as a priority "normal" would
be. To Redis the text is bytes, because Lua's cjson would change large integers, `[]` and `/`. Two scripts go by the
text's beginning all the same: enqueue.lua reads the type there, and page.lua searches it for the texts of
`early_in_spec`.

To add a field: a row in the tables of spec_rows.py, and a line in JobSpec at the same place among the fields, with a
default. The writer and both readers are made from the rows.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from lib.ids import is_request_id
from lib.jobs.backoff import Backoff
from lib.jobs.spec_rows import OPTIONS, RARE, SpecRow
from lib.json_text import to_json
from lib.tracing import Trace

SPEC_VERSION = 1

# What stands before each value of the text: the writer, the pattern of the quick reader and `early_in_spec` share it.
_TYPE, _REQUEST_ID, _TRACE, _PAYLOAD = f'{{"v":{SPEC_VERSION},"type":', ',"request_id":', ',"trace":', ',"payload":'
_new = tuple.__new__  # A named tuple's own __new__ is Python, and takes twice as long. A spec is made for every job.
_from_json = json.JSONDecoder().decode
# What raw_decode calls, and has no type in typeshed. It raises StopIteration where no value begins.
_value_at: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class SpecError(Exception):
    """A spec that can't be read: it was cut, or something other than Waybill wrote it."""


class SpecTooNew(SpecError):
    """A spec of a later version of Waybill: this process is the older half of a rolling upgrade."""


class JobSpec(NamedTuple):
    """What was asked for: the type's name, the payload as it came, and how attempts are made.

    schedule, scheduled_for: the schedule whose job this is, and the slot, in ms since 1970, for which it was queued; ""
    and 0 for none.
    by: the id of the job whose handler enqueued this one; "" for none.
    workflow: the id of the workflow of which the job is a member; "" for none.
    callback_url: to which a webhook is sent when the job has ended; "" for none.

    The fields behind `trace` are those of OPTIONS, then those of RARE, in the order of these tables.
    """

    type: str
    payload: dict[str, Any]
    request_id: str
    trace: Trace
    max_attempts: int
    timeout_s: float
    backoff: Backoff
    priority: str = "normal"
    group: str = ""
    schedule: str = ""
    scheduled_for: int = 0
    tags: tuple[str, ...] = ()
    by: str = ""
    workflow: str = ""
    unique_key: str = ""
    callback_url: str = ""

    def to_text(self) -> str:
        """The spec's JSON, as short as it can be: Redis may hold millions of specs in memory."""
        type_name, payload, request_id, (trace_id, span_id, flags) = self[:4]
        begin, options = _text_of_options(type_name, self[4:_RARE_AT])
        rare = "" if self[_RARE_AT:] == _NONE_RARE else _text_of(_RARE_PARTS, self[_RARE_AT:])
        return (
            f'{begin}{request_id}"{_TRACE}"{trace_id}-{span_id}-{flags}"{options}{rare}{_PAYLOAD}{to_json(payload)}}}'
        )

    @classmethod
    def from_text(cls, text: bytes | str) -> "JobSpec":
        """The spec that a text holds. Raises SpecTooNew or SpecError."""
        try:
            words = text.decode() if isinstance(text, bytes) else text
        except UnicodeDecodeError as fault:
            raise _unreadable(fault) from None
        return _read_ours(words) or _read_any(words)


def make_spec(fields: Mapping[str, Any]) -> JobSpec:
    """The spec whose fields stand in `fields` under their names, beside others. Raises KeyError for one that lacks."""
    return _new(JobSpec, _fields_of_spec(fields))


_fields_of_spec = itemgetter(*JobSpec._fields)


_DEFAULTS: Final[Mapping[str, Any]] = JobSpec._field_defaults
_RARE_AT = 4 + len(OPTIONS)
_NONE_RARE = tuple(_DEFAULTS[row.name] for row in RARE)


# How the text is written.


@functools.lru_cache(maxsize=1024)
def type_text(type_name: str) -> str:
    """The JSON of a type's name."""
    return to_json(type_name)


@functools.lru_cache(maxsize=1024)
def _text_of_options(type_name: str, options: tuple[Any, ...]) -> tuple[str, str]:
    """The text before the request id, and OPTIONS: slow to write, and the same for most jobs of a type."""
    return f'{_TYPE}{type_text(type_name)}{_REQUEST_ID}"', _text_of(_OPTION_PARTS, options)


def _text_of(parts: tuple[tuple[str, Callable[[Any], str], Any], ...], values: tuple[Any, ...]) -> str:
    """`,"max_attempts":5,"timeout_s":60`: each value but the defaults."""
    text = ""
    for (name, write, default), value in zip(parts, values, strict=True):
        if value != default:
            text += name + write(value)
    return text


def _parts(rows: tuple[SpecRow, ...]) -> tuple[tuple[str, Callable[[Any], str], Any], ...]:
    """What `_text_of` asks of each row. (A field without a default is never None.)"""
    return tuple((f',"{row.name}":', row.write, _DEFAULTS.get(row.name)) for row in rows)


_OPTION_PARTS, _RARE_PARTS = _parts(OPTIONS), _parts(RARE)


def payload_text(spec_text: str) -> str:
    """The payload's JSON, cut out of a text that `to_text` made: the payload stands last, and no string before it holds
    a bare quotation mark."""
    return spec_text[spec_text.index(_PAYLOAD) + len(_PAYLOAD) : -1]


def early_in_spec(type_name: str | None, request_id: str | None) -> list[str]:
    """Texts that stand in the first 2,048 bytes of the spec of every job of that type and request (None: of any).

    page.lua looks for them, as specs are bytes to Redis. Another job's spec may hold them too, in its payload.
    """
    texts = [] if type_name is None else [f"{_TYPE}{type_text(type_name)}{_REQUEST_ID}"]
    return texts if request_id is None else [*texts, f"{_REQUEST_ID[1:]}{to_json(request_id)}{_TRACE}"]


# How the text is read.


def _forms(rows: tuple[SpecRow, ...]) -> str:
    return "".join(
        f'(?:,"{row.name}":{row.form})?' if row.name in _DEFAULTS else f',"{row.name}":{row.form}' for row in rows
    )


_TRACE_FORM = "([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"
_TRACE_TEXT = re.compile(_TRACE_FORM)
# All that `to_text` writes before the payload. In a type's name no character is escaped.
_OURS = re.compile(
    rf'{re.escape(_TYPE)}("[^"\\]{{1,64}}"){_REQUEST_ID}"([A-Za-z0-9._-]{{1,128}})"{_TRACE}"{_TRACE_FORM}"'
    rf"({_forms(OPTIONS)})({_forms(RARE)}){_PAYLOAD}"
)


def _read_ours(text: str) -> JobSpec | None:
    """The spec in a text that `to_text` wrote; None for any other text, which may be a spec all the same.

    WHY two readers: the specs of one type differ in ids and payload alone. The rest is read and checked once, and then
    taken from a cache, so that this reader does a third of the work of `_read_any`.
    """
    found = _OURS.match(text)
    if found is None:
        return None
    type_json, request_id, trace_id, span_id, flags, options_text, rare_text = found.groups()
    shared = _read_shared(type_json, options_text)
    if shared is None:
        return None
    type_name, options = shared
    try:
        payload, end = _value_at(text, found.end())
        if rare_text:
            options = options[: len(OPTIONS)] + _read_rare(rare_text)
    except (StopIteration, ValueError, TypeError, RecursionError):
        return None
    if text[end:] != "}":
        return None
    asked = (type_name, payload, request_id, _new(Trace, (trace_id, span_id, flags)))
    return _new(JobSpec, asked + options)


@functools.lru_cache(maxsize=1024)
def _read_shared(type_json: str, options_text: str) -> tuple[str, tuple[Any, ...]] | None:
    """The type's name, and the values of OPTIONS with the defaults of RARE behind them; None where jobs can't be run by
    one of these values."""
    try:
        fields = _from_json(f'{{"type":{type_json}{options_text}}}')
        return fields["type"], _values(OPTIONS, fields) + _NONE_RARE
    except (ValueError, TypeError):
        return None


@functools.lru_cache(maxsize=1024)
def _read_rare(text: str) -> tuple[Any, ...]:
    """The values of RARE. Most often it is a group alone, the same one for many jobs. Raises what `_values` raises."""
    return _values(RARE, _from_json(f"{{{text[1:]}}}"))


def _read_any(text: str) -> JobSpec:
    """The spec in any JSON text. Raises SpecTooNew or SpecError."""
    try:
        fields = _from_json(text)
        version = fields["v"]
        if version != SPEC_VERSION:
            raise SpecTooNew(f"spec version {version!r}; this is a worker of version {SPEC_VERSION}")
        request_id, trace = fields["request_id"], _TRACE_TEXT.fullmatch(fields["trace"])
        if not is_request_id(request_id) or trace is None:
            # Both go into every log line as they are.
            raise ValueError("request_id or trace is not one")
        asked = (fields["type"], fields["payload"], request_id, Trace(*trace.groups()))
        return JobSpec._make(asked + _values(OPTIONS, fields) + _values(RARE, fields))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise _unreadable(fault) from None


def _values(rows: tuple[SpecRow, ...], fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """The rows' values out of parsed JSON. Raises KeyError for a field that lacks, and what `read` raises."""
    return tuple(
        _DEFAULTS[row.name] if row.name in _DEFAULTS and row.name not in fields else row.read(fields[row.name])
        for row in rows
    )


def _unreadable(fault: Exception) -> SpecError:
    return SpecError(f"the spec can't be read: {fault!r}")
