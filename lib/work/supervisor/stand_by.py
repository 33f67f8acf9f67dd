"""How many isolation runners a supervisor keeps: one for each suspect that runs, one for a while after a crash. Pure.

WHY after a crash: a job's second crash mostly comes soon after its first. From the second on the job is a suspect, and
where an isolation runner is there already, the job waits for no interpreter to start. WHY not always: a runner that
stands by takes a runner's memory.
"""

STAND_BY_S = 60.0
SPARE_S = 10.0  # Runners stay for so long after their suspects have run: more suspects may come.
NARROW_S = 60.0


class StandBy:
    """Whether an isolation runner is to be kept though no suspect needs one now. Times are monotonic, the caller's."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def is_wanted(self, now_s: float) -> bool:
        return now_s < self._until_s

    def suspects_seen(self, now_s: float) -> None:
        """Suspects wait or run: a runner stays for STAND_BY_S from now on."""
        self._until_s = now_s + STAND_BY_S

    def crash_seen(self, now_s: float, *, has_served: bool, was_alone: bool) -> None:
        """A runner died that the supervisor had not killed. has_served: it had ticked. was_alone: it was an isolation
        runner."""
        if has_served:
            self._until_s = now_s + STAND_BY_S
        elif was_alone:
            # The next one would die at its start as well, and at once.
            self._until_s = 0.0


class Width:
    """How many isolation runners there are to be for the suspects, `most` at any time. Times are as above.

    WHY fewer for a while after one died at its start: where memory is short, each that starts makes it shorter, and the
    system may then kill a runner that runs an innocent job.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._narrowed, self._narrowed_until_s = most, 0.0
        self._spare, self._spare_until_s = 0, 0.0

    def most(self, now_s: float) -> int:
        """So many suspects may run at once."""
        return self._narrowed if now_s < self._narrowed_until_s else self._most

    def died_at_start(self, now_s: float, living: int) -> None:
        """A runner died before its first tick. living: how many others there are."""
        self._narrowed, self._narrowed_until_s = max(1, min(living, self._most)), now_s + NARROW_S

    def wanted(self, needed: int, now_s: float) -> int:
        """How many are to be there when `needed` suspects run or may run now."""
        if needed >= self._spare or now_s >= self._spare_until_s:
            self._spare, self._spare_until_s = needed, now_s + SPARE_S
        return min(self._spare, self.most(now_s))
