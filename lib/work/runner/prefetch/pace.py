"""How quick the jobs of one queue are here, and so how many may be claimed before there is a slot for them.

WHY: with one job at a time, each waits for Redis to hand it out. Where jobs take microseconds that is most of the time,
and some of them claimed together lose nothing by it: all are begun within milliseconds. Where jobs take longer none is
claimed ahead: it would wait here while another runner is idle. Pure.
"""

QUICK_S = 0.001
SEEN = 20  # So many of a type are to be seen, and about so many count: one that is late for once changes little.
AHEAD_S = 0.005  # What was claimed ahead is to be begun within this.
MOST_AHEAD = 64


class _Seen:
    """Of one type: how many there were, and about how long one takes."""

    __slots__ = ("count", "mean_s")

    def __init__(self, mean_s: float) -> None:
        self.count = 0
        self.mean_s = mean_s


class Pace:
    """What was seen of each type."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self.ahead = 0
        """How many jobs may be claimed above those that can run at once."""

    def ran(self, type_name: str, duration_s: float) -> None:
        """A handler came to its end, good or bad, after so long."""
        seen = self._seen.get(type_name)
        if seen is None:
            seen = self._seen[type_name] = _Seen(duration_s)
        seen.count += 1
        seen.mean_s += (duration_s - seen.mean_s) / SEEN
        if seen.count <= SEEN or seen.mean_s >= QUICK_S:
            self.ahead = 0
        elif seen.mean_s <= AHEAD_S / MOST_AHEAD:
            self.ahead = MOST_AHEAD
        else:
            self.ahead = int(AHEAD_S / seen.mean_s)

    def is_quick(self, type_name: str) -> bool:
        seen = self._seen.get(type_name)
        return seen is not None and seen.count > SEEN and seen.mean_s < QUICK_S

    def doubt(self) -> None:
        """One takes longer than was thought: nothing is quick until it has shown it again."""
        self._seen.clear()
        self.ahead = 0
