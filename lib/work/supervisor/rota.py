"""Which queues upkeep visits in a round: queues in which something moves each time, the others now and then. Pure.

A queue is awake while runners serve it, while its last visit found something to do, and for AWAKE_S after somebody
began to use it. Every other queue sleeps, until the time at which its last visit said that something will be due (a
delayed job, say) and for ASLEEP_S at most. Whoever adds a job that is due earlier names the queue in Redis (name.lua),
and a queue that is named wakes. So a thousand idle queues cost as much as a few dozen that are awake.
"""

from collections.abc import Iterable
from random import Random

from lib.queue.enqueuer import QUEUE_KNOWN_S

ASLEEP_S = 60.0
"""A queue sleeps for so long at most. An older version may add a job without naming the queue: then that is found."""
AWAKE_S = 2 * QUEUE_KNOWN_S
"""WHY twice: a process names a queue with its first job there, and again only with the first after QUEUE_KNOWN_S."""


class Rota:
    """When each queue is visited next. rng: queues that fell asleep at one time must not wake at one time."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._next_s: dict[str, float] = {}
        self._awake_until_s: dict[str, float] = {}

    def due(self, names: Iterable[str], now_s: float) -> list[str]:
        """The queues that are to be visited now. names: all queues. A new name is due at once; a queue that is not
        among the names is forgotten."""
        self._next_s = {queue: self._next_s.get(queue, now_s) for queue in names}
        self._awake_until_s = {queue: at_s for queue, at_s in self._awake_until_s.items() if at_s > now_s}
        return [queue for queue, at_s in self._next_s.items() if at_s <= now_s]

    def wake(self, queue: str, now_s: float) -> None:
        """Somebody uses this queue: it is due in each round for AWAKE_S."""
        self._awake_until_s[queue] = now_s + AWAKE_S
        self._next_s[queue] = now_s

    def visited(self, queue: str, now_s: float, *, is_busy: bool, wait_s: float) -> None:
        """The queue was visited. is_busy: it is due in the next round too. wait_s: in so long something will be due."""
        if is_busy or queue in self._awake_until_s:
            self._next_s[queue] = now_s
        else:
            self._next_s[queue] = now_s + min(wait_s, self._rng.uniform(0.5, 1.0) * ASLEEP_S)
