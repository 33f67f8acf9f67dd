"""What a runner's resources find wrong outside Waybill ("the mail server refuses our login"), for log and /api/health.

1. At the start a job module's async `probe_at_start(resource)` may try out what its jobs will need, a login for
   example; no job waits for the probe. A probe leaves what is wrong as a sentence in the `warning` of its resource
   (ctx.resource), and a job that fails later may do the same.
2. Once a second the warnings of all resources are read. A new warning is logged (`warning.raised`) and written to
   Redis, for /api/health of every server. Redis forgets a warning LAPSES_S after the last runner has repeated it.
3. While there is a warning the probes are repeated, with growing pauses (probes.py). When the warning is gone, its end
   is logged (`warning.mended`) and Redis drops it.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from math import inf
from random import Random

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.queue_store import QueueStore
from lib.warning_codes import HealthWarning
from lib.work.runner.probes import Probe, Probes
from lib.work.runner.resources import Resources

FIRST_PROBE_S = 0.3
CHECK_EVERY_S = 1.0
PUBLISH_EVERY_S = 10.0
LAPSES_S = 45.0
LOG_AGAIN_S = 600.0
"""A warning that comes and goes is logged this often at most."""


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
        self.probes = Probes(probes, resources, log, rng, clock)
        self._resources = resources
        self._queues = queues
        self._bulkheads = bulkheads
        self._log = log
        self._clock = clock
        self._host = socket.gethostname()
        self._standing: list[HealthWarning] = []
        """The warnings that the last check found."""
        self._raised: set[str] = set()
        """The warnings whose last log line is `warning.raised`, and not `warning.mended`."""
        self._logged_at_s: dict[str, float] = {}
        self._published_at_s = -inf

    async def run(self) -> None:
        """For as long as the runner lives."""
        await asyncio.sleep(FIRST_PROBE_S)
        while True:
            self.probes.start_if_due()
            await self.check()
            await asyncio.sleep(CHECK_EVERY_S / 5 if self.probes.task else CHECK_EVERY_S)

    async def check(self) -> None:
        """Compare the resources' warnings with those of the last check; log and publish the difference."""
        found = self._resources.warnings()
        raised = [one for one in found if one not in self._standing]
        mended = [one for one in self._standing if one not in found]
        self._standing = found
        for one in raised:
            self._log_raised(one.text)
        for one in mended:
            self._log_mended(one.text)
        self.probes.plan(is_well=not found)
        with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "warning"):
            await self._publish(raised, mended)

    async def withdraw(self) -> None:
        """The runner exits: delete its warnings from Redis. Raises RedisUnavailable."""
        if self._standing:
            await self._queues.warnings.remove(self._from_here(self._standing))

    def _log_raised(self, sentence: str) -> None:
        now_s = self._clock()
        if now_s - self._logged_at_s.get(sentence, -inf) >= LOG_AGAIN_S:
            self._logged_at_s = {one: at_s for one, at_s in self._logged_at_s.items() if now_s - at_s < LOG_AGAIN_S}
            self._logged_at_s[sentence] = now_s
            self._raised.add(sentence)
            self._log.error("warning.raised", f"WARNING: {sentence}")

    def _log_mended(self, sentence: str) -> None:
        if sentence in self._raised:
            self._raised.discard(sentence)
            self._log.info("warning.mended", f"No longer so: {sentence}")

    async def _publish(self, raised: list[HealthWarning], mended: list[HealthWarning]) -> None:
        if mended:
            await self._queues.warnings.remove(self._from_here(mended))
        is_due = self._clock() - self._published_at_s >= PUBLISH_EVERY_S
        if self._standing and (raised or is_due):
            await self._queues.warnings.add(self._from_here(self._standing), LAPSES_S)
            self._published_at_s = self._clock()

    def _from_here(self, warnings: list[HealthWarning]) -> list[HealthWarning]:
        return [one._replace(text=f"worker on {self._host}: {one.text}") for one in warnings]
