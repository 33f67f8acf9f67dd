"""Schedules whose zone has other rules than when their next slot was worked out: the slot is moved to its new time.

    async for shifted in ZoneShifts(link, keys, slots).all():
        shifted       # ZoneShift("reports", "daily-report", ScheduleSlot(at_ms=1795998600000, …, "2026-11-30T02:30"))

Called by a supervisor when it starts and when it has read the host's tzdata anew (zone_watch.py). A slot that is due is
passed over: whoever takes it looks at the rules (schedule_slots.py). Any number of supervisors may do this at once:
shift.lua compares version and due time with those that were seen.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from lib.errors import RedisKeysBroken
from lib.jobs.schedule import ScheduleSlot
from lib.jobs.zones import UTC_NAMES
from lib.queue.keys import RedisKeys
from lib.queue.schedule_seen import ScheduleSeen, schedules_seen
from lib.queue.schedule_slots import ScheduleSlots
from lib.queue.schedule_store import ScheduleStore
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink

READ_AT_ONCE = 10
PAUSE_S = 0.01
"""After each bite: 10,000 schedules take some ten seconds, and the supervisor's other tasks have their turn."""


class ZoneShift(NamedTuple):
    """A schedule whose next slot was moved to `slot`; None: by the rules now it has ended."""

    queue: str
    name: str
    slot: ScheduleSlot | None


class ZoneShifts:
    """The slots of the schedules of all queues that go by a zone other than UTC."""

    def __init__(self, link: RedisLink, keys: RedisKeys, slots: ScheduleSlots) -> None:
        self._keys = keys
        self._slots = slots
        self._store = ScheduleStore(link, keys)
        self._scripts = Scripts(link)

    async def all(self) -> AsyncIterator[ZoneShift]:
        """Go through all schedules, and move each slot that lies elsewhere by the rules now.

        Raises RedisUnavailable; then it may be done again from the beginning. Raises RedisKeysBroken where somebody
        broke the index of schedules. A schedule that can't be read, or whose zone this host does not know, is passed
        over: whoever is to fire it logs that.
        """
        async for page in self._store.index_pages():
            for queue in sorted(set(page.values())):
                names = [name for name, where in page.items() if where == queue]
                for at in range(0, len(names), READ_AT_ONCE):
                    for seen in await self._read(queue, names[at : at + READ_AT_ONCE]):
                        if shifted := await self._shift(queue, seen):
                            yield shifted
                    await asyncio.sleep(PAUSE_S)

    async def _read(self, queue: str, names: Sequence[str]) -> list[ScheduleSeen]:
        """Those of the schedules that are there and can be read."""
        try:
            now, *flat = await self._scripts.call("read_schedules", self._keys.base(queue), *names)
            with understood(queue):
                return schedules_seen(int(now), flat)
        except RedisKeysBroken:
            if len(names) == 1:
                return []
        return [seen for name in names for seen in await self._read(queue, [name])]

    async def _shift(self, queue: str, seen: ScheduleSeen) -> ZoneShift | None:
        """Move the next slot of one schedule. None where it lies where it should, or another was quicker."""
        slot = seen.slot
        if slot is None or slot.due_ms <= seen.now_ms or seen.schedule.timezone in UTC_NAMES:
            return None
        with contextlib.suppress(ValueError, OverflowError):
            timetable = seen.schedule.timetable(seen.name, seen.anchor_ms)
            moved = timetable.by_rules_now(slot, _since_ms(seen))
            if moved != slot and await self._slots.shift(queue, seen.name, str(seen.version), str(slot.due_ms), moved):
                # Upkeep looks at a queue that is named at once, and sets its timer for the slot.
                with contextlib.suppress(RedisKeysBroken):
                    await self._scripts.call("name", self._keys.queues, self._keys.moved, queue)
                return ZoneShift(queue, seen.name, moved)
        return None


def _since_ms(seen: ScheduleSeen) -> int:
    """No slot up to then is still to be taken. It is later than Redis' clock where that was set back: slots that were
    taken before do not come again."""
    return max(seen.now_ms, seen.anchor_ms, *(one.slot_ms or 0 for one in seen.outcomes))
