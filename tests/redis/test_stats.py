"""Numbers over time: counted by the scripts, rolled up by upkeep, and read of one queue and of all."""

import asyncio
import unittest
from collections.abc import Awaitable, Callable
from typing import Any

from lib.errors import QueueNotFound, RedisKeysBroken
from lib.jobs.period_stats import KEPT_MS, WINDOWS, Stats, stats_of
from lib.jobs.periods import PERIOD_MS, Period, Periods
from lib.queue.bulkheads import Bulkheads
from lib.queue.end_record import complete_record, fail_record
from lib.queue.meters import Meters
from lib.queue.stats_store import StatsStore
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from lib.work.runner.timings import Timings
from tests.a_log import ALog
from tests.redis.case import KEEP_ALL, RedisCase, Through

ERROR = {"type": "ValueError", "message": "no"}


class StatsCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.stats = StatsStore(self.link, self.keys, self.queues)
        await self.queues.add(["q", "other"])

    async def of_queue(self, queue: str = "q") -> Stats:
        now_ms, periods = await self.stats.of_queue(queue, KEPT_MS)
        return stats_of(periods, WINDOWS["24h"], now_ms)

    async def of_all(self) -> Stats:
        now_ms, periods, unreadable = await self.stats.of_all()
        self.assertEqual([], unreadable)
        return stats_of(periods, WINDOWS["24h"], now_ms)

    async def period(self, ago: int = 0) -> int:
        """The number of the period so many before this one."""
        return await self.now_ms() // PERIOD_MS - ago

    def counted(self, period: int, completed: int, waits: int = 0, queue: str = "q") -> None:
        """As if so many jobs had completed in the third minute of a period, and waited for 9 to 16 ms."""
        base = self.keys.base(queue)
        self.client.hset(f"{base}minute:{5 * period + 2}", "completed", completed)
        if waits:
            self.client.hset(f"{base}times:{period}", "wait 4", waits)
        self.client.zadd(f"{base}rollups", {str(period): (period + 1) * PERIOD_MS + 60_000})


