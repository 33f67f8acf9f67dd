"""Has the schedules of this runner's job modules stand in Redis (lib/queue/code_schedules.py says which are written).

At the runner's start, and every EVERY_S:
1. what the modules declare is said in Redis, so that a schedule that nobody declares any more can be shown as orphaned;
2. each schedule that does not stand there as declared is written, if it may be. One that somebody deleted while this
   runner has lived is left alone: it comes back when a worker starts, or when Redis has been emptied.

What keeps a schedule from being written is logged once, and shown in /api/health for as long as it lasts.
"""

import asyncio
import contextlib
import socket
from collections.abc import Collection, Sequence

from lib.errors import RedisUnavailable, ScheduleElsewhere, TooManySchedules, UpgradeNeeded
from lib.ids import JobIds
from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.registry import Registry
from lib.jobs.schedule_request import read_schedule
from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.code_schedules import CodeSchedules
from lib.queue.fleet import UpgradeGate
from lib.queue.health_warnings import HealthWarnings
from lib.warning_codes import HealthWarning

EVERY_S = 15.0
LAPSES_S = 60.0
FOREIGN = "a request made the one of that name; delete that one, or give @job another name in schedule="


class ScheduleWriter:
    """Of one runner."""

    def __init__(
        self,
        registry: Registry,
        ids: JobIds,
        code_schedules: CodeSchedules,
        gate: UpgradeGate,
        warnings: HealthWarnings,
        bulkheads: Bulkheads,
        log: Log,
    ) -> None:
        self._registry = registry
        self._ids = ids
        self._code_schedules = code_schedules
        self._gate = gate
        self._warnings = warnings
        self._bulkheads = bulkheads
        self._log = log
        self._host = socket.gethostname()
        self._stood: set[str] = set()
        """Schedules that stood in Redis as code wrote them, since this runner started or Redis was emptied."""
        self._said: dict[str, str] = {}
        """Schedule -> what was logged last about why it is not written."""
        self._undeclared: set[str] = set()
        """The schedules that the last round found to stand as no worker that runs declares them."""
        self._warned: list[HealthWarning] = []
        """What the last round found, as /api/health shows it."""

    async def run(self) -> None:
        """For as long as the runner lives."""
        while True:
            with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "declaration"):
                await self.write_all()
            await asyncio.sleep(EVERY_S)

    async def write_all(self) -> None:
        """One round. Raises RedisUnavailable."""
        schedules = self._registry.schedules
        # A round that breaks off leaves none: Redis was away, and all that was declared may have lapsed.
        undeclared, self._undeclared = self._undeclared, set()
        if await self._code_schedules.declare(schedules, LAPSES_S):
            self._stood.clear()
        missing = await self._code_schedules.missing(schedules)
        self._stood.update(one.name for one in schedules if one.name not in missing)
        pending = [one for one in schedules if one.name in missing and not self._is_deleted(one.name, missing)]
        problems = await self._write(pending, undeclared)
        still = {one.name for one in pending}
        self._said = {name: words for name, words in self._said.items() if name in still}
        await self._warn([self._warning(problem) for problem in problems])

    async def _warn(self, warnings: list[HealthWarning]) -> None:
        """Have /api/health show these, and no more what it showed before."""
        if mended := [one for one in self._warned if one not in warnings]:
            await self._warnings.remove(mended)
        if warnings:
            await self._warnings.add(warnings, LAPSES_S)
        self._warned = warnings

    def _warning(self, problem: str) -> HealthWarning:
        return HealthWarning("schedule_not_written", f"worker on {self._host}: {problem}")

    def _is_deleted(self, name: str, missing: dict[str, bool]) -> bool:
        return missing[name] and name in self._stood

    async def _write(self, pending: Sequence[DeclaredSchedule], undeclared: Collection[str]) -> list[str]:
        """Write what may be written. Gives a sentence for each schedule that somebody has to see to.

        undeclared: what the last round left in `_undeclared`.
        """
        problems = []
        for declared in pending:
            why = ""
            with self._bulkheads.around(f"{declared.queue}/{declared.name}", "declaration"):
                try:
                    await self._gate.require("schedules", "0.3.0")
                    why = await self._write_one(declared, was_undeclared=declared.name in undeclared)
                except (ScheduleElsewhere, TooManySchedules, UpgradeNeeded) as fault:
                    why = fault.detail
            if why:
                problems.append(f"the schedule {declared.name} of {declared.owner} is not written: {why}")
                self._say(declared, "schedule.not_written", problems[-1])
        return problems

    async def _write_one(self, declared: DeclaredSchedule, *, was_undeclared: bool) -> str:
        """Why somebody has to see to it; "" where nobody has."""
        schedule = read_schedule(declared.body, self._registry, self._ids, None)
        outcome, seen = await self._code_schedules.write(declared, schedule, was_undeclared=was_undeclared)
        if outcome == "foreign":
            return FOREIGN
        self._stood.add(declared.name)
        if outcome == "undeclared":
            self._undeclared.add(declared.name)
        elif outcome == "older":
            text = "stays as another worker wrote it, which runs and is of newer code"
            self._say(declared, "schedule.left", f"Schedule {declared.name} of {declared.owner} {text}")
        elif outcome != "kept":
            about = {"schedule": seen.name, "queue": seen.schedule.queue, "version": seen.version}
            msg = f"Schedule {seen.name} {outcome}, as {declared.owner} says"
            self._log.info(f"schedule.{outcome}", msg, owner=declared.owner, **about)
        return ""

    def _say(self, declared: DeclaredSchedule, event: str, words: str) -> None:
        """Log it, unless that was the last word about this schedule."""
        if self._said.get(declared.name) != words:
            self._said[declared.name] = words
            log = self._log.info if event == "schedule.left" else self._log.warning
            log(event, words, schedule=declared.name)
