"""What a handler returned, as the JSON text that is kept with its job. Pure.

Most results are JSON as they are. The usual kinds of values that are not become what FastAPI, Django and Celery make of
them:

    {"on": date(2026, 11, 23), "sum": Decimal("9.50"), "ids": {7}}   ->   {"on":"2026-11-23","sum":"9.50","ids":[7]}

For a result that can't be kept `result_text` raises Unkept, and the API shows the reason as `result_error`: the work is
done, and the job is completed all the same.
"""

import dataclasses
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping, Set, Sized, ValuesView
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from types import CoroutineType
from typing import Any
from uuid import UUID

from lib.jobs.failure import summary
from lib.json_text import MAX_DEPTH, TOO_DEEP, is_too_deep, to_json
from lib.logs.log_lines import class_name

RESULT_BYTES = 64 << 10
REASON_CHARS = 500
_ADDRESSES = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
_AS_TEXT = (Decimal, Fraction, UUID, PurePath, *_ADDRESSES)
_NO_SCALAR = object()
_AS_LIST = (list, tuple, set, frozenset, deque, range, Set, ValuesView)


class Unkept(Exception):
    """Why a result can't be kept, in words that follow "the result was not kept: "."""


def done(result: Any) -> Any:
    """The result, if it is one. Raises TypeError for a coroutine or generator: then a decorator has made a plain
    function of an async one, and the work is yet to be done."""
    # By its class, not by isinstance: the result may be an object that raises when it is asked for its __class__.
    if not issubclass(type(result), Awaitable | Generator | AsyncGenerator):
        return result
    if type(result) is CoroutineType:
        result.close()
    raise TypeError(f"the handler gave a {class_name(result)} and did nothing: is a decorator's wrapper not async?")


def result_text(value: Any) -> str:
    """The value's JSON, "" for None. Raises Unkept, whatever the value's own methods raise."""
    if value is None:
        return ""
    try:
        return _checked(_text(value))
    except Unkept:
        raise
    except BaseException as fault:  # noqa: BLE001  The value's own methods may raise anything, and the job's work is done.
        raise Unkept(_cut(f"it could not be read: {summary(fault)}")) from None


def _text(value: Any) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError):
        return to_json(_plain(value, MAX_DEPTH))


def _checked(text: str) -> str:
    """The text in a form that UTF-8 can encode. Raises Unkept for a text that is too long or nested too deep."""
    try:
        size_bytes = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text))  # A lone surrogate can't be UTF-8; as an escape it can.
        size_bytes = len(text)
    if size_bytes > RESULT_BYTES:
        raise Unkept(f"it has {size_bytes:,} bytes of JSON, over {RESULT_BYTES:,}")
    if is_too_deep(text):
        raise Unkept(TOO_DEEP)
    return text


def _plain(value: Any, levels: int) -> Any:
    """The value, made of what JSON knows. levels: how many levels deeper it may go. Raises Unkept."""
    scalar = _scalar(value)
    return _container(value, levels) if scalar is _NO_SCALAR else scalar


def _scalar(value: Any) -> Any:
    """The JSON value for a value that holds no others; _NO_SCALAR for one that does."""
    if isinstance(value, Enum):
        return _scalar(value.value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else _name_of_float(value)
    text = _text_of(value)
    return _NO_SCALAR if text is None else text


def _text_of(value: Any) -> str | None:
    """The text for a value that JSON shows as a string, such as a date; None for any other value."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value)
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of_bytes(bytes(value))
    return None


def _container(value: Any, levels: int) -> Any:
    if isinstance(value, Enum):
        return _container(value.value, levels)
    if levels == 0:
        raise Unkept(TOO_DEEP)
    if isinstance(value, Sized) and len(value) > RESULT_BYTES // 2:
        raise Unkept(f"it holds {len(value):,} items, more than {RESULT_BYTES:,} bytes of JSON can")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), levels - 1) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_name(key): _plain(item, levels - 1) for key, item in value.items()}
    if isinstance(value, _AS_LIST):
        return [_plain(item, levels - 1) for item in value]
    raise Unkept(f"it holds an object of the class {class_name(value)}, which is no JSON")


def _name(key: Any) -> Any:
    """The name of an object's member. JSON's encoder makes a string of a number, true, false or null by itself."""
    scalar = _scalar(key)
    if scalar is _NO_SCALAR:
        raise Unkept(f"it holds a key of the class {class_name(key)}, which is no name in JSON")
    return scalar


def _name_of_float(value: float) -> str:
    """The name of a float that JSON can't write. ECMAScript, protobuf and Python's float() know these names."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unkept("it holds bytes that are no UTF-8; return them as text, in base64 or hex") from None


def _iso_duration(span: timedelta) -> str:
    """ISO 8601, as P1DT2H3M4.5S. The largest unit is a day, because a month has no fixed length."""
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06}".rstrip("0") if span.microseconds else ""
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    if seconds or fraction:
        parts.append(f"{seconds}{fraction}S")
    of_day = "".join(parts)
    days = f"{span.days}D" if span.days else ""
    return f"{sign}P{days}{f'T{of_day}' if of_day else ''}" if days or of_day else "PT0S"


def _cut(reason: str) -> str:
    """The reason with spaces for control characters, which part the fields of the record that holds it in Redis."""
    return "".join(c if c >= " " else " " for c in reason[:REASON_CHARS])
