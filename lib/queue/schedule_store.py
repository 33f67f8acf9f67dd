"""Schedules in Redis as the API sees them: written, read and deleted. schedule_slots.py fires them.

    schedules = ScheduleStore(link, keys)
    seen, is_new = await schedules.put("daily-report", lambda present: schedule)
    seen.slot       # ScheduleSlot(at_ms=1796002200000, due_ms=1796002200000, wall="2026-11-30T02:30")

A schedule lies in its queue's part of Redis. Which queue that is, the hash `wb:schedules` says: an index in a Cluster
slot of its own, and never the truth. An entry without a schedule is passed over; a schedule without an entry is entered
again when it fires.

A write carries the version that was read. Where somebody else was quicker it does nothing, and is worked out anew.
"""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from lib.errors import (
    PreconditionFailed,
    RedisKeysBroken,
    RedisUnavailable,
    ScheduleElsewhere,
    ScheduleNotFound,
    TooManySchedules,
)
from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.jobs.schedule_request import schedule_text
from lib.queue.declarations import Declarations
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import NAMES_AT_ONCE, in_batches
from lib.queue.schedule_seen import ScheduleSeen, schedules_seen
from lib.queue.schedule_slots import slot_texts
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

MOST_OF_A_QUEUE = 10_000
NEVER_MS = 10**15
"""The due time of a schedule that has no next run: later than any that has one."""
MOST_DIGESTS = 20
TRIES = 20
"""A write that others overtake is worked out anew so often."""


Wanted = Callable[[ScheduleSeen | None], Schedule]
"""What a schedule is to be, given the one that is there. May raise, and then nothing is written."""
Precondition = Callable[[int | None], bool]
"""Whether a schedule of this version may be changed; None stands for no schedule."""


def always(version: int | None) -> bool:
    """The Precondition of a request that names no version."""
    return True


