"""Numbers over time, of one queue or of all: GET /api/stats (lib/jobs/period_stats.py) and GET /api/errors
(lib/jobs/error_kinds.py).

    ?window=1h    the last hour: counts a minute, percentiles of five minutes
    ?window=24h   the last day: both by quarters of an hour
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from lib.api.queues import check_name
from lib.http1.message import Response
from lib.jobs.error_kinds import ERROR_WINDOWS, OTHER, ErrorKind, worst_first
from lib.jobs.masking import masked_error
from lib.jobs.period_stats import WINDOWS, Percentiles, Stats, stats_of
from lib.jobs.timestamps import timestamp
from lib.queue.error_store import ErrorStore
from lib.queue.stats_store import StatsStore
from lib.web import query
from lib.web.json_answer import answer_json
from lib.web.router import Call

Window = TypeVar("Window")


class StatsOperations:
    """The operations on numbers over time."""

    def __init__(self, stats: StatsStore, errors: ErrorStore) -> None:
        self._stats = stats
        self._errors = errors

    async def stats(self, call: Call) -> Response:
        name, window = _window(call, WINDOWS)
        queue = _queue(call)
        warnings: list[str] = []
        if queue is None:
            now_ms, periods, unreadable = await self._stats.of_all()
            warnings = [one.warning for one in unreadable]
        else:
            now_ms, periods = await self._stats.of_queue(queue, window.length_ms)
        shown = _stats(stats_of(periods, window, now_ms))
        about = {"window": name, "queue": queue, "to": timestamp(now_ms)}
        return answer_json(200, {**about, **shown, "warnings": warnings})

    async def errors(self, call: Call) -> Response:
        name, window = _window(call, ERROR_WINDOWS)
        queue = _queue(call)
        limit = query.whole(call.parameters, "limit", 1, 200, 50)
        is_merged = query.flag(call.parameters, "merged")
        warnings: list[str] = []
        if queue is None:
            now_ms, kinds, unreadable = await self._errors.of_all(window, is_merged=is_merged)
            warnings = [one.warning for one in unreadable]
        else:
            now_ms, kinds = await self._errors.of_queue(queue, window)
        about = {
            "window": name,
            "queue": queue,
            "from": timestamp(window.start_ms(now_ms)),
            "to": timestamp(now_ms),
            "step_s": window.step_ms // 1000,
            "dead": sum(kind.dead for kind in kinds),
            "retried": sum(kind.retried for kind in kinds),
            "items": [_kind(kind) for kind in worst_first(kinds)[:limit]],
            "left_out": max(0, len(kinds) - limit),
            "warnings": warnings,
        }
        return answer_json(200, about)


def _window(call: Call, windows: Mapping[str, Window]) -> tuple[str, Window]:
    name = call.parameters.get("window", "1h")
    if name not in windows:
        raise query.parameter_error("window", f"must be one of {', '.join(windows)}")
    return name, windows[name]


def _queue(call: Call) -> str | None:
    queue = call.parameters.get("queue")
    if queue is not None:
        check_name(queue)
    return queue


def _stats(stats: Stats) -> dict[str, Any]:
    return {
        "from": timestamp(stats.from_ms),
        "step_s": stats.step_ms // 1000,
        "series": stats.series,
        "totals": stats.totals,
        "wait_s": _percentiles(stats.wait),
        "run_s": _percentiles(stats.run),
        "lately": {
            "from": timestamp(stats.lately_ms),
            "wait_s": _percentiles(stats.wait_lately),
            "run_s": _percentiles(stats.run_lately),
        },
        "latencies": {
            "from": timestamp(stats.latency_ms),
            "step_s": stats.latency_step_ms // 1000,
            "wait_s": _percentile_series(stats.wait_series),
            "run_s": _percentile_series(stats.run_series),
        },
    }


def _percentiles(found: Percentiles) -> dict[str, Any]:
    return {"jobs": found.jobs, "p50": found.p50, "p95": found.p95, "p99": found.p99}


def _percentile_series(steps: Sequence[Percentiles]) -> dict[str, Any]:
    return {name: [getattr(step, name) for step in steps] for name in ("p50", "p95", "p99")}


def _kind(kind: ErrorKind) -> dict[str, Any]:
    is_other = kind.type == OTHER and not kind.job_type
    shown = masked_error({"message": kind.message}, []) or {}
    return {
        "queue": kind.queue,
        "queues": kind.queues,
        "job_type": None if is_other else kind.job_type,
        "type": kind.type,
        "message": shown["message"],
        "dead": kind.dead,
        "retried": kind.retried,
        "last_at": timestamp(kind.last_ms),
        "last_job_id": kind.last_job_id,
        "line": kind.line,
    }
