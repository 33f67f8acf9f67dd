"""Planting: all of a graph or nothing of it, whichever reply is lost and whoever dies."""

import asyncio
import unittest

from lib.errors import (
    IdempotencyKeyReused,
    InvalidFields,
    OutcomeUnknown,
    QueueFull,
    RedisKeysBroken,
    RedisUnavailable,
    TooManyFollowers,
    UpgradeNeeded,
    WaybillError,
    WorkflowEnded,
)
from lib.jobs.job import Keyed
from lib.jobs.workflow import Edge, Graph, GraphJob, member_id
from lib.queue.end_record import complete_record
from lib.queue.fleet import Fleet, Program
from lib.queue.job_store import JobStore
from lib.redis_link.link import RedisLink
from tests.redis.case import LosesReplies
from tests.redis.planting_case import RESULT, PlantingCase, spec
from tests.redis.test_once import FailsAt

THREE = {"fetch": ("b", ""), "part": ("c", "cfetch"), "sum": ("a", "cpart")}
ALL_WELL = {"fetch": "completed", "part": "completed", "sum": "completed", "": "completed"}
KEYED = Keyed("ops order-7", "9c1f")
MOST_CALLS = 40


class Planting(PlantingCase):
    def store(self, link: RedisLink) -> JobStore:
        """The stores of another process, over that link."""
        return JobStore(link, self.keys)

    async def test_a_graph_over_three_queues_runs_once_in_the_order_of_its_edges(self) -> None:
        graph = self.workflow(THREE)

        planted = await self.job_store.workflows.plant(graph)
        await self.work()

        self.assertEqual((graph.anchor.job.job_id, False), (planted.anchor_id, planted.is_replayed))
        self.assertAlmostEqual(await self.now_ms(), planted.created_ms, delta=10_000)
        self.assertEqual(ALL_WELL, self.ends(graph))
        self.assertEqual([self.id_of(graph, name) for name in THREE], self.ran)
        self.assertEqual({}, self.left())
        self.assertEqual({b"a", b"b", b"c"}, self.client.smembers("wb:queues"))

    async def test_a_thousand_members_are_planted(self) -> None:
        graph = self.workflow({f"m{at}": ("abc"[at % 3], "") for at in range(1000)})

        await self.job_store.workflows.plant(graph)
        await self.work()

        self.assertEqual({"completed"}, set(self.ends(graph).values()))
        self.assertEqual(1000, len(self.ran))

    async def test_a_lost_reply_at_any_call_changes_nothing(self) -> None:
        for at in range(1, MOST_CALLS):
            with self.subTest(at):
                self.empty()
                link = FailsAt(self.link, at, is_sent=True, is_death=False)
                graph = self.workflow(THREE)

                taken = await self.planted(self.store(link), graph)
                await self.upkeep()
                await self.work()
                await self.upkeep()

                self.assertIn(taken, ("planted", "nothing of it runs"))
                self.judge(graph, is_planted=taken == "planted")
            if link.calls < at:
                return
        self.fail("planting takes more calls than were tried")

    async def test_a_planter_that_dies_at_any_call_leaves_all_or_nothing(self) -> None:
        for is_sent in (False, True):
            for at in range(1, MOST_CALLS):
                with self.subTest(at, is_sent=is_sent):
                    self.empty()
                    link = FailsAt(self.link, at, is_sent=is_sent, is_death=True)
                    graph = self.workflow(THREE)
                    anchor = self.keys.base("a") + "job:" + graph.anchor.job.job_id

                    taken = await self.planted(self.store(link), graph)
                    is_there = bool(self.client.exists(anchor))
                    await self.upkeep()
                    await self.work()
                    await self.upkeep()

                    if taken != "unknown":
                        self.assertEqual(is_there, taken == "planted")
                    self.judge(graph, is_planted=is_there)
                if link.calls < at:
                    break
            else:
                self.fail("planting takes more calls than were tried")

    async def planted(self, store: JobStore, graph: Graph) -> str:
        try:
            await store.workflows.plant(graph, KEYED)
        except OutcomeUnknown:
            return "unknown"
        except RedisUnavailable:
            return "nothing of it runs"
        finally:
            await store.notices.wait_until_idle()
        return "planted"

    def judge(self, graph: Graph, *, is_planted: bool) -> None:
        """Every job has run once; or none has, and whatever was written is cancelled."""
        ran, self.ran = self.ran, []
        if is_planted:
            self.assertEqual([self.id_of(graph, name) for name in THREE], ran)
            self.assertEqual(ALL_WELL, self.ends(graph))
        else:
            self.assertEqual([], ran)
            self.assertLessEqual(set(self.ends(graph).values()), {"cancelled"})
        self.assertEqual({}, self.left())

    async def test_the_same_request_twice_makes_one_graph(self) -> None:
        first, second = self.workflow(THREE), self.workflow(THREE)

        planted = await self.job_store.workflows.plant(first, KEYED)
        again = await self.job_store.workflows.plant(second, KEYED)

        self.assertEqual(planted._replace(is_replayed=True, created_ms=again.created_ms), again)
        self.assertEqual({}, self.ends(second))

    async def test_of_equal_requests_at_one_time_one_has_made_the_graph(self) -> None:
        graphs = [self.workflow(THREE) for _ in range(8)]

        planted = await asyncio.gather(*[self.job_store.workflows.plant(graph, KEYED) for graph in graphs])
        await self.work()

        self.assertEqual(1, len({one.anchor_id for one in planted}))
        self.assertEqual(1, sum(not one.is_replayed for one in planted))
        self.assertEqual(3, len(self.ran))

    async def test_a_request_that_comes_again_when_its_jobs_were_trimmed_plants_nothing(self) -> None:
        first, second = self.workflow(THREE), self.workflow(THREE)
        await self.job_store.workflows.plant(first, KEYED)
        await self.work()
        for one in first.jobs:
            await self.job_store.delete(one.job.job_id)

        again = await self.job_store.workflows.plant(second, KEYED)

        self.assertTrue(again.is_replayed)
        self.assertEqual({}, self.states())

    async def test_a_second_try_plants_the_jobs_of_the_first_that_did_not_come_to_the_anchor(self) -> None:
        first, second = self.workflow(THREE), self.workflow(THREE)
        sent = LosesReplies(self.link)
        await self.planted(self.store(sent), first)
        scripts = len(sent.sent)
        self.empty()
        # The last but three calls are the anchor's and what follows it: find the death before the anchor.
        for at in range(scripts, 0, -1):
            self.empty()
            await self.planted(self.store(FailsAt(self.link, at, is_sent=False, is_death=True)), first)
            if self.states() and first.anchor.job.job_id not in self.states():
                break

        again = await self.job_store.workflows.plant(second, KEYED)
        await self.work()

        self.assertEqual(first.anchor.job.job_id, again.anchor_id)
        self.assertEqual(ALL_WELL, self.ends(first))
        self.assertEqual({}, self.ends(second))
        self.assertEqual(3, len(self.ran))

    async def test_the_same_key_with_another_body_is_refused(self) -> None:
        await self.job_store.workflows.plant(self.workflow(THREE), KEYED)

        with self.assertRaises(IdempotencyKeyReused):
            await self.job_store.workflows.plant(self.workflow(THREE), KEYED._replace(fingerprint="another"))

    async def test_a_request_that_was_refused_leaves_its_key_to_the_mended_one(self) -> None:
        parent = await self.enqueue()
        with self.assertRaises(InvalidFields):
            await self.job_store.workflows.plant(self.waiting_for(self.job().job_id, queue="a"), KEYED)

        mended = KEYED._replace(fingerprint="mended")
        await self.job_store.workflows.plant(self.waiting_for(parent, queue="a"), mended)

    async def test_a_parent_that_is_not_there_is_named_by_its_place(self) -> None:
        parent = await self.enqueue()
        absent = self.job(queue="c").job_id

        with self.assertRaises(InvalidFields) as refused:
            await self.job_store.workflows.plant(self.waiting_for(parent, absent))

        (error,) = refused.exception.errors
        self.assertEqual("/after/1", error.pointer)
        self.assertIn(absent, error.detail)
        self.assertEqual({parent: "ready"}, self.states())

    async def test_a_parent_for_which_a_thousand_wait_is_refused(self) -> None:
        parent = await self.enqueue()
        others = ",".join(self.job().job_id for _ in range(1000))
        self.client.hset(self.base + "followers", parent, others)

        with self.assertRaises(TooManyFollowers):
            await self.job_store.workflows.plant(self.waiting_for(parent))

        self.client.delete(self.base + "followers")

    async def test_a_queue_without_room_keeps_the_whole_graph_out(self) -> None:
        await self.queues.adjust("c", {"max_depth": 2}, begins=True)
        graph = self.workflow({"fetch": ("b", ""), **{f"part{at}": ("c", "cfetch") for at in range(3)}})

        with self.assertRaises(QueueFull) as refused:
            await self.job_store.workflows.plant(graph)

        self.assertIn("c has no room for 3 jobs", refused.exception.detail)
        self.assertEqual({}, self.states())

    async def test_an_older_program_keeps_every_graph_out(self) -> None:
        await Fleet(self.link, self.keys).show([Program("server", "0.2.9", "web1.1.00000000")], 60)
        parent = await self.enqueue()

        for graph in (self.workflow(THREE), self.waiting_for(parent)):
            with self.assertRaises(UpgradeNeeded):
                await self.job_store.workflows.plant(graph)

    async def test_broken_keys_of_one_queue_let_nothing_of_the_graph_run(self) -> None:
        graph = self.workflow(THREE)
        self.client.set(self.keys.base("c") + "blocked", "broken")

        with self.assertRaises(RedisKeysBroken):
            await self.job_store.workflows.plant(graph)
        self.client.delete(self.keys.base("c") + "blocked")
        await self.upkeep()
        await self.work()

        self.assertEqual([], self.ran)
        self.assertLessEqual(set(self.ends(graph).values()), {"cancelled"})


