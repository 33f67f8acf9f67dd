"""A runner as its supervisor knows it: a process, a pipe, the ids that it serves its queues under."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from lib.ids import is_alone
from lib.processes.child_process import ChildProcess
from lib.processes.pipe import Pipe
from lib.work.supervisor.overdue import Held

MOST_S = 2.0


class Child:
    """A runner as its supervisor knows it. limits: of its queues. is_waiting: it begins without a slot, until `use`."""

    def __init__(
        self, runner_id: str, process: ChildProcess, pipe: Pipe, limits: Mapping[str, int], *, is_waiting: bool
    ) -> None:
        self.process = process
        self.pipe = pipe
        self.runner_ids = dict.fromkeys(limits, runner_id)
        self.former_ids: set[tuple[str, str]] = set()
        self.runner_id = runner_id
        self.is_alone = is_alone(runner_id)
        self.started_s = time.monotonic()
        self.has_ticked = False
        self.running = 0
        self.silent_s = 0.0
        self._looked_at_s = time.monotonic()
        self._unheard_s = 0.0
        self.is_retiring = False
        self.is_in_the_way = asyncio.Event()
        """Set where it is to leave before its time: too many retire beside it."""
        self._told = dict.fromkeys(limits, 0) if is_waiting else dict(limits)
        self._times_told = 0
        self.slots = self._told
        """queue -> how many of its slots this runner may be using, by all that is known."""
        self.was_killed = False
        self.late: list[Held] = []
        self.blocker: str | None = None
        """The id of the job that keeps its loop from turning, where that is known."""

    def hear(self, message: dict[str, object]) -> None:
        """A tick: the loop turns, and these are the ids that it serves its queues under. Or why it does not."""
        if message.get("is") == "blocked":
            self.blocker = str(message.get("job"))
            return
        if message.get("is") in ("retiring", "using"):
            self._hear_of_slots(message)
            return
        self.blocker = None
        self._unheard_s = 0.0
        self.has_ticked = True
        silent_s, running = message.get("silent_s"), message.get("running")
        self.silent_s = float(silent_s) if isinstance(silent_s, int | float) else 0.0
        self.running = running if isinstance(running, int) else 0
        workers = message.get("workers")
        if isinstance(workers, dict) and workers != self.runner_ids:
            self.former_ids.update(self.runner_ids.items())
            self.runner_ids = workers

    def use(self, slots: dict[str, int]) -> None:
        """Let it use so many slots of each queue: more at once, fewer as soon as what runs in them has ended."""
        if slots != self._told:
            self._told = slots
            self._times_told += 1
            self.slots = {queue: max(count, slots[queue]) for queue, count in self.slots.items()}
            self.pipe.send(do="use", slots=slots, time=self._times_told)

    def _hear_of_slots(self, message: dict[str, Any]) -> None:
        self.is_retiring = self.is_retiring or message["is"] == "retiring"
        # What it said before it had heard of more slots is out of date. One that retires takes no more of them.
        if self.is_retiring or message.get("time") == self._times_told:
            self.slots = {**self.slots, **message.get("slots", {})}

    @property
    def is_serving(self) -> bool:
        """Whether it lives, was heard of, and takes jobs of all kinds."""
        return self.has_ticked and self.process.returncode is None and not self.is_alone

    def unheard_s(self, now_s: float) -> float:
        """For how long its loop has not turned. It counts between two looks of the supervisor's own, and MOST_S of that
        at most: where the supervisor itself stood still, what it was told meanwhile has yet to be read."""
        self._unheard_s += min(now_s - self._looked_at_s, MOST_S)
        self._looked_at_s = now_s
        return self._unheard_s

    def kill(self) -> None:
        """End it, on our order: whatever it ran is innocent."""
        self.was_killed = True
        self.process.kill()
