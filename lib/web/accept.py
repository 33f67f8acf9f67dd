"""The Accept field: the media type that a caller wants most, of those an operation offers (RFC 9110, 12.5.1). Pure.

    Accept: text/html;q=0.5, application/json      of (text/html, application/json): application/json
    Accept: image/png                              of (text/html, application/json): none, which is a 406

Most requests bear no Accept, or `*/*`, and never come here. A field that breaks the grammar counts as absent: its
caller gets the type that the operation prefers.
"""

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from lib.errors import NotAcceptable

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"'
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?")
_PARAMETERS = rf"(?>(?:[ \t]*;[ \t]*(?:{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?)*)"
_ALL_PARAMETERS = re.compile(rf"{_PARAMETERS}[ \t]*")
_RANGE = re.compile(rf"[ \t]*({_TOKEN})/({_TOKEN})({_PARAMETERS})[ \t]*(?:,|\Z)")
_EMPTY = re.compile(r"[ \t]*,")
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
# Clients ask for `application/json; charset=utf-8` too, though JSON has no such parameter. Every answer is UTF-8.
_UTF8 = ("charset", "utf-8")


class _Range(NamedTuple):
    """One media range: `Text/*; level=1; q=0.5` is ("text/*", {("level", "1")}, 0.5)."""

    kind: str
    parameters: frozenset[tuple[str, str]]
    quality: float


def check(accept: str | None, produced: Sequence[str]) -> None:
    """Raises NotAcceptable where `accept` excludes every media type of `produced`, the types of one operation.

    An operation whose answer has no body produces none, and is never refused."""
    if accept is not None and accept != "*/*" and produced and choose(accept, tuple(produced)) is None:
        raise NotAcceptable(f"this path answers with {', '.join(produced)}; send an Accept that allows it, or none")


@functools.lru_cache(maxsize=64)
def choose(accept: str | None, produced: tuple[str, ...]) -> str | None:
    """The media type of `produced` with the highest q, the first among equals; None where all are excluded."""
    ranges = _read(accept) if accept is not None else None
    if not ranges:
        return produced[0]
    rated = [(_quality(ranges, media_type), -index, media_type) for index, media_type in enumerate(produced)]
    quality, _, best = max(rated)
    return best if quality else None


def charset_is_utf8(parameters: str) -> bool:
    """True if the parameters of a Content-Type name no charset but UTF-8: `; profile="x"; charset=UTF-8`, or "".

    Parameters of other names are passed over (RFC 9110, 8.3.1). False for a text that breaks the grammar (5.6.6)."""
    is_grammatical = _ALL_PARAMETERS.fullmatch(parameters) is not None
    return is_grammatical and all(one == _UTF8 for one in _parameters(parameters) if one[0] == "charset")


def _quality(ranges: list[_Range], media_type: str) -> float:
    """The q of the most exact range that covers `media_type`; 0 where no range covers it."""
    kind, _, rest = media_type.partition(";")
    has = _parameters(";" + rest) | {_UTF8}
    fitting = [(_exactness(one), one.quality) for one in ranges if _fits(one.kind, kind) and one.parameters <= has]
    return max(fitting)[1] if fitting else 0.0


def _fits(wanted: str, kind: str) -> bool:
    return wanted in (kind, "*/*") or (wanted.endswith("/*") and wanted[:-1] == kind[: len(wanted) - 1])


def _exactness(one: _Range) -> tuple[int, int]:
    return (one.kind != "*/*") + (not one.kind.endswith("/*")), len(one.parameters)


def _read(accept: str) -> list[_Range] | None:
    """The ranges of an Accept field, or None for a field that breaks the grammar."""
    found: list[_Range] = []
    at = 0
    while at < len(accept):
        if empty := _EMPTY.match(accept, at):
            at = empty.end()
            continue
        match = _RANGE.match(accept, at)
        one = _range(match) if match else None
        if match is None or one is None:
            return None if accept[at:].strip(" \t") else found
        found.append(one)
        at = match.end()
    return found


def _range(match: re.Match[str]) -> _Range | None:
    major, minor, rest = match[1].lower(), match[2].lower(), match[3]
    if major == "*" and minor != "*":
        return None
    quality = 1.0
    before_q: list[tuple[str, str]] = []
    for name, value in _PARAMETER.findall(rest):
        if name.lower() == "q":
            if not _Q.fullmatch(value):
                return None
            # Parameters behind q were extensions, which nobody used. RFC 9110, 12.5.1, has dropped them.
            quality = float(value)
            break
        if name:
            before_q.append((name.lower(), _value(value)))
    return _Range(f"{major}/{minor}", frozenset(before_q), quality)


def _parameters(text: str) -> set[tuple[str, str]]:
    return {(name.lower(), _value(value)) for name, value in _PARAMETER.findall(text) if name}


def _value(text: str) -> str:
    return (re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text).lower()