class ScheduleStore:
    """The schedules of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._declarations = Declarations(link, keys)

    # For the API.

    async def read(self, name: str) -> ScheduleSeen:
        """Raises ScheduleNotFound."""
        present = await self._present(name)
        if present is None:
            raise ScheduleNotFound(f"there is no schedule {name!r}; PUT /api/schedules/{name} makes it")
        return present

    async def put(
        self, name: str, wanted: Wanted, may_change: Precondition = always, *, digest: str = ""
    ) -> tuple[ScheduleSeen, bool | None]:
        """Write a schedule, and say whether it is a new one; None: it was so already, and nothing was written. Its next
        slot stays where its times are as they were.

        WHY nothing is written then: each process of an application may PUT the same at its start. Its version is that
        of the last change, so that somebody who edits it by If-Match is not refused for a restart.

        digest: where a worker writes what its code declares, that of the declaration.
        Raises what `wanted` raises, PreconditionFailed, ScheduleElsewhere, TooManySchedules, UnknownZone.
        """
        for _ in range(TRIES):
            present = await self._present(name)
            _check_precondition(may_change, present)
            schedule = wanted(present)
            if present is not None and present.schedule.queue != schedule.queue:
                raise _elsewhere(name, present.schedule.queue)
            if present is not None and present.schedule == schedule and not digest and _has_its_place(present):
                return present, None
            if present is None:
                written = await self._put_new(name, schedule, digest)
            else:
                written = await self._put_over(present, schedule, digest)
            if written:
                # Upkeep looks at a queue that is named at once, and learns of the slot.
                await self._name(schedule.queue)
                return await self.read(name), present is None
        raise RedisUnavailable(f"others change the schedule {name} all the time; nothing was changed")

    async def delete(self, name: str, may_change: Precondition = always) -> None:
        """Forget a schedule; its jobs stay. If may_change is `always`, one that was broken by hand is deleted as well.

        Raises ScheduleNotFound, PreconditionFailed."""
        for _ in range(TRIES):
            queue, version = await self._place_of(name, may_change)
            if await self._scripts.call("unschedule", self._keys.base(queue), name, version) != b"changed":
                await self._leave_index(name, queue)
                return
        raise RedisUnavailable(f"others change the schedule {name} all the time; nothing was changed")

    async def note_run(self, seen: ScheduleSeen, job_id: str) -> None:
        """A job of the schedule was queued because somebody asked for that: it counts as the last one."""
        await self._scripts.call("ran", self._keys.base(seen.schedule.queue), seen.name, job_id)

    async def now_ms(self) -> int:
        """Redis' clock, by which schedules go."""
        return await now_ms(self._link)

    async def index(self) -> dict[str, str]:
        """Every schedule's name -> its queue, sorted by name."""
        found: dict[str, str] = {}
        async for page in self.index_pages():
            found.update(page)
        return dict(sorted(found.items()))

    async def index_pages(self) -> AsyncIterator[dict[str, str]]:
        """As `index`, about NAMES_AT_ONCE at a time and in no order."""
        cursor = b"0"
        while True:
            cursor, flat = await self._link.call("HSCAN", self._keys.schedules, cursor, "COUNT", NAMES_AT_ONCE)
            texts = [shown_text(item) for item in flat]
            yield dict(zip(texts[::2], texts[1::2], strict=True))
            if cursor == b"0":
                return

    async def due_ms(self, places: Mapping[str, str]) -> dict[str, int]:
        """The same names -> when each schedule runs next, in ms by Redis' clock; NEVER_MS for one that is paused or has
        ended, and for those of a queue whose slots can't be read, which whoever reads the schedule learns.

        places: name -> queue, as `index` gives them. No schedule is read, and each queue is asked once for 500 names.
        """
        names_of = defaultdict(list)
        for name, queue in places.items():
            names_of[queue].append(name)
        found = dict.fromkeys(places, NEVER_MS)
        for queues in in_batches(list(names_of)):
            for times in await each_readable(queues, lambda queue: self._due_in(queue, names_of[queue])):
                found.update({} if isinstance(times, Unreadable) else times)
        return found

    async def _due_in(self, queue: str, names: Sequence[str]) -> dict[str, int]:
        times: dict[str, int] = {}
        for at in range(0, len(names), NAMES_AT_ONCE):
            some = names[at : at + NAMES_AT_ONCE]
            scores = await self._link.call("ZMSCORE", self._keys.slots(queue), *some)
            times.update(zip(some, map(_due_ms, scores), strict=True))
        return times

    async def read_some(self, queue: str, names: Sequence[str]) -> tuple[int, list[ScheduleSeen]]:
        """Redis' clock in ms, and those of these schedules that lie in the queue. Raises RedisKeysBroken where somebody
        broke one by hand."""
        reply = await self._scripts.call("read_schedules", self._keys.base(queue), *names)
        now, *flat = reply
        with understood(queue):
            found = schedules_seen(int(now), flat)
        if written := {seen.name: seen.digests for seen in found if seen.digests}:
            standing = await self._declarations.standing(written) or {}
            found = [seen._replace(declared=standing.get(seen.name)) for seen in found]
        return int(now), found

    async def _place_of(self, name: str, may_change: Precondition) -> tuple[str, str]:
        """The queue of a schedule that is to be deleted, and its version, "" where that can't be read."""
        try:
            present = await self.read(name)
        except RedisKeysBroken:
            queue = await self._link.call("HGET", self._keys.schedules, name)
            if may_change is not always:
                raise
            return shown_text(queue), ""
        _check_precondition(may_change, present)
        return present.schedule.queue, str(present.version)

    async def _present(self, name: str) -> ScheduleSeen | None:
        queue = await self._link.call("HGET", self._keys.schedules, name)
        if queue is None:
            return None
        _, found = await self.read_some(shown_text(queue), [name])
        return found[0] if found else None

    async def _put_new(self, name: str, schedule: Schedule, digest: str) -> bool:
        """False where another request took the name, or the slot's time came, meanwhile.

        The index is written first: nobody must find a schedule only by its jobs. Two requests for one name and two
        queues may both find the name free; so each looks at the index once more when its schedule is written, and the
        one that is not entered takes its own back.
        """
        queue = schedule.queue
        await self._name(queue)
        if not await self._enter_index(name, queue):
            return False
        now = await now_ms(self._link)
        slot = None if schedule.paused else schedule.timetable(name, now).first(now)
        if not await self._write(name, schedule, "", now, slot, digest):
            return False
        if await self._link.call("HGET", self._keys.schedules, name) == queue.encode():
            return True
        await self._scripts.call("unschedule", self._keys.base(queue), name, "")
        return False

    async def _name(self, queue: str) -> None:
        """Write the queue's name into `wb:queues`: nobody must find jobs of a queue that he does not know."""
        with contextlib.suppress(RedisKeysBroken):  # A broken set of names stops no queue.
            await self._scripts.call("name", self._keys.queues, self._keys.moved, queue)

    async def _enter_index(self, name: str, queue: str) -> bool:
        """Enter a schedule that is about to be written. False where a schedule of the name lies elsewhere."""
        if await self._link.call("HSETNX", self._keys.schedules, name, queue):
            return True
        holder = shown_text(await self._link.call("HGET", self._keys.schedules, name) or b"")
        if holder != queue and holder and (await self.read_some(holder, [name]))[1]:
            return False
        # An entry whose schedule is gone.
        await self._link.call("HSET", self._keys.schedules, name, queue)
        return True

    async def _put_over(self, present: ScheduleSeen, schedule: Schedule, digest: str) -> bool:
        """False where it is no longer as it was read."""
        version, was, now = str(present.version), present.schedule, present.now_ms
        digests = _with_digest(present.digests, digest)
        # One that has no slot and is not paused has ended; or somebody took it out of `slots`, and this puts it back.
        goes_on = schedule.times == was.times and schedule.paused == was.paused
        if goes_on and (present.slot is not None or schedule.paused):
            return await self._write(present.name, schedule, version, present.anchor_ms, None, digests, keeps_slot=True)
        anchor_ms = present.anchor_ms if schedule.times == was.times else now
        slot = None if schedule.paused else schedule.timetable(present.name, anchor_ms).first(now)
        return await self._write(present.name, schedule, version, anchor_ms, slot, digests)

    async def _write(
        self,
        name: str,
        schedule: Schedule,
        version: str,
        anchor_ms: int,
        slot: ScheduleSlot | None,
        digests: str,
        *,
        keeps_slot: bool = False,
    ) -> bool:
        """version: "" for a new one. False where that is not so. Raises TooManySchedules."""
        mode = "keep" if keeps_slot else "set"
        arguments = (name, schedule_text(schedule), version, anchor_ms, mode, *slot_texts(slot), MOST_OF_A_QUEUE)
        answer = await self._scripts.call("schedule", self._keys.base(schedule.queue), *arguments, digests)
        if answer == b"many":
            await self._leave_index(name, schedule.queue)
            raise TooManySchedules(
                f"the queue {schedule.queue} has {MOST_OF_A_QUEUE} schedules; delete some, or use another queue"
            )
        return bool(answer != b"changed")

    async def _leave_index(self, name: str, queue: str) -> None:
        """Strike out a schedule that was deleted; but one that somebody made again meanwhile stays entered."""
        await self._link.call("HDEL", self._keys.schedules, name)
        if (await self.read_some(queue, [name]))[1]:
            await self._link.call("HSETNX", self._keys.schedules, name, queue)


