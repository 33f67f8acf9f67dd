"""A request's query parameters, each checked; one that the operation does not know is refused, not ignored. Pure."""

import re
from urllib.parse import unquote_plus

from lib.errors import FieldError, InvalidFields


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
            raise parameter_error(raw_name, "is not UTF-8") from None
        if name not in known:
            raise parameter_error(name, "is not known here; known: " + (", ".join(sorted(known)) or "none"))
        if name in found:
            raise parameter_error(name, "stands there twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def parameter_error(name: str, detail: str) -> InvalidFields:
    """A parameter's fault; its pointer is the name behind a question mark."""
    return InvalidFields(f"the query parameter {name} {detail}", errors=[FieldError(f"?{name}", detail)])


def whole(found: dict[str, str], name: str, low: int, high: int, default: int) -> int:
    text = found.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise parameter_error(name, f"must be a whole number from {low} to {high}")
    return int(text)


def flag(found: dict[str, str], name: str) -> bool:
    text = found.get(name, "false")
    if text not in ("true", "false"):
        raise parameter_error(name, "must be true or false")
    return text == "true"


def seconds(found: dict[str, str], name: str, most: float, *, is_capped: bool = False) -> float | None:
    """is_capped: more than `most` are `most`, and no fault."""
    text = found.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,15})?", text) or (float(text) > most and not is_capped):
        raise parameter_error(name, f"must be a number of seconds from 0 to {most:g}")
    return min(float(text), most)
