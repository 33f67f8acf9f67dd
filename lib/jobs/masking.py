"""Secrets in a payload: masked where a job is shown, and put back where a payload is sent with the masks. Pure.

    {"url": "https://a.example", "api_key": "k-123", "max_tokens": 4}   as it is kept
    {"url": "https://a.example", "api_key": "********", "max_tokens": 4}   as it is shown

A caller that may look at a job need not be one that may use the job's keys.
"""

import re
from collections.abc import Callable, Iterator
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
# `password = "abc"`, `Authorization: Bearer abc`, `token=abc`: a name, what stands between, and a value that is quoted,
# of an Authorization header, or a bare word. No match goes on into the next line, and no two alternatives begin with
# the same character, so that no text is gone through twice.
# WHY # in a name: GET /api/errors shows # for digits, and `password1=abc` as `password#=abc` (note_error.lua).
_NAMED = rf"((?:{_SECRETS.pattern})[\w#-]*+)([\"']?[ \t]*+(?:=>?(?!=)|:)[ \t]*+)"
_QUOTED = r"[bfr]{0,2}(?:\"(?>(?:[^\"\\\n]++|\\.)*)\"?|'(?>(?:[^'\\\n]++|\\.)*)'?)"
_NAMED_ANY = re.compile(
    rf"{_NAMED}({_QUOTED}|(?:(?:bearer|basic|digest|token)[ \t]++)?[^\s\"',;)\]}}&]++)", re.IGNORECASE
)
_NAMED_QUOTED = re.compile(rf"{_NAMED}({_QUOTED})", re.IGNORECASE)
_PATTERNS = {"message": _NAMED_ANY, "body": _NAMED_ANY, "traceback": _NAMED_QUOTED}
"""Part of an error -> what is taken there for the name of a secret and its value."""
_NO_SECRETS = frozenset({"None", "null", "True", "true", "False", "false"})
SHORTEST_KNOWN, MOST_KNOWN = 4, 200
"""How many characters a secret has at least, and how many secrets there are at most, to be looked for in other
texts."""
_NOTHING = object()
KNOWN_NAMES, KNOWN_NAME_CHARS = 4096, 64
_harmless: set[str] = set()
"""Names that were found to be no secrets': most payloads have the same few names. Bounded by KNOWN_NAMES and
KNOWN_NAME_CHARS, because any caller may send new ones."""


def masked(value: Any) -> Any:
    """The value with MASK in place of each secret: what stands under a name such as "api_key", except null, true, false
    and counts such as max_tokens."""
    return _masked(value) if names_secrets(value) else value


def shown_url(url: str) -> str:
    """The URL with MASK in place of each value of its query, which may be a token: `?token=********&v=********`."""
    before, mark, query = url.partition("?")
    if not mark:
        return url
    parts = (part.partition("=") for part in query.split("&"))
    return before + mark + "&".join(f"{name}={MASK}" if has_value else name and MASK for name, has_value, _ in parts)


def names_secrets(value: Any) -> bool:
    """Whether any name in the value is a secret's, at any depth.

    WHY a list and no recursion: this runs for every job that is shown, and a MiB of JSON may hold 300,000 arrays.
    """
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
    """The texts that `masked` hides in the payload, the longest first, in each form in which an error may quote them.

    Texts under SHORTEST_KNOWN characters are left out, because they stand in many other texts by chance. None where
    there are more than MOST_KNOWN.
    """
    found = set(_secrets_of(payload, is_secret=False)) if names_secrets(payload) else set[str]()
    return sorted(found, key=len, reverse=True) if len(found) <= MOST_KNOWN else None


def error_to_keep(error: dict[str, Any], secrets: list[str] | None) -> dict[str, Any]:
    """A job's error with MASK in place of `secrets` alone, as it is kept with the job. It is masked once more, by the
    names of secrets, where it is shown: masked_error."""
    return _with_texts(error, lambda part, text: _hide(secrets, text))


def masked_error(error: dict[str, Any] | None, secrets: list[str] | None) -> dict[str, Any] | None:
    """A job's error, as failure.py makes it, with MASK in place of `secrets` (from `known_secrets`), and of any value
    behind a secret's name: `password='…'`, `Authorization: Bearer …`."""
    if error is None:
        return None
    return _with_texts(error, lambda part, text: _hide_named(_hide(secrets, text), _PATTERNS[part]))


def _with_texts(error: dict[str, Any], changed: Callable[[str, str], str]) -> dict[str, Any]:
    """The error with each of its texts, and those of its causes, as `changed(part, text)` gives it."""
    found = dict(error)
    for part in _PATTERNS:
        if type(found.get(part)) is str:
            found[part] = changed(part, found[part])
    if type(found.get("cause")) is dict:
        found["cause"] = _with_texts(found["cause"], changed)
    return found


def _secrets_of(value: Any, *, is_secret: bool) -> Iterator[str]:
    if type(value) is dict:
        for name, item in value.items():
            yield from _secrets_of(item, is_secret=is_secret or (_is_secret(name) and _can_be(name, item)))
    elif type(value) is list:
        for item in value:
            yield from _secrets_of(item, is_secret=is_secret)
    elif is_secret and value is not None and type(value) is not bool and len(str(value)) >= SHORTEST_KNOWN:
        # A message or a line of code may quote the secret as it is, as repr() writes it, or as JSON.
        yield from (str(value), repr(value).strip("'\""), to_json(str(value))[1:-1])


def _hide(secrets: list[str] | None, text: str) -> str:
    """The text with MASK in place of each secret; MASK alone where there are too many to be looked for."""
    if secrets is None:
        return MASK
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _hide_named(text: str, pattern: re.Pattern[str]) -> str:
    small = text.lower()
    if not any(word in small for word in _WORDS):
        return text  # As in most texts; the pattern takes ten times as long.
    return pattern.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    is_count = name.lower().endswith("tokens") and value.isdigit()
    if is_count or value in _NO_SECRETS or value.strip("bfr'\"") in ("", "#", MASK):
        return found[0]
    quote = next((mark for mark in "'\"" if mark in value[:2]), "")
    return f"{name}{between}{quote}{MASK}{quote if value.endswith(quote) else ''}"


def unmasked(value: Any, stored: Any, pointer: str, errors: list[FieldError]) -> Any:
    """The value with what `stored` has at the place of each mask. A mask where `stored` has no secret is added to
    `errors`, by its JSON Pointer."""
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
    """Whether the value under a secret's name can be a secret. Null, true and false only say whether there is one, and
    max_tokens is a count."""
    is_count = type(value) is int and name.lower().endswith("tokens")
    return value is not None and type(value) is not bool and not is_count


def _is_secret(name: str) -> bool:
    if name in _harmless:
        return False
    is_secret = _SECRETS.search(name) is not None
    if not is_secret and len(name) <= KNOWN_NAME_CHARS and len(_harmless) < KNOWN_NAMES:
        _harmless.add(name)
    return is_secret
