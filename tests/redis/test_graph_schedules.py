"""Schedules of a job with `then`, and of whole workflows over three queues: one graph a slot, whoever dies between its
jobs and its anchor, and nothing planted for a slot that gets none."""

import asyncio
import contextlib
import unittest
from collections import Counter
from typing import Any
from unittest.mock import patch

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.schedule import Schedule
from lib.jobs.schedule_request import schedule_text
from lib.jobs.workflow import Graph
from lib.queue.job_store import JobStore
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_slots import DueSchedule, ScheduleSlots, SlotTaken
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink
from tests.redis.graph_site import Died, Frozen, Mortal, When
from tests.redis.planting_case import QUEUES, PlantingCase

STEP_MS = 60_000


def job(queue: str, **fields: Any) -> dict[str, Any]:
    return {"type": "noop", "payload": {}, "queue": queue, **fields}


WORKFLOW = {
    "name": "import",
    "queue": "a",
    "jobs": {
        "fetch": job("b"),
        "part": {"jobs": {"left": job("a"), "right": job("c", after=["left"])}, "after": ["fetch"], "queue": "b"},
        "sum": job("c", after=["fetch", {"job": "part", "on": "ended"}]),
    },
    "then": [job("b", then=[job("c")])],
}
JOBS = {"", "fetch", "part", "left", "right", "sum", "then 0", "then 0.0"}
THEN = job("a", then=[job("b", on="ended", then=[job("c")]), job("c", on="failed")])


def flow(**fields: Any) -> Schedule:
    return Schedule("", STEP_MS, "UTC", {}, workflow=WORKFLOW, **fields)


def then(**fields: Any) -> Schedule:
    return Schedule("", STEP_MS, "UTC", THEN, **fields)


ENDS = ((flow(), {"completed": len(JOBS)}), (then(), {"completed": 3, "cancelled": 1}))
"""Schedules, and how many of the jobs of their slot come to which end."""
WAYS: tuple[tuple[When, bool], ...] = (("before", False), ("before", True), ("after", False), ("after", True))


