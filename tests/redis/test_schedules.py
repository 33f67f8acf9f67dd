"""Schedules in Redis: written and read, fired once a slot, skipped, caught up with, and what a full Redis makes of
them."""

import asyncio
import unittest
from collections.abc import Callable

from lib.errors import (
    PreconditionFailed,
    QueueInUse,
    RedisKeysBroken,
    RedisUnavailable,
    ScheduleElsewhere,
    ScheduleNotFound,
    TooManySchedules,
)
from lib.jobs.schedule import ScheduleSlot
from lib.jobs.zones import UnknownZone, known_zones
from lib.queue import schedule_store
from lib.queue.upkeep_steps import Survey
from tests.redis.case import KEEP_ALL, ending
from tests.redis.schedule_case import JOB, ScheduleCase, cron, every


class Written(ScheduleCase):
    async def test_a_new_schedule_has_its_first_slot_one_interval_from_now(self) -> None:
        now = await self.now_ms()

        seen, is_new = await self.schedules.put("s", lambda present: every(60))

        self.assertTrue(is_new)
        self.assertEqual((1, every(60)), (seen.version, seen.schedule))
        assert seen.slot is not None
        self.assertAlmostEqual(now + 60_000, seen.slot.due_ms, delta=1000)
        self.assertEqual(seen.anchor_ms + 60_000, seen.slot.at_ms)
        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_the_same_schedule_again_writes_nothing(self) -> None:
        first = await self.put(every(60))
        before = self.dump()
        for _ in range(50):
            seen = await self.put(every(60))

        self.assertEqual((1, first.slot, first.anchor_ms), (seen.version, seen.slot, seen.anchor_ms))
        self.assertEqual(before, self.dump())

    async def test_many_hosts_may_write_the_same_schedule_at_once(self) -> None:
        found = await asyncio.gather(*(self.schedules.put("s", lambda present: every(60)) for _ in range(100)))

        self.assertEqual([True], [is_new for _, is_new in found if is_new])
        self.assertEqual({1}, {seen.version for seen, _ in found})

    async def test_another_job_moves_nothing_either(self) -> None:
        first = await self.put(every(60))

        seen = await self.put(every(60, job={**JOB, "payload": {"a": 1}}, overlap="allow", owner="me"))

        self.assertEqual(first.slot, seen.slot)

    async def test_other_times_are_worked_out_from_now(self) -> None:
        await self.put(every(60))

        seen = await self.put(every(3600))

        assert seen.slot is not None
        self.assertAlmostEqual(seen.now_ms + 3_600_000, seen.slot.at_ms, delta=1000)

    async def test_a_paused_one_has_no_slot_and_goes_on_when_it_is_resumed(self) -> None:
        first = await self.put(every(60))

        self.assertIsNone((await self.put(every(60, paused=True))).slot)
        self.assertEqual(float("inf"), (await self.slots.due("q")).wait_s)
        resumed = await self.put(every(60))

        self.assertEqual((first.slot, first.anchor_ms), (resumed.slot, resumed.anchor_ms))

    async def test_one_that_has_ended_has_no_slot(self) -> None:
        self.assertIsNone((await self.put(every(60, ends_ms=1))).slot)

    async def test_one_that_starts_later_waits_for_its_start(self) -> None:
        start = await self.now_ms() + 7_000_000

        self.assertEqual(ScheduleSlot(start, start), (await self.put(every(60, starts_ms=start))).slot)

    async def test_a_version_that_is_over_changes_nothing(self) -> None:
        await self.put(every(60))
        before = self.dump()

        for name in ("s", "other"):
            with self.assertRaises(PreconditionFailed):
                await self.schedules.put(name, lambda present: every(5), lambda known: known == 2)
        with self.assertRaises(PreconditionFailed):
            await self.schedules.delete("s", lambda known: known == 2)

        self.assertEqual(before, self.dump())

    async def test_a_name_that_was_deleted_has_another_version_when_it_is_made_again(self) -> None:
        await self.put(every(60))
        await self.schedules.delete("s")

        self.assertEqual(2, (await self.put(every(60))).version)

    async def test_a_schedule_stays_in_its_queue(self) -> None:
        await self.put(every(60))

        with self.assertRaisesRegex(ScheduleElsewhere, "delete it first"):
            await self.put(every(60, job={**JOB, "queue": "other"}))
        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_of_two_requests_for_one_name_and_two_queues_one_wins(self) -> None:
        for round_number in range(30):
            name = f"s{round_number}"
            both = [every(60), every(60, job={**JOB, "queue": "other"})]
            answers = await asyncio.gather(*[self.put(one, name) for one in both], return_exceptions=True)

            self.assertEqual(1, sum(isinstance(answer, ScheduleElsewhere) for answer in answers), answers)
            seen = await self.schedules.read(name)
            self.assertEqual([f"wb:{{{seen.schedule.queue}}}:schedule:{name}"], self.hashes_of(name))

    def hashes_of(self, name: str) -> list[str]:
        return [key.decode() for key in self.key_names(f"*:schedule:{name}")]

    async def test_a_queue_takes_so_many_and_no_more(self) -> None:
        most, schedule_store.MOST_OF_A_QUEUE = schedule_store.MOST_OF_A_QUEUE, 2
        self.addCleanup(setattr, schedule_store, "MOST_OF_A_QUEUE", most)
        for name in "ab":
            await self.put(every(60), name)

        with self.assertRaises(TooManySchedules):
            await self.put(every(60), "c")
        await self.put(every(5), "a")

        self.assertEqual(["a", "b"], [*await self.schedules.index()])

    async def test_what_is_deleted_is_gone(self) -> None:
        await self.put(every(60))

        await self.schedules.delete("s")

        self.assertEqual([], self.key_names("*s*dule*:s") + self.key_names("*slots"))
        self.assertEqual({}, await self.schedules.index())
        with self.assertRaises(ScheduleNotFound):
            await self.schedules.read("s")
        with self.assertRaises(ScheduleNotFound):
            await self.schedules.delete("s")

    async def test_one_that_somebody_broke_can_be_deleted_and_made_again(self) -> None:
        key = self.keys.schedule("q", "s")
        breaks: tuple[Callable[[], object], ...] = (
            lambda: self.client.hset(key, "text", "broken by hand"),
            lambda: (self.client.delete(key), self.client.set(key, "broken by hand")),
        )
        for break_it in breaks:
            await self.put(every(60))
            break_it()
            with self.assertRaises(RedisKeysBroken):
                await self.schedules.delete("s", lambda known: known == 1)

            await self.schedules.delete("s")

            self.assertEqual(({}, 0), (await self.schedules.index(), self.client.zcard(self.base + "slots")))

    async def test_an_entry_of_the_index_without_a_schedule_is_no_schedule(self) -> None:
        self.client.hset("wb:schedules", "s", "gone")

        with self.assertRaises(ScheduleNotFound):
            await self.schedules.read("s")
        await self.put(every(60))

        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_a_queue_with_schedules_is_not_removed(self) -> None:
        await self.queues.add(["q"])
        await self.put(every(60))

        with self.assertRaisesRegex(QueueInUse, "1 schedules queue jobs in q"):
            await self.queues.remove("q")
        await self.schedules.delete("s")
        await self.queues.remove("q")

        self.assertEqual([], self.key_names("wb:{q}:*"))

    async def test_at_maxmemory_none_is_written_and_one_is_deleted(self) -> None:
        await self.put(every(60))
        self.configure("maxmemory", 1)
        try:
            with self.assertRaises(RedisUnavailable):
                await self.put(every(5))
            await self.schedules.delete("s")
        finally:
            self.configure("maxmemory", 0)


