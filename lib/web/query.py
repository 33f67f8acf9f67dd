"""The query parameters of a request, each checked. A parameter unknown to the operation is refused, not ignored. Pure.

`?limit=20&state=dead&cursor=` is {"limit": "20", "state": "dead"}; `whole`, `flag` and `seconds` read single values.
"""

import re
from urllib.parse import unquote_plus

from lib.errors import FieldError, InvalidFields


def parameters(query: str, known: frozenset[str]) -> dict[str, str]:
    """The parameters of `query`, name to value. Empty ones are left out: clients send `cursor=` for the first page.

    Raises InvalidFields for a name that is not in `known` or stands twice, and for bytes that are not UTF-8.
    """
    found: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        raw_name, _, raw_value = item.partition("=")
        try:
            name, value = unquote_plus(raw_name, errors="strict"), unquote_plus(raw_value, errors="strict")
        except UnicodeDecodeError:
            raise parameter_error(raw_name, "is not UTF-8") from None
        if name not in known:
            raise parameter_error(name, "is not known here; known: " + (", ".join(sorted(known)) or "none"))
        if name in found:
            raise parameter_error(name, "stands there twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def parameter_error(name: str, detail: str) -> InvalidFields:
    """The error for one bad parameter; its pointer is the name behind a question mark, `?limit`."""
    return InvalidFields(f"the query parameter {name} {detail}", errors=[FieldError(f"?{name}", detail)])


def whole(found: dict[str, str], name: str, low: int, high: int, default: int) -> int:
    """The parameter as a whole number from low to high. Raises InvalidFields."""
    text = found.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise parameter_error(name, f"must be a whole number from {low} to {high}")
    return int(text)


def flag(found: dict[str, str], name: str) -> bool:
    """The parameter as true or false; false if it was not sent. Raises InvalidFields."""
    text = found.get(name, "false")
    if text not in ("true", "false"):
        raise parameter_error(name, "must be true or false")
    return text == "true"


def seconds(found: dict[str, str], name: str, most: float, *, is_capped: bool = False) -> float | None:
    """The parameter as seconds, None if it was not sent. is_capped: more than `most` are `most` and no fault.

    Raises InvalidFields."""
    text = found.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,15})?", text) or (float(text) > most and not is_capped):
        raise parameter_error(name, f"must be a number of seconds from 0 to {most:g}")
    return min(float(text), most)
