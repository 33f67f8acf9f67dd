"""When schedules run next, told without a look at them: by this a list of them is put into order."""

import unittest

from lib.queue.schedule_store import NEVER_MS
from tests.redis.schedule_case import JOB, ScheduleCase, every


class NextRuns(ScheduleCase):
    async def asyncTearDown(self) -> None:
        # What is broken here is not mended at the end; the oracle would find it.
        self.client.flushall()
        await super().asyncTearDown()

    async def next_runs(self) -> dict[str, int]:
        return await self.schedules.due_ms(await self.schedules.index())

    async def test_each_has_the_time_of_its_next_slot_whatever_queue_it_lies_in(self) -> None:
        seen = [await self.put(every(60 * (1 + at), job={**JOB, "queue": f"q{at % 60}"}), f"s{at}") for at in range(70)]

        self.assertEqual({one.name: one.slot and one.slot.due_ms for one in seen}, await self.next_runs())

    async def test_those_that_are_paused_have_ended_or_are_gone_come_last(self) -> None:
        for name, one in {"rests": every(paused=True), "over": every(ends_ms=1), "runs": every()}.items():
            await self.put(one, name)
        self.client.hset(self.keys.schedules, "gone", "q")

        found = await self.next_runs()

        self.assertLess(found.pop("runs"), NEVER_MS)
        self.assertEqual({"rests": NEVER_MS, "over": NEVER_MS, "gone": NEVER_MS}, found)

    async def test_broken_slots_of_one_queue_leave_the_others_in_their_order(self) -> None:
        await self.put(every(), "fine")
        await self.put(every(job={**JOB, "queue": "other"}), "lost")
        self.client.delete(self.keys.slots("other"))
        self.client.set(self.keys.slots("other"), "broken by hand")

        found = await self.next_runs()

        self.assertEqual(NEVER_MS, found["lost"])
        self.assertLess(found["fine"], NEVER_MS)

    async def test_scores_that_somebody_wrote_by_hand_are_times_all_the_same(self) -> None:
        for name, score in (("never", "+inf"), ("at-once", "-inf"), ("between", "1796002200417.9")):
            await self.put(every(), name)
            self.client.zadd(self.keys.slots("q"), {name: float(score)})

        self.assertEqual({"at-once": 0, "between": 1796002200417, "never": NEVER_MS}, await self.next_runs())


if __name__ == "__main__":
    unittest.main()
