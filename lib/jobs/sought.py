"""The text that a caller looks for in jobs: is it in a job as the API shows it? Pure.

    {"v":1,"type":"email",…,"payload":{"to":"Ann@example.com","password":"hunter2"}}     the spec, as it is kept
    ann@example    is found: A-Z and a-z are the same
    hunter2        is not found, though page.lua found it in the kept text: it is masked where the job is shown

What a caller is told must not depend on what is masked. So the text is looked for in what is shown alone, and with a
character that it can't have in the place of each mask: `"password":"**` is not found either. Whatever is found here
stands in the kept text letter by letter, so that page.lua, which looks there, passes over no such job.
"""

import re
from typing import Any, Final

from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK, known_secrets, masked, masked_error, shown_url
from lib.jobs.spec import JobSpec, payload_text
from lib.json_text import to_json

_HIDDEN: Final = b"\0"
# WHY the quotes too: a mask has them, and what it hides may have had none, as a number, or others, as b'…' in an error.
_MASKED: Final = re.compile(rb"""(?:\\?["'])?""" + re.escape(MASK.encode()) + rb"""(?:\\?["'])?""")


def folded(text: str) -> str:
    """The text with a-z for A-Z, and every other character as it is: what Redis' Lua makes of the same text."""
    return text.encode().lower().decode()


def shows(record: JobRecord, sought: str) -> bool:
    """Whether `sought`, which has no control character, stands in the shown JSON of what was asked for, or of the
    error."""
    needle = folded(sought).encode()
    return any(needle in _folded_shown(text) for text in (*_texts_of_spec(record), *_texts_of_error(record)))


def _folded_shown(text: str) -> bytes:
    return _MASKED.sub(_HIDDEN, text.encode("utf-8", "replace").lower())


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
