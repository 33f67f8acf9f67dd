"""What is counted of a queue since it began: its jobs' events by type, how long jobs waited and ran; its schedules.

    totals     {"completed email": 812, "dead email": 3}
    timings    {"wait 0.1 email": 790, "wait sum email": 41200000, "duration 0.5 email": 600, "webhooks inf taken": 5}
    slots      {"fired": 41, "skipped": 1, "missed": 0, "late 50": 40, "late 100": 1, "late sum": 812}

The scripts count events and slots in the step that makes them, so those are exact. Runners measure the times, and add
theirs once a second (`observe`): how many jobs took up to so many seconds, and the sum in microseconds. With these go
the outcomes of webhooks, in fields of the same form: to a version that does not know them they are one more histogram.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from lib.prometheus import JOB_BOUNDS_S, LATE_BOUNDS_S, Histogram
from lib.queue.framing import counters
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

_WEBHOOKS = "webhooks"
SPAN_OUTCOMES = ("exported", "dropped")
OLD_TYPE = "unknown"  # The type of events that were counted before types were.


class SlotCounts(NamedTuple):
    """The schedules of a queue. counts: what became of slots, `fired`, `skipped` or `missed` -> how many. late: how
    late those were that fired. schedules: how many there are. overdue_s: for how long a slot has been due; 0 for
    none."""

    counts: dict[str, int]
    late: Histogram
    schedules: int
    overdue_s: float


class Counters(NamedTuple):
    """totals: ("completed", "email") -> count. timings: ("wait" or "duration", "email") -> a histogram. slots: None for
    a queue that never had a schedule. notices: how many wait to be told (notices.py), and untold_s: the oldest for how
    long. webhooks: outcome (webhook_outcomes.py) -> count."""

    totals: dict[tuple[str, str], int]
    timings: dict[tuple[str, str], Histogram]
    slots: SlotCounts | None = None
    notices: int = 0
    untold_s: float = 0.0
    webhooks: Mapping[str, int] = {}


class Meters:
    """The counters of every queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._keys = keys
        self._link = link
        self._scripts = Scripts(link)

    async def observe(self, queue: str, runner_id: str, number: int, counts: Mapping[str, int]) -> None:
        """Add to a queue's timings. counts: field -> what to add, as in {"wait 0.1 email": 3}.

        Safe to repeat under the same `number`: the counts are added once. Raises RedisUnavailable.
        """
        flat = [item for field in counts.items() for item in field]
        await self._scripts.call("observe", self._keys.base(queue), runner_id, number, *flat)

    async def read(self, queue: str) -> Counters:
        """Raises RedisUnavailable."""
        totals, timings, *of_slots, notices, untold_ms = await self._scripts.call("meter", self._keys.base(queue))
        found, webhooks = _timings(timings)
        return Counters(_totals(totals), found, _slots(*of_slots), notices, int(untold_ms) / 1000, webhooks)

    async def count_spans(self, outcome: str, count: int) -> None:
        """Add to the spans that all processes have `exported` or `dropped`. Raises RedisUnavailable."""
        await self._link.call("HINCRBY", self._keys.spans, outcome, count)

    async def spans(self) -> dict[str, int]:
        """{"exported": 812, "dropped": 0}. Raises RedisUnavailable."""
        texts = await self._link.call("HMGET", self._keys.spans, *SPAN_OUTCOMES)
        return {
            name: int(text) if text and text.isdigit() else 0 for name, text in zip(SPAN_OUTCOMES, texts, strict=True)
        }


def _totals(text: bytes) -> dict[tuple[str, str], int]:
    totals: dict[tuple[str, str], int] = {}
    for name, count in counters(text).items():
        event, _, kind = name.partition(" ")
        totals[event, kind or OLD_TYPE] = count
    return totals


def outcome_field(outcome: str) -> str:
    """The field of `timings` in which webhooks of this outcome are counted."""
    return f"{_WEBHOOKS} inf {outcome}"


def _timings(text: bytes) -> tuple[dict[tuple[str, str], Histogram], dict[str, int]]:
    """The histograms, and the outcomes of webhooks. A bound that this version does not have, of an older or newer
    runner, counts for the next larger one."""
    timings: dict[tuple[str, str], Histogram] = {}
    webhooks: dict[str, int] = {}
    for name, count in counters(text).items():
        metric, bound, kind = (*name.split(" ", 2), "", "")[:3]
        if metric == _WEBHOOKS:
            webhooks[kind] = count
            continue
        histogram = timings.setdefault((metric, kind), Histogram(JOB_BOUNDS_S))
        if bound == "sum":
            histogram.sum_us = count
        else:
            histogram.counts[bisect_left(JOB_BOUNDS_S, float(bound))] += count
    return timings, webhooks


def _slots(text: bytes, schedules: int, overdue_ms: bytes) -> SlotCounts | None:
    """A bound that this version does not have counts for the next larger one."""
    if not text and not schedules:
        return None
    counts = counters(text)
    late = Histogram(LATE_BOUNDS_S)
    late.sum_us = counts.get("late sum", 0) * 1000
    for name, count in counts.items():
        word, _, bound_ms = name.partition(" ")
        if word == "late" and bound_ms != "sum":
            late.counts[bisect_left(LATE_BOUNDS_S, float(bound_ms) / 1000)] += count
    outcomes = {outcome: counts.get(outcome, 0) for outcome in ("fired", "skipped", "missed")}
    return SlotCounts(outcomes, late, schedules, int(overdue_ms) / 1000)
