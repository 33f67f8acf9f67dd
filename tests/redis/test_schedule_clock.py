"""A supervisor's clock: it fires at the slot's time, goes on with what is due, and leaves alone what it can't fire."""

import unittest
from random import Random
from typing import Any

from lib.queue.bulkheads import Bulkheads
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_slots import DUE_AT_ONCE, ScheduleSlots
from lib.work.supervisor.clock import WITHIN_S, ScheduleClock
from tests.a_log import ALog
from tests.redis.case import until
from tests.redis.schedule_case import JOB, ScheduleCase, Tasks, every


class AClock(ScheduleCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.log = ALog(self)
        self.tasks = Tasks()
        self.addAsyncCleanup(self.tasks.end)
        self.clock = self.a_clock()

    def a_clock(self) -> ScheduleClock:
        slots = ScheduleSlots(self.a_link(), self.keys, self.ids, self.job_store.workflows)
        return ScheduleClock(slots, self.log, Bulkheads(self.log), Random(1), self.tasks.add)

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log.lines() if line["event"] == event]

    async def until_logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        async def found() -> list[dict[str, Any]]:
            lines = self.logged(event)
            return lines if len(lines) >= count else []

        lines: list[dict[str, Any]] = await until(found, f"{count} times {event}")
        return lines

    async def seen(self, name: str = "s") -> ScheduleSeen:
        return await self.schedules.read(name)

    async def test_it_fires_when_a_slot_is_due_and_sets_itself_for_the_next(self) -> None:
        await self.put(every(1))
        self.bring(await self.now_ms() + 60)

        self.clock.set("q", 0.06)
        first, second = await self.until_logged("schedule.fired", 1) + await self.until_logged("schedule.skipped")

        self.assertLess(first["late_ms"], 1000)
        self.assertEqual(("s", "q", first["job_id"]), (first["schedule"], first["queue"], second["job_id"]))
        self.assertEqual(first["request_id"], (await self.spec(first["job_id"])).request_id)

    async def test_a_timer_that_goes_off_for_nothing_does_nothing(self) -> None:
        await self.put(every(3600))
        before = self.dump()

        await self.fire()

        self.assertEqual((before, []), (self.dump(), self.log.lines()))

    async def fire(self) -> None:
        """What a timer does that goes off, to its end."""
        self.clock._firing.add("q")
        await self.clock._fire("q")

    async def test_no_timer_is_set_for_a_slot_that_upkeep_will_tell_again(self) -> None:
        for wait_s, timers in ((WITHIN_S, 0), (WITHIN_S - 1, 1), (float("inf"), 0)):
            self.clock.set("q", wait_s)

            self.assertEqual(timers, len(self.clock._timers), wait_s)

    async def test_more_than_one_bite_is_taken(self) -> None:
        count = DUE_AT_ONCE * 2 + 7
        for number in range(count):
            await self.put(every(3600), f"s{number}")
            await self.bring_now(f"s{number}")

        await self.fire()

        self.assertEqual([], await self.due())
        self.assertEqual(count, len(self.logged("schedule.fired")))

    async def test_two_clocks_at_once_fire_each_slot_once(self) -> None:
        for number in range(40):
            await self.put(every(3600), f"s{number}")
            await self.bring_now(f"s{number}")
        other = self.a_clock()

        self.clock.set("q", 0)
        other.set("q", 0)

        await self.until_logged("schedule.fired", 40)
        self.assertEqual(40, len(self.states()))

    async def test_a_full_queue_holds_a_slot_up_which_is_said_once(self) -> None:
        await self.put(every(3600))
        await self.bring_now()
        await self.queues.adjust("q", {"max_depth": 0}, begins=True)

        for _ in range(3):
            await self.fire()
        self.assertEqual(1, len(self.logged("schedule.held_up")))
        await self.queues.adjust("q", {"max_depth": None})
        await self.fire()

        self.assertEqual(1, len(self.logged("schedule.fired")))

    async def test_a_graph_that_has_no_room_elsewhere_holds_up_no_other_schedule(self) -> None:
        then = [{**JOB, "queue": "other"}] * 2
        await self.put(every(3600, job={**JOB, "then": then}), "graph")
        await self.put(every(3600), "single")
        for name in ("graph", "single"):
            await self.bring_now(name)
        await self.queues.adjust("other", {"max_depth": 1}, begins=True)

        for _ in range(3):
            await self.fire()
        self.assertEqual(["single"], [line["schedule"] for line in self.logged("schedule.fired")])
        (held_up,) = self.logged("schedule.held_up")
        self.assertIn("another queue of its jobs, is at its max_depth", held_up["msg"])
        await self.queues.adjust("other", {"max_depth": 2})
        await self.fire()

        self.assertEqual(["single", "graph"], [line["schedule"] for line in self.logged("schedule.fired")])
        fired = self.logged("schedule.fired")[1]
        self.assertEqual(f"Schedule graph fired: {fired['job_id']}, and 2 jobs to follow it", fired["msg"])
        await self.job_store.notices.wait_until_idle()

    async def test_what_can_not_be_read_keeps_no_other_from_firing(self) -> None:
        for name in ("broken", "gone", "well"):
            await self.put(every(3600), name)
            await self.bring_now(name)
        self.client.hset(self.keys.schedule("q", "broken"), "text", "{")
        self.client.delete(self.keys.schedule("q", "gone"))

        for _ in range(2):
            await self.fire()

        self.assertEqual(["well"], [line["schedule"] for line in self.logged("schedule.fired")])
        self.assertEqual(["q/broken"], [line["queue"] for line in self.logged("schedule.failed")])
        self.assertEqual(1, len(self.logged("schedule.lost")))
        self.assertEqual(["broken"], [due.name for due in await self.due()])

    async def test_missed_runs_are_said(self) -> None:
        await self.put(every(60))
        await self.bring_now(late_ms=600_000)

        await self.fire()

        self.assertEqual([10], [line["runs"] for line in self.logged("schedule.missed")])
        self.assertEqual(1, len(self.logged("schedule.fired")))


if __name__ == "__main__":
    unittest.main()
