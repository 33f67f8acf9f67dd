"""The job slots that one serving runner and its retiring predecessors share: of a queue as many as WORKER_QUEUES says.

There are WORKER_PROCESSES quotas, and a queue's limit in each is never exceeded. An example with `email=4`: a runner
retires while a handler of it does not end, and so uses one slot until it is gone. Its successor is granted three, and
the fourth when the old runner has ended. Slots that are lent to isolation runners (isolation.py) are missing from a
quota in the same way. Called by the supervisor.
"""

from collections import Counter
from collections.abc import Mapping

from lib.work.supervisor.runner_child import RunnerChild

MOST_RETIRING = 2
"""So many runners of one quota may retire for a handler that does not end. When one more does, the oldest of them must
give back what it runs, and leave."""


class Quota:
    """limits: queue -> how many of its jobs may run at a time."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self.serving: RunnerChild | None = None
        self.retiring: list[RunnerChild] = []
        self.lent: Counter[str] = Counter()
        """queue -> how many of its slots are set apart for isolation runners. Whoever changes it calls `grant_free`."""

    def serve(self, runner: RunnerChild) -> None:
        """From now on this runner has the slots that nobody else uses."""
        self.serving = runner
        self.grant_free()

    def retire(self, runner: RunnerChild) -> None:
        """The serving runner claims no more. Where too many retire beside it, the oldest must leave at once. One that
        makes way for its successor is left alone: its handlers do end."""
        self.serving = None
        self.retiring.append(runner)
        for oldest in [one for one in self.retiring if not one.makes_way][:-MOST_RETIRING]:
            oldest.must_leave.set()

    def leave(self, runner: RunnerChild) -> None:
        """The runner's process has ended, and its slots are free."""
        if runner is self.serving:
            self.serving = None
        else:
            self.retiring.remove(runner)
        self.grant_free()

    def grant_free(self) -> None:
        """Grant the serving runner every slot that is neither used by retiring runners nor lent."""
        if self.serving is not None:
            self.serving.grant({queue: self._free(queue) for queue in self._limits})

    def limit(self, queue: str) -> int:
        return self._limits[queue]

    def used(self, queue: str) -> int:
        """How many slots the runners of this quota may be using, by all that is known."""
        serving = [self.serving] if self.serving is not None else []
        return sum(runner.slots.get(queue, 0) for runner in (*serving, *self.retiring))

    def spare(self, queue: str) -> int:
        """How many slots nobody uses and nobody was lent; below 0 where slots are lent that are in use still."""
        return self._limits[queue] - self.used(queue) - self.lent[queue]

    def _free(self, queue: str) -> int:
        used = sum(runner.slots.get(queue, 0) for runner in self.retiring)
        return max(0, self._limits[queue] - used - self.lent[queue])
