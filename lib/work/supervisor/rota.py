"""Which queues upkeep looks at in a round: those in which something moves each time, the others now and then.

A queue is awake while it is served, or lately began to be used, or its last look found something to do. Of one that
sleeps the last look has told when something will be due by itself; whoever brings what is due earlier names the queue
(name.lua), which wakes it. So a thousand idle queues cost as much as a few dozen that are looked at each time. Pure.
"""

from collections.abc import Iterable
from random import Random

from lib.queue.enqueuer import QUEUE_KNOWN_S

ASLEEP_S = 60.0
"""So long a queue sleeps at most. What an older version enqueues may name no time: it is found then."""
AWAKE_S = 2 * QUEUE_KNOWN_S
"""A process names a queue with its first job, and again only with the first one after QUEUE_KNOWN_S."""


class Rota:
    """rng: so that a thousand queues that fell asleep together do not wake together."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._next_s: dict[str, float] = {}
        self._awake_until_s: dict[str, float] = {}

    def due(self, names: Iterable[str], now_s: float) -> list[str]:
        """Those of all queues (`names`) that are to be looked at now; one that is new is."""
        self._next_s = {queue: self._next_s.get(queue, now_s) for queue in names}
        self._awake_until_s = {queue: at_s for queue, at_s in self._awake_until_s.items() if at_s > now_s}
        return [queue for queue, at_s in self._next_s.items() if at_s <= now_s]

    def wake(self, queue: str, now_s: float) -> None:
        """Somebody uses it: it is looked at in each round for a while."""
        self._awake_until_s[queue] = now_s + AWAKE_S
        self._next_s[queue] = now_s

    def looked(self, queue: str, now_s: float, *, is_busy: bool, wait_s: float) -> None:
        """It was looked at. is_busy: look again in the next round; wait_s: nothing is due before then."""
        if is_busy or queue in self._awake_until_s:
            self._next_s[queue] = now_s
        else:
            self._next_s[queue] = now_s + min(wait_s, self._rng.uniform(0.5, 1.0) * ASLEEP_S)
