"""What a handler returned, as the JSON that is kept with its job. Pure.

Most results are JSON as they are. Of the usual kinds that are not, each becomes what FastAPI, Django and Celery make of
it: times ISO 8601, exact numbers, ids and paths strings, sets lists. What can't be kept raises Unkept, and the API
shows the reason as `result_error`: the work is done, and the job is completed all the same.
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
    """The result, unless it is work that has yet to be done: a decorator made a plain function of an async one. Raises
    TypeError."""
    # By its class: an object of the job's own may fail whoever asks itself what it is.
    if not issubclass(type(result), Awaitable | Generator | AsyncGenerator):
        return result
    if type(result) is CoroutineType:
        result.close()
    raise TypeError(f"the handler gave a {class_name(result)} and did nothing: is a decorator's wrapper not async?")


def result_text(value: Any) -> str:
    """Its JSON, "" for None. Raises Unkept, whatever the value's own methods raise."""
    if value is None:
        return ""
    try:
        return _checked(_text(value))
    except Unkept:
        raise
    except BaseException as fault:  # noqa: BLE001  Whatever its own methods raise, the job's work is done.
        raise Unkept(_cut(f"it could not be read: {summary(fault)}")) from None


def _text(value: Any) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError):
        return to_json(_plain(value, MAX_DEPTH))


def _checked(text: str) -> str:
    """The text as Redis can keep it. Raises Unkept where it is too much for the API."""
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
    """The same of what JSON knows. levels: so many more may follow. Raises Unkept."""
    scalar = _scalar(value)
    return _container(value, levels) if scalar is _NO_SCALAR else scalar


def _scalar(value: Any) -> Any:
    """Of what holds nothing else; _NO_SCALAR of all else."""
    if isinstance(value, Enum):
        return _scalar(value.value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else _of_no_number(value)
    text = _text_of(value)
    return _NO_SCALAR if text is None else text


def _text_of(value: Any) -> str | None:
    """Of what is shown as a string; None for what is not."""
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
    """An object's member is named by a string; what JSON's encoder makes one of is left to it."""
    scalar = _scalar(key)
    if scalar is _NO_SCALAR:
        raise Unkept(f"it holds a key of the class {class_name(key)}, which is no name in JSON")
    return scalar


def _of_no_number(value: float) -> str:
    """JSON has no NaN and no infinities; these are the words that ECMAScript, protobuf and Python's float() know."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unkept("it holds bytes that are no UTF-8; return them as text, in base64 or hex") from None


def _iso_duration(span: timedelta) -> str:
    """ISO 8601, as P1DT2H3M4.5S; days, for a month has no length."""
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
    """It stands in a record whose fields are parted by control characters."""
    return "".join(c if c >= " " else " " for c in reason[:REASON_CHARS])
