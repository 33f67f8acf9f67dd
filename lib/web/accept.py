"""Accept: which of the media types that an operation can answer with its caller wants (RFC 9110, 12.5.1). Pure.

Most requests bear none or `*/*` and never come here. A field that is not of the grammar says nothing, and is taken as
if it were not there: who can't say what they want gets what there is.
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
# JSON has no such parameter, HTML has; clients write it to either, and UTF-8 is what they get.
_UTF8 = ("charset", "utf-8")


class _Range(NamedTuple):
    """One media range. `parameters` are those before q, in small letters."""

    kind: str
    parameters: frozenset[tuple[str, str]]
    quality: float


def check(accept: str | None, produced: Sequence[str]) -> None:
    """Raises NotAcceptable where `accept` excludes all that an operation produces. One that produces nothing never."""
    if accept is not None and accept != "*/*" and produced and choose(accept, tuple(produced)) is None:
        raise NotAcceptable(f"this path answers with {', '.join(produced)}; send an Accept that allows it, or none")


@functools.lru_cache(maxsize=64)
def choose(accept: str | None, produced: tuple[str, ...]) -> str | None:
    """The one of `produced` that is wanted most, the first among equals; None where none is wanted."""
    ranges = _read(accept) if accept is not None else None
    if not ranges:
        return produced[0]
    rated = [(_quality(ranges, media_type), -index, media_type) for index, media_type in enumerate(produced)]
    quality, _, best = max(rated)
    return best if quality else None


def charset_is_utf8(parameters: str) -> bool:
    """Whether what stands behind a Content-Type's media type, from its semicolon on, names no charset but UTF-8.
    Other parameters are passed over (RFC 9110, 8.3.1); what is not of the grammar (5.6.6) is no."""
    is_grammatical = _ALL_PARAMETERS.fullmatch(parameters) is not None
    return is_grammatical and all(one == _UTF8 for one in _parameters(parameters) if one[0] == "charset")


def _quality(ranges: list[_Range], media_type: str) -> float:
    """That of the most exact range that fits; 0 where none does."""
    kind, _, rest = media_type.partition(";")
    has = _parameters(";" + rest) | {_UTF8}
    fitting = [(_exactness(one), one.quality) for one in ranges if _fits(one.kind, kind) and one.parameters <= has]
    return max(fitting)[1] if fitting else 0.0


def _fits(wanted: str, kind: str) -> bool:
    return wanted in (kind, "*/*") or (wanted.endswith("/*") and wanted[:-1] == kind[: len(wanted) - 1])


def _exactness(one: _Range) -> tuple[int, int]:
    return (one.kind != "*/*") + (not one.kind.endswith("/*")), len(one.parameters)


def _read(accept: str) -> list[_Range] | None:
    """The ranges, or None for what is not of the grammar."""
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
            # What follows q are extensions that nobody uses (RFC 9110 has them no more).
            quality = float(value)
            break
        if name:
            before_q.append((name.lower(), _value(value)))
    return _Range(f"{major}/{minor}", frozenset(before_q), quality)


def _parameters(text: str) -> set[tuple[str, str]]:
    return {(name.lower(), _value(value)) for name, value in _PARAMETER.findall(text) if name}


def _value(text: str) -> str:
    return (re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text).lower()