def _due_ms(score: bytes | None) -> int:
    """The score of a schedule in `slots`, None where it has none, as a due time."""
    return NEVER_MS if score is None else int(min(max(float(score), 0), NEVER_MS))


def _has_its_place(seen: ScheduleSeen) -> bool:
    """Whether the next slot stands in `slots`, or there is none: the schedule is paused, or has ended."""
    if seen.slot is not None or seen.schedule.paused:
        return True
    return seen.schedule.timetable(seen.name, seen.anchor_ms).first(seen.now_ms) is None


def _check_precondition(may_change: Precondition, present: ScheduleSeen | None) -> None:
    version = None if present is None else present.version
    if not may_change(version):
        now = "there is no such schedule" if version is None else f'its ETag is now "{version}"'
        raise PreconditionFailed(
            f"{now}; read it again, and send the change with the ETag that you get, quotes and all"
        )


def _elsewhere(name: str, queue: str) -> ScheduleElsewhere:
    return ScheduleElsewhere(
        f"the schedule {name} queues its jobs in {queue}, and stays there: delete it first, or take another name"
    )


def _with_digest(digests: Sequence[str], digest: str) -> str:
    """The field `code` with a digest that is written now; "" where none is."""
    return " ".join([digest, *(one for one in digests if one != digest)][:MOST_DIGESTS]) if digest else ""
