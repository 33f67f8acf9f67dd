"""For how long a child has sent nothing over its pipe: a child that is silent for too long hangs. Pure.

Called by the server's parent and the worker's supervisor, which check about once a second.
"""

MOST_COUNTED_S = 2.0


class Silence:
    """A stopwatch that counts MOST_COUNTED_S at most between two checks. Times are monotonic.

    WHY: where the parent itself stood still (a stopped process, a machine asleep), its child's messages are still in
    the pipe, and the child must not be killed for them.
    """

    def __init__(self, now_s: float) -> None:
        self._lasted_s = 0.0
        self._checked_s = now_s
        self.was_broken = False
        """Whether the child has sent anything yet."""

    def end(self) -> None:
        """The child has sent something."""
        self._lasted_s = 0.0
        self.was_broken = True

    def lasted_s(self, now_s: float) -> float:
        """How long the child has been silent. Each call is a check."""
        self._lasted_s += min(now_s - self._checked_s, MOST_COUNTED_S)
        self._checked_s = now_s
        return self._lasted_s
