"""How many isolation runners a supervisor keeps: one for each suspect that runs, one for a while after a crash. Pure.

WHY after a crash: a job's second one mostly comes soon after its first. It is a suspect from then on, and waits for no
interpreter to start where the runner that it is to be alone in is there. WHY not always: it takes a runner's memory.
"""

STAND_BY_S = 60.0
SPARE_S = 10.0  # So much longer those stay that suspects needed; who kills runners may go on with it.
NARROW_S = 60.0


class StandBy:
    """Whether one is to be there though nobody needs it. Times are monotonic ones of the caller's."""

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


class Width:
    """How many there are to be for the suspects: never more than `most`. Times as above.

    WHY fewer for a while once one died before it said a word: where memory is short each that starts makes it shorter,
    and the system may then kill one that has an innocent job aboard.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._narrowed, self._narrowed_until_s = most, 0.0
        self._spare, self._spare_until_s = 0, 0.0

    def most(self, now_s: float) -> int:
        """So many suspects may run at once."""
        return self._narrowed if now_s < self._narrowed_until_s else self._most

    def died_unborn(self, now_s: float, living: int) -> None:
        """One died at its start, so many others live."""
        self._narrowed, self._narrowed_until_s = max(1, min(living, self._most)), now_s + NARROW_S

    def wanted(self, needed: int, now_s: float) -> int:
        """How many are to be there, where so many are needed at this moment."""
        if needed >= self._spare or now_s >= self._spare_until_s:
            self._spare, self._spare_until_s = needed, now_s + SPARE_S
        return min(self._spare, self.most(now_s))
