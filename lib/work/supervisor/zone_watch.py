"""The host's tzdata may be upgraded while a supervisor runs, or while none does: once a day, and when it starts, the
supervisor moves the next slots of schedules whose zone has other rules than when those slots were worked out.

Without this a slot that lies earlier by the new rules would fire at the old time, which is late.
"""

import asyncio
import time

from lib.errors import RedisUnavailable
from lib.jobs import zones
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.zone_shifts import ZoneShifts
from lib.work.supervisor.clock import log_shifted

AGAIN_S = 10.0
"""Redis was away: so long until the schedules are gone through again, from the beginning."""
TRIES_UNSAID = 6
"""So many of them may fail before that is logged: of an outage Rounds tells, but not of a user without +hscan."""


class ZoneWatch:
    """every_s: how often tzdata is read anew."""

    def __init__(
        self,
        shifts: ZoneShifts,
        log: Log,
        bulkheads: Bulkheads,
        *,
        every_s: float = zones.READ_ANEW_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._shifts = shifts
        self._log = log
        self._bulkheads = bulkheads
        self._every_s = every_s
        self._again_s = again_s
        self._failed_tries = 0
        """How many times in a row Redis was away."""

    async def run(self) -> None:
        """Ends by being cancelled."""
        read_anew_at_s = time.monotonic() + self._every_s
        while True:
            is_done = await self._went_through()
            await asyncio.sleep(max(0.0, read_anew_at_s - time.monotonic()) if is_done else self._again_s)
            if time.monotonic() >= read_anew_at_s:
                read_anew_at_s = time.monotonic() + self._every_s
                self._read_anew()

    def _read_anew(self) -> None:
        if warning := zones.read_anew():
            self._log.warning("zones.missing", warning)

    async def _went_through(self) -> bool:
        """Move the slots of all schedules that lie elsewhere by the rules now. False where Redis is away."""
        try:
            with self._bulkheads.around(ALL, "zones"):
                async for shifted in self._shifts.all():
                    log_shifted(self._log, *shifted)
        except RedisUnavailable as fault:
            self._failed_tries += 1
            if self._failed_tries == TRIES_UNSAID:
                msg = f"Next runs are not yet compared with the rules of their zones: {fault.detail}"
                self._log.warning("zones.held_up", msg)
            return False
        self._failed_tries = 0
        return True
