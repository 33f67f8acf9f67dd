"""For how long one that is listened to has said nothing: a child over its pipe, which hangs where that is too long; or
Redis, to a runner that asks it. Pure.

Called by the server's parent, the worker's supervisor and each runner (redis_contact.py), which check about once a
second.
"""

MOST_COUNTED_S = 2.0


class Silence:
    """A stopwatch that counts MOST_COUNTED_S at most between two checks. Times are monotonic.

    WHY: where the listener itself stood still (a stopped process, a machine asleep, a handler that blocks the loop),
    what was said meanwhile is still in the pipe, and a child must not be killed for it.
    """

    def __init__(self, now_s: float) -> None:
        self._lasted_s = 0.0
        self._checked_s = now_s
        self.was_broken = False
        """Whether anything was said yet."""

    def end(self) -> None:
        """Something was said."""
        self._lasted_s = 0.0
        self.was_broken = True

    def lasted_s(self, now_s: float) -> float:
        """How long the silence is by now. Each call is a check."""
        self._lasted_s += min(now_s - self._checked_s, MOST_COUNTED_S)
        self._checked_s = now_s
        return self._lasted_s
