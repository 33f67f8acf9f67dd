"""What happened in a queue, by periods of five minutes: how many jobs came and ended in each minute, and how long they
waited and ran. Pure.

    {"period": "5866666", "completed": "1o,1n,0,0,c", "wait": "4:c,0,3"}          of lua/parts/period_numbers.lua
    -> Period(number=5866666, counts={"completed": [60, 59, 0, 0, 12], …}, wait=[0, 0, 0, 0, 12, 0, 3, 0, …], run=[…])

`wait` and `run` count jobs by powers of two: BOUNDS_S are their upper bounds, 1 ms to 2.3 hours, and the last count is
of jobs that took longer. Runners count by the same bounds (work/runner/timings.py). In the texts the counts stand in
base 36.
"""

from collections.abc import Iterable, Mapping
from typing import Final

PERIOD_MS = 300_000
MINUTE_MS = 60_000
MINUTES = PERIOD_MS // MINUTE_MS
EVENTS = ("enqueued", "completed", "retried", "dead", "cancelled")
BOUNDS_S: Final[tuple[float, ...]] = tuple(2**power / 1000 for power in range(24))


class Period:
    """number: of the period, since 1970. counts: event -> how many jobs in each of the five minutes. wait, run: how
    many jobs waited and ran up to each of BOUNDS_S, and longer."""

    __slots__ = ("counts", "number", "run", "wait")

    def __init__(self, number: int) -> None:
        self.number = number
        self.counts = {event: [0] * MINUTES for event in EVENTS}
        self.wait = [0] * (len(BOUNDS_S) + 1)
        self.run = [0] * (len(BOUNDS_S) + 1)

    @property
    def start_ms(self) -> int:
        """When the period began, in ms since 1970."""
        return self.number * PERIOD_MS

    def add_text(self, numbers: Mapping[str, str]) -> None:
        """Add what a text of Redis says. Names that this version does not know are passed over. Raises ValueError for
        a text that no script of Waybill wrote."""
        for event, sums in self.counts.items():
            if text := numbers.get(event):
                _add(sums, map(_count, text.split(",")))
        for name, sums in (("wait", self.wait), ("run", self.run)):
            if text := numbers.get(name):
                first, _, counts = text.partition(":")
                _add(sums, map(_count, counts.split(",")), int(first))

    def add(self, other: "Period") -> None:
        """Add the same period of another queue."""
        for event, sums in self.counts.items():
            _add(sums, other.counts[event])
        _add(self.wait, other.wait)
        _add(self.run, other.run)


Periods = dict[int, Period]
"""number -> the period; of one queue, or the sums of several."""


def add_texts(periods: Periods, texts: Iterable[Mapping[str, str]]) -> None:
    """Add texts of Redis to the periods of which they tell. Raises ValueError as `add_text` does."""
    for numbers in texts:
        number = int(numbers["period"])
        if number not in periods:
            periods[number] = Period(number)
        periods[number].add_text(numbers)


def add_periods(periods: Periods, others: Periods) -> None:
    for number, other in others.items():
        if number not in periods:
            periods[number] = Period(number)
        periods[number].add(other)


def _count(text: str) -> int:
    return int(text, 36)


def _add(sums: list[int], counts: Iterable[int], first: int = 0) -> None:
    """Add counts to sums, from the place `first` on."""
    for at, count in zip(range(first, len(sums)), counts, strict=False):
        sums[at] += count
