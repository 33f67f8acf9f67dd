"""Cursors of job lists: the place where a page ended, as text that a caller sends back for the next page. Pure.

`MTc5NTQzODE4ODEyMyBkZWZhdWx0LTAxOWQgPTFmM2E5YzBl` is base64 of `1795438188123 default-019d =1f3a9c0e`: the last job's
score in its list (ms), its id, and a mark of the filter. To callers a cursor is any text.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lib.errors import FieldError
from lib.jobs.request_fields import fields_error
from lib.queue.listing import Cursor
from lib.web import query


def cursor_of(found: dict[str, str]) -> Cursor | None:
    """The place in the parameter `cursor`; None without the parameter, which asks for the first page.

    found: the parameters of the request. Raises InvalidFields for a text that no page gave, and for a cursor from a
    page of another filter.
    """
    text = found.get("cursor")
    if text is None:
        return None
    try:
        score, job_id, mark = _unpacked(text)
    except (ValueError, binascii.Error):
        raise query.parameter_error("cursor", "is not one that a page gave as next_cursor") from None
    if mark not in ("", _filter_mark(found)):
        raise query.parameter_error(
            "cursor", "is of a list with another filter; begin that list anew, without a cursor"
        )
    return Cursor(score, job_id)


def cursor_text(place: Cursor, found: dict[str, str]) -> str:
    """The text of `next_cursor`. found: the parameters of the page; the cursor is good with the same filter alone."""
    text = f"{place.score} {place.job_id} ={_filter_mark(found)}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


class SweepPlace(NamedTuple):
    """How far a change of many jobs has come, and the time before which all of its jobs stand."""

    cursor: Cursor
    before_ms: int


def sweep_cursor_text(place: SweepPlace, found: Mapping[str, object]) -> str:
    """The text of `next_cursor` of redrive, purge and actions. found: what was asked for."""
    (score, job_id), before_ms = place
    text = f"{score} {job_id} {before_ms} ={_mark(sorted(found.items()))}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def sweep_cursor_of(text: str, found: Mapping[str, object]) -> SweepPlace:
    """The place in such a text. Raises InvalidFields as cursor_of does, with a pointer into the body."""
    try:
        packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
        match = re.fullmatch(r"([0-9]{1,16}) (.+?) ([0-9]{1,16}) =([0-9a-f]{8})", packed, re.DOTALL)
    except (ValueError, binascii.Error):
        match = None
    if match is None:
        raise fields_error([FieldError("/cursor", "is not one that this operation gave as next_cursor")])
    if match[4] != _mark(sorted(found.items())):
        raise fields_error([FieldError("/cursor", "is of a call with other fields; send the same again, or no cursor")])
    return SweepPlace(Cursor(int(match[1]), match[2]), int(match[3]))


def _unpacked(text: str) -> tuple[int, str, str]:
    """Score, id and mark; the mark is "" in a cursor of an older version. Raises ValueError."""
    packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    match = re.fullmatch(r"([0-9]{1,16}) (.+?)(?: =([0-9a-f]{8}))?", packed, re.DOTALL)
    if not match:
        raise ValueError
    return int(match[1]), match[2], match[3] or ""


def _filter_mark(found: dict[str, str]) -> str:
    """Eight hex digits that differ for different filters."""
    filters = sorted((name, value) for name, value in found.items() if name not in ("cursor", "limit"))
    return _mark(filters)


def _mark(items: Sequence[tuple[str, object]]) -> str:
    return hashlib.sha256(repr(items).encode()).hexdigest()[:8]
