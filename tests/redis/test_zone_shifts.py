"""Slots of schedules whose zone has other rules than when they were worked out: moved before they are due, once."""

import asyncio
import contextlib
import importlib.util
import os
import unittest
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.jobs import zones
from lib.jobs.schedule import ScheduleSlot
from lib.jobs.timestamps import timestamp
from lib.queue.bulkheads import Bulkheads
from lib.queue.framing import FIELD, RECORD
from lib.queue.zone_shifts import READ_AT_ONCE, ZoneShift, ZoneShifts
from lib.work.supervisor.zone_watch import ZoneWatch
from tests import ON_CLUSTER
from tests.a_log import ALog
from tests.redis.case import until
from tests.redis.schedule_case import ScheduleCase, cron, every
from tests.zone_files import own_zone

ZONE = "Test/Zone"
HOUR_MS = 3_600_000


class ZoneCase(ScheduleCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.zone = self.enterContext(own_zone(ZONE, 3600))

    def shifts(self) -> ZoneShifts:
        return ZoneShifts(self.a_link(), self.keys, self.slots)

    async def shifted(self) -> list[ZoneShift]:
        return [one async for one in self.shifts().all()]

    async def slot(self, name: str = "s") -> ScheduleSlot | None:
        return (await self.schedules.read(name)).slot

    async def put_far(self, name: str = "s") -> ScheduleSlot:
        """A schedule whose next slot lies more than a day ahead."""
        slot = (await self.put(cron("30 2 1 1 *", timezone=ZONE), name)).slot
        assert slot is not None
        return slot

    def upgrade(self, offset_s: int) -> None:
        self.zone.upgrade(offset_s)
        zones.read_anew()


class Shifts(ZoneCase):
    async def test_a_slot_that_lies_earlier_by_new_rules_is_moved_there(self) -> None:
        before = await self.put_far()
        self.upgrade(7200)

        shifted = await self.shifted()

        after = ScheduleSlot(before.at_ms - HOUR_MS, before.due_ms - HOUR_MS, before.wall)
        self.assertEqual([ZoneShift("q", "s", after)], shifted)
        self.assertEqual(after, await self.slot())
        self.assertEqual([], await self.shifted())

    async def test_one_that_lies_later_is_moved_as_well(self) -> None:
        before = await self.put_far()
        self.upgrade(0)

        await self.shifted()

        self.assertEqual(before.at_ms + HOUR_MS, (await self.slot() or before).at_ms)

    async def test_one_whose_time_is_over_by_new_rules_fires_at_once_and_once(self) -> None:
        coming = datetime.fromtimestamp(await self.now_ms() / 1000, UTC) + timedelta(hours=1, minutes=10)
        before = (await self.put(cron(f"{coming.minute} {coming.hour} * * *", timezone=ZONE))).slot
        assert before is not None
        self.upgrade(3600 + 1800)

        self.assertEqual(1, len(await self.shifted()))
        (taken,) = await self.take()

        self.assertEqual(("fired", before.at_ms - HOUR_MS // 2), (taken.outcome, taken.slot.at_ms))
        # The next one is tomorrow's by the clocks, though its old time of today is still to come.
        following = await self.slot()
        self.assertEqual(before.at_ms - HOUR_MS // 2 + 24 * HOUR_MS, following.at_ms if following else 0)
        self.assertEqual(([], []), (await self.shifted(), await self.take()))

    async def test_a_slot_by_the_interval_is_moved_to_the_first_that_is_to_come(self) -> None:
        before = (await self.put(cron("*/10 3 1 1 *", timezone=ZONE))).slot
        assert before is not None
        self.upgrade(7200)

        await self.shifted()

        self.assertEqual(before.at_ms - HOUR_MS, (await self.slot() or before).at_ms)

    async def test_slots_of_an_interval_that_were_taken_do_not_come_again_when_the_clock_was_set_back(self) -> None:
        taken = (await self.put(cron("*/10 3 1 1 *", timezone=ZONE))).slot
        assert taken is not None
        # As when the first two of that day have run, and Redis' clock then went back to today.
        last_ms, next_ms = taken.at_ms + HOUR_MS // 6, taken.at_ms + HOUR_MS // 3
        outcome = FIELD.join((str(last_ms), str(last_ms), "fired", "an-id")) + RECORD
        self.client.zadd(self.base + "slots", {"s": next_ms})
        self.client.hset(self.keys.schedule("q", "s"), mapping={"slot": next_ms, "outcomes": outcome})

        self.assertEqual([], await self.shifted())

        self.assertEqual(next_ms, (await self.slot() or taken).at_ms)

    async def test_a_slot_that_is_due_is_left_to_who_takes_it(self) -> None:
        await self.put_far()
        now_ms = await self.bring_now()
        self.upgrade(7200)

        self.assertEqual([], await self.shifted())

        self.assertEqual([str(now_ms)], [one.slot for one in await self.due()])

    async def test_paused_ones_and_utc_and_intervals_are_left_alone(self) -> None:
        await self.put(cron("30 2 1 1 *", timezone=ZONE, paused=True), "paused")
        await self.put(cron("30 2 1 1 *"), "utc")
        await self.put(every(86_400, timezone=ZONE), "every")
        self.upgrade(7200)
        before = self.dump()

        self.assertEqual([], await self.shifted())

        self.assertEqual(before, self.dump())

    async def test_one_that_ends_before_its_new_time_has_no_slot(self) -> None:
        before = await self.put_far("probe")
        await self.put(cron("30 2 1 1 *", timezone=ZONE, ends_ms=before.at_ms))
        self.upgrade(0)

        self.assertIn(ZoneShift("q", "s", None), await self.shifted())

        self.assertIsNone(await self.slot())

    async def test_many_at_once_move_each_slot_once(self) -> None:
        names = [f"s{number}" for number in range(READ_AT_ONCE * 2 + 3)]
        for name in names:
            await self.put_far(name)
        self.upgrade(7200)

        by_each = await asyncio.gather(*[self.shifted() for _ in range(4)])

        self.assertEqual(sorted(names), sorted(one.name for some in by_each for one in some))

    async def test_a_schedule_that_was_written_anew_meanwhile_is_not_touched(self) -> None:
        seen = await self.put(cron("30 2 1 1 *", timezone=ZONE))
        assert seen.slot is not None
        await self.put(cron("30 3 1 1 *", timezone=ZONE))
        before = self.dump()

        self.assertFalse(await self.slots.shift("q", "s", str(seen.version), str(seen.slot.due_ms), seen.slot))

        self.assertEqual(before, self.dump())

    async def test_what_can_not_be_read_keeps_no_other_from_moving(self) -> None:
        for name in ("broken", "garbage", "nowhere", "well"):
            await self.put_far(name)
        keys = {name: self.keys.schedule("q", name) for name in ("broken", "garbage", "nowhere")}
        text: bytes = self.client.hget(keys["nowhere"], "text")
        self.client.hset(keys["nowhere"], "text", text.replace(ZONE.encode(), b"Test/Nowhere"))
        self.client.hset(keys["garbage"], "text", "{")
        self.client.delete(keys["broken"])
        self.client.set(keys["broken"], "a key of somebody else")
        self.upgrade(7200)

        shifted = await self.shifted()

        self.assertEqual(["well"], [one.name for one in shifted])
        self.client.delete(keys["broken"])
        await self.slots.clear("q", "broken")

    async def test_upkeep_is_told_of_a_queue_whose_slot_has_moved(self) -> None:
        await self.put_far()
        self.client.delete(self.keys.moved)
        self.upgrade(7200)

        await self.shifted()

        self.assertEqual([b"q"], self.client.zrange(self.keys.moved, 0, -1))


class Watch(ZoneCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.log = ALog(self)

    @contextlib.asynccontextmanager
    async def watching(self, every_s: float = zones.READ_ANEW_S) -> AsyncIterator[None]:
        watch = ZoneWatch(self.shifts(), self.log, Bulkheads(self.log), every_s=every_s, again_s=0.01)
        task = asyncio.create_task(watch.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def until_logged(self, event: str) -> dict[str, Any]:
        async def found() -> list[dict[str, Any]]:
            return [line for line in self.log.lines() if line["event"] == event]

        lines: list[dict[str, Any]] = await until(found, event)
        return lines[0]

    async def test_a_supervisor_that_starts_goes_through_all(self) -> None:
        await self.put_far()
        self.upgrade(7200)

        async with self.watching():
            line = await self.until_logged("schedule.shifted")

        slot = await self.slot()
        assert slot is not None
        self.assertEqual(("q", "s", timestamp(slot.at_ms)), (line["queue"], line["schedule"], line["scheduled_for"]))

    async def test_one_that_runs_reads_the_rules_anew_and_goes_through_all(self) -> None:
        before = await self.put_far()

        async with self.watching(every_s=0.05):
            self.zone.upgrade(7200)
            await self.until_logged("schedule.shifted")

        self.assertEqual(before.at_ms - HOUR_MS, (await self.slot() or before).at_ms)

    @unittest.skipIf(importlib.util.find_spec("tzdata"), "PyPI's tzdata is installed")
    async def test_tzdata_that_is_gone_is_said_and_nothing_moves(self) -> None:
        before = await self.put_far()

        async with self.watching(every_s=0.05):
            self.zone.remove()
            await self.until_logged("zones.missing")

        self.assertEqual(before, await self.slot())

    @unittest.skipIf(ON_CLUSTER in os.environ, "each node would have to refuse it")
    async def test_where_redis_refuses_to_list_schedules_that_is_said_and_tried_again(self) -> None:
        def may(list_them: str) -> None:
            self.client.execute_command("ACL", "SETUSER", "default", list_them)

        before = await self.put_far()
        self.addCleanup(may, "+hscan")
        may("-hscan")

        async with self.watching(every_s=0.05):
            line = await self.until_logged("zones.held_up")
            self.assertIn("see prod/redis.conf", line["msg"])
            self.zone.upgrade(7200)
            may("+hscan")
            await self.until_logged("schedule.shifted")

        self.assertEqual(before.at_ms - HOUR_MS, (await self.slot() or before).at_ms)

    async def test_an_index_that_somebody_broke_is_logged_and_ends_nothing(self) -> None:
        self.client.set(self.keys.schedules, "no hash")

        async with self.watching():
            line = await self.until_logged("zones.failed")

        self.assertEqual("error", line["level"].lower())
        self.client.delete(self.keys.schedules)


if __name__ == "__main__":
    unittest.main()
