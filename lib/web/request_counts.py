"""How many requests were answered, and how fast, whichever of the server's processes answered them.

The cells lie in memory that all of them share. Each process writes to a part of its own, so that nothing is locked; a
scrape adds the parts up, whoever is asked. The memory outlives a process that is killed, and its successor counts on
in the same part: no count ever falls while the server runs.

A request costs three additions. Labels are of the table alone (routes, methods, statuses): no id, key or path is kept.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import NamedTuple

from lib.http1.message import STATUS_LINES
from lib.prometheus import REQUEST_BOUNDS_S, Histogram

SLOT_BYTES = 1 << 20
"""A process's part. A parent that knows no routes makes the memory; pages that nobody writes to are not there."""
OTHER_METHOD = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER_METHOD)
UNKNOWN_ROUTE = "unknown"
STATUSES = tuple(sorted(status for status in STATUS_LINES if status >= 200))

_BUCKETS_AT = len(METHODS) * len(STATUSES)
_SUM_AT = _BUCKETS_AT + len(REQUEST_BOUNDS_S) + 1
_ROUTE_CELLS = _SUM_AT + 1
_CELL_BYTES = 8
_PLACE_CELLS = SLOT_BYTES // _CELL_BYTES
# What a process says of itself comes first, then the routes.
_OPEN_AT, _DROPPED_AT, _FIRST_ROUTE_AT = 0, 1, 2


class Answered(NamedTuple):
    """How many requests of one kind."""

    method: str
    route: str
    status: int
    requests: int


class RequestCounts:
    """The counts of one process, and the sum of all. memory: SLOT_BYTES for each process, zeros at first."""

    def __init__(self, memory: mmap | bytearray, place: int = 0) -> None:
        self._places = len(memory) // SLOT_BYTES
        self._all = memoryview(memory).cast("Q")
        own_at = place * _PLACE_CELLS
        self._own = self._all[own_at : own_at + _PLACE_CELLS]
        self._rows: dict[str, int] = {}
        self._method_at = {method: number * len(STATUSES) for number, method in enumerate(METHODS)}
        self._other_at = self._method_at[OTHER_METHOD]
        self._status_at = {status: number for number, status in enumerate(STATUSES)}
        self._own[_OPEN_AT] = 0
        self._dropped_before = self._own[_DROPPED_AT]

    def lay_out(self, patterns: Iterable[str]) -> None:
        """Give each route its cells, before the first `count`. All processes have the same table, so the same cells."""
        routes = (*dict.fromkeys(patterns), UNKNOWN_ROUTE)
        self._rows = {route: _FIRST_ROUTE_AT + number * _ROUTE_CELLS for number, route in enumerate(routes)}
        if _FIRST_ROUTE_AT + len(routes) * _ROUTE_CELLS > _PLACE_CELLS:
            raise ValueError(f"{len(routes)} routes need more than {SLOT_BYTES} bytes")

    def count(self, method: str, route: str, status: int, duration_s: float) -> None:
        """One request was answered."""
        cells, row = self._own, self._rows[route]
        cells[row + self._method_at.get(method, self._other_at) + self._status_at[status]] += 1
        cells[row + _BUCKETS_AT + bisect_left(REQUEST_BOUNDS_S, duration_s)] += 1
        cells[row + _SUM_AT] += int(duration_s * 1e6)

    def report(self, *, open_connections: int, lines_dropped: int) -> None:
        """What this process knows of itself; said now and then. lines_dropped: since it started."""
        self._own[_OPEN_AT] = open_connections
        self._own[_DROPPED_AT] = self._dropped_before + lines_dropped

    # What a scrape shows: all processes.

    def answered(self) -> Iterator[Answered]:
        """Every combination that has occurred."""
        nothing = bytes(len(STATUSES) * _CELL_BYTES)
        for route, row in self._rows.items():
            for method, method_at in self._method_at.items():
                parts = self._parts(row + method_at, len(STATUSES))
                found = [part.tolist() for part in parts if part.tobytes() != nothing]
                for status, *counts in zip(STATUSES, *found, strict=True):
                    if any(counts):
                        yield Answered(method, route, status, sum(counts))

    def durations(self) -> Iterator[tuple[str, Histogram]]:
        """How long the requests of each route took, of those that were asked for."""
        for route, row in self._rows.items():
            parts = [part.tolist() for part in self._parts(row + _BUCKETS_AT, _SUM_AT - _BUCKETS_AT + 1)]
            *counts, sum_us = map(sum, zip(*parts, strict=True))
            if any(counts):
                histogram = Histogram(REQUEST_BOUNDS_S)
                histogram.counts, histogram.sum_us = counts, sum_us
                yield route, histogram

    @property
    def open_connections(self) -> int:
        return self._sum(_OPEN_AT)

    @property
    def lines_dropped(self) -> int:
        return self._sum(_DROPPED_AT)

    def _sum(self, at: int) -> int:
        return sum(part[0] for part in self._parts(at, 1))

    def _parts(self, at: int, count: int) -> Iterator[memoryview]:
        """The same cells of every process."""
        for place in range(self._places):
            start = place * _PLACE_CELLS + at
            yield self._all[start : start + count]
