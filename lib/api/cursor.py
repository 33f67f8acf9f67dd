"""Cursors of job lists: the place where a page ended, as text that a caller sends back for the next page. Pure.

`MTc5NTQzODE4ODEyMyBkZWZhdWx0LTAxOWQgPTFmM2E5YzBl` is base64 of `1795438188123 default-019d =1f3a9c0e`: the last job's
score in its list (ms), its id, and a mark of the filter. A cursor is opaque to callers.
"""

import base64
import binascii
import hashlib
import re

from lib.queue.listing import Cursor
from lib.web import query


def cursor_of(found: dict[str, str]) -> Cursor | None:
    """Where the page before ended, out of the parameter `cursor`. None where there is none: the first page is asked
    for.

    Raises InvalidFields for one that no page gave, and for one that a page of another filter gave.
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
    """What `next_cursor` says. found: the parameters of the page, for whose filter alone the cursor is good."""
    text = f"{place.score} {place.job_id} ={_filter_mark(found)}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _unpacked(text: str) -> tuple[int, str, str]:
    """Score, id and the filter's mark, which is "" where an older version gave the cursor. Raises ValueError."""
    packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    match = re.fullmatch(r"([0-9]{1,16}) (.+?)(?: =([0-9a-f]{8}))?", packed, re.DOTALL)
    if not match:
        raise ValueError
    return int(match[1]), match[2], match[3] or ""


def _filter_mark(found: dict[str, str]) -> str:
    """A few letters that tell one filter from another."""
    filters = sorted((name, value) for name, value in found.items() if name not in ("cursor", "limit"))
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:8]
