"""Schedules whose run is due for a minute and more: a warning each, for /api/health and the doctor.

    the schedule daily-report in the queue reports is overdue by 3600 s: no worker.py of 0.3.0 or newer runs

A slot stays due while there is no room for its job, while nobody fires slots, and where no supervisor can read the
schedule: its zone is unknown to their hosts, or somebody broke its keys by hand.
"""

import asyncio
from collections.abc import Iterable

from lib.errors import RedisKeysBroken
from lib.jobs.cron_text import CronError
from lib.jobs.zones import UnknownZone
from lib.queue.fleet import Program
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms
from lib.warning_codes import HealthWarning

OVERDUE_S = 60
MOST_NAMED = 3
"""So many schedules of a queue are named; of the others it is said that they are there."""
MOST_WARNINGS = 20
FULL = {
    "full": "the queue is at its max_depth",
    "graph_full": "a queue of its jobs has no room for all of them",
    "group_full": "the group of its job is at its max_depth",
}
MAKE_ROOM = "raise the max_depth, or have more workers serve the queue"
NOBODY_FIRES = "no worker.py of 0.3.0 or newer runs, and those fire schedules"
START_ONE = "start one with python worker.py"
NEW_ZONES = "install the newest tzdata on each host, or give the schedule another timezone"
MEND_IT = "DELETE the schedule and PUT it again"


class LateSchedules:
    """What is overdue in any queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._store = ScheduleStore(link, keys)

    async def warnings(self, queues: Iterable[str], programs: Iterable[Program]) -> list[HealthWarning]:
        """A warning for each schedule of these queues that is overdue, MOST_WARNINGS at most. programs: all that run.

        Raises RedisUnavailable. A queue whose keys somebody broke is passed over: others tell of it.
        """
        late_ms = await now_ms(self._link) - OVERDUE_S * 1000
        fires = any(one.kind == "supervisor" and one.knows("0.3.0") for one in programs)
        found = await asyncio.gather(*[self._of_queue(queue, late_ms, fires=fires) for queue in queues])
        return [one for some in found for one in some][:MOST_WARNINGS]

    async def _of_queue(self, queue: str, late_ms: int, *, fires: bool) -> list[HealthWarning]:
        slots = self._keys.base(queue) + "slots"
        try:
            raw = await self._link.call("ZRANGEBYSCORE", slots, "-inf", late_ms, "LIMIT", 0, MOST_NAMED)
            if not raw:
                return []
            count = await self._link.call("ZCOUNT", slots, "-inf", late_ms)
        except RedisKeysBroken:
            return []
        warnings = [await self._of_one(queue, shown_text(name), fires=fires) for name in raw]
        if count > len(raw):
            text = f"{count - len(raw)} more schedules in the queue {queue} are overdue"
            warnings.append(HealthWarning("schedule_overdue", text, queue))
        return warnings

    async def _of_one(self, queue: str, name: str, *, fires: bool) -> HealthWarning:
        about = f"the schedule {name} in the queue {queue} is overdue"
        try:
            now, seen = await self._store.read_some(queue, [name])
        except RedisKeysBroken as fault:
            text = f"{about}, and can't be read: {fault.detail}"
            return HealthWarning("schedule_overdue", text, queue, advice=MEND_IT)
        if not seen or seen[0].slot is None:
            return HealthWarning("schedule_overdue", about, queue, advice="" if fires else START_ONE)
        due_ms = seen[0].slot.due_ms
        why, advice = _why(seen[0], fires=fires)
        text = f"{about} by {(now - due_ms) // 1000} s{why and ': '}{why}"
        return HealthWarning("schedule_overdue", text, queue, due_ms, advice)


def _why(seen: ScheduleSeen, *, fires: bool) -> tuple[str, str]:
    """Why the slot is still due, and what to do; "" and "" where nobody knows."""
    if not fires:
        return NOBODY_FIRES, START_ONE
    if seen.reason in FULL:
        return FULL[seen.reason], MAKE_ROOM
    try:
        seen.schedule.timetable(seen.name, seen.anchor_ms)
    except (UnknownZone, CronError) as fault:
        return f"its times can't be worked out here, nor perhaps where workers run: {fault}", NEW_ZONES
    return "", ""
