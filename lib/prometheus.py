"""Metrics as pure values: histograms, and the text that Prometheus reads. Nothing is counted here.

    # HELP waybill_jobs Jobs by queue and state.
    # TYPE waybill_jobs gauge
    waybill_jobs{queue="email",state="ready"} 3

Requests are counted in `web/request_counts.py`, how long jobs waited and ran in `work/runner/timings.py`, jobs by
state and event in Redis. `api/metrics.py` puts all of these together when a scrape asks for them.

The format is Prometheus' text exposition format 0.0.4:
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds in seconds. A request may be held for 60 s (?wait=60); a job may wait or run for hours.
REQUEST_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
JOB_BOUNDS_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
# By how much the job of a schedule was queued later than its slot: 50 ms are the aim, an outage may be hours.
LATE_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 3600.0)

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

Labels = Mapping[str, str]


class Histogram:
    """How many values fell at or below each bound and above the one before, and their sum in microseconds."""

    __slots__ = ("bounds", "counts", "sum_us")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # The last count is of values above all bounds.
        self.sum_us = 0

    def observe(self, value_s: float) -> None:
        self.counts[bisect_left(self.bounds, value_s)] += 1
        self.sum_us += int(value_s * 1e6)

    def observe_all(self, values_s: Sequence[float]) -> None:
        """Observe many values, in a fifth of the time that `observe` takes for each: all loops are in C."""
        for at, count in Counter(map(partial(bisect_left, self.bounds), values_s)).items():
            self.counts[at] += count
        self.sum_us += round(sum(values_s) * 1e6)


class Family:
    """One metric: its HELP and TYPE, and a line for each combination of labels. kind: counter, gauge or histogram."""

    def __init__(self, name: str, kind: str, about: str) -> None:
        self._name = name
        about = about.replace("\\", r"\\").replace("\n", r"\n")
        self._head = f"# HELP {name} {about}\n# TYPE {name} {kind}\n"
        self._lines: list[str] = []

    def add(self, value: float, **labels: str) -> None:
        """Add the line of a counter or gauge."""
        text = _labels(labels)
        self._lines.append(f"{self._name}{{{text}}} {_number(value)}\n" if text else f"{self._name} {_number(value)}\n")

    def add_histogram(self, histogram: Histogram, **labels: str) -> None:
        """Add a histogram's lines: the buckets, each counting all values up to its bound, then the sum and the
        count."""
        name, text = self._name, _labels(labels)
        comma = "," if text else ""
        total = 0
        for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
            total += count
            self._lines.append(f'{name}_bucket{{{text}{comma}le="{_number(bound)}"}} {total}\n')
        total += histogram.counts[-1]
        self._lines.append(f'{name}_bucket{{{text}{comma}le="+Inf"}} {total}\n')
        braces = f"{{{text}}}" if text else ""
        self._lines.append(f"{name}_sum{braces} {_number(histogram.sum_us / 1e6)}\n{name}_count{braces} {total}\n")

    def __str__(self) -> str:
        """The metric's text; "" without a line, so that a metric of which nothing is known is left out."""
        return self._head + "".join(self._lines) if self._lines else ""


def exposition(families: Iterable[Family]) -> bytes:
    """The body of the answer to a scrape."""
    return "".join(map(str, families)).encode("utf-8", "replace")


def _labels(labels: Labels) -> str:
    return ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items()])


def _number(value: float) -> str:
    """3 for 3.0; any other number in its shortest form that reads back as the same."""
    return str(int(value)) if value == int(value) else repr(value)
