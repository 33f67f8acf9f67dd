"""How long the jobs of one runner waited and ran, collected here and added to Redis once a second.

There they are whole: the sum over all runners on all hosts, and what ended runners measured. A runner that is killed
takes what it measured within its last second along; the counters of jobs, which the scripts keep, lose nothing.
"""

import contextlib
from collections import defaultdict
from math import inf
from typing import NamedTuple

from lib.errors import RedisUnavailable
from lib.prometheus import JOB_BOUNDS_S, Histogram
from lib.queue.bulkheads import Bulkheads
from lib.queue.meters import Meters

Fields = dict[str, int]

MOST_UNCOUNTED = 1000  # values of one kind: more would take memory should nobody flush.


class _Unsent(NamedTuple):
    """What is on its way to one queue, under the number by which Redis knows it again."""

    number: int
    fields: Fields


class Timings:
    """runner_id: by whom Redis knows what it was told before."""

    def __init__(self, meters: Meters, runner_id: str, bulkheads: Bulkheads) -> None:
        self._meters = meters
        self._bulkheads = bulkheads
        self._runner_id = runner_id
        self._uncounted: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
        """Queue, metric and type -> seconds. A job only adds its own; they are counted together."""
        self._kept: dict[str, dict[tuple[str, str], Histogram]] = {}
        self._unsent: dict[str, _Unsent] = {}
        self._number = 0

    def waited(self, queue: str, type_name: str, wait_s: float) -> None:
        """A job was claimed so long after it had become ready."""
        values_s = self._uncounted[queue, "wait", type_name]
        values_s.append(wait_s)
        if len(values_s) >= MOST_UNCOUNTED:
            self._count()

    def ran(self, queue: str, type_name: str, duration_s: float) -> None:
        """A handler came to its end, good or bad, after so long."""
        values_s = self._uncounted[queue, "duration", type_name]
        values_s.append(duration_s)
        if len(values_s) >= MOST_UNCOUNTED:
            self._count()

    async def flush(self) -> None:
        """Add what was measured. Where that can't be done it is sent again the next time, and counted once."""
        self._count()
        for queue, kept in self._kept.items():
            if queue not in self._unsent and kept:
                self._number += 1
                self._unsent[queue] = _Unsent(self._number, _fields(kept))
                kept.clear()
        with contextlib.suppress(RedisUnavailable):
            for queue, unsent in list(self._unsent.items()):
                with self._bulkheads.around(queue, "timing"):
                    await self._meters.observe(queue, self._runner_id, unsent.number, unsent.fields)
                    if self._unsent.get(queue) is unsent:
                        del self._unsent[queue]

    def _count(self) -> None:
        for (queue, metric, type_name), values_s in self._uncounted.items():
            if values_s:
                self._histogram(queue, metric, type_name).observe_all(values_s)
                values_s.clear()

    def _histogram(self, queue: str, metric: str, type_name: str) -> Histogram:
        kept = self._kept.get(queue)
        if kept is None:
            kept = self._kept[queue] = {}
        histogram = kept.get((metric, type_name))
        if histogram is None:
            histogram = kept[metric, type_name] = Histogram(JOB_BOUNDS_S)
        return histogram


def _fields(kept: dict[tuple[str, str], Histogram]) -> Fields:
    """`wait 0.1 email` -> count. The bound itself stands there: other bounds of another version do no harm."""
    fields = {}
    for (metric, type_name), histogram in kept.items():
        for bound, count in zip((*histogram.bounds, inf), histogram.counts, strict=True):
            if count:
                fields[f"{metric} {bound:g} {type_name}"] = count
        fields[f"{metric} sum {type_name}"] = histogram.sum_us
    return fields
