"""Writes into Redis the schedules that a worker's job modules declare (lib/jobs/declared_schedule.py).

What people did stays, and no worker undoes what a newer one has written. So each schedule keeps the digests of all
that code has declared of it, the one that was written last first:

    no such schedule                       it is written
    the last digest is this declaration's  nothing is done: a person's pause or edit stays
    the digest is a new one                it is written, because the code has changed; a pause stays, and so does what
                                           code can't say (jitter_s, starts_at, ends_at)
    it is an earlier digest                this worker is older than the one that wrote last, or the code was rolled
                                           back: it is written when no worker that runs declares the last one any more
    there are no digests                   a request made the schedule: nothing is done

A declaration counts for a while behind its worker's end (declarations.py), so a rollback is written with that delay.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.schedule import Schedule
from lib.queue.declarations import Declarations
from lib.queue.keys import RedisKeys
from lib.queue.schedule_store import ScheduleSeen, ScheduleStore
from lib.redis_link.link import RedisLink

READ_AT_ONCE = 50


class CodeWrite(NamedTuple):
    """What became of one declaration.

    outcome   created, changed   it was written
              kept               it stands there already
              older              another worker's declaration stands there, and that worker still runs
              foreign            the schedule of that name was made by a request
    seen: the schedule as it is now.
    """

    outcome: str
    seen: ScheduleSeen


class _LeaveIt(Exception):
    """Why a schedule is not written."""

    def __init__(self, outcome: str, present: ScheduleSeen) -> None:
        super().__init__(outcome)
        self.found = CodeWrite(outcome, present)


class CodeSchedules:
    """Those of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._store = ScheduleStore(link, keys)
        self._declarations = Declarations(link, keys)

    async def declare(self, schedules: Iterable[DeclaredSchedule], lapses_s: float) -> bool:
        """Say that a worker's modules declare these; to be repeated within lapses_s. Returns whether Redis did not know
        it of one of them: where it was said a moment ago, Redis has been emptied."""
        return await self._declarations.repeat({one.name: one.digest for one in schedules}, lapses_s)

    async def missing(self, schedules: Sequence[DeclaredSchedule]) -> dict[str, bool]:
        """The names of those that do not stand in their queue as declared -> whether there is no such schedule."""
        found: dict[str, bool] = {}
        for queue in sorted({one.queue for one in schedules}):
            digests = {one.name: one.digest for one in schedules if one.queue == queue}
            names = list(digests)
            for at in range(0, len(names), READ_AT_ONCE):
                some = names[at : at + READ_AT_ONCE]
                present = {seen.name: seen for seen in (await self._store.read_some(queue, some))[1]}
                found |= {name: True for name in some if name not in present}
                found |= {name: False for name, seen in present.items() if seen.digests[:1] != (digests[name],)}
        return found

    async def write(self, declared: DeclaredSchedule, schedule: Schedule) -> CodeWrite:
        """Write the schedule, where it is to be written. schedule: what `declared` is read as.

        Raises ScheduleElsewhere, TooManySchedules, RedisUnavailable, RedisKeysBroken.
        """
        digest, standing = declared.digest, (await self._declarations.standing() or {}).get(declared.name, set())

        def wanted(present: ScheduleSeen | None) -> Schedule:
            if present is None or present.schedule.queue != schedule.queue:
                return schedule
            if not present.digests:
                raise _LeaveIt("foreign", present)
            if present.digests[0] == digest:
                raise _LeaveIt("kept", present)
            if digest in present.digests and present.digests[0] in standing:
                raise _LeaveIt("older", present)
            return _with_what_code_leaves(schedule, present.schedule)

        try:
            seen, is_new = await self._store.put(declared.name, wanted, digest=digest)
        except _LeaveIt as found:
            return found.found
        return CodeWrite("created" if is_new else "changed", seen)


def _with_what_code_leaves(schedule: Schedule, present: Schedule) -> Schedule:
    """The schedule, with what only requests say about it as it is."""
    return schedule._replace(
        paused=present.paused,
        jitter_ms=present.jitter_ms,
        starts_ms=present.starts_ms,
        ends_ms=present.ends_ms,
    )
