"""The body of a request as JSON (RFC 8259). A text that two parsers could read differently is refused. Pure.

Refused are: bytes that are not UTF-8; {"a": 1, "a": 2}; NaN and Infinity; 1e999, which no double can hold; half of a
surrogate pair ("\\ud800"); integers of more than 1,000 digits; nesting deeper than MAX_DEPTH. Other integers keep every
digit.
"""

import gc
import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from lib.errors import BadJson, InvalidFields
from lib.json_text import MAX_DEPTH as MAX_DEPTH
from lib.json_text import is_too_deep, to_json

QUOTED_CHARS = 60
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
LARGE_BYTES = 64 * 1024


def parse(body: bytes) -> Any:
    """The value of `body`. Raises BadJson with the reason and, where it has one, the line and column."""
    if not body:
        raise BadJson("the body is empty; send a JSON object")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadJson(f"the body is not UTF-8: byte {fault.start}") from None
    if is_too_deep(text):
        raise BadJson(f"arrays and objects are nested deeper than {MAX_DEPTH}")
    try:
        value = _decoded(text)
    except json.JSONDecodeError as fault:
        if text.startswith("\ufeff"):
            raise BadJson("a byte order mark (EF BB BF) stands before the JSON; leave it out") from None
        raise BadJson(f"{fault.msg}: line {fault.lineno}, column {fault.colno}") from None
    except (ValueError, RecursionError) as fault:
        raise BadJson(str(fault)) from None
    if "\\u" in text and _SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _decoded(text: str) -> Any:
    """The decoder's value. The garbage collector rests while a large text is read.

    WHY: JSON makes no cycles, and each collection, which visits the 350,000 arrays that a MiB may hold and every other
    object of the process, costs more than reading them."""
    if len(text) < LARGE_BYTES or not gc.isenabled():
        return _decode(text)
    gc.disable()
    try:
        return _decode(text)
    finally:
        gc.enable()


def expect_no_fields(body: bytes) -> None:
    """For an operation without fields, such as POST …/cancel. Raises InvalidFields unless the body is empty or {}."""
    if body.strip() not in (b"", b"{}"):
        raise InvalidFields("this operation takes no fields; send no body")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"the name {_first_repeated(pairs)[:QUOTED_CHARS]!r} stands twice in one object")
    return members


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    """The first name that stands twice. A set, for pairs.count(name) would take minutes for a body of a MiB."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _int(text: str) -> int:
    if len(text) > 1000:
        raise ValueError(f"an integer of {len(text)} digits is too large")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


# One decoder for the process: json.loads with hooks would build one at each call.
_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]


def _decode(text: str) -> Any:
    """The value of _decoder.decode(text), in half the time for a small job.

    (`decode` searches for white space at both ends with a regular expression.)"""
    bare = text.strip(" \t\n\r")
    try:
        value, end = _scan(bare, 0)
    except (StopIteration, json.JSONDecodeError):
        return _decoder.decode(text)  # Raises, with the reason and the place.
    return value if end == len(bare) else _decoder.decode(text)


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        to_json(value).encode()
    except UnicodeEncodeError:
        raise BadJson("a \\u escape names half of a surrogate pair") from None
