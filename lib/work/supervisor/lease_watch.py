"""Whose lease has run out: a stopwatch for each runner of a queue counts while the runner shows the same beat. Pure.

A runner's beat is a counter in Redis that its supervisor raises five times a lease (beats.py). Called by upkeep.py with
the beats of one queue, once a round: {"host.812.6f3a91c2": "41:1764410400000"}.
"""

from collections.abc import Mapping


class _Watched:
    """beat: what the runner shows. still_s: for how long it has shown that."""

    def __init__(self, beat: str) -> None:
        self.beat = beat
        self.still_s = 0.0


class LeaseWatch:
    """The stopwatches of one queue. lease_s: LEASE_S. interval_s: the time between two rounds.

    A stopwatch advances by the time between two rounds in which Redis answered, and by two intervals at most. WHY: in
    an outage of Redis, or while this process itself was stopped, nobody's lease must run out.
    """

    def __init__(self, lease_s: float, interval_s: float) -> None:
        self._lease_s = lease_s
        self._most_s = min(2 * interval_s, lease_s / 2)  # A single round never lets a lease run out.
        self._watched: dict[str, _Watched] = {}
        self._checked_s: float | None = None

    def check(self, beats: Mapping[str, str], now_s: float) -> dict[str, str]:
        """The runners whose lease has run out: runner_id -> the beat that it has shown all the time. beats: the same
        of every runner of the queue, as Redis has it now."""
        gap_s = 0.0 if self._checked_s is None else min(now_s - self._checked_s, self._most_s)
        self._checked_s = now_s
        for runner_id in self._watched.keys() - beats.keys():
            del self._watched[runner_id]
        for runner_id, beat in beats.items():
            watched = self._watched.get(runner_id)
            if watched is None or watched.beat != beat:
                self._watched[runner_id] = _Watched(beat)
            else:
                watched.still_s += gap_s
        return {name: w.beat for name, w in self._watched.items() if w.still_s >= self._lease_s}
