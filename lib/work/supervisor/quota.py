"""The limits of one runner's place. The runner that serves there and the runners that retire there share them.

A limit is never exceeded. A runner that retires still runs what it has begun, and a handler in it that does not end;
what it holds is missing from its successor's slots, and is handed on as it ends. What is lent to isolation runners
(isolation.py) is missing as well. Called by the supervisor.
"""

from collections import Counter
from collections.abc import Mapping

from lib.work.supervisor.child import Child

MOST_RETIRING = 2  # at one place; for one more the oldest gives back what it runs, and leaves


class Quota:
    """limits: queue -> how many of its jobs may run at a time."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self.serving: Child | None = None
        self.retiring: list[Child] = []
        self.lent: Counter[str] = Counter()
        """queue -> how many of its slots are set apart for isolation runners. Who changes it calls `tell`."""

    def serve(self, child: Child) -> None:
        """From now on this runner has the slots that nobody else uses."""
        self.serving = child
        self.tell()

    def retire(self, child: Child) -> None:
        """It claims no more. Where too many do so, the oldest is told to leave at once."""
        self.serving = None
        self.retiring.append(child)
        for oldest in self.retiring[:-MOST_RETIRING]:
            oldest.is_in_the_way.set()

    def leave(self, child: Child) -> None:
        """Its process has ended: nothing counts any more that it held."""
        if child is self.serving:
            self.serving = None
        else:
            self.retiring.remove(child)
        self.tell()

    def tell(self) -> None:
        """Have the runner that serves know how many slots it has."""
        if self.serving is not None:
            self.serving.use({queue: self._free(queue) for queue in self._limits})

    def limit(self, queue: str) -> int:
        return self._limits[queue]

    def used(self, queue: str) -> int:
        """How many slots the runners of this place may be using, by all that is known."""
        serving = [self.serving] if self.serving is not None else []
        return sum(child.slots.get(queue, 0) for child in (*serving, *self.retiring))

    def spare(self, queue: str) -> int:
        """How many slots nobody uses and nobody was lent; below 0 where slots are lent that are in use still."""
        return self._limits[queue] - self.used(queue) - self.lent[queue]

    def _free(self, queue: str) -> int:
        held = sum(child.slots.get(queue, 0) for child in self.retiring)
        return max(0, self._limits[queue] - held - self.lent[queue])
