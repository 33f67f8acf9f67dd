"""Secrets in a payload: masked where a job is shown, and kept where a payload comes back with the mask in their place.

Whoever may look at a job need not be who may use its keys. Pure.
"""

import re
from typing import Any

from lib.errors import FieldError
from lib.jobs.payload import escape_pointer

MASK = "********"
_SECRETS = re.compile(
    r"secret|authorization|passw|passphrase|token|credential|cookie|(?:api|access|private)[_-]?key", re.IGNORECASE
)
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