class After(PlantingCase):
    async def test_a_job_waits_for_parents_of_other_queues(self) -> None:
        first, second = await self.enqueue(queue="a"), await self.enqueue(queue="c")
        graph = self.waiting_for(first, second)

        await self.job_store.workflows.plant(graph)
        self.assertEqual({"": "blocked"}, self.ends(graph))
        await self.work()

        self.assertEqual({first, second}, set(self.ran[:2]))
        self.assertEqual({"": "completed"}, self.ends(graph))

    async def test_what_is_known_already_is_told_at_once(self) -> None:
        parent = await self.enqueue(queue="c")
        await self.work()
        graph = self.waiting_for(parent)

        await self.job_store.workflows.plant(graph)

        self.assertEqual({"": "ready"}, self.ends(graph))

    async def test_a_parent_that_was_cancelled_cancels_the_job_at_once(self) -> None:
        parent = await self.enqueue(queue="c")
        await self.job_store.cancel(parent)
        graph = self.waiting_for(parent)

        await self.job_store.workflows.plant(graph)

        self.assertEqual({"": "cancelled"}, self.ends(graph))
        record = await self.record(graph.anchor.job.job_id)
        self.assertEqual("parent_cancelled", (record.error or {})["type"])

    async def test_a_parents_queue_that_does_not_answer_is_asked_later(self) -> None:
        parent = await self.enqueue(queue="c")
        graph = self.waiting_for(parent)
        saved = self.client.dump(self.keys.base("c") + "notices")
        self.client.set(self.keys.base("c") + "notices", "broken")

        await self.job_store.workflows.plant(graph)
        self.client.delete(self.keys.base("c") + "notices")
        self.assertIsNone(saved)
        await self.work()
        self.assertEqual({"": "blocked"}, self.ends(graph))
        await self.ask_all("b")

        self.assertEqual({"": "ready"}, self.ends(graph))


