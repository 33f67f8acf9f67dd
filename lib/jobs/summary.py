"""A job as a row of a table: what is told of it where `fields=summary` is asked for. Pure.

    {"id": "email-0192…", "type": "email", …, "gist": "ann@example.com · Your order 4711", "attempts": 1, …}

A row is some 350 bytes, whatever the payload and the result are. Secrets are masked as in `present`, and a URL's query
as well.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from lib.jobs.job import JobRecord
from lib.jobs.masking import known_secrets, masked, masked_error, shown_url
from lib.jobs.shown import shown_time
from lib.json_text import to_json

GIST_CHARS: Final = 200
MESSAGE_CHARS: Final = 100
_FIRST, _PART_CHARS = 5, 60


def summary_text(record: JobRecord) -> str:
    """JSON of the row. Of a job of which something can't be written as JSON (lib/jobs/shown.py), without a gist, a
    progress and an error."""
    try:
        return to_json(_row(record))
    except Exception:  # noqa: BLE001  Whatever is wrong with one job, the other jobs of its page are shown.
        spec = record.spec._replace(payload={}) if record.spec else None
        return to_json(_row(record._replace(spec=spec, progress=None, error=None)))


def _row(record: JobRecord) -> dict[str, Any]:
    spec = record.spec
    return {
        "id": record.job_id,
        "type": spec.type if spec else None,
        "queue": record.queue,
        "state": record.state or None,
        "priority": spec.priority if spec else None,
        "gist": gist_of(spec.type, spec.payload) if spec else "",
        "attempts": record.attempts,
        "max_attempts": spec.max_attempts if spec else None,
        "created_at": shown_time(record.created_ms),
        "run_at": shown_time(record.run_at_ms),
        "started_at": shown_time(record.started_ms),
        "finished_at": shown_time(record.finished_ms),
        "progress": _progress_in_short(record),
        "worker_id": record.runner_id,
        "group": (spec.group or None) if spec else None,
        "tags": [*spec.tags] if spec else [],
        "error": _error_in_short(record),
    }


def gist_of(type_name: str, payload: Any) -> str:
    """What the job is about, in GIST_CHARS at most: `to · subject` of a mail, `POST https://…` of a webhook, else the
    first fields of the payload, `report: 4711 · days: 30`."""
    shown = masked(_beginning(payload))
    if type(shown) is not dict:
        return _cut(_written(shown), GIST_CHARS)
    if type_name == "webhook" and type(shown.get("url")) is str:
        return _cut(f"{_written(shown.get('method', 'POST'))} {shown_url(shown['url'])}", GIST_CHARS)
    if type_name == "email" and "to" in shown:
        return _cut(" · ".join(_written(shown[name]) for name in ("to", "subject") if name in shown), GIST_CHARS)
    return _cut(" · ".join(_fields(shown)), GIST_CHARS)


def _beginning(payload: Any) -> Any:
    """Of a payload as much as a gist may need: another field more would be masked for nothing, and may be a MiB."""
    if type(payload) is not dict:
        return payload
    needed = dict(islice(payload.items(), _FIRST))
    return needed | {name: payload[name] for name in ("to", "subject", "method", "url") if name in payload}


def _fields(shown: dict[str, Any]) -> Iterator[str]:
    for name, value in islice(shown.items(), _FIRST):
        yield f"{_cut(name, _PART_CHARS)}: {_cut(_written(value), _PART_CHARS)}"


def _written(value: Any) -> str:
    """Text as it is, a list of a few texts parted by commas, anything else in short."""
    if type(value) is str:
        return value
    if type(value) is list and all(type(item) is str for item in value[:_FIRST]):
        return ", ".join(value[:_FIRST]) + (", …" if len(value) > _FIRST else "")
    if type(value) is dict or type(value) is list:
        return f"{{{len(value)}}}" if type(value) is dict else f"[{len(value)}]"
    return to_json(value)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"


def _progress_in_short(record: JobRecord) -> dict[str, Any] | None:
    if record.progress is None:
        return None
    return {"fraction": record.progress.get("fraction"), "note": _text(record.progress.get("note"), MESSAGE_CHARS)}


def _error_in_short(record: JobRecord) -> dict[str, Any] | None:
    if record.error is None:
        return None
    shown = masked_error(record.error, known_secrets(record.spec.payload) if record.spec else []) or {}
    return {name: _text(shown.get(name), MESSAGE_CHARS) for name in ("type", "message")}


def _text(value: Any, chars: int) -> str | None:
    return _cut(value, chars) if type(value) is str else None
