"""Secrets in a payload: masked where a job is shown, and kept where a payload comes back with the mask in their place.

Whoever may look at a job need not be who may use its keys. Pure.
"""

import functools
import re
from typing import Any

from lib.errors import FieldError
from lib.jobs.payload import escape_pointer

MASK = "********"
_SECRETS = re.compile(r"secret|authorization|passw|token|api_?key", re.IGNORECASE)
_NOTHING = object()


def masked(value: Any) -> Any:
    """The same without its secrets: texts under a name that tells of one."""
    if type(value) is dict:
        return {name: MASK if _is_secret(name) and type(item) is str else masked(item) for name, item in value.items()}
    if type(value) is list:
        return [masked(item) for item in value]
    return value


def unmasked(value: Any, stored: Any, pointer: str, errors: list[FieldError]) -> Any:
    """The same with what is `stored` at the place of each mask; an error for a mask where nothing is."""
    if type(value) is dict:
        known = stored if type(stored) is dict else {}
        return {
            name: _kept(known.get(name), f"{pointer}/{escape_pointer(name)}", errors)
            if _is_secret(name) and item == MASK
            else unmasked(item, known.get(name, _NOTHING), f"{pointer}/{escape_pointer(name)}", errors)
            for name, item in value.items()
        }
    if type(value) is list:
        known_items = stored if type(stored) is list else []
        padded = [*known_items, *[_NOTHING] * len(value)]
        return [unmasked(item, padded[at], f"{pointer}/{at}", errors) for at, item in enumerate(value)]
    return value


def _kept(stored: Any, pointer: str, errors: list[FieldError]) -> Any:
    if type(stored) is not str:
        errors.append(
            FieldError(pointer, "is masked, and the job has no secret there to be kept; send the secret itself")
        )
    return stored


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _SECRETS.search(name) is not None
