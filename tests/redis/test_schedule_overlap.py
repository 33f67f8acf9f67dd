"""Schedules with overlap `queue`: runs wait for those before them, one runs at a time, and 100 wait at most."""

import unittest
from typing import Any

from lib.jobs.job import ClaimedJob
from lib.queue.lease import Lease
from tests.redis.case import ending
from tests.redis.schedule_case import JOB, ScheduleCase, every


class Queued(ScheduleCase):
    async def fire(self, count: int = 1) -> list[str]:
        """The ids of the jobs of the next slots."""
        ids = []
        for _ in range(count):
            await self.bring_now()
            (taken,) = await self.take()
            self.assertEqual("fired", taken.outcome)
            ids.append(taken.job_id)
        return ids

    async def end(self, lease: Lease, job: ClaimedJob, script: str = "finish", **how: Any) -> None:
        await lease.end_and_wait(script, ending(script, job, **how))
        await self.job_store.notices.tell("q")

    async def test_each_run_waits_for_those_before_it_and_they_run_in_order(self) -> None:
        await self.put(every(60, overlap="queue"))
        ids = await self.fire(5)
        lease = await self.lease()

        ran = []
        for number in range(5):
            self.assertEqual(4 - number, list(self.states().values()).count("blocked"))
            (job,) = (await lease.claim(9)).jobs
            ran.append(job.job_id)
            await self.end(lease, job)

        self.assertEqual(ids, ran)
        self.assertEqual((5, 0), ((seen := await self.schedules.read("s")).fired, seen.skipped))
        self.assertFalse(self.client.hlen(self.base + "followers"))

    async def test_however_a_run_ends_the_next_one_begins_and_not_between_its_attempts(self) -> None:
        ends: tuple[tuple[str, dict[str, Any]], ...] = (("finish", {}), ("fail", {"delay_s": None}))
        for script, how in ends:
            await self.put(every(60, overlap="queue"))
            first, second = await self.fire(2)
            lease = await self.lease()
            await self.end(lease, await self.claimed(lease), "fail", delay_s=0)
            self.assertEqual("blocked", await self.state(second))
            await self.queues.upkeep.promote("q")

            job = await self.claimed(lease)
            await self.end(lease, job, script, **how)

            self.assertEqual((first, "ready"), (job.job_id, await self.state(second)))
            await self.end(lease, await self.claimed(lease))

    async def test_where_a_person_cancels_one_in_the_middle_the_next_waits_on_for_the_one_that_runs(self) -> None:
        await self.put(every(60, overlap="queue"))
        _, second, third = await self.fire(3)
        lease = await self.lease()
        job = await self.claimed(lease)

        for job_id in (third, second):
            await self.job_store.cancel(job_id)
        await self.job_store.notices.tell("q")
        (fourth,) = await self.fire()

        self.assertEqual("blocked", await self.state(fourth))
        await self.end(lease, job)
        self.assertEqual("ready", await self.state(fourth))

    async def test_where_the_one_that_runs_is_cancelled_the_next_one_begins(self) -> None:
        await self.put(every(60, overlap="queue"))
        first, second = await self.fire(2)

        await self.job_store.cancel(first)
        await self.job_store.notices.tell("q")

        self.assertEqual({first: "cancelled", second: "ready"}, self.states())

    async def test_a_run_that_somebody_asked_for_is_waited_for_too(self) -> None:
        await self.put(every(60, overlap="queue"))
        (first,) = await self.fire()
        asked = await self.enqueue()
        await self.schedules.note_run(await self.schedules.read("s"), asked)

        (third,) = await self.fire()

        edges = (await self.record(third)).edges
        self.assertEqual({first, asked}, {edge.parent_id for edge in edges})

    async def test_one_hundred_wait_and_the_next_slot_is_skipped_and_says_so(self) -> None:
        await self.put(every(60, overlap="queue"))
        ids = await self.fire(101)
        await self.bring_now()

        (taken,) = await self.take()

        self.assertEqual(("crowded", ids[-1]), (taken.outcome, taken.job_id))
        seen = await self.schedules.read("s")
        self.assertEqual((101, 1, "crowded"), (seen.fired, seen.skipped, seen.outcomes[0].outcome))
        lease = await self.lease()
        await self.end(lease, await self.claimed(lease))
        await self.fire()

    async def test_one_that_waits_takes_no_room_and_one_that_need_not_does(self) -> None:
        await self.put(every(60, overlap="queue"))
        await self.fire()
        await self.queues.adjust("q", {"max_depth": 1})
        await self.fire()
        await self.put(every(60, overlap="queue"), "other")
        await self.bring_now("other")

        self.assertEqual(["full"], [taken.outcome for taken in await self.take()])

    async def test_one_that_missed_its_slots_makes_up_for_them_one_by_one(self) -> None:
        seen = await self.put(every(60, catch_up="all", overlap="queue"))
        self.bring(seen.anchor_ms - 240_000)
        while await self.due():
            await self.take()

        self.assertEqual(["blocked"] * 4 + ["ready"], sorted(self.states().values()))

    async def test_a_job_of_a_group_waits_blocked_as_well(self) -> None:
        await self.put(every(60, overlap="queue", job={**JOB, "group": "g"}))
        first, second = await self.fire(2)

        self.assertEqual({first: "ready", second: "blocked"}, self.states())

    async def test_where_overlap_changes_the_next_slot_goes_by_the_new_word(self) -> None:
        await self.put(every(60, overlap="queue"))
        await self.fire(2)
        await self.put(every(60, overlap="allow"))
        (beside,) = await self.fire()
        await self.put(every(60, overlap="queue"))

        (waits,) = await self.fire()

        self.assertEqual(("ready", "blocked"), (await self.state(beside), await self.state(waits)))
        self.assertEqual(3, len((await self.record(waits)).edges))


if __name__ == "__main__":
    unittest.main()
