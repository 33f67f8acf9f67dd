"""Errors of the same kind, counted together, as GET /api/errors shows them. Pure.

    email|SMTPServerBusy|# mails an hour at most           the job's type, the error's type and the first line of its
                                                           message, digits and addresses masked, but for a status
                                                           that begins it (503 from #); | is FIELD
    1760000000123|email-01a2…|3 0 2;7 1 0                  the last one, and for five minutes of the hour how many were
                                                           dead and how many were retried
    -> ErrorKind("email", "email", "SMTPServerBusy", "# mails an hour at most", dead=1, retried=2, …)

These texts are written by lua/parts/note_error.lua, an hour a hash. A kind behind the first fifty of an hour counts as
OTHER. `over_queues` makes one kind of those that differ in nothing but the queue.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

FIVE_MINUTES_MS = 300_000
HOUR_MS = 3_600_000
OTHER = "other"


class ErrorWindow(NamedTuple):
    """How many steps back errors are counted, and how long a step is."""

    steps: int
    step_ms: int

    @property
    def hours(self) -> int:
        """How many hours of the clock it touches at most."""
        return self.steps * self.step_ms // HOUR_MS + 1

    def start_ms(self, now_ms: int) -> int:
        """When the first step begins, if the last one is that in which `now_ms` lies."""
        return now_ms // self.step_ms * self.step_ms - (self.steps - 1) * self.step_ms


ERROR_WINDOWS: Final[Mapping[str, ErrorWindow]] = {
    "1h": ErrorWindow(12, FIVE_MINUTES_MS),
    "24h": ErrorWindow(24, HOUR_MS),
}


class HourOfErrors(NamedTuple):
    """hour: since 1970. kinds: the two texts of each kind, as above."""

    hour: int
    kinds: Sequence[tuple[str, str]]


class ErrorKind:
    """queue: None if it was counted in several, of which `queues` is the number. line: how many went wrong in each step
    of the window. Times are ms of Redis' clock."""

    __slots__ = ("dead", "job_type", "last_job_id", "last_ms", "line", "message", "queue", "queues", "retried", "type")

    def __init__(self, queue: str, job_type: str, type_name: str, message: str, steps: int) -> None:
        self.queue: str | None = queue
        self.queues = 1
        self.job_type = job_type
        self.type = type_name
        self.message = message
        self.dead = 0
        self.retried = 0
        self.last_ms = 0
        self.last_job_id = ""
        self.line = [0] * steps

    def add(self, at: int, dead: int, retried: int) -> None:
        """Add what was counted in a step."""
        self.dead += dead
        self.retried += retried
        self.line[at] += dead + retried

    def take_in(self, other: "ErrorKind") -> None:
        """Add what another queue has counted of the same kind."""
        self.queue = None
        self.queues += other.queues
        self.dead += other.dead
        self.retried += other.retried
        self.line = list(map(operator.add, self.line, other.line))
        if other.last_ms >= self.last_ms:
            self.last_ms, self.last_job_id = other.last_ms, other.last_job_id


def error_kinds(queue: str, hours: Iterable[HourOfErrors], window: ErrorWindow, now_ms: int) -> list[ErrorKind]:
    """The kinds of one queue that came up in the window. Raises ValueError for texts that no script wrote."""
    found: dict[str, ErrorKind] = {}
    start_ms = window.start_ms(now_ms)
    for hour, kinds in hours:
        for kind_text, counts_text in kinds:
            kind = found.get(kind_text)
            if kind is None:
                job_type, type_name, message = kind_text.split("\x1f")
                kind = found[kind_text] = ErrorKind(queue, job_type, type_name, message, window.steps)
            last_ms, job_id, rows = counts_text.split("\x1f")
            if int(last_ms) >= kind.last_ms:
                kind.last_ms, kind.last_job_id = int(last_ms), job_id
            for row in rows.split(";"):
                five_minutes, dead, retried = map(int, row.split(" "))
                at = (hour * HOUR_MS + five_minutes * FIVE_MINUTES_MS - start_ms) // window.step_ms
                if 0 <= at < window.steps:
                    kind.add(at, dead, retried)
    return [kind for kind in found.values() if kind.dead or kind.retried]


def over_queues(kinds: Iterable[ErrorKind]) -> list[ErrorKind]:
    """The kinds of several queues, those of the same job type, error type and message made one. Changes `kinds`."""
    found: dict[tuple[str, str, str], ErrorKind] = {}
    for kind in kinds:
        first = found.setdefault((kind.job_type, kind.type, kind.message), kind)
        if first is not kind:
            first.take_in(kind)
    return list(found.values())


def worst_first(kinds: Iterable[ErrorKind]) -> list[ErrorKind]:
    """Those that killed most jobs first; then those that were retried most, and the latest."""
    return sorted(kinds, key=lambda kind: (kind.dead, kind.retried, kind.last_ms), reverse=True)
