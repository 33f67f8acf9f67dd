"""For the tests of schedules in Redis: a store, the slots, and a slot that comes without anybody waiting for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from lib.jobs.schedule import Schedule
from lib.jobs.spec import JobSpec
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_slots import DueSchedule, ScheduleSlots, SlotTaken
from lib.queue.schedule_store import ScheduleStore
from tests.redis.case import RedisCase

JOB = {"type": "noop", "payload": {}, "queue": "q"}


def every(every_s: float = 60, **fields: Any) -> Schedule:
    """A schedule of an interval in the queue "q"."""
    return Schedule(**{"cron": "", "every_ms": round(every_s * 1000), "timezone": "UTC", "job": JOB, **fields})


def cron(text: str = "0 3 * * *", **fields: Any) -> Schedule:
    return every(0, cron=text, **fields)


class Tasks:
    """Tasks that a test starts and ends."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def end(self) -> None:
        """Wait for each. Raises what one of them raised."""
        await asyncio.gather(*self._tasks)


class ScheduleCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.schedules = ScheduleStore(self.link, self.keys)
        self.slots = ScheduleSlots(self.link, self.keys, self.ids, self.job_store.workflows)

    async def put(self, schedule: Schedule, name: str = "s") -> ScheduleSeen:
        seen, _ = await self.schedules.put(name, lambda present: schedule)
        return seen

    def bring(self, to_ms: int, name: str = "s") -> None:
        """Let the schedule's next slot be at that time, and be due then; an interval counts from there."""
        self.client.zadd(self.base + "slots", {name: to_ms})
        self.client.hset(self.keys.schedule("q", name), mapping={"slot": to_ms, "anchor": to_ms})

    async def bring_now(self, name: str = "s", late_ms: int = 0) -> int:
        """The next slot is now, or was late_ms ago. Returns when."""
        slot_ms = await self.now_ms() - late_ms
        self.bring(slot_ms, name)
        return slot_ms

    async def due(self) -> list[DueSchedule]:
        return (await self.slots.due("q")).due

    async def take(self) -> list[SlotTaken]:
        """One go at every slot that is due."""
        found = await self.slots.due("q")
        return [await self.slots.take("q", one, found.now_ms) for one in found.due]

    async def spec(self, job_id: str) -> JobSpec:
        spec = (await self.record(job_id)).spec
        assert spec is not None
        return spec