class GraphScheduleCase(PlantingCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.schedules = ScheduleStore(self.link, self.keys)
        self.slots = self.over(self.link)

    def over(self, link: RedisLink) -> ScheduleSlots:
        """What a supervisor takes slots with, whose link this is."""
        return ScheduleSlots(link, self.keys, self.ids, JobStore(link, self.keys, notices=self.notices).workflows)

    async def put(self, schedule: Schedule) -> ScheduleSeen:
        seen, _ = await self.schedules.put("s", lambda present: schedule)
        return seen

    async def bring(self, late_ms: int = 0) -> None:
        """Let the schedule's next slot have come late_ms ago."""
        slot_ms = await self.now_ms() - late_ms
        self.client.zadd(self.keys.base("a") + "slots", {"s": slot_ms})
        self.client.hset(self.keys.schedule("a", "s"), mapping={"slot": slot_ms, "anchor": slot_ms})

    async def due(self, schedule: Schedule) -> tuple[DueSchedule, int]:
        """The slot of such a schedule, which is due now; and Redis' clock."""
        await self.put(schedule)
        await self.bring()
        found = await self.slots.due("a")
        (one,) = found.due
        return one, found.now_ms

    async def take(self) -> SlotTaken:
        found = await self.slots.due("a")
        (one,) = found.due
        taken = await self.slots.take("a", one, found.now_ms)
        await self.notices.wait_until_idle()
        return taken

    async def specs(self) -> dict[str, Counter[int]]:
        """Schedule -> its slots, each with how many jobs it has."""
        found: dict[str, Counter[int]] = {}
        for job_id in self.states():
            spec = (await self.record(job_id)).spec
            assert spec is not None
            found.setdefault(spec.schedule, Counter())[spec.scheduled_for] += 1
        return found

    async def assert_all_ran_once(self, count: int) -> None:
        """So many jobs are there, none of which waits for anything; no handler has run twice."""
        self.assertEqual({"completed": count}, dict(Counter(self.states().values())))
        self.assertEqual(len(self.ran), len(set(self.ran)))
        self.assertEqual({}, self.left())


class Fired(GraphScheduleCase):
    async def test_a_job_runs_and_then_those_of_its_then(self) -> None:
        await self.due(then())

        taken = await self.take()

        self.assertEqual(("fired", 4, False), (taken.outcome, taken.jobs, taken.is_workflow))
        states = self.states()
        self.assertEqual("ready", states.pop(taken.job_id))
        self.assertEqual(["blocked"] * 3, [*states.values()])
        await self.work()
        self.assertEqual({"completed": 3, "cancelled": 1}, dict(Counter(self.states().values())))
        seen = await self.schedules.read("s")
        self.assertEqual((taken.job_id, 1, 0), (seen.last_job, seen.fired, seen.skipped))
        self.assertEqual([("fired", taken.job_id)], [(one.outcome, one.about) for one in seen.outcomes])

    async def test_where_it_fails_the_alarm_of_its_then_runs(self) -> None:
        await self.due(then())
        taken = await self.take()

        await self.work(taken.job_id)

        self.assertEqual({"dead": 1, "completed": 3}, dict(Counter(self.states().values())))

    async def test_a_workflow_over_three_queues_is_open_at_once_and_is_the_last(self) -> None:
        await self.due(flow())

        taken = await self.take()

        self.assertEqual(("fired", 7, True), (taken.outcome, taken.jobs, taken.is_workflow))
        record = await self.record(taken.job_id)
        self.assertEqual(("blocked", True), (record.state, record.is_workflow))
        self.assertEqual({"blocked": 7, "ready": 1}, dict(Counter(self.states().values())))
        self.assertEqual(taken.job_id, (await self.schedules.read("s")).last_job)
        await self.work()
        await self.assert_all_ran_once(len(JOBS))
        self.assertEqual({"s": Counter({taken.slot.at_ms: len(JOBS)})}, await self.specs())

    async def test_every_slot_that_is_caught_up_with_has_its_graph(self) -> None:
        await self.put(flow(catch_up="all", overlap="allow"))
        await self.bring(late_ms=2 * STEP_MS)

        for _ in range(3):
            self.assertEqual("fired", (await self.take()).outcome)

        await self.work()
        await self.assert_all_ran_once(3 * len(JOBS))
        self.assertEqual([len(JOBS)] * 3, [*(await self.specs())["s"].values()])

    async def test_the_text_of_a_thousand_jobs_is_read_and_fired(self) -> None:
        jobs = {f"j{number}": job(QUEUES[number % 3]) for number in range(1000)}
        schedule = flow()._replace(workflow={"queue": "a", "jobs": jobs})
        self.assertLess(len(schedule_text(schedule)), 1 << 20)
        await self.due(schedule)

        taken = await self.take()
        self.assertEqual(("fired", 1000), (taken.outcome, taken.jobs))

        await self.work()
        await self.assert_all_ran_once(1001)


class Passed(GraphScheduleCase):
    """Slots that get no graph: nothing is planted for them."""

    async def test_a_slot_is_skipped_while_the_workflow_runs(self) -> None:
        await self.due(flow())
        first = await self.take()
        await self.bring()

        taken = await self.take()

        self.assertEqual(("skipped", first.job_id), (taken.outcome, taken.job_id))
        self.assertEqual(len(JOBS), len(self.states()))
        await self.work()
        await self.bring()
        self.assertEqual("fired", (await self.take()).outcome)
        await self.work()
        await self.assert_all_ran_once(2 * len(JOBS))

    async def test_with_allow_two_workflows_run_side_by_side(self) -> None:
        await self.due(flow(overlap="allow"))
        await self.take()
        await self.bring()

        self.assertEqual("fired", (await self.take()).outcome)

        await self.work()
        await self.assert_all_ran_once(2 * len(JOBS))

    async def test_with_queue_a_workflow_is_not_open_before_the_last_one_has_ended(self) -> None:
        await self.due(flow(overlap="queue"))
        ids = [(await self.take()).job_id]
        for _ in range(2):
            await self.bring()
            taken = await self.take()
            self.assertEqual("fired", taken.outcome)
            ids.append(taken.job_id)

        await self.upkeep()

        self.assertEqual({"blocked": 3 * len(JOBS) - 1, "ready": 1}, dict(Counter(self.states().values())))
        waits_for = [{edge.parent_id for edge in (await self.record(job_id)).edges} for job_id in ids]
        self.assertEqual([set(), {ids[0]}, {*ids[:2]}], waits_for)
        await self.work()
        await self.assert_all_ran_once(3 * len(JOBS))
        specs = [(await self.record(job_id)).spec for job_id in self.ran]
        # Those of a `then` run beside the next workflow.
        slots = [spec.scheduled_for for spec in specs if spec and spec.workflow]
        self.assertEqual((12, sorted(slots)), (len(slots), slots))

    async def test_with_queue_a_job_with_then_waits_for_the_one_before(self) -> None:
        await self.due(then(overlap="queue"))
        first = await self.take()
        await self.bring()

        second = await self.take()

        self.assertEqual(("blocked", "ready"), (await self.state(second.job_id), await self.state(first.job_id)))
        await self.work(first.job_id)
        self.assertEqual(Counter({"completed": 6, "dead": 1, "cancelled": 1}), Counter(self.states().values()))

    async def test_with_queue_a_queue_without_room_has_the_slot_stay_due(self) -> None:
        await self.due(flow(overlap="queue"))
        await self.take()
        await self.bring()
        await self.queues.adjust("c", {"max_depth": 5})

        self.assertEqual("graph_full", (await self.take()).outcome)

        self.assertEqual(len(JOBS), len(self.states()))

    async def test_missed_slots_get_none(self) -> None:
        await self.put(flow(catch_up="none"))
        await self.bring(late_ms=STEP_MS + 1000)

        taken = await self.take()

        self.assertEqual(("fired", 1), (taken.outcome, taken.missed))
        await self.work()
        await self.assert_all_ran_once(len(JOBS))

    async def test_where_another_queue_has_no_room_the_slot_stays_due_and_says_why(self) -> None:
        await self.due(flow())
        await self.queues.adjust("c", {"max_depth": 2}, begins=True)

        self.assertEqual("graph_full", (await self.take()).outcome)

        seen = await self.schedules.read("s")
        self.assertEqual(("graph_full", {}), (seen.reason, self.states()))
        await self.queues.adjust("c", {"max_depth": 3})
        self.assertEqual("fired", (await self.take()).outcome)
        self.assertEqual("", (await self.schedules.read("s")).reason)
        await self.work()
        await self.assert_all_ran_once(len(JOBS))

    async def test_where_its_own_queue_is_full_the_slot_stays_due(self) -> None:
        await self.due(then())
        await self.queues.adjust("a", {"max_depth": 0}, begins=True)

        self.assertEqual("full", (await self.take()).outcome)

        self.assertEqual(("full", {}), ((await self.schedules.read("s")).reason, self.states()))

    async def test_a_group_at_its_max_depth_has_the_slot_stay_due(self) -> None:
        await self.queues.adjust("a", {"groups": {"max_depth": 0}}, begins=True)
        await self.due(then()._replace(job=THEN | {"group": "g"}))

        self.assertEqual("group_full", (await self.take()).outcome)

        self.assertEqual("group_full", (await self.schedules.read("s")).reason)
        await self.queues.adjust("a", {"groups": {"max_depth": 1}})
        self.assertEqual("fired", (await self.take()).outcome)
        self.assertEqual({"ready": 1, "blocked": 3}, dict(Counter(self.states().values())))


class Bad(GraphScheduleCase):
    """Who dies between the jobs and the anchor, who comes second, and who edits meanwhile."""

    async def test_of_two_clocks_one_fires_and_the_graph_is_there_once(self) -> None:
        for schedule, count in ((flow(), len(JOBS)), (then(), 4)):
            self.empty()
            one, now_ms = await self.due(schedule)

            taken = await asyncio.gather(*[self.over(self.a_link()).take("a", one, now_ms) for _ in range(5)])

            self.assertEqual(1, [each.outcome for each in taken].count("fired"), taken)
            self.assertEqual({"fired", "changed"}, {each.outcome for each in taken})
            self.assertEqual(count, len(self.states()))
        await self.notices.wait_until_idle()
        await self.work()

    async def test_whoever_dies_at_any_call_each_job_runs_once(self) -> None:
        for schedule, ends in ENDS:
            for when, has_time in WAYS:
                calls = 1
                while await self.dies(schedule, calls, when, has_time=has_time):
                    self.assertEqual(ends, dict(Counter(self.states().values())), (calls, when, has_time))
                    calls += 1
                self.assertGreater(calls, 5)

    async def dies(self, schedule: Schedule, calls: int, when: When, *, has_time: bool) -> bool:
        """A supervisor dies at its call of that number; another one comes by, and the jobs run. has_time: before that,
        all that was planted asks for its anchor. Returns whether the first one died."""
        self.empty()
        self.ran.clear()
        one, now_ms = await self.due(schedule)
        mortal = Mortal(self.link, calls, when)
        has_died = False
        with contextlib.suppress(Died):
            has_died = True
            await self.over(mortal).take("a", one, now_ms)
            has_died = False
        if has_time:
            await self.upkeep()
        found = await self.slots.due("a")
        for again in found.due:
            await self.slots.take("a", again, found.now_ms)
        await self.notices.wait_until_idle()
        await self.work()
        await self.upkeep()
        await self.work()
        self.assertEqual((len(self.ran), {}), (len(set(self.ran)), self.left()))
        return has_died

    async def test_whoever_is_frozen_until_its_jobs_have_asked_goes_on_well(self) -> None:
        for schedule, ends in ENDS:
            calls = 1
            while await self.is_frozen(schedule, calls):
                self.assertEqual(ends, dict(Counter(self.states().values())), calls)
                self.assertEqual((len(self.ran), {}), (len(set(self.ran)), self.left()))
                calls += 1
            self.assertGreater(calls, 5)

    async def is_frozen(self, schedule: Schedule, calls: int) -> bool:
        """A supervisor stands still before its call of that number, while all jobs ask; then it goes on. Returns
        whether it made such a call."""
        self.empty()
        self.ran.clear()
        one, now_ms = await self.due(schedule)
        frozen = Frozen(self.link, calls, self.upkeep)

        await self.over(frozen).take("a", one, now_ms)

        await self.notices.wait_until_idle()
        await self.work()
        await self.upkeep()
        await self.work()
        return frozen.calls >= calls

    async def test_at_maxmemory_the_slot_stays_due_and_nothing_of_it_is_there(self) -> None:
        await self.due(flow())
        self.configure("maxmemory", 1)
        try:
            with self.assertRaises(RedisUnavailable):
                await self.take()
        finally:
            self.configure("maxmemory", 0)

        self.assertEqual({}, self.states())
        self.assertEqual("fired", (await self.take()).outcome)
        await self.work()
        await self.assert_all_ran_once(len(JOBS))

    async def test_a_broken_key_of_one_queue_keeps_the_slot_due_until_it_is_mended(self) -> None:
        await self.due(flow())
        broken = self.keys.base("c") + "all"
        self.client.set(broken, "x")
        for _ in range(2):
            with self.assertRaises(RedisKeysBroken):
                await self.take()
            for queue in ("a", "b"):
                await self.ask_all(queue)
        self.assertEqual({"cancelled"}, {*self.states().values()})

        self.client.delete(broken)
        self.assertEqual("fired", (await self.take()).outcome)

        await self.work()
        await self.upkeep()
        await self.work()
        await self.assert_all_ran_once(len(JOBS))

    async def test_an_edit_behind_the_planting_leaves_jobs_that_find_no_anchor(self) -> None:
        one, now_ms = await self.due(flow())

        workflows = JobStore(self.link, self.keys).workflows
        plant = workflows.plant_members

        async def plant_and_edit(graph: Graph) -> None:
            await plant(graph)
            await self.put(flow(overlap="allow"))
            await self.bring()

        with patch.object(workflows, "plant_members", plant_and_edit):
            taken = await ScheduleSlots(self.link, self.keys, self.ids, workflows).take("a", one, now_ms)

        self.assertEqual("changed", taken.outcome)
        self.assertEqual({"blocked": len(JOBS) - 1}, dict(Counter(self.states().values())))
        self.assertEqual("fired", (await self.take()).outcome)
        await self.upkeep()
        await self.work()
        self.assertEqual({"completed": len(JOBS), "cancelled": len(JOBS) - 1}, dict(Counter(self.states().values())))
        gone = [job_id for job_id, state in self.states().items() if state == "cancelled"]
        errors = [(await self.record(job_id)).error for job_id in gone]
        self.assertEqual({"parent_gone"}, {error["type"] for error in errors if error})


if __name__ == "__main__":
    unittest.main()
