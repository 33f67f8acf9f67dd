"""Numbers over time, as GET /api/stats shows them: the periods of a queue, or of all, become series and percentiles.
Pure.

    stats_of(periods, WINDOWS["1h"], now_ms=1760000123456)
    -> Stats(series={"completed": [60, 59, …]}, …, wait=Percentiles(jobs=811, p50=0.012, p95=0.2, p99=1.4), …)

A series ends with the step in which `now` lies, and which is not over yet. How long jobs waited and ran is known for
each period of five minutes (periods.py) by powers of two; a percentile is estimated within its power, as if the jobs in
it lay evenly on a logarithmic scale.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from lib.jobs.periods import BOUNDS_S, EVENTS, MINUTE_MS, MINUTES, PERIOD_MS, Period, Periods


class Window(NamedTuple):
    """How far back numbers go, in ms, and how long a step is: of counts, and of percentiles."""

    length_ms: int
    step_ms: int
    latency_step_ms: int

    def start_ms(self, now_ms: int, step_ms: int) -> int:
        """When the first step begins, if the last one is that in which `now_ms` lies."""
        return now_ms // step_ms * step_ms + step_ms - self.length_ms


WINDOWS: Final[Mapping[str, Window]] = {
    "1h": Window(3_600_000, MINUTE_MS, PERIOD_MS),
    "24h": Window(86_400_000, 900_000, 900_000),
}
LINE_MINUTES = 30
KEPT_MS = 90_000_000
"""For how long a period is kept: the longest window, and an hour in which it may be rolled up late."""


class Percentiles(NamedTuple):
    """jobs: of how many. p50 and so on: within how many seconds half of them had waited or run, 95 % and 99 %; None
    without jobs. Good to a factor of two at worst."""

    jobs: int
    p50: float | None
    p95: float | None
    p99: float | None


class Stats(NamedTuple):
    """series: event -> how many jobs in each step from from_ms on. totals: their sums. wait, run: over the whole
    window. wait_lately, run_lately: since lately_ms, that is in this period of five minutes and the one before.
    wait_series, run_series: for each step from latency_ms on."""

    from_ms: int
    step_ms: int
    series: dict[str, list[int]]
    totals: dict[str, int]
    wait: Percentiles
    run: Percentiles
    lately_ms: int
    wait_lately: Percentiles
    run_lately: Percentiles
    latency_ms: int
    latency_step_ms: int
    wait_series: list[Percentiles]
    run_series: list[Percentiles]


def stats_of(periods: Periods, window: Window, now_ms: int) -> Stats:
    """What a window shows of these periods."""
    from_ms = window.start_ms(now_ms, window.step_ms)
    series = series_of(periods, from_ms, window.step_ms, window.length_ms // window.step_ms)
    latency_ms = window.start_ms(now_ms, window.latency_step_ms)
    steps: list[list[Period]] = [[] for _ in range(window.length_ms // window.latency_step_ms)]
    for period in periods.values():
        at = (period.start_ms - latency_ms) // window.latency_step_ms
        if 0 <= at < len(steps):
            steps[at].append(period)
    shown = [period for step in steps for period in step]
    lately = _last_two(periods, now_ms)
    return Stats(
        from_ms=from_ms,
        step_ms=window.step_ms,
        series=series,
        totals={event: sum(counts) for event, counts in series.items()},
        wait=_percentiles(period.wait for period in shown),
        run=_percentiles(period.run for period in shown),
        lately_ms=_lately_ms(now_ms),
        wait_lately=_percentiles(period.wait for period in lately),
        run_lately=_percentiles(period.run for period in lately),
        latency_ms=latency_ms,
        latency_step_ms=window.latency_step_ms,
        wait_series=[_percentiles(period.wait for period in step) for step in steps],
        run_series=[_percentiles(period.run for period in step) for step in steps],
    )


class Lately(NamedTuple):
    """completed: how many jobs in each of the last LINE_MINUTES, this minute last. wait_p95_s, run_p95_s: of this
    period of five minutes and the one before; None without jobs."""

    completed: list[int]
    wait_p95_s: float | None
    run_p95_s: float | None


def lately_of(periods: Periods, now_ms: int) -> Lately:
    """What a list of queues shows of each."""
    from_ms = now_ms // MINUTE_MS * MINUTE_MS - (LINE_MINUTES - 1) * MINUTE_MS
    last = _last_two(periods, now_ms)
    return Lately(
        series_of(periods, from_ms, MINUTE_MS, LINE_MINUTES)["completed"],
        _percentiles(period.wait for period in last).p95,
        _percentiles(period.run for period in last).p95,
    )


def series_of(periods: Periods, from_ms: int, step_ms: int, steps: int) -> dict[str, list[int]]:
    """event -> how many jobs in each of so many steps from from_ms on, which a minute's begin must be."""
    series = {event: [0] * steps for event in EVENTS}
    for period in periods.values():
        for minute in range(MINUTES):
            at = (period.start_ms + minute * MINUTE_MS - from_ms) // step_ms
            if 0 <= at < steps:
                for event, counts in series.items():
                    counts[at] += period.counts[event][minute]
    return series


def _last_two(periods: Periods, now_ms: int) -> list[Period]:
    """The period in which now_ms lies and the one before it, where they have numbers."""
    return [period for period in periods.values() if period.start_ms >= _lately_ms(now_ms)]


def _lately_ms(now_ms: int) -> int:
    return (now_ms // PERIOD_MS - 1) * PERIOD_MS


def percentile(counts: Sequence[int], share: float) -> float | None:
    """In seconds, the time within which this share of the counted jobs lies. counts: by BOUNDS_S, as in a Period.

    >>> percentile([0, 0, 0, 10] + [0] * 21, 0.5)      # ten jobs took 4 to 8 ms
    0.00566
    """
    rank = share * sum(counts)
    if not rank:
        return None
    sums = list(accumulate(counts))
    power = bisect_left(sums, rank)
    if power >= len(BOUNDS_S):
        return BOUNDS_S[-1]
    part = (rank - sums[power] + counts[power]) / counts[power]
    # Up to a millisecond the scale is even: it has no lower bound.
    found = part / 1000 if power == 0 else 2 ** (power - 1 + part) / 1000
    return float(f"{found:.3g}")


def _percentiles(of_periods: Iterable[Sequence[int]]) -> Percentiles:
    counts = [sum(column) for column in zip(*of_periods, strict=True)]
    return Percentiles(sum(counts), percentile(counts, 0.5), percentile(counts, 0.95), percentile(counts, 0.99))
