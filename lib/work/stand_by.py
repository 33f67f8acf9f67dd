"""When a supervisor keeps an isolation runner: while there are suspects, and for a while after a crash. Pure.

WHY after a crash: a job's second one mostly comes soon after its first. It is a suspect from then on, and waits for no
interpreter to start where the runner that it is to be alone in is there. WHY not always: it takes a runner's memory.
"""

STAND_BY_S = 60.0


class StandBy:
    """Times are monotonic ones of the caller's."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def is_wanted(self, now_s: float) -> bool:
        return now_s < self._until_s

    def suspects_seen(self, now_s: float) -> None:
        self._until_s = now_s + STAND_BY_S

    def crash_seen(self, now_s: float, *, has_served: bool, was_alone: bool) -> None:
        """A runner died by no order of ours. has_served: it was heard of before."""
        if has_served:
            self._until_s = now_s + STAND_BY_S
        elif was_alone:
            # So would the next one, and at once.
            self._until_s = 0.0
