"""Which jobs one call of a redrive or purge takes: behind which place, and before which time. Pure.

plan = SweepPlan(asked, "redrive", "email")
plan.begin(1795438188123)
plan.wanted.before_ms      1795438188123: a job that dies from now on is not taken, however often the call is made
plan.cursor(Cursor(…))     the text with which the next call goes on, up to the same time
"""

from collections.abc import Mapping

from lib.api.actions.asked import SweepAsked
from lib.api.cursor import SweepPlace, sweep_cursor_of, sweep_cursor_text
from lib.queue.listing import Cursor


class SweepPlan:
    """One call's share of a walk."""

    def __init__(self, asked: SweepAsked, operation: str, queue: str) -> None:
        """operation: `redrive`, `purge` or `actions`. Raises InvalidFields for a cursor of another walk."""
        self.asked = asked
        self._found: Mapping[str, object] = {**asked.named, "": f"{operation} {queue}"}
        self._place = sweep_cursor_of(asked.cursor, self._found) if asked.cursor is not None else None
        self.wanted = asked.wanted

    @property
    def after(self) -> Cursor | None:
        return self._place.cursor if self._place else None

    def begin(self, began_ms: int) -> None:
        """began_ms: when the request came first, by Redis' clock."""
        self.wanted = self.asked.wanted._replace(before_ms=self._before_ms(began_ms))

    def _before_ms(self, began_ms: int) -> int:
        """WHY never behind began_ms: a job that is run again and dies once more would be taken a second time."""
        if self._place:
            return self._place.before_ms
        if self.asked.older_than_ms is not None:
            return began_ms - self.asked.older_than_ms
        given_ms = self.asked.wanted.before_ms
        return began_ms if given_ms is None else min(given_ms, began_ms)

    def cursor(self, end: Cursor | None) -> str | None:
        """The text of `next_cursor`; None where the walk is over."""
        if end is None:
            return None
        return sweep_cursor_text(SweepPlace(end, self.wanted.before_ms or 0), self._found)
