"""When the `probe_at_start` functions of the job modules run: at the start, and again while something is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from random import Random
from typing import Any

from lib.jobs.failure import summary
from lib.logs.log import Log
from lib.work.runner.resources import Resources

SHORTEST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0

Probe = tuple[str, Callable[[Any], Awaitable[object]]]
"""A job module's name and its `probe_at_start(resource)`."""


class Probes:
    """Runs all probes in one task, one after another. clock: seconds, of this process alone."""

    def __init__(
        self, probes: Iterable[Probe], resources: Resources, log: Log, rng: Random, clock: Callable[[], float]
    ) -> None:
        self._probes = list(probes)
        self._resources = resources
        self._log = log
        self._rng = rng
        self._clock = clock
        self._pause_s = SHORTEST_PAUSE_S
        self._due_s = clock()
        self.task: asyncio.Task[None] | None = None
        """The task that runs the probes; None while none runs."""

    def start_if_due(self) -> None:
        """Start the probes if they are due and none runs."""
        if self.task is not None and self.task.done():
            self.task = None
        if self.task is None and self._probes and self._clock() >= self._due_s:
            self.task = asyncio.get_running_loop().create_task(self._run())
            self._due_s = self._clock() + self._pause_s * self._rng.uniform(0.8, 1.2)
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)

    def plan(self, *, is_well: bool) -> None:
        """Called after each check. is_well: there is no warning, and nothing is probed. Otherwise the probes run again
        after a pause, which grows each time."""
        if is_well and self.task is None:
            self._due_s, self._pause_s = inf, SHORTEST_PAUSE_S
        elif not is_well and self._due_s == inf:
            self._due_s = self._clock() + self._pause_s

    async def _run(self) -> None:
        for name, probe in self._probes:
            try:
                await probe(self._resources.get)
            except Exception as fault:  # noqa: BLE001  A user's module may fail in any way.
                # For debugging only: what people are to know stands in a resource's `warning`.
                self._log.debug("probe.failed", f"Probe of {name} failed: {summary(fault)}")
