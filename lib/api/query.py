"""A request's query parameters, each checked; one that the operation does not know is refused, not ignored. Pure."""

import base64
import binascii
import hashlib
import re
from urllib.parse import unquote_plus

from lib.errors import FieldError, InvalidFields
from lib.queue.pages import Place


def parameters(query: str, known: frozenset[str]) -> dict[str, str]:
    """Name to value, without those of no value: clients send `cursor=` where they have none.

    Raises InvalidFields for a name that is unknown or stands twice, and for what is no UTF-8.
    """
    found: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        raw_name, _, raw_value = item.partition("=")
        try:
            name, value = unquote_plus(raw_name, errors="strict"), unquote_plus(raw_value, errors="strict")
        except UnicodeDecodeError:
            raise wrong(raw_name, "is not UTF-8") from None
        if name not in known:
            raise wrong(name, "is not known here; known: " + (", ".join(sorted(known)) or "none"))
        if name in found:
            raise wrong(name, "stands there twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def wrong(name: str, detail: str) -> InvalidFields:
    """A parameter's fault; its pointer is the name behind a question mark."""
    return InvalidFields(f"the query parameter {name} {detail}", errors=[FieldError(f"?{name}", detail)])


def whole(found: dict[str, str], name: str, low: int, high: int, default: int) -> int:
    text = found.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise wrong(name, f"must be a whole number from {low} to {high}")
    return int(text)


def flag(found: dict[str, str], name: str) -> bool:
    text = found.get(name, "false")
    if text not in ("true", "false"):
        raise wrong(name, "must be true or false")
    return text == "true"


def seconds(found: dict[str, str], name: str, most: float) -> float | None:
    """Those that are asked for, `most` at most."""
    text = found.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,15})?", text):
        raise wrong(name, f"must be a number of seconds; more than {most:g} are {most:g}")
    return min(float(text), most)


def cursor(found: dict[str, str]) -> Place | None:
    """Where the last page ended; what `next_cursor` gave, and opaque to the caller.

    Raises InvalidFields for one that no page gave, and for one that a page of another filter gave.
    """
    text = found.get("cursor")
    if text is None:
        return None
    try:
        score, job_id, mark = _unpacked(text)
    except (ValueError, binascii.Error):
        raise wrong("cursor", "is not one that a page gave as next_cursor") from None
    if mark not in ("", _filter_mark(found)):
        raise wrong("cursor", "is of a list with another filter; begin that list anew, without a cursor")
    return Place(score, job_id)


def cursor_text(place: Place, found: dict[str, str]) -> str:
    """found: the parameters of the page, whose filter the cursor is good for."""
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
