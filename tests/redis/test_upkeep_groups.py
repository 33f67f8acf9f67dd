"""Upkeep of queues with limits or groups: what is broken is mended within a round or two, and told once."""

import asyncio
import unittest
from pathlib import Path
from random import Random
from typing import Any

from lib.commands import audit
from lib.queue.bulkheads import Bulkheads
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_names import NAMES_AT_ONCE, Walk
from lib.queue.schedule_slots import ScheduleSlots
from lib.settings import config
from lib.work.supervisor.clock import ScheduleClock
from lib.work.supervisor.upkeep import Upkeep
from tests.a_log import ALog
from tests.redis.case import KEEP_ALL
from tests.redis.grouped import GroupedCase

GROUP = "tenant-42"


class UpkeepOfGroups(GroupedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.log = ALog(self)
        settings = config.load({"WORKER_QUEUES": "q=1"}, Path("/nonexistent"))
        outcomes, walk = OutcomeLog(self.job_store, self.log), Walk(self.link, self.keys, page=NAMES_AT_ONCE)
        bulkheads, rng = Bulkheads(self.log), Random(1)
        slots = ScheduleSlots(self.link, self.keys, self.ids, self.job_store.workflows)
        clock = ScheduleClock(slots, self.log, bulkheads, rng, asyncio.create_task)
        self.upkeep = Upkeep(
            self.queues, walk, outcomes, settings, self.log, bulkheads, rng, clock, self.job_store.notices
        )
        self.now_s = 0.0

    async def rounds(self, count: int = 2) -> None:
        for _ in range(count):
            await self.upkeep.round(self.now_s)
            self.now_s += 1

    def told(self) -> list[dict[str, Any]]:
        return [line for line in self.log.lines() if line["event"] == "groups.mended"]

    async def test_a_group_that_lost_its_turn_runs_again(self) -> None:
        ids = await self.put(GROUP, 3)
        self.client.delete(self.base + "turns:normal")
        runner = await self.runner()
        before = await runner.claim(5)

        await self.rounds()

        self.assertEqual(([], ids), (before.ids, (await runner.claim(5)).ids))
        (told,) = self.told()
        self.assertEqual(("q", 1), (told["queue"], told["groups"]))

    async def test_ghosts_that_fill_a_group_are_taken_out(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": 1}})
        (job_id,) = await self.put(GROUP)
        self.client.sadd(f"{self.base}running:{GROUP}", "a-ghost")
        runner = await self.runner()
        before = await runner.claim(5)

        await self.rounds()

        self.assertEqual(([], [job_id]), (before.ids, (await runner.claim(5)).ids))
        self.assertEqual([], await audit.find_faults(self.link, self.keys))

    async def test_what_is_as_it_must_be_is_not_told_of(self) -> None:
        await self.queues.adjust("q", {"concurrency": 5, "groups": {"concurrency": 1}})
        await self.put(GROUP, 3, "high")
        await self.put("other", 3)
        await self.put()
        runner = await self.runner()
        claimed = await runner.claim(5)
        await self.rounds()
        await runner.end("finish", *claimed.jobs)

        await self.rounds()

        self.assertEqual([], self.told())

    async def test_a_queue_whose_groups_and_limits_are_gone_is_plain_again(self) -> None:
        await self.queues.adjust("q", {"concurrency": 5})
        await self.put(GROUP)
        runner = await self.runner()
        await runner.end("finish", *(await runner.claim()).jobs)
        await self.rounds()
        with_a_limit = await self.queues.upkeep.survey("q", KEEP_ALL)
        await self.queues.adjust("q", {"concurrency": None})

        await self.rounds()

        self.assertTrue(with_a_limit.is_rationed)
        self.assertFalse((await self.queues.upkeep.survey("q", KEEP_ALL)).is_rationed)
        self.assertEqual([], (await self.queues.groups.page("q", "", 5)).items)

    async def test_more_groups_than_one_call_takes_are_all_mended(self) -> None:
        for number in range(250):
            await self.put(f"g{number:03}")
        self.client.delete(self.base + "turns:normal")

        await self.rounds()

        self.assertEqual([], await audit.find_faults(self.link, self.keys))
        self.assertEqual(250, sum(told["groups"] for told in self.told()))


class Shown(GroupedCase):
    """What the census tells of limits."""

    async def test_a_queue_at_its_concurrency_is_limited_until_a_job_ends(self) -> None:
        await self.queues.adjust("q", {"concurrency": 1})
        runner = await self.runner()
        nothing_waits = (await self.queues.census("q")).limited
        await self.put("", 2)
        may_start = (await self.queues.census("q")).limited
        claimed = await runner.claim(2)
        limited = (await self.queues.census("q")).limited
        await runner.end("finish", *claimed.jobs)

        self.assertEqual((None, None), (nothing_waits, may_start))
        self.assertEqual(("concurrency", None), limited)
        self.assertIsNone((await self.queues.census("q")).limited)

    async def test_a_queue_whose_rate_is_used_up_is_limited_until_a_time(self) -> None:
        await self.limit(rate="1/60000")
        await self.put("", 2)
        claimed = await (await self.runner()).claim(2)

        limited = (await self.queues.census("q")).limited

        assert limited is not None
        self.assertEqual("rate", limited.by)
        self.assertAlmostEqual(claimed.now_ms + 60_000, limited.until_ms or 0, delta=200)

    async def test_groups_are_counted_by_what_they_wait_for(self) -> None:
        plain = (await self.queues.census("q")).lines
        await self.queues.adjust("q", {"groups": {"concurrency": 1}})
        for group in ("full", "waits", "held"):
            await self.put(group, 2)
        runner = await self.runner()
        (first,) = (await runner.claim(1)).jobs
        await runner.hold(first, 60_000)
        await runner.claim(1)

        self.assertEqual({}, plain)
        counts = {"waiting": 1, "full": 1, "resting": 1, "held": 1, "struck": 0}
        self.assertEqual(counts, (await self.queues.census("q")).lines)

    async def test_a_group_with_strikes_is_counted_as_well_when_its_rest_is_over(self) -> None:
        await self.put("host")
        runner = await self.runner()
        await runner.strike(*(await runner.claim(1)).jobs, delay_ms=None)
        await self.call("mend", 100)

        self.assertEqual(1, (await self.queues.census("q")).lines["struck"])


if __name__ == "__main__":
    unittest.main()
