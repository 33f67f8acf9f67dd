"""A runner as its supervisor knows it: a process, a pipe, the ids that it serves its queues under."""

import time

from lib.ids import is_alone
from lib.processes.pipe import Pipe
from lib.processes.start import Process
from lib.work.overdue import Held

MOST_S = 2.0


class Child:
    """A runner as its supervisor knows it."""

    def __init__(self, worker_id: str, process: Process, pipe: Pipe, queues: list[str]) -> None:
        self.process = process
        self.pipe = pipe
        self.worker_ids = dict.fromkeys(queues, worker_id)
        self.former_ids: set[tuple[str, str]] = set()
        self.worker_id = worker_id
        self.is_alone = is_alone(worker_id)
        self.started_s = time.monotonic()
        self.has_ticked = False
        self.running = 0
        self.silent_s = 0.0
        self._looked_at_s = time.monotonic()
        self._unheard_s = 0.0
        self.is_retiring = False
        self.was_killed = False
        self.late: list[Held] = []
        self.blocker: str | None = None
        """The id of the job that keeps its loop from turning, where that is known."""

    def hear(self, message: dict[str, object]) -> None:
        """A tick: the loop turns, and these are the ids that it serves its queues under. Or why it does not."""
        if message.get("is") == "blocked":
            self.blocker = str(message.get("job"))
            return
        self.blocker = None
        self._unheard_s = 0.0
        self.has_ticked = True
        silent_s, running = message.get("silent_s"), message.get("running")
        self.silent_s = float(silent_s) if isinstance(silent_s, int | float) else 0.0
        self.running = running if isinstance(running, int) else 0
        workers = message.get("workers")
        if isinstance(workers, dict) and workers != self.worker_ids:
            self.former_ids.update(self.worker_ids.items())
            self.worker_ids = workers

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
