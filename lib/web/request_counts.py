"""How many requests were answered, and how fast, counted by every process of the server in memory that they share.

The memory holds SLOT_BYTES for each process. A process writes to its own slot alone, so that nothing is locked; the
process that answers GET /metrics adds all slots up. The memory outlives a process that is killed, and the process that
takes its place counts on in the same slot: no count ever falls while the server runs.

A slot is a row of 8-byte cells, all 0 at first:

    open connections | lost log lines | route 1 | route 2 | … | route "unknown"
    a route: a cell for each method and status | a cell for each bucket of durations | the sum of durations in µs

A request costs three additions. Routes, methods and statuses come from tables: no id, key or path is kept.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import NamedTuple

from lib.http1.message import STATUS_LINES
from lib.prometheus import REQUEST_BOUNDS_S, Histogram

SLOT_BYTES = 1 << 20
"""More than the table of routes needs: the parent process makes the memory and knows no routes. Pages of it that nobody
writes to take no memory."""
OTHER_METHOD = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER_METHOD)
UNKNOWN_ROUTE = "unknown"
STATUSES = tuple(sorted(status for status in STATUS_LINES if status >= 200))

_BUCKETS_AT = len(METHODS) * len(STATUSES)
_SUM_AT = _BUCKETS_AT + len(REQUEST_BOUNDS_S) + 1
_ROUTE_CELLS = _SUM_AT + 1
_CELL_BYTES = 8
_SLOT_CELLS = SLOT_BYTES // _CELL_BYTES
_OPEN_AT, _DROPPED_AT, _FIRST_ROUTE_AT = 0, 1, 2


class Answered(NamedTuple):
    """A row of the counter: Answered("POST", "/api/jobs", 202, 1234)."""

    method: str
    route: str
    status: int
    requests: int


class RequestCounts:
    """Counts the requests of this process, and shows the sums over all server processes.

    memory: SLOT_BYTES for each process. slot: which of these slots is this process's, from 0 on."""

    def __init__(self, memory: mmap | bytearray, slot: int = 0) -> None:
        self._slots = len(memory) // SLOT_BYTES
        self._all = memoryview(memory).cast("Q")
        own_at = slot * _SLOT_CELLS
        self._own = self._all[own_at : own_at + _SLOT_CELLS]
        self._rows: dict[str, int] = {}
        self._method_at = {method: number * len(STATUSES) for number, method in enumerate(METHODS)}
        self._other_at = self._method_at[OTHER_METHOD]
        self._status_at = {status: number for number, status in enumerate(STATUSES)}
        self._own[_OPEN_AT] = 0
        self._dropped_before = self._own[_DROPPED_AT]

    def lay_out(self, patterns: Iterable[str]) -> None:
        """Give each route its cells, before the first `count`. Every process has the same table, so the same cells."""
        routes = (*dict.fromkeys(patterns), UNKNOWN_ROUTE)
        self._rows = {route: _FIRST_ROUTE_AT + number * _ROUTE_CELLS for number, route in enumerate(routes)}
        if _FIRST_ROUTE_AT + len(routes) * _ROUTE_CELLS > _SLOT_CELLS:
            raise ValueError(f"{len(routes)} routes need more than {SLOT_BYTES} bytes")

    def count(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answered request. route: a pattern that `lay_out` got, or UNKNOWN_ROUTE."""
        cells, row = self._own, self._rows[route]
        cells[row + self._method_at.get(method, self._other_at) + self._status_at[status]] += 1
        cells[row + _BUCKETS_AT + bisect_left(REQUEST_BOUNDS_S, duration_s)] += 1
        cells[row + _SUM_AT] += int(duration_s * 1e6)

    def report(self, *, open_connections: int, lines_dropped: int) -> None:
        """Write down what only this process knows, once a second. lines_dropped: log lines lost since it started."""
        self._own[_OPEN_AT] = open_connections
        self._own[_DROPPED_AT] = self._dropped_before + lines_dropped

    # The sums over all processes, for GET /metrics.

    def answered(self) -> Iterator[Answered]:
        """Every method, route and status that has occurred, with its number of requests."""
        nothing = bytes(len(STATUSES) * _CELL_BYTES)
        for route, row in self._rows.items():
            for method, method_at in self._method_at.items():
                parts = self._parts(row + method_at, len(STATUSES))
                found = [part.tolist() for part in parts if part.tobytes() != nothing]
                for status, *counts in zip(STATUSES, *found, strict=True):
                    if any(counts):
                        yield Answered(method, route, status, sum(counts))

    def durations(self) -> Iterator[tuple[str, Histogram]]:
        """How long the requests of each route took, for the routes that had any."""
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
        """The cells from `at` on of every process's slot."""
        for slot in range(self._slots):
            start = slot * _SLOT_CELLS + at
            yield self._all[start : start + count]
