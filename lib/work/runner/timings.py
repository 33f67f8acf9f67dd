"""How long the jobs of one runner waited and ran, collected here and added to the histograms in Redis once a second.
What became of webhooks (webhook_outcomes.py) goes with them.

The histograms in Redis are sums over all runners on all hosts, ended runners included, and /metrics shows them. A
killed runner takes the measurements of its last second along. (Jobs are counted by the Lua scripts, and no count is
lost.)

A job costs one append to a list of seconds; `flush` turns the lists into histograms.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

from lib.errors import RedisUnavailable
from lib.jobs.periods import BOUNDS_S
from lib.prometheus import JOB_BOUNDS_S, Histogram
from lib.queue.bulkheads import Bulkheads
from lib.queue.meters import Meters, outcome_field

Fields = dict[str, int]

MOST_UNCOUNTED = 1000
"""A list of seconds that is longer is counted at once: without a flush it would take ever more memory."""


class _Batch(NamedTuple):
    """What one `observe` call adds to a queue's histograms. Redis adds the batch of a number once, however often the
    call is repeated."""

    number: int
    fields: Fields


class Timings:
    """runner_id: Redis keeps the number of the last batch under this id. take_outcomes: gives what became of webhooks
    since its last call, by queue and outcome."""

    def __init__(
        self,
        meters: Meters,
        runner_id: str,
        bulkheads: Bulkheads,
        take_outcomes: Callable[[], Mapping[tuple[str, str], int]] = dict,
    ) -> None:
        self._meters = meters
        self._take_outcomes = take_outcomes
        self._outcomes: defaultdict[str, Fields] = defaultdict(dict)
        """queue -> field of an outcome -> how many since the last batch."""
        self._bulkheads = bulkheads
        self._runner_id = runner_id
        self._uncounted: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
        """(queue, "wait" or "duration", type) -> seconds, one value a job."""
        self._counted: dict[str, dict[tuple[str, str], Histogram]] = {}
        """queue -> ("wait" or "duration", type) -> the histogram since the last batch."""
        self._lately: dict[str, dict[str, Histogram]] = {}
        """The same for GET /api/stats, by other bounds: queue -> "wait" or "run" -> the histogram."""
        self._unsent: dict[str, _Batch] = {}
        self._number = 0

    def note_wait(self, queue: str, type_name: str, wait_s: float) -> None:
        """An attempt has begun, wait_s after its job had become ready."""
        values_s = self._uncounted[queue, "wait", type_name]
        values_s.append(wait_s)
        if len(values_s) >= MOST_UNCOUNTED:
            self._count()

    def note_run(self, queue: str, type_name: str, duration_s: float) -> None:
        """A handler ended, well or badly, after duration_s."""
        values_s = self._uncounted[queue, "duration", type_name]
        values_s.append(duration_s)
        if len(values_s) >= MOST_UNCOUNTED:
            self._count()

    async def flush(self) -> None:
        """Add what was measured to Redis. If Redis is away, the same batch is sent again at the next flush."""
        self._count()
        for queue in {*self._counted, *self._outcomes} - self._unsent.keys():
            histograms = self._counted.get(queue, {})
            lately = _lately_fields(self._lately.pop(queue, {}))
            if fields := _fields(histograms) | lately | self._outcomes.pop(queue, {}):
                self._number += 1
                self._unsent[queue] = _Batch(self._number, fields)
                histograms.clear()
        with contextlib.suppress(RedisUnavailable):
            for queue, batch in list(self._unsent.items()):
                with self._bulkheads.around(queue, "timing"):
                    await self._meters.observe(queue, self._runner_id, batch.number, batch.fields)
                    if self._unsent.get(queue) is batch:
                        del self._unsent[queue]

    def _count(self) -> None:
        for (queue, metric, type_name), values_s in self._uncounted.items():
            if values_s:
                self._histogram(queue, metric, type_name).observe_all(values_s)
                self._lately_histogram(queue, metric).observe_all(values_s)
                values_s.clear()
        for (queue, outcome), count in self._take_outcomes().items():
            fields, field = self._outcomes[queue], outcome_field(outcome)
            fields[field] = fields.get(field, 0) + count

    def _histogram(self, queue: str, metric: str, type_name: str) -> Histogram:
        histograms = self._counted.setdefault(queue, {})
        histogram = histograms.get((metric, type_name))
        if histogram is None:
            histogram = histograms[metric, type_name] = Histogram(JOB_BOUNDS_S)
        return histogram

    def _lately_histogram(self, queue: str, metric: str) -> Histogram:
        histograms = self._lately.setdefault(queue, {})
        name = "wait" if metric == "wait" else "run"
        if name not in histograms:
            histograms[name] = Histogram(BOUNDS_S)
        return histograms[name]


def _lately_fields(histograms: Mapping[str, Histogram]) -> Fields:
    """{"lately wait 4": 12}: so many jobs waited up to 2^4 ms (jobs/periods.py)."""
    return {
        f"lately {name} {power}": count
        for name, histogram in histograms.items()
        for power, count in enumerate(histogram.counts)
        if count
    }


def _fields(histograms: dict[tuple[str, str], Histogram]) -> Fields:
    """{"wait 0.1 email": 3, "wait sum email": 210000}: the count of each bucket, and the sum in µs. A bucket is named
    by its bound, so that a version with other bounds does no harm."""
    fields = {}
    for (metric, type_name), histogram in histograms.items():
        for bound, count in zip((*histogram.bounds, inf), histogram.counts, strict=True):
            if count:
                fields[f"{metric} {bound:g} {type_name}"] = count
        fields[f"{metric} sum {type_name}"] = histogram.sum_us
    return fields
