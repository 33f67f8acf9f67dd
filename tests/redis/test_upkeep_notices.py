"""What upkeep does for jobs that wait for jobs: tell what nobody has told, and have them ask."""

import unittest
from pathlib import Path
from random import Random
from typing import Any

from lib.queue.bulkheads import Bulkheads
from lib.queue.notice_text import Word
from lib.queue.notices import Notices, ToldWords
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_names import NAMES_AT_ONCE, Walk
from lib.queue.schedule_slots import ScheduleSlots
from lib.queue.told_log import ToldLog
from lib.settings import config
from lib.work.supervisor.clock import ScheduleClock
from lib.work.supervisor.upkeep import Upkeep
from tests.a_log import ALog
from tests.redis.case import until
from tests.redis.planting_case import QUEUES
from tests.redis.schedule_case import Tasks
from tests.redis.test_notices import NoticesCase

HOUR_MS = 3_600_000


class Rounds(NoticesCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.log = ALog(self)
        tasks = Tasks()
        self.addAsyncCleanup(tasks.end)
        settings = config.load({"WORKER_QUEUES": "a=1", "LEASE_S": "2"}, Path("/nonexistent"))
        bulkheads, rng = Bulkheads(self.log), Random(1)
        outcomes = OutcomeLog(self.job_store, self.log)
        self.teller = self.a_logging_teller(bulkheads, outcomes)
        slots = ScheduleSlots(self.link, self.keys, self.ids, self.job_store.workflows)
        clock = ScheduleClock(slots, self.log, bulkheads, rng, tasks.add)
        walk = Walk(self.link, self.keys, page=NAMES_AT_ONCE)
        self.upkeep_ = Upkeep(self.queues, walk, outcomes, settings, self.log, bulkheads, rng, clock, self.teller)
        self.round_s = 0.0

    def a_logging_teller(self, bulkheads: Bulkheads, outcomes: OutcomeLog) -> Notices:
        on_fault, on_told = bulkheads.teller("telling"), ToldLog(self.log, outcomes)
        return Notices(self.link, self.keys, clock=lambda: self.now_s, on_fault=on_fault, on_told=on_told)

    async def round(self) -> None:
        self.round_s += 1
        self.now_s += 1
        await self.upkeep_.round(self.round_s)

    async def until_states(self, state: str, job_ids: list[str]) -> None:
        async def is_so() -> bool:
            await self.round()
            return self.states_of(job_ids) == {state}

        await until(is_so, f"they are not {state}")

    async def until_logged(self, event: str) -> dict[str, Any]:
        async def found() -> list[dict[str, Any]]:
            return [line for line in self.log.lines() if line["event"] == event]

        return dict((await until(found, f"no {event}"))[-1])

    async def test_what_a_runner_left_untold_is_told_when_it_is_a_second_old(self) -> None:
        parents, followers = await self.followed("b", "c")

        await self.until_states("ready", followers)

        line = await self.until_logged("job.freed")
        self.assertIn(line["job_id"], followers)
        self.assertEqual((parents[0], line["job_id"][0]), (line["parent_id"], line["queue"]))
        self.assertEqual({}, self.left())

    async def test_a_job_that_expires_tells_in_the_same_round(self) -> None:
        parent = await self.enqueue(queue="a", expires_in_ms=HOUR_MS)
        graph = self.waiting_for(parent)
        await self.job_store.workflows.plant(graph)
        self.client.zadd(self.base + "expiring", {parent: 1})

        await self.round()

        self.assertEqual({"": "cancelled"}, self.ends(graph))
        line = await self.until_logged("job.cancelled")
        self.assertIn("parent_failed", line["msg"])
        self.assertIn(parent, line["msg"])

    async def test_an_alarm_that_is_skipped_is_no_warning(self) -> None:
        graph = self.workflow({"one": ("a", ""), "alarm": ("b", "fone")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()

        await self.end_all("a")
        await self.until_states("completed", [graph.anchor.job.job_id])

        line = await self.until_logged("job.cancelled")
        self.assertEqual(("INFO", self.id_of(graph, "alarm")), (line["level"], line["job_id"]))

    async def test_a_job_that_is_free_says_what_it_waited_for_last(self) -> None:
        on_told = ToldLog(self.log, OutcomeLog(self.job_store, self.log))
        words = [Word(b"a-1", b"a-0", outcome, b"") for outcome in (b"o", b"c")]

        on_told(ToldWords("a", words, b"ff"))

        whys = [line["msg"].partition(" | ")[2] for line in self.log.lines()]
        self.assertEqual(["a-0 has begun", "a-0 was the last for which it waited"], whys)

    async def test_a_runner_that_is_reaped_tells_in_the_same_round(self) -> None:
        parent = await self.enqueue(queue="a")
        graph = self.waiting_for(parent)
        await self.job_store.workflows.plant(graph)
        lease = await self.lease_of("a")
        await lease.claim(1)
        await self.job_store.cancel(parent)

        while self.client.hexists(self.base + "workers", lease.runner_id):
            await self.round()
        self.leases.clear()

        self.assertEqual({"": "cancelled"}, self.ends(graph))

    async def test_who_is_to_ask_asks(self) -> None:
        _, followers = await self.followed("b")
        self.client.delete(self.keys.notices("a"))
        await self.round()
        self.assertEqual({"blocked"}, self.states_of(followers))
        self.make_all_ask("b")

        await self.round()

        self.assertEqual({"ready"}, self.states_of(followers))

    async def test_everybody_asks_when_data_was_lost_or_another_redis_answers(self) -> None:
        _, followers = await self.followed("b", "c")
        self.client.delete(self.keys.notices("a"))
        await self.round()
        self.assertEqual({"blocked"}, self.states_of(followers))

        self.upkeep_.have_everybody_ask()
        await self.round()

        self.assertEqual({"ready"}, self.states_of(followers))

    async def test_a_workflow_that_ends_is_logged_with_its_request(self) -> None:
        graph = self.workflow({"one": ("a", "")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.end_all("a")

        await self.until_states("completed", [graph.anchor.job.job_id])

        line = await self.until_logged("workflow.ended")
        self.assertEqual(("completed", "request"), (line["state"], line["request_id"]))

    async def test_a_queue_that_can_not_be_told_is_logged_once_and_when_it_is_mended(self) -> None:
        _, followers = await self.followed("b")
        self.break_key("b")

        async def is_logged() -> bool:
            await self.round()
            return any(line["event"] == "telling.failed" for line in self.log.lines())

        await until(is_logged, "no fault is logged")
        for _ in range(20):
            await self.round()
        self.mend_key("b")
        await self.until_states("ready", followers)

        events = [line["event"] for line in self.log.lines() if line["event"].startswith("telling.")]
        self.assertEqual(["telling.failed", "telling.mended"], events)

    async def test_a_queue_with_a_notice_or_one_who_is_to_ask_does_not_sleep(self) -> None:
        await self.followed("b")
        survey = [await self.queues.upkeep.survey(queue, self.retention) for queue in QUEUES]
        self.assertEqual([True, False, False], [one.untold_s is not None for one in survey])
        self.make_all_ask("b")

        survey = [await self.queues.upkeep.survey(queue, self.retention) for queue in QUEUES]

        self.assertEqual([False, True, False], [one.is_asking for one in survey])
        self.assertTrue(survey[0].is_busy and survey[1].is_busy)
        await self.teller.tell("a")

    @property
    def retention(self) -> Any:
        return self.upkeep_._retention


if __name__ == "__main__":
    unittest.main()