class Calls(Through):
    """A link that counts its calls of scripts, and has somebody else come before the one of number `at`."""

    def __init__(self, link: RedisLink, at: int = 0, step: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__(link)
        self._at = at
        self._step = step
        self.scripts = 0

    async def call(self, *command: Argument) -> Any:
        self.scripts += command[0] == "EVALSHA"
        if self._step and self.scripts == self._at:
            step, self._step = self._step, None
            await step()
        return await super().call(*command)


class Counted(StatsCase):
    async def test_what_happens_to_jobs_is_counted_when_it_happens(self) -> None:
        ids, runner = await self.enqueue_many(4), await self.lease()
        await self.job_store.cancel(ids[0])
        done, died, retried = (await runner.claim(3)).jobs
        await runner.end_and_wait("finish", complete_record(done.job_id, done.token, "noop", ""))
        await runner.end_and_wait("fail", fail_record(died.job_id, died.token, ERROR, None))
        await runner.end_and_wait("fail", fail_record(retried.job_id, retried.token, ERROR, 9))

        totals = (await self.of_queue()).totals

        self.assertEqual({"enqueued": 4, "completed": 1, "retried": 1, "dead": 1, "cancelled": 1}, totals)

    async def test_what_runners_measure_is_there_a_second_later(self) -> None:
        for runner in ("a", "b"):
            timings = Timings(Meters(self.link, self.keys), runner, Bulkheads(ALog(self)))
            timings.note_wait("q", "mail", 0.004)
            timings.note_run("q", "mail", 0.2)
            timings.note_run("q", "other", 99_999)
            await timings.flush()
            await timings.flush()

        found = await self.of_queue()

        self.assertEqual((2, 4), (found.wait.jobs, found.run.jobs))
        self.assertEqual((2, 4), (found.wait_lately.jobs, found.run_lately.jobs))
        assert found.wait.p99 is not None
        self.assertTrue(0.002 < found.wait.p99 <= 0.004, found.wait)

    async def test_a_queue_that_is_not_there_is_said_to_be_none(self) -> None:
        with self.assertRaises(QueueNotFound):
            await self.stats.of_queue("nowhere", KEPT_MS)


class StillOpen(StatsCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        for ago in range(3, 63):
            self.counted(await self.period(ago), completed=1, waits=2)

    async def test_all_are_read_a_few_at_a_time(self) -> None:
        asked = Calls(self.link)
        self.stats = StatsStore(asked, self.keys, self.queues)

        found = await self.of_queue()

        self.assertEqual((60, 120), (found.totals["completed"], found.wait.jobs))
        self.assertEqual(4, asked.scripts)

    async def test_those_before_the_window_are_not_read(self) -> None:
        _, periods = await self.stats.of_queue("q", 3_600_000)

        self.assertTrue(0 < len(periods) <= 13, len(periods))

    async def test_what_is_rolled_up_between_two_calls_counts_once(self) -> None:
        async def roll_up() -> None:
            await self.queues.upkeep.roll_up("q")

        asked = Calls(self.link, 2, roll_up)
        self.stats = StatsStore(asked, self.keys, self.queues)
        await self.queues.remove("other")

        seen = [await self.of_all(), await self.of_all(), await self.of_queue()]

        self.assertEqual([(60, 120)] * 3, [(one.totals["completed"], one.wait.jobs) for one in seen])


class RolledUp(StatsCase):
    async def test_nothing_is_lost_or_counted_twice(self) -> None:
        for ago in range(3, 9):
            self.counted(await self.period(ago), completed=ago, waits=ago)
        self.client.hset(f"{self.base}times:{await self.period(3)}", mapping={"wait 25": 1, "run x": 2, "wait 3": "y"})
        before = await self.of_queue()

        while await self.queues.upkeep.roll_up("q"):
            pass

        self.assertEqual(33, before.wait.jobs)
        self.assertEqual(before, await self.of_queue())
        self.assertEqual(6, self.client.xlen(f"{self.base}stats"))
        self.assertEqual([], self.key_names("*}:minute:*") + self.key_names("*}:times:*"))

    async def test_a_period_comes_again_where_the_clock_was_set_back(self) -> None:
        for completed in (3, 4):
            self.counted(await self.period(3), completed)
            await self.queues.upkeep.roll_up("q")

        self.assertEqual(7, (await self.of_queue()).totals["completed"])

    async def test_a_period_stays_until_the_census_needs_it_no_more(self) -> None:
        self.counted(await self.period(), completed=3)

        await self.queues.upkeep.roll_up("q")
        survey = await self.queues.upkeep.survey("q", KEEP_ALL)

        self.assertEqual(0, self.client.xlen(f"{self.base}stats"))
        self.assertFalse(survey.needs_rollup)
        self.assertTrue(60 < survey.wait_s <= 360, survey.wait_s)

    async def test_upkeep_is_told_of_a_period_that_is_over(self) -> None:
        self.counted(await self.period(2), completed=3)

        self.assertTrue((await self.queues.upkeep.survey("q", KEEP_ALL)).needs_rollup)
        await self.queues.upkeep.roll_up("q")
        self.assertFalse((await self.queues.upkeep.survey("q", KEEP_ALL)).needs_rollup)

    async def test_what_is_older_than_a_day_goes(self) -> None:
        old_ms = await self.now_ms() - KEPT_MS - 1
        self.client.xadd(f"{self.base}stats", {"period": old_ms // PERIOD_MS, "completed": "1,1,1,1,1"}, f"{old_ms}-0")
        self.counted(await self.period(3), completed=3)

        await self.queues.upkeep.roll_up("q")

        self.assertEqual(1, self.client.xlen(f"{self.base}stats"))
        self.assertTrue(0 < self.client.pttl(f"{self.base}stats") <= KEPT_MS)

    async def test_a_queue_that_nobody_served_for_a_month_gets_no_entries_of_that_time(self) -> None:
        now = await self.period()
        month = {str(period): (period + 1) * PERIOD_MS + 60_000 for period in range(now - 8640, now - 2)}
        self.client.zadd(f"{self.base}rollups", month)

        while await self.queues.upkeep.roll_up("q"):
            pass

        self.assertEqual(0, self.client.zcard(f"{self.base}rollups"))
        self.assertTrue(0 < self.client.xlen(f"{self.base}stats") <= KEPT_MS // PERIOD_MS)

    async def test_what_somebody_wrote_by_hand_stops_nothing(self) -> None:
        period = await self.period(3)
        self.client.zadd(f"{self.base}rollups", {"x": 1, str(period): await self.now_ms() - 1, "1e300": 3})
        self.client.set(f"{self.base}minute:{5 * period}", "x")
        self.client.hset(f"{self.base}minute:{5 * period + 1}", mapping={"completed": "1.5", "dead": "2"})
        self.client.rpush(f"{self.base}times:{period}", "x")

        before = await self.of_queue()
        await self.queues.upkeep.roll_up("q")

        self.assertEqual((0, 2), (before.totals["completed"], before.totals["dead"]))
        self.assertEqual(before, await self.of_queue())
        self.assertEqual(0, self.client.zcard(f"{self.base}rollups"))

    async def test_a_broken_stream_loses_no_count(self) -> None:
        self.client.set(f"{self.base}stats", "x")
        self.counted(await self.period(3), completed=3)

        with self.assertRaises(RedisKeysBroken):
            await self.queues.upkeep.roll_up("q")
        self.client.delete(f"{self.base}stats")
        await self.queues.upkeep.roll_up("q")

        self.assertEqual(3, (await self.of_queue()).totals["completed"])


class OfAll(StatsCase):
    async def test_the_sums_are_those_of_the_queues_however_often_they_are_asked_for(self) -> None:
        for ago in (5, 4, 3):
            self.counted(await self.period(ago), completed=10)
            self.counted(await self.period(ago), completed=1, waits=2, queue="other")
            seen = [await self.of_all(), *await asyncio.gather(self.of_all(), self.of_all())]
            for queue in ("q", "other"):
                await self.queues.upkeep.roll_up(queue)
            seen.append(await self.of_all())

            whole = Period(0)
            for queue in ("q", "other"):
                for period in (await self.stats.of_queue(queue, KEPT_MS))[1].values():
                    whole.add(period)
            expected = (sum(whole.counts["completed"]), sum(whole.wait))
            for found in seen:
                self.assertEqual(expected, (found.totals["completed"], found.wait.jobs))

    async def test_a_broken_queue_is_named_and_hides_no_other(self) -> None:
        self.client.set(f"{self.base}stats", "x")
        self.counted(await self.period(1), completed=2, queue="other")

        now_ms, periods, (unreadable,) = await self.stats.of_all()

        self.assertEqual("q", unreadable.queue)
        self.assertEqual(2, stats_of(periods, WINDOWS["1h"], now_ms).totals["completed"])

    async def test_what_a_queue_had_stays_when_it_is_removed(self) -> None:
        self.counted(await self.period(4), completed=2)
        await self.queues.upkeep.roll_up("q")
        self.counted(await self.period(3), completed=1)
        await self.of_all()

        await self.queues.remove("q")

        self.assertEqual([], self.key_names(f"{self.base}*"))
        self.assertEqual(2, (await self.of_all()).totals["completed"])

    async def test_another_process_sees_the_same(self) -> None:
        self.counted(await self.period(3), completed=2)
        await self.queues.upkeep.roll_up("q")
        found: Periods = (await StatsStore(self.link, self.keys, self.queues).of_all())[1]

        self.assertEqual([2], [period.counts["completed"][2] for period in found.values()])


if __name__ == "__main__":
    unittest.main()
