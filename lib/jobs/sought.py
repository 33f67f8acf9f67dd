"""The text that a caller looks for in jobs: is it in a job as the API shows it? Pure.

    {"v":1,"type":"email",…,"payload":{"to":"Ann@example.com","password":"hunter2"}}     the spec, as it is kept
    ann@example    is found: A and a, Ü and ü are the same
    to: ann        is found as well: so a row of a list shows `"to":"Ann`
    hunter2        is not found, though page.lua found it in the kept text: it is masked where the job is shown

What a caller is told must not depend on what is masked. So the text is looked for in what is shown alone, and with a
character that it can't have in the place of each mask: `"password":"**` is not found either. Whatever is found here
is found in the kept text by page.lua too, so that it passes over no such job. (page.lua finds some more.)
"""

import re
from collections.abc import Callable
from typing import Any, Final

from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK, known_secrets, masked, masked_error, shown_url
from lib.jobs.spec import JobSpec, payload_text
from lib.json_text import to_json

_HIDDEN: Final = "\0"
# WHY the quotes too: a mask has them, and what it hides may have had none, as a number, or others, as b'…' in an error.
_MASKED: Final = re.compile(rf"""(?:\\?["'])?{re.escape(MASK)}(?:\\?["'])?""")
_LEAST_PLAIN: Final = 3
_MOST_IN_PATTERN: Final = 12
"""Of characters. WHY: a long pattern holds Redis for tenths of a second where a payload is made for it; a plain text is
found a hundred times as fast."""
_LETTERS_END: Final = 0x2000
"""Latin, Greek, Cyrillic, Armenian and Georgian letters stand before it."""
# WHY those with as many bytes alone: page.lua compares byte by byte.
_SMALL: Final = {
    one: small
    for one in range(_LETTERS_END)
    if len(small := chr(one).lower()) == 1 and len(small.encode()) == len(chr(one).encode())
}
_ALIKE: Final[dict[str, str]] = {}
"""A small letter -> it, and what becomes it."""
for _one, _small in _SMALL.items():
    _ALIKE[_small] = _ALIKE.get(_small, _small) + chr(_one)
_COLON: Final = re.compile("""("?): ?("?)""")


def folded(text: str) -> str:
    """The text with small letters for capital ones."""
    return text.lower() if text.isascii() else text.translate(_SMALL)


def lua_text(sought: str) -> str:
    """What page.lua looks for in the kept text, whose A-Z it makes a-z: the longest part of `sought`, of its value in
    `name: value`, that stands there as it is wherever `sought` fits. Where that is too short, the byte 1 and a pattern
    of Lua for how `sought` begins; its bytes that are no UTF-8 are surrogates."""
    needle = folded(sought)
    colon = _COLON.search(needle)
    value = needle[colon.end() :] if colon else needle
    plain = max("".join("\n" if not c.isascii() and c in _ALIKE else c for c in value).split("\n"), key=len)
    if len(plain) >= _LEAST_PLAIN or plain == needle:
        return plain
    begin = _parts(needle, _lua_character)[:_MOST_IN_PATTERN]
    return "\1" + b"".join(begin).decode("utf-8", "surrogateescape")


def _parts(needle: str, character: Callable[[str], bytes]) -> list[bytes]:
    """The needle as a pattern, for re or for Lua, with what JSON may have round the colon of `name: value`.

    WHY the first colon alone: a payload that is made for it takes a second to search for a text with a hundred."""
    colon = _COLON.search(needle)
    if colon is None:
        return [*map(character, needle)]
    before, behind = ('"' if quote else '"?' for quote in colon.groups())
    name, value = (map(character, text) for text in (needle[: colon.start()], needle[colon.end() :]))
    return [*name, f"{before}: ?{behind}".encode(), *value]


def _lua_character(one: str) -> bytes:
    """`%.` of a full stop, `[Ãã][¼]` of ü: at each of its bytes that of the small letter, or of a capital one."""
    if one.isascii():
        return (one if one.isalnum() else f"%{one}").encode()
    forms = [form.encode() for form in _ALIKE.get(one, one)]
    return b"".join(b"[%b]" % bytes(sorted(set(column))) for column in zip(*forms, strict=True))


def shows(record: JobRecord, sought: str) -> bool:
    """Whether `sought`, which has no control character, stands in the shown JSON of what was asked for, or of the
    error."""
    needle = folded(sought)
    small = _small_ascii if needle.isascii() else folded  # The former is ten times as fast.
    fitting = re.compile(b"".join(_parts(needle, lambda one: re.escape(one).encode())).decode())
    texts = (*_texts_of_spec(record), *_texts_of_error(record))
    return any(fitting.search(_MASKED.sub(_HIDDEN, small(text))) for text in texts)


def _small_ascii(text: str) -> str:
    return text.encode("utf-8", "replace").lower().decode()


def _texts_of_spec(record: JobRecord) -> list[str]:
    """What stands before the payload, and the payload, masked; nothing of a spec that Waybill did not write so."""
    spec = record.spec
    if spec is None:
        return []
    try:
        text = record.spec_text.decode()
        kept = payload_text(text)
        if kept != to_json(spec.payload):
            return []
        payload = masked(spec.payload)
        return [_head(text[: -len(kept) - 1], spec), kept if payload is spec.payload else to_json(payload)]
    except (ValueError, RecursionError):
        return []  # A payload that can't be shown either (lib/jobs/shown.py).


def _head(text: str, spec: JobSpec) -> str:
    url = spec.callback_url
    return text.replace(to_json(url), to_json(shown_url(url))) if url else text


def _texts_of_error(record: JobRecord) -> list[str]:
    if record.error is None or record.spec is None:
        return []
    try:
        shown: dict[str, Any] | None = masked_error(record.error, known_secrets(record.spec.payload))
        return [to_json(shown)]
    except (ValueError, RecursionError):
        return []
