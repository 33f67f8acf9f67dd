"""The host's tzdata may be upgraded while a supervisor runs, or while none does: once a day, and when it starts, the
supervisor moves the next slots of schedules whose zone has other rules than when those slots were worked out.

Without this a slot that lies earlier by the new rules would fire at the old time, which is late.
"""

import asyncio

from lib.errors import RedisUnavailable
from lib.jobs import zones
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.zone_shifts import ZoneShifts
from lib.work.supervisor.clock import log_shifted

AGAIN_S = 10.0
"""Redis was away: so long until the schedules are gone through again, from the beginning."""


class ZoneWatch:
    """every_s: how often tzdata is read anew."""

    def __init__(
        self, shifts: ZoneShifts, log: Log, bulkheads: Bulkheads, *, every_s: float = zones.READ_ANEW_S
    ) -> None:
        self._shifts = shifts
        self._log = log
        self._bulkheads = bulkheads
        self._every_s = every_s

    async def run(self) -> None:
        """Ends by being cancelled."""
        while True:
            if not await self._went_through():
                await asyncio.sleep(AGAIN_S)
                continue
            await asyncio.sleep(self._every_s)
            if warning := zones.read_anew():
                self._log.warning("zones.missing", warning)

    async def _went_through(self) -> bool:
        """Move the slots of all schedules that lie elsewhere by the rules now. False where Redis is away."""
        try:
            with self._bulkheads.around(ALL, "zones"):
                async for shifted in self._shifts.all():
                    log_shifted(self._log, *shifted)
        except RedisUnavailable:
            return False  # Rounds.run logs it.
        return True
