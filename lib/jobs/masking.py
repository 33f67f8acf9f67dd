"""Secrets in a payload: masked where a job is shown, and kept where a payload comes back with the mask in their place.

Whoever may look at a job need not be who may use its keys. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any

from lib.errors import FieldError
from lib.jobs.payload import escape_pointer
from lib.json_text import to_json

MASK = "********"
_SECRETS = re.compile(
    r"secret|authorization|passw|passphrase|token|credential|cookie|(?:api|access|private)[_-]?key", re.IGNORECASE
)
_WORDS = (
    *("secret", "authorization", "passw", "passphrase", "token", "credential", "cookie"),
    *(f"{of}{dash}key" for of in ("api", "access", "private") for dash in ("", "_", "-")),
)
# A name, what stands between, and a value: in quotes, of an Authorization header, or a bare word. None of it goes on
# into the next line, and the alternatives begin differently, so that no text is gone through twice.
_NAMED = rf"((?:{_SECRETS.pattern})[\w-]*+)([\"']?[ \t]*+(?:=(?!=)|:)[ \t]*+)"
_QUOTED = r"[bfr]{0,2}(?:\"(?>(?:[^\"\\\n]++|\\.)*)\"?|'(?>(?:[^'\\\n]++|\\.)*)'?)"
_SAID = re.compile(rf"{_NAMED}({_QUOTED}|(?:(?:bearer|basic|digest|token)[ \t]++)?[^\s\"',;)\]}}&]++)", re.IGNORECASE)
_SAID_QUOTED = re.compile(rf"{_NAMED}({_QUOTED})", re.IGNORECASE)
_SAY_WHETHER = frozenset({"None", "null", "True", "true", "False", "false"})
SHORTEST_KNOWN, MOST_KNOWN = 4, 200
_NOTHING = object()
KNOWN_NAMES, KNOWN_NAME_CHARS = 4096, 64
_harmless: set[str] = set()
"""Names that were looked at and tell of nothing: most payloads have the same few. Bounded, as anybody may send some."""


def masked(value: Any) -> Any:
    """The same without its secrets: whatever is under a name that tells of one, but null, true and false."""
    return _masked(value) if names_secrets(value) else value


def names_secrets(value: Any) -> bool:
    """Whether any name in it tells of a secret. Nothing is copied or called: a MiB may hold 300,000 arrays."""
    waiting = [value] if type(value) is dict or type(value) is list else []
    while waiting:
        item = waiting.pop()
        if type(item) is dict and not _harmless.issuperset(item) and any(map(_is_secret, item)):
            return True
        for inner in item.values() if type(item) is dict else item:
            if type(inner) is dict or type(inner) is list:
                waiting.append(inner)
    return False


def known_secrets(payload: Any) -> list[str] | None:
    """The texts that `masked` hides in it, the longest first, as they may stand in other texts; None where they are
    too many to be looked for. Those so short that they stand in many texts are left out."""
    found = set(_secrets_of(payload, is_secret=False)) if names_secrets(payload) else set[str]()
    return sorted(found, key=len, reverse=True) if len(found) <= MOST_KNOWN else None


def masked_error(error: dict[str, Any] | None, secrets: list[str] | None) -> dict[str, Any] | None:
    """A job's error, as failure.py makes it, without what `known_secrets` gave, wherever it stands, and without what
    stands behind a name that tells of a secret: `password='…'`, `Authorization: Bearer …`."""
    if error is None:
        return None
    shown = dict(error)
    for part, said in (("message", _SAID), ("traceback", _SAID_QUOTED)):
        if type(shown.get(part)) is str:
            shown[part] = MASK if secrets is None else _text_without(secrets, shown[part], said)
    if type(shown.get("cause")) is dict:
        shown["cause"] = masked_error(shown["cause"], secrets)
    return shown


def _secrets_of(value: Any, *, is_secret: bool) -> Iterator[str]:
    if type(value) is dict:
        for name, item in value.items():
            yield from _secrets_of(item, is_secret=is_secret or (_is_secret(name) and _can_be(name, item)))
    elif type(value) is list:
        for item in value:
            yield from _secrets_of(item, is_secret=is_secret)
    elif is_secret and value is not None and type(value) is not bool and len(str(value)) >= SHORTEST_KNOWN:
        # In a message or a line of code it may stand as repr() or JSON has it.
        yield from (str(value), repr(value).strip("'\""), to_json(str(value))[1:-1])


def _text_without(secrets: list[str], text: str, said: re.Pattern[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    small = text.lower()
    if not any(word in small for word in _WORDS):
        return text  # Most texts; a pattern looks ten times as long.
    return said.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    is_count = name.lower().endswith("tokens") and value.isdigit()
    if is_count or value in _SAY_WHETHER or value.strip("bfr'\"") in ("", MASK):
        return found[0]
    quote = next((mark for mark in "'\"" if mark in value[:2]), "")
    return f"{name}{between}{quote}{MASK}{quote if value.endswith(quote) else ''}"


def unmasked(value: Any, stored: Any, pointer: str, errors: list[FieldError]) -> Any:
    """The same with what is `stored` at the place of each mask; an error for a mask where nothing is."""
    if type(value) is dict:
        known = stored if type(stored) is dict else {}
        return {
            name: _kept(name, known.get(name), f"{pointer}/{escape_pointer(name)}", errors)
            if _is_secret(name) and item == MASK
            else unmasked(item, known.get(name, _NOTHING), f"{pointer}/{escape_pointer(name)}", errors)
            for name, item in value.items()
        }
    if type(value) is list:
        known_items = stored if type(stored) is list else []
        padded = [*known_items, *[_NOTHING] * len(value)]
        return [unmasked(item, padded[at], f"{pointer}/{at}", errors) for at, item in enumerate(value)]
    return value


def _masked(value: Any) -> Any:
    if type(value) is dict:
        return {
            name: MASK if _is_secret(name) and _can_be(name, item) else _masked(item) for name, item in value.items()
        }
    if type(value) is list:
        return [_masked(item) for item in value]
    return value


def _kept(name: str, stored: Any, pointer: str, errors: list[FieldError]) -> Any:
    if not _can_be(name, stored):
        errors.append(
            FieldError(pointer, "is masked, and the job has no secret there to be kept; send the secret itself")
        )
    return stored


def _can_be(name: str, value: Any) -> bool:
    """Whether that can be a secret. Null, true and false say that there is one or none, and not which; max_tokens is a
    count."""
    is_count = type(value) is int and name.lower().endswith("tokens")
    return value is not None and type(value) is not bool and not is_count


def _is_secret(name: str) -> bool:
    if name in _harmless:
        return False
    is_secret = _SECRETS.search(name) is not None
    if not is_secret and len(name) <= KNOWN_NAME_CHARS and len(_harmless) < KNOWN_NAMES:
        _harmless.add(name)
    return is_secret
