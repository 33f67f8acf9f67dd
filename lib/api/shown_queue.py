"""A queue as the API shows it: the fields of openapi.yaml's Queue, and those that one queue read alone has beside them.

{"name": "email", "counts": {"ready": 3, …}, "trouble": null, "paused": false, "limited": null, …}
"""

from collections.abc import Sequence
from typing import Any

from lib.jobs.timestamps import timestamp
from lib.queue.census import Census, Limited
from lib.queue.queue_store import Quarantined
from lib.queue.queue_trouble import Trouble, trouble_of


def present_queue(census: Census) -> dict[str, Any]:
    """A queue in a list of many."""
    return {
        "name": census.queue,
        "trouble": _trouble(trouble_of(census)),
        "counts": census.counts,
        "oldest_ready_age_s": census.oldest_ready_age_s,
        "per_minute": census.per_minute,
        "totals": census.totals,
        "workers": census.workers,
        **census.settings,
        "limited": _limited(census.limited),
    }


def present_one_queue(census: Census, quarantine: Sequence[Quarantined]) -> dict[str, Any]:
    """A queue that is read alone. quarantine: what was found in its lists and is no job."""
    return {
        **present_queue(census),
        "totals_by_type": census.totals_by_type,
        "quarantine": [_quarantined(item) for item in quarantine],
    }


def _trouble(trouble: Trouble | None) -> dict[str, Any] | None:
    return None if trouble is None else trouble._asdict()


def _limited(limited: Limited | None) -> dict[str, Any] | None:
    if limited is None:
        return None
    return {"by": limited.by, "until": timestamp(limited.until_ms) if limited.until_ms is not None else None}


def _quarantined(item: Quarantined) -> dict[str, Any]:
    found_at = timestamp(item.found_ms) if item.found_ms is not None else None
    return {"id": item.job_id, "reason": item.reason, "found_at": found_at}
