"""What Redis counts of schedules, and what is said of those that are overdue."""

import unittest

from lib.prometheus import LATE_BOUNDS_S
from lib.queue.fleet import Program
from lib.queue.late_schedules import NOBODY_FIRES, START_ONE, LateSchedules
from lib.queue.meters import Meters, SlotCounts
from lib.warning_codes import KINDS, HealthWarning
from tests.redis.schedule_case import ScheduleCase, cron, every

MINUTE_MS = 60_000


class Counted(ScheduleCase):
    async def counted(self) -> SlotCounts:
        slots = (await Meters(self.link, self.keys).read("q")).slots
        assert slots is not None
        return slots

    async def test_a_queue_that_never_had_a_schedule_counts_none(self) -> None:
        self.assertIsNone((await Meters(self.link, self.keys).read("q")).slots)

    async def test_counters_stand_at_0_before_the_first_slot(self) -> None:
        await self.put(every(60))

        slots = await self.counted()

        self.assertEqual({"fired": 0, "skipped": 0, "missed": 0}, slots.counts)
        self.assertEqual((1, 0), (slots.schedules, slots.overdue_s))
        self.assertEqual(0, sum(slots.late.counts))

    async def test_what_fires_is_skipped_and_is_missed_is_counted(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        await self.take()
        await self.bring_now(late_ms=3 * MINUTE_MS)
        await self.take()
        await self.put(every(60, overlap="allow"), "t")
        await self.bring_now("t", late_ms=2 * MINUTE_MS)
        await self.take()

        slots = await self.counted()

        self.assertEqual(({"fired": 2, "skipped": 1, "missed": 5}, 2), (slots.counts, slots.schedules))
        self.assertEqual(2, sum(slots.late.counts))

    async def test_how_late_it_fired_falls_at_its_bound(self) -> None:
        await self.put(every(3600))
        await self.bring_now(late_ms=7_000)

        await self.take()

        late = (await self.counted()).late
        self.assertEqual(1, late.counts[LATE_BOUNDS_S.index(10.0)])
        self.assertAlmostEqual(7_000_000, late.sum_us, delta=2_000_000)

    async def test_each_bound_of_the_script_is_one_of_the_histogram(self) -> None:
        bounds_ms = (0, *(round(bound_s * 1000) for bound_s in LATE_BOUNDS_S))
        for number in range(1, len(bounds_ms)):
            # Half way between two bounds: what the machine adds must not be as much as half of their distance.
            late_ms = (bounds_ms[number - 1] + bounds_ms[number]) // 2
            await self.put(every(10**6), f"s{number}")
            await self.bring_now(f"s{number}", late_ms=late_ms)
            await self.take()
        await self.put(every(10**6), "beyond")
        await self.bring_now("beyond", late_ms=2 * bounds_ms[-1])
        await self.take()

        fields = {name.decode() for name in self.client.hkeys(self.base + "slot_counts")}
        found = {name.partition(" ")[2] for name in fields if name.startswith("late ")} - {"sum", "inf"}
        self.assertLessEqual({float(ms) / 1000 for ms in found}, set(LATE_BOUNDS_S))
        self.assertIn("late inf", fields)
        self.assertEqual(len(bounds_ms), sum((await self.counted()).late.counts))
        self.assertGreater(len(found), len(LATE_BOUNDS_S) // 2)

    async def test_a_slot_that_is_due_is_overdue_until_it_is_taken(self) -> None:
        await self.put(every(3600))
        await self.bring_now(late_ms=90_000)

        self.assertAlmostEqual(90, (await self.counted()).overdue_s, delta=5)
        await self.take()
        self.assertEqual(0, (await self.counted()).overdue_s)

    async def test_broken_counts_stop_no_slot(self) -> None:
        await self.put(every(3600))
        await self.bring_now()
        self.client.set(self.base + "slot_counts", "no hash")

        self.assertEqual(["fired"], [taken.outcome for taken in await self.take()])


class Overdue(ScheduleCase):
    supervisor = Program("supervisor", "0.3.0", "host.1.0123abcd")

    async def warnings(self, *programs: Program) -> list[HealthWarning]:
        return await LateSchedules(self.link, self.keys).warnings(["q"], programs or (self.supervisor,))

    async def late(self, name: str = "s", late_ms: int = 90_000) -> None:
        await self.put(every(3600), name)
        await self.bring_now(name, late_ms=late_ms)

    async def test_what_is_a_little_late_is_not_said(self) -> None:
        await self.late(late_ms=30_000)

        self.assertEqual([], await self.warnings())

    async def test_a_paused_one_is_never_overdue(self) -> None:
        await self.put(every(3600, paused=True))

        self.assertEqual([], await self.warnings())

    async def test_without_a_supervisor_that_is_named(self) -> None:
        await self.late()

        for older in (Program("server", "0.3.0", "a.1.0"), Program("supervisor", "0.2.0", "a.1.0")):
            (warning,) = await self.warnings(older)
            self.assertRegex(warning.text, r"^the schedule s in the queue q is overdue by 9\d s: " + NOBODY_FIRES)
            self.assertEqual(("schedule_overdue", "q", START_ONE), (warning.code, warning.queue, warning.what_to_do))
            self.assertAlmostEqual(await self.now_ms() - 90_000, warning.since_ms or 0, delta=9_000)

    async def test_a_full_queue_is_named(self) -> None:
        await self.late()
        await self.queues.adjust("q", {"max_depth": 0}, begins=True)
        await self.take()

        (warning,) = await self.warnings()
        self.assertRegex(warning.sentence, "overdue by 9[0-9] s: the queue is at its max_depth; raise the max_depth")

    async def test_a_zone_that_is_not_known_here_is_named(self) -> None:
        await self.put(cron())
        await self.bring_now(late_ms=90_000)
        text = str(self.client.hget(self.keys.schedule("q", "s"), "text").decode())
        self.client.hset(self.keys.schedule("q", "s"), "text", text.replace('"UTC"', '"Mars/Base"'))

        self.assertRegex((await self.warnings())[0].text, "times can't be worked out here.*Mars/Base")

    async def test_one_that_can_not_be_read_is_named(self) -> None:
        await self.late()
        self.client.hset(self.keys.schedule("q", "s"), "text", "{")

        self.assertRegex(
            (await self.warnings())[0].text, "the schedule s in the queue q is overdue, and can't be read: "
        )

    async def test_for_no_reason_that_is_known_the_log_is_named(self) -> None:
        await self.late()
        await self.late("gone")
        self.client.delete(self.keys.schedule("q", "gone"))

        self.assertEqual([KINDS["schedule_overdue"].what_to_do] * 2, [one.what_to_do for one in await self.warnings()])
        await self.slots.clear("q", "gone")

    async def test_of_many_some_are_named(self) -> None:
        for number in range(7):
            await self.late(f"s{number}")

        found = await self.warnings()

        self.assertEqual(4, len(found))
        self.assertEqual("4 more schedules in the queue q are overdue", found[-1].text)

    async def test_a_queue_with_broken_slots_is_passed_over(self) -> None:
        self.client.set(self.base + "slots", "no zset")

        self.assertEqual([], await self.warnings())


if __name__ == "__main__":
    unittest.main()