class Fired(ScheduleCase):
    async def test_a_slot_that_is_due_queues_its_job_and_stores_the_next(self) -> None:
        await self.put(every(60, job={**JOB, "priority": "high", "payload": {"a": 1}}))
        slot_ms = await self.bring_now()

        (taken,) = await self.take()

        self.assertEqual(("fired", slot_ms, 0), (taken.outcome, taken.slot.at_ms, taken.missed))
        spec = await self.spec(taken.job_id)
        self.assertEqual(("s", slot_ms, {"a": 1}), (spec.schedule, spec.scheduled_for, spec.payload))
        self.assertEqual(taken.request_id, spec.request_id)
        self.assertEqual([taken.job_id], self.list("ready:high"))
        self.assertEqual({"enqueued": 1}, (await self.queues.census("q")).totals)
        seen = await self.schedules.read("s")
        self.assertEqual((taken.job_id, 1), (seen.last_job, seen.fired))
        self.assertGreater(seen.slot.due_ms if seen.slot else 0, slot_ms)
        ((_, outcome_slot_ms, outcome, about),) = seen.outcomes
        self.assertEqual((slot_ms, "fired", taken.job_id), (outcome_slot_ms, outcome, about))

    async def test_whoever_comes_second_does_nothing(self) -> None:
        await self.put(every(60, overlap="allow"))
        await self.bring_now()
        found = await self.slots.due("q")

        first, second = [await self.slots.take("q", found.due[0], found.now_ms) for _ in range(2)]

        self.assertEqual(("fired", "changed"), (first.outcome, second.outcome))
        self.assertEqual({first.job_id: "ready"}, self.states())

    async def test_nothing_fires_behind_a_change_or_a_deletion(self) -> None:
        for change in (every(60, owner="x"), None):
            await self.put(every(60))
            await self.bring_now()
            found = await self.slots.due("q")
            if change:
                await self.put(change)
            else:
                await self.schedules.delete("s")

            self.assertEqual("changed", (await self.slots.take("q", found.due[0], found.now_ms)).outcome)
        self.assertEqual({}, self.states())

    async def test_a_slot_is_skipped_while_the_last_job_lives(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        (first,) = await self.take()
        lease = await self.lease()
        job = await self.claimed(lease)
        for state in ("active", "delayed"):
            self.assertEqual(state, await self.state(first.job_id))
            await self.bring_now()

            (second,) = await self.take()

            self.assertEqual(("skipped", first.job_id), (second.outcome, second.job_id))
            if state == "active":
                await lease.end_and_wait("fail", ending("fail", job))
        await self.job_store.cancel(first.job_id)
        await self.bring_now()
        self.assertEqual(["fired"], [taken.outcome for taken in await self.take()])
        seen = await self.schedules.read("s")
        self.assertEqual((2, 2), (seen.fired, seen.skipped))
        self.assertEqual(["fired", "skipped", "skipped", "fired"], [row.outcome for row in seen.outcomes])

    async def test_the_last_runs_are_told_with_what_became_of_each_however_many_slots_were_skipped(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        (first,) = await self.take()
        for _ in range(11):
            await self.bring_now()
            await self.take()
        asked = await self.enqueue()
        await self.schedules.note_run(await self.schedules.read("s"), asked)

        seen = await self.schedules.read("s")
        self.assertEqual([(asked, "ready"), (first.job_id, "ready")], [row[1:] for row in seen.runs])
        self.assertNotIn(first.job_id, [row.about for row in seen.outcomes if row.outcome == "fired"])
        await self.job_store.cancel(first.job_id)
        await self.job_store.cancel(asked)
        await self.job_store.delete(asked)
        self.assertEqual([None, "cancelled"], [row.state for row in (await self.schedules.read("s")).runs])

    async def test_ten_runs_are_kept(self) -> None:
        await self.put(every(60, overlap="allow"))
        ids = []
        for _ in range(12):
            await self.bring_now()
            ids += [taken.job_id for taken in await self.take()]

        runs = (await self.schedules.read("s")).runs
        self.assertEqual(ids[:1:-1], [run.job_id for run in runs])
        self.assertEqual({"ready"}, {run.state for run in runs})

    async def test_with_allow_jobs_run_side_by_side(self) -> None:
        await self.put(every(60, overlap="allow"))
        for _ in range(3):
            await self.bring_now()
            await self.take()

        self.assertEqual(3, len(self.list("ready:normal")))

    async def test_the_last_ten_outcomes_are_kept(self) -> None:
        await self.put(every(60, overlap="allow"))
        for _ in range(12):
            await self.bring_now()
            await self.take()

        seen = await self.schedules.read("s")

        self.assertEqual((12, 10), (seen.fired, len(seen.outcomes)))
        self.assertEqual(seen.last_job, seen.outcomes[0].about)

    async def test_one_job_catches_up_with_an_hour(self) -> None:
        await self.put(every(60))
        await self.bring_now(late_ms=3_600_000)

        (taken,) = await self.take()

        self.assertEqual(("fired", 60), (taken.outcome, taken.missed))
        self.assertEqual([], await self.due())
        seen = await self.schedules.read("s")
        self.assertEqual((1, 60), (seen.fired, seen.missed))
        self.assertEqual([("fired", taken.job_id), ("missed", "60")], [row[2:] for row in seen.outcomes])

    async def test_none_catches_up_with_nothing(self) -> None:
        await self.put(every(3600, catch_up="none"))
        await self.bring_now(late_ms=120_000)

        (taken,) = await self.take()

        self.assertEqual(("missed", 1), (taken.outcome, taken.missed))
        self.assertEqual(({}, []), (self.states(), await self.due()))

    async def test_all_are_caught_up_with_one_after_the_other(self) -> None:
        first = await self.put(every(60, catch_up="all", overlap="allow"))
        slot_ms = first.anchor_ms - 3_600_000
        self.bring(slot_ms)
        taken = []
        while await self.due():
            taken += await self.take()

        self.assertEqual([slot_ms + 60_000 * minute for minute in range(61)], [one.slot.at_ms for one in taken])
        self.assertEqual(61, len(self.list("ready:normal")))

    async def test_at_max_depth_the_slot_stays_due_and_says_why(self) -> None:
        await self.put(every(60))
        await self.queues.adjust("q", {"max_depth": 0}, begins=True)
        slot_ms = await self.bring_now()

        self.assertEqual(["full"], [taken.outcome for taken in await self.take()])
        seen = await self.schedules.read("s")
        self.assertEqual((slot_ms, "full"), (seen.slot and seen.slot.due_ms, seen.reason))
        await self.queues.adjust("q", {"max_depth": None})

        self.assertEqual(["fired"], [taken.outcome for taken in await self.take()])
        self.assertEqual("", (await self.schedules.read("s")).reason)

    async def test_a_group_at_its_max_depth_holds_up_its_own_schedules_alone(self) -> None:
        for name in ("one", "two", "other"):
            group = {"group": "tenant-1"} if name != "other" else {}
            await self.put(every(60, job={**JOB, **group}), name)
            await self.bring_now(name)
        await self.queues.adjust("q", {"groups": {"max_depth": 1}}, begins=True)

        outcomes = sorted(taken.outcome for taken in await self.take())

        self.assertEqual(["fired", "fired", "group_full"], outcomes)
        self.assertEqual(["group_full"], [(await self.schedules.read(due.name)).reason for due in await self.due()])

    async def test_a_job_of_a_group_with_tags_stands_in_its_line_and_its_indexes(self) -> None:
        await self.put(every(60, job={**JOB, "group": "tenant-1", "tags": ["eu"]}))
        await self.bring_now()

        (taken,) = await self.take()

        self.assertEqual([taken.job_id], self.list("line:normal:tenant-1"))
        self.assertEqual([taken.job_id.encode()], self.client.zrange(self.base + "tag:eu", 0, -1))
        spec = await self.spec(taken.job_id)
        self.assertEqual(("tenant-1", ("eu",)), (spec.group, spec.tags))

    async def test_at_maxmemory_the_slot_stays_due(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        before = self.dump()
        self.configure("maxmemory", 1)
        try:
            with self.assertRaises(RedisUnavailable):
                await self.take()
        finally:
            self.configure("maxmemory", 0)

        self.assertEqual(before, self.dump())
        self.assertEqual(["fired"], [taken.outcome for taken in await self.take()])

    async def test_a_broken_key_stops_the_slot_before_anything_is_written(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        for name in ("all", "ready:normal", "delayed"):
            self.client.set(self.base + name, "x")
            before = self.dump()
            with self.subTest(name), self.assertRaises(RedisKeysBroken):
                await self.take()
            self.assertEqual(before, self.dump())
            self.client.delete(self.base + name)

    async def test_a_schedule_whose_record_is_gone_is_seen_and_cleared(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        self.client.delete(self.keys.schedule("q", "s"))

        (due,) = await self.due()
        self.assertEqual(("s", ""), (due.name, due.text))
        await self.slots.clear("q", "s")

        self.assertEqual([], await self.due())
        self.assertEqual({}, await self.schedules.index())

    async def test_a_schedule_whose_key_somebody_broke_is_cleared_as_one_that_is_gone(self) -> None:
        await self.put(every(60))
        await self.bring_now()
        self.client.delete(self.keys.schedule("q", "s"))
        self.client.set(self.keys.schedule("q", "s"), "no hash")

        (due,) = await self.due()
        self.assertEqual("", due.text)
        await self.slots.clear("q", "s")

        self.assertEqual([], await self.due())
        self.assertEqual({}, await self.schedules.index())

    async def test_a_schedule_that_is_written_again_before_its_lost_one_is_cleared_stays(self) -> None:
        await self.put(every(60))
        self.client.delete(self.keys.schedule("q", "s"))
        seen = await self.put(every(60))

        await self.slots.clear("q", "s")

        self.assertEqual(seen.slot, (await self.schedules.read("s")).slot)

    async def test_the_same_schedule_again_gives_one_its_place_in_slots_that_lost_it(self) -> None:
        await self.put(every(60))
        self.client.zrem(self.base + "slots", "s")

        self.assertIsNotNone((await self.put(every(60))).slot)

    async def test_a_lost_index_is_mended_by_the_fire(self) -> None:
        await self.put(every(60))
        self.client.delete("wb:schedules")
        await self.bring_now()
        await self.take()

        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_an_index_of_another_type_keeps_nothing_from_firing(self) -> None:
        await self.put(every(60, overlap="allow"))
        self.client.delete("wb:schedules")
        self.client.set("wb:schedules", "no hash")
        await self.bring_now()

        self.assertEqual(["fired"], [taken.outcome for taken in await self.take()])
        self.client.delete("wb:schedules")
        await self.bring_now()
        await self.take()

    async def test_a_run_by_hand_counts_as_the_last(self) -> None:
        seen = await self.put(every(60))
        job_id = await self.enqueue()
        for _ in range(2):
            await self.schedules.note_run(seen, job_id)
        await self.bring_now()

        (taken,) = await self.take()

        self.assertEqual(("skipped", job_id), (taken.outcome, taken.job_id))
        outcomes = (await self.schedules.read("s")).outcomes
        self.assertEqual([("skipped", job_id), ("run", job_id)], [row[2:] for row in outcomes])
        self.assertIsNone(outcomes[1].slot_ms)


@unittest.skipUnless("Europe/Berlin" in known_zones(), "this host has no tzdata")
class Zones(ScheduleCase):
    async def test_a_slot_by_other_rules_is_moved_to_its_wall_time(self) -> None:
        seen = await self.put(cron("0 3 * * *", timezone="Europe/Berlin"))
        assert seen.slot is not None
        now = await self.now_ms()
        # As a host wrote it whose rules have Berlin elsewhere: due now, for a wall time that is to come here.
        self.bring(now)

        self.assertEqual(["shifted"], [taken.outcome for taken in await self.take()])

        self.assertEqual(seen.slot, (await self.schedules.read("s")).slot)
        self.assertEqual({}, self.states())

    async def test_a_zone_that_this_host_does_not_know_leaves_the_slot_to_others(self) -> None:
        await self.put(cron("0 3 * * *", timezone="Europe/Berlin"))
        key = self.keys.schedule("q", "s")
        text: bytes = self.client.hget(key, "text")
        self.client.hset(key, "text", text.replace(b"Berlin", b"Nirgends"))
        await self.bring_now()

        with self.assertRaises(UnknownZone):
            await self.take()

        self.assertEqual(1, len(await self.due()))


class Surveyed(ScheduleCase):
    async def test_survey_tells_when_the_next_slot_is_due(self) -> None:
        survey = await self.survey()
        self.assertEqual(float("inf"), survey.slot_wait_s)
        await self.put(every(60, paused=True))
        self.assertEqual(float("inf"), (await self.survey()).slot_wait_s)
        await self.put(every(60))

        survey = await self.survey()

        self.assertAlmostEqual(60, survey.slot_wait_s, delta=2)
        self.assertEqual(survey.slot_wait_s, survey.wait_s)
        self.assertFalse(survey.is_busy)
        await self.bring_now(late_ms=5000)
        self.assertEqual(0, (await self.survey()).slot_wait_s)

    async def survey(self) -> Survey:
        return await self.queues.upkeep.survey("q", KEEP_ALL)

    async def test_ten_thousand_idle_schedules_cost_one_command_a_survey(self) -> None:
        before = await self.commands_of_a_survey()
        self.client.zadd(self.base + "slots", {f"s{number}": 10**15 for number in range(10_000)})

        self.assertEqual(before, await self.commands_of_a_survey())
        self.client.delete(self.base + "slots")

    async def commands_of_a_survey(self) -> dict[str, int]:
        await self.survey()
        for node in self.redis.clients:
            node.config_resetstat()
        await self.survey()
        counts: dict[str, int] = {}
        for node in self.redis.clients:
            for name, stats in node.info("commandstats").items():
                counts[name] = counts.get(name, 0) + int(stats["calls"])
        return {name: count for name, count in counts.items() if "config" not in name and "info" not in name}


if __name__ == "__main__":
    unittest.main()