class Adding(PlantingCase):
    """What ctx.add does: the members "fetch" and "sum" are there, and one more comes."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.graph = self.workflow({"fetch": ("b", ""), "slow": ("c", "")})
        self.workflow_id = self.graph.anchor.job.job_id
        await self.job_store.workflows.plant(self.graph)
        await self.notices.wait_until_idle()

    def added(self, name: str, *parents: str, queue: str = "a") -> GraphJob:
        job_id = member_id(queue, self.workflow_id, name)
        edges = (Edge(self.workflow_id, "o", ""), *(Edge(self.id_of(self.graph, one), "c", one) for one in parents))
        return GraphJob(self._new(job_id), edges, (self.workflow_id,), is_workflow=False, spec=spec(), name=name)

    async def add(self, name: str, *parents: str, store: JobStore | None = None) -> str:
        job = self.added(name, *parents)
        await (store or self.job_store).workflows.add(self.workflow_id, job, name, "m")
        return job.job.job_id

    async def test_a_workflow_waits_for_what_was_added(self) -> None:
        added = await self.add("more", "fetch")
        await self.work()

        self.assertEqual("completed", self.states()[added])
        self.assertLess(self.ran.index(self.id_of(self.graph, "fetch")), self.ran.index(added))
        self.assertEqual("completed", await self.state(self.workflow_id))

    async def test_a_queue_without_room_takes_what_is_added(self) -> None:
        await self.queues.adjust("a", {"max_depth": 1}, begins=True)
        await self.enqueue(queue="a")

        added = await self.add("more", "fetch")

        self.assertEqual("blocked", self.states()[added])

    async def test_a_job_that_is_added_twice_runs_once(self) -> None:
        added = await self.add("more")
        await self.add("more")
        await self.work()

        self.assertEqual(1, self.ran.count(added))
        members = await self.job_store.workflows.members(self.workflow_id)
        self.assertEqual(["fetch", "slow", "more"], [one.name for one in members])
        self.assertEqual({("m", "c")}, {(one.rule, one.mark) for one in members})

    async def test_a_lost_reply_at_any_call_adds_one_job(self) -> None:
        for at in range(1, MOST_CALLS):
            with self.subTest(at):
                link = FailsAt(self.link, at, is_sent=True, is_death=False)
                try:
                    await self.add(f"more{at}", "fetch", store=JobStore(link, self.keys))
                except RedisUnavailable:
                    await self.add(f"more{at}", "fetch")
            if link.calls < at:
                break
        await self.work()

        names = [one.name for one in await self.job_store.workflows.members(self.workflow_id)]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(sorted(self.ran), sorted(set(self.ran)))
        self.assertEqual(len(names), len(self.ran))

    async def test_a_member_that_was_trimmed_has_said_what_it_did(self) -> None:
        lease = await self.lease_of("b")
        (job,) = (await lease.claim(1)).jobs
        await lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", RESULT))
        await self.notices.wait_until_idle()
        await self.job_store.delete(job.job_id)

        added = await self.add("more", "fetch")
        await self.notices.wait_until_idle()

        self.assertEqual("ready", self.states()[added])

    async def test_nothing_is_added_to_a_workflow_that_has_ended(self) -> None:
        await self.work()

        with self.assertRaises(WorkflowEnded):
            await self.add("late")
        await self.upkeep()

        self.assertEqual("cancelled", self.states()[self.added("late").job.job_id])

    async def test_a_name_that_another_member_has_is_refused(self) -> None:
        job = self.added("more")
        with self.assertRaises(InvalidFields) as refused:
            await self.job_store.workflows.add(self.workflow_id, job, "fetch", "m")

        self.assertEqual("/name", refused.exception.errors[0].pointer)
        self.assertIsInstance(refused.exception, WaybillError)
        await self.upkeep()

    async def test_members_of_no_workflow_are_none(self) -> None:
        self.assertEqual([], await self.job_store.workflows.members(self.job().job_id))
        self.assertEqual([], await self.job_store.workflows.members("no id"))


if __name__ == "__main__":
    unittest.main()
