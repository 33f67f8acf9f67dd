"""What the consumers and lanes of one runner share to do their work. (What a handler's context needs: `Services`.)"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from lib.queue.bulkheads import Bulkheads
from lib.queue.job_spans import JobSpans
from lib.settings.config import Settings
from lib.work.runner.current_job import BlankContext
from lib.work.runner.prefetch.prefetch import BusyQueues
from lib.work.runner.prefetch.turns import Turns
from lib.work.runner.timings import Timings


@dataclass(frozen=True, slots=True)
class LoopParts:
    """The mechanics of a runner's loop; one value for all its queues."""

    settings: Settings
    threads: ThreadPoolExecutor
    """Plain handlers (no coroutines) run in these; there is a thread for every slot."""
    rng: Random
    timings: Timings
    busy: BusyQueues
    turns: Turns
    blank: BlankContext
    bulkheads: Bulkheads
    retire: Callable[[str], None]
    """Called with a reason when a handler can't be stopped: the runner must make way for a new one."""
    spans: JobSpans | None
    """Exports the spans of jobs; None where no collector is set."""

    @property
    def keeps_tracebacks(self) -> bool:
        """Whether the errors of jobs keep their tracebacks."""
        return self.settings.error_tracebacks == "on"
