"""How long the jobs of one queue take in this runner, and so how many of them may be prefetched. Pure.

WHY prefetch: a runner with one slot waits for a round trip to Redis before each job. For a job of 20 µs the wait is
longer than the run. If 64 such jobs are claimed together, the last of them still begins within 2 ms. Jobs that take
longer than QUICK_S are not prefetched: they would wait here while another runner is idle.
"""

QUICK_S = 0.001
SAMPLES = 20
"""A type is quick after more than this many runs, by a mean over about as many: one slow run changes little."""
PREFETCH_S = 0.005
"""All prefetched jobs together take about this long, so the last one begins within it."""
MOST_PREFETCHED = 64


class _TypePace:
    """One job type: how many runs there were, and about how long one takes."""

    __slots__ = ("mean_s", "runs")

    def __init__(self, mean_s: float) -> None:
        self.runs = 0
        self.mean_s = mean_s


class Pace:
    """The durations of one queue's jobs, by type."""

    def __init__(self) -> None:
        self._types: dict[str, _TypePace] = {}
        self.prefetch_count = 0
        """How many jobs may be claimed beyond those that can run at once. Set by the type that ran last."""

    def note_run(self, type_name: str, duration_s: float) -> None:
        """A handler ended, well or badly, after duration_s."""
        seen = self._types.get(type_name)
        if seen is None:
            seen = self._types[type_name] = _TypePace(duration_s)
        seen.runs += 1
        seen.mean_s += (duration_s - seen.mean_s) / SAMPLES
        if seen.runs <= SAMPLES or seen.mean_s >= QUICK_S:
            self.prefetch_count = 0
        elif seen.mean_s <= PREFETCH_S / MOST_PREFETCHED:
            self.prefetch_count = MOST_PREFETCHED
        else:
            self.prefetch_count = int(PREFETCH_S / seen.mean_s)

    def is_quick(self, type_name: str) -> bool:
        """Whether jobs of this type were seen often enough and take less than QUICK_S."""
        seen = self._types.get(type_name)
        return seen is not None and seen.runs > SAMPLES and seen.mean_s < QUICK_S

    def reset(self) -> None:
        """A job takes longer than its type did before: forget all durations, so that no type counts as quick."""
        self._types.clear()
        self.prefetch_count = 0
