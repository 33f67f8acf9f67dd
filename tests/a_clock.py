"""A clock that a test sets, in place of time.monotonic."""


class Clock:
    """clock.now_s += 60 lets a minute pass."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s
