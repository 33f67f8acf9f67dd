"""Cursors of job lists: the place where a page ended, as text that a caller sends back for the next page. Pure.

`MTc5NTQzODE4ODEyMyBkZWZhdWx0LTAxOWQgPTFmM2E5YzBl` is base64 of `1795438188123 default-019d =1f3a9c0e`: the last job's
score in its list (ms), its id, and a mark of the filter. To callers a cursor is any text.
"""

import base64
import binascii
import hashlib
import re

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
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:8]
