"""What is counted of a queue's jobs since it began: events by type, and how long jobs waited and ran.

The scripts count the events themselves, each with what it counts, so that these are exact. The times are measured by
the runners, and added here (`observe`) once a second.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lib.prometheus import JOB_BOUNDS_S, Histogram
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

OLD_TYPE = "unknown"  # Of what was counted before types were.


class Counters(NamedTuple):
    """totals: (event, type) -> count. timings: (`wait` or `duration`, type) -> how many took how long."""

    totals: dict[tuple[str, str], int]
    timings: dict[tuple[str, str], Histogram]


class Meters:
    """The counters of every queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._keys = keys
        self._scripts = Scripts(link)

    async def observe(self, queue: str, runner_id: str, number: int, counts: Mapping[str, int]) -> None:
        """Add to a queue's timings. Safe to repeat under the same number: it is added once. Raises RedisUnavailable."""
        flat = [item for field in counts.items() for item in field]
        await self._scripts.call("observe", self._keys.base(queue), runner_id, number, *flat)

    async def read(self, queue: str) -> Counters:
        """Raises RedisUnavailable."""
        totals, timings = await self._scripts.call("meter", self._keys.base(queue))
        return Counters(_totals(totals), _timings(timings))


def _totals(text: bytes) -> dict[tuple[str, str], int]:
    """From fields like `completed email`."""
    totals: dict[tuple[str, str], int] = {}
    for name, count in _counts(text):
        event, _, kind = name.partition(" ")
        totals[event, kind or OLD_TYPE] = count
    return totals


def _timings(text: bytes) -> dict[tuple[str, str], Histogram]:
    """From fields like `wait 0.1 email`. A bound of another version's counts for the next one that is known here."""
    timings: dict[tuple[str, str], Histogram] = {}
    for name, count in _counts(text):
        metric, bound, kind = (*name.split(" ", 2), "", "")[:3]
        histogram = timings.setdefault((metric, kind), Histogram(JOB_BOUNDS_S))
        if bound == "sum":
            histogram.sum_us = count
        else:
            histogram.counts[bisect_left(JOB_BOUNDS_S, float(bound))] += count
    return timings


def _counts(text: bytes) -> Iterator[tuple[str, int]]:
    flat = text.decode("utf-8", "replace").split("\x1f") if text else []
    return ((name, int(count)) for name, count in zip(flat[::2], flat[1::2], strict=True) if count.isdigit())
