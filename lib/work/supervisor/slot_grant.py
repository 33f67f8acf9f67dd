"""How many job slots of each queue one runner was granted, and how many it may be using. Pure.

The two differ for a while: a runner that ran 4 jobs of `email` when it was granted 3 uses the fourth slot until that
job has ended. Called by runner_child.py with what the supervisor grants and what the runner reports.
"""

from collections.abc import Mapping


class SlotGrant:
    """limits: queue -> how many of its jobs the runner may run at a time. is_waiting: it begins with no slot."""

    def __init__(self, limits: Mapping[str, int], *, is_waiting: bool) -> None:
        self._granted = dict.fromkeys(limits, 0) if is_waiting else dict(limits)
        self.number = 0
        """Of the last grant; the runner's reports name the last grant that it had read."""
        self.in_use: Mapping[str, int] = self._granted
        """queue -> how many slots the runner may be using, by all that is known. Replaced whole when it changes."""

    def change(self, slots: dict[str, int]) -> bool:
        """Grant so many slots. Returns False where that changes nothing."""
        if slots == self._granted:
            return False
        self._granted = slots
        self.number += 1
        self.in_use = {queue: max(count, slots[queue]) for queue, count in self.in_use.items()}
        return True

    def reported(self, slots: Mapping[str, int], number: object, *, is_retiring: bool) -> None:
        """The runner may be using so many slots, by its own word. number: the last grant that it had read.

        A report from before the last grant is out of date: the runner may have begun more jobs since. A retiring runner
        begins no jobs, so each of its reports counts.
        """
        if is_retiring or number == self.number:
            self.in_use = {**self.in_use, **slots}
