"""What this runner's resources find wrong outside: the mail server refuses our login, say. Told to log and /api/health.

1. Soon after the start each job module that has an async `probe_at_start(resource)` may look at what its jobs will
   need; nothing waits for it. While something is wrong it looks again, with growing pauses.
2. A resource (ctx.resource) may have a `warning`, a sentence or "". Each look here reads them: a new one is logged, and
   while it stands Redis is told of it, so that every server's /api/health shows it. So is one that its jobs met later.
3. What is mended is logged, and Redis told. What nobody repeats, as its runner is gone, lapses there.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from random import Random
from typing import Any

from lib.errors import RedisUnavailable
from lib.jobs.failure import summary
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.queue_store import QueueStore
from lib.work.runner.resources import Resources

FIRST_PROBE_S = 0.3
LOOK_S = 1.0
TELL_EVERY_S = 10.0
LAPSES_S = 45.0
SHORTEST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0
SAY_AGAIN_S = 600.0

Probe = tuple[str, Callable[[Any], Awaitable[object]]]


class Warnings:
    """Those of one runner. clock: seconds, of this process alone."""

    def __init__(
        self,
        probes: Iterable[Probe],
        resources: Resources,
        queues: QueueStore,
        bulkheads: Bulkheads,
        log: Log,
        rng: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = list(probes)
        self._resources = resources
        self._queues = queues
        self._bulkheads = bulkheads
        self._log = log
        self._rng = rng
        self._clock = clock
        self._standing: list[str] = []
        self._raised: set[str] = set()
        """Those whose last word in the log is that they are so."""
        self._said_at_s: dict[str, float] = {}
        self._host = socket.gethostname()
        self._told_at_s = -inf
        self._pause_s = SHORTEST_PAUSE_S
        self._probe_at_s = clock()
        self._probing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """For as long as the runner lives."""
        await asyncio.sleep(FIRST_PROBE_S)
        while True:
            self._probe_in_time()
            await self._look()
            await asyncio.sleep(LOOK_S / 5 if self._probing else LOOK_S)

    def _probe_in_time(self) -> None:
        if self._probing is not None and self._probing.done():
            self._probing = None
        if self._probing is None and self._probes and self._clock() >= self._probe_at_s:
            self._probing = asyncio.get_running_loop().create_task(self._probe())
            self._probe_at_s = self._clock() + self._pause_s * self._rng.uniform(0.8, 1.2)
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)

    async def _probe(self) -> None:
        for name, probe in self._probes:
            try:
                await probe(self._resources.get)
            except Exception as fault:  # noqa: BLE001  A user's module may fail in any way.
                # What is to be known stands in a resource's `warning`.
                self._log.debug("probe.failed", f"Probe of {name} failed: {summary(fault)}")

    async def _look(self) -> None:
        """Compare what is wrong now with what was."""
        found = self._resources.warnings()
        news = [sentence for sentence in found if sentence not in self._standing]
        mended = [sentence for sentence in self._standing if sentence not in found]
        self._standing = found
        for sentence in news:
            self._say(sentence)
        for sentence in mended:
            self._unsay(sentence)
        self._plan(is_well=not found)
        with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "warning"):
            await self._tell(news, mended)

    def _plan(self, *, is_well: bool) -> None:
        """Where nothing is wrong nothing is probed; what a job finds to be wrong is looked at again in a while."""
        if is_well and self._probing is None:
            self._probe_at_s, self._pause_s = inf, SHORTEST_PAUSE_S
        elif not is_well and self._probe_at_s == inf:
            self._probe_at_s = self._clock() + self._pause_s

    def _say(self, sentence: str) -> None:
        now_s = self._clock()
        if now_s - self._said_at_s.get(sentence, -inf) >= SAY_AGAIN_S:
            self._said_at_s = {said: at_s for said, at_s in self._said_at_s.items() if now_s - at_s < SAY_AGAIN_S}
            self._said_at_s[sentence] = now_s
            self._raised.add(sentence)
            self._log.error("warning.raised", f"WARNING: {sentence}")

    def _unsay(self, sentence: str) -> None:
        if sentence in self._raised:
            self._raised.discard(sentence)
            self._log.info("warning.mended", f"No longer so: {sentence}")

    async def withdraw(self) -> None:
        """The runner leaves, and so does what it has found. Raises RedisUnavailable."""
        if self._standing:
            await self._queues.warnings.remove(self._named(self._standing))

    async def _tell(self, news: list[str], mended: list[str]) -> None:
        if mended:
            await self._queues.warnings.remove(self._named(mended))
        is_due = self._clock() - self._told_at_s >= TELL_EVERY_S
        if self._standing and (news or is_due):
            await self._queues.warnings.add(self._named(self._standing), LAPSES_S)
            self._told_at_s = self._clock()

    def _named(self, sentences: list[str]) -> list[str]:
        return [f"worker on {self._host}: {sentence}" for sentence in sentences]
