"""Telling and asking: no word is lost, whichever reply is, and no queue that does not answer keeps others waiting."""

import asyncio
import json
import unittest
from random import Random
from typing import Any

from lib.errors import NotReplicated, OutcomeUnknown, QueueInUse, RedisUnavailable
from lib.jobs.job import JobRecord
from lib.jobs.state import FINISHED
from lib.jobs.workflow import Graph
from lib.queue import notices as notices_module
from lib.queue.asking import AGAIN_MS
from lib.queue.end_record import complete_record, fail_record
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease
from lib.queue.notice_text import words_of
from lib.queue.notices import AWAY_S, Notices, ToldWords
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import ERROR, Through, until
from tests.redis.graph_judge import Node, Plan
from tests.redis.graphs import graph_of
from tests.redis.planting_case import QUEUES, RESULT, PlantingCase
from tests.redis.test_once import FailsAt

MOST_CALLS = 60
TWO_CHAINS = {"one": ("a", ""), "two": ("b", "cone"), "three": ("c", "cone"), "four": ("a", "ctwo cthree")}


class NoticesCase(PlantingCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.now_s = 1000.0
        self.faults: list[tuple[str, str]] = []
        self.told: list[ToldWords] = []

    def a_teller(self, link: RedisLink | None = None, **other: Any) -> Notices:
        """The notices of another process, with a clock that the test sets."""

        def on_fault(queue: str, fault: Exception | None) -> None:
            self.faults.append((queue, type(fault).__name__))

        return Notices(
            link or self.link,
            self.keys,
            clock=lambda: self.now_s,
            on_fault=on_fault,
            on_told=self.told.append,
            **other,
        )

    async def end_all(self, queue: str, result: str = RESULT) -> list[str]:
        """Complete all ready jobs of the queue, by a runner that tells nobody of it. Returns their ids."""
        lease = Lease(self.link, self.a_link(), self.keys, queue, "silent", Random(1))
        await lease.register({"pid": 1})
        jobs = (await lease.claim(1000)).jobs
        for job in jobs:
            await lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", result))
        return [job.job_id for job in jobs]

    async def followed(self, *queues: str, parents: int = 1) -> tuple[list[str], list[str]]:
        """So many jobs of the queue "a" and a follower of each in each of these queues. The jobs have ended, and nobody
        was told. Returns the ids of the parents and of the followers."""
        parent_ids = [await self.enqueue(queue="a") for _ in range(parents)]
        followers = []
        for parent in parent_ids:
            for queue in queues:
                graph = self.waiting_for(parent, queue=queue)
                await self.job_store.workflows.plant(graph)
                followers.append(graph.anchor.job.job_id)
        await self.notices.wait_until_idle()
        await self.end_all("a")
        return parent_ids, followers

    def break_key(self, queue: str, name: str = "blocked") -> None:
        """Put a text where the queue has a key of another type, until `mend_key`."""
        key = self.keys.base(queue) + name
        self.saved: Any = self.client.dump(key)
        self.client.delete(key)
        self.client.set(key, "broken")

    def mend_key(self, queue: str, name: str = "blocked") -> None:
        key = self.keys.base(queue) + name
        self.client.delete(key)
        if self.saved is not None:
            self.client.restore(key, 0, self.saved)

    def states_of(self, job_ids: list[str]) -> set[str]:
        found = self.states()
        return {found[job_id] for job_id in job_ids}

    def known(self, queue: str, follower_id: str, parent_id: str) -> tuple[str, str]:
        """The edge on the parent, and what the parent said."""
        edge: Any = self.client.hget(self.keys.parents(queue, follower_id), parent_id)
        said: Any = self.client.hget(self.keys.said(queue, follower_id), parent_id)
        return edge.decode(), (said or b"").decode()


class Telling(NoticesCase):
    async def test_followers_in_three_queues_are_told_what_the_parent_said(self) -> None:
        (parent,), followers = await self.followed(*QUEUES)

        await self.a_teller().tell("a")

        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual(("cc", RESULT), self.known("b", followers[1], parent))
        self.assertEqual({}, self.left())
        self.assertEqual({b"f"}, {told.letters for told in self.told})

    async def test_what_comes_of_it_in_other_queues_is_told_too(self) -> None:
        parent = await self.enqueue(queue="a")
        ids = [parent]
        for at in range(30):
            graph = self.waiting_for(ids[-1], queue=QUEUES[at % 3])
            await self.job_store.workflows.plant(graph)
            ids.append(graph.anchor.job.job_id)
        await self.job_store.cancel(parent)

        await self.a_teller().tell("a")

        self.assertEqual({"cancelled"}, self.states_of(ids))
        self.assertEqual({}, self.left())

    async def test_more_notices_than_are_read_at_once_are_all_told(self) -> None:
        _, followers = await self.followed("b", parents=notices_module.NOTICES_AT_ONCE * 2 + 1)

        await self.a_teller().tell("a")

        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual({}, self.left())

    async def test_two_tellers_at_once_free_each_job_once(self) -> None:
        _, followers = await self.followed("b", "c", parents=50)

        await asyncio.gather(*(self.a_teller(self.a_link()).tell("a") for _ in range(4)))
        await self.work()

        self.assertEqual(sorted(followers), sorted(self.ran))
        self.assertEqual({}, self.left())

    async def test_a_lost_reply_at_any_call_loses_no_word(self) -> None:
        await self.sweep(is_death=False)

    async def test_a_teller_that_dies_at_any_call_loses_no_word(self) -> None:
        await self.sweep(is_death=True)

    async def sweep(self, *, is_death: bool) -> None:
        for is_sent in (True, False):
            for at in range(1, MOST_CALLS):
                with self.subTest(at, is_sent=is_sent):
                    self.empty()
                    graph = self.workflow(TWO_CHAINS)
                    await self.job_store.workflows.plant(graph)
                    await self.notices.wait_until_idle()
                    await self.end_all("a")
                    link = FailsAt(self.link, at, is_sent=is_sent, is_death=is_death)
                    teller = self.a_teller(link)

                    with_faults = [teller.tell("a"), teller.ask("a"), teller.ask("b")]
                    for step in with_faults:
                        await self.though_redis_is_away(step)
                    await self.upkeep()
                    await self.work()

                    self.assertEqual({"completed"}, set(self.ends(graph).values()))
                    self.assertEqual(3, len(self.ran), self.ran)
                    self.assertEqual({}, self.left())
                    self.ran.clear()
                if link.calls < at:
                    break
            else:
                self.fail("telling takes more calls than were tried")

    async def though_redis_is_away(self, step: Any) -> None:
        try:
            await step
        except RedisUnavailable:
            return

    async def test_a_queue_whose_keys_are_broken_keeps_no_other_waiting(self) -> None:
        _, followers = await self.followed("b", "c", parents=30)
        of_b, of_c = ([one for one in followers if one.startswith(queue)] for queue in "bc")
        teller = self.a_teller()

        self.break_key("b")
        await teller.tell("a")
        self.mend_key("b")

        self.assertEqual({"ready"}, self.states_of(of_c))
        self.assertEqual({"blocked"}, self.states_of(of_b))
        self.assertEqual({"a": 30}, self.left())
        self.assertIn(("b", "RedisKeysBroken"), self.faults)

    async def test_a_notice_that_was_left_is_told_when_the_queue_is_mended(self) -> None:
        _, followers = await self.followed("b", parents=30)
        teller = self.a_teller()
        self.break_key("b")
        await teller.tell("a")
        self.mend_key("b")

        await teller.tell("a")
        self.assertEqual({"blocked"}, self.states_of(followers))
        self.now_s += AWAY_S + 1
        await teller.tell("a")

        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual({}, self.left())
        self.assertEqual(("b", "NoneType"), self.faults[-1])

    async def test_notices_that_come_behind_those_that_are_left_are_told_at_once(self) -> None:
        await self.followed("b", parents=30)
        teller, counted = self.a_teller(), Counting(self.link)
        teller._link = counted
        self.break_key("b")
        await teller.tell("a")
        self.mend_key("b")
        counted.count = 0

        _, followers = await self.followed("c")
        await teller.tell("a")

        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual(2, counted.count)  # One XRANGE behind those that were read past, one XDEL.
        self.now_s += AWAY_S + 1
        await teller.tell("a")

    async def test_a_queue_that_hangs_is_waited_for_no_longer_than_a_moment(self) -> None:
        _, followers = await self.followed("b", "c")
        hanging = Hanging(self.link, self.keys.base("b"))
        teller = self.a_teller(hanging)

        await asyncio.wait_for(teller.tell("a"), notices_module.PATIENCE_S + 2)

        self.assertEqual({"ready"}, self.states_of([one for one in followers if one.startswith("c")]))
        self.assertEqual({"a": 1}, self.left())
        hanging.go_on.set()
        await teller.wait_until_idle()
        self.now_s += AWAY_S + 1
        await teller.tell("a")
        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual({}, self.left())

    async def test_an_entry_that_no_script_wrote_is_dropped(self) -> None:
        _, followers = await self.followed("b")
        for entry in ({"x": "y"}, {"parent": "p", "outcome": "c", "followers": "no id,,", "said": ""}):
            self.client.xadd(self.keys.notices("a"), entry)

        await self.a_teller().tell("a")

        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual({}, self.left())

    async def test_a_result_that_a_thousand_followers_would_copy_is_left_out(self) -> None:
        parent = await self.enqueue(queue="a")
        big = json.dumps("x" * 65_000)
        graphs = [self.waiting_for(parent, queue=QUEUES[at % 3]) for at in range(1000)]
        for graph in graphs:
            await self.job_store.workflows.plant(graph)

        await self.end_all("a", result=big)
        await self.notices.tell("a")

        ids = [graph.anchor.job.job_id for graph in graphs]
        self.assertEqual({"ready"}, self.states_of(ids))
        self.assertEqual(("cc", "!"), self.known("a", ids[0], parent))

    async def test_a_poke_tells_and_never_raises(self) -> None:
        _, followers = await self.followed("b")
        teller = self.a_teller(FailsAt(self.link, 1, is_sent=False, is_death=False))

        teller.poke("a")
        await teller.wait_until_idle()
        self.assertEqual({"blocked"}, self.states_of(followers))
        for _ in range(100):
            teller.poke("a")
        await teller.wait_until_idle()

        self.assertEqual({"ready"}, self.states_of(followers))

    async def test_pokes_of_one_moment_are_one_reading(self) -> None:
        counted = Counting(self.link)
        teller = self.a_teller(counted)

        for _ in range(100):
            teller.poke("a")
        await teller.wait_until_idle()

        self.assertLessEqual(counted.count, 2)

    async def test_broken_notices_are_told_as_a_fault_of_their_queue(self) -> None:
        await self.followed("b")
        self.break_key("a", "notices")
        teller = self.a_teller()

        teller.poke("a")
        await teller.wait_until_idle()
        self.mend_key("a", "notices")

        self.assertEqual([("a", "RedisKeysBroken")], self.faults)
        await teller.tell("a")


class Replicated(NoticesCase):
    """ACK_REPLICAS: what replicas do not have is not crossed off."""

    async def test_a_notice_stays_until_a_replica_has_the_word(self) -> None:
        _, followers = await self.followed("b")
        link = WithReplicas(self.link)
        teller = self.a_teller(link, ack_replicas=1)

        await teller.tell("a")
        self.assertEqual({"ready"}, self.states_of(followers))
        self.assertEqual({"a": 1}, self.left())
        link.replicas = 1
        self.now_s += AWAY_S + 1
        await teller.tell("a")

        self.assertEqual({}, self.left())

    async def test_a_redis_that_was_promoted_without_the_word_gets_it_again(self) -> None:
        await self.followed("b")
        link = WithReplicas(self.link, replicas=1)
        teller = self.a_teller(link, ack_replicas=1)
        link.forgets = True

        await teller.tell("a")
        self.assertEqual({"a": 1}, self.left())
        link.forgets = False
        self.now_s += AWAY_S + 1
        await teller.tell("a")

        self.assertEqual({}, self.left())

    async def test_a_graph_that_too_few_replicas_have_runs_all_the_same(self) -> None:
        parent = await self.enqueue(queue="a")
        store = JobStore(WithReplicas(self.link), self.keys, ack_replicas=1)
        await self.end_all("a")
        graph = self.waiting_for(parent)

        with self.assertRaises(NotReplicated):
            await store.workflows.plant(graph)

        self.assertEqual({"": "ready"}, self.ends(graph))

    async def test_a_redis_that_was_promoted_without_the_graph_is_found_out(self) -> None:
        link = WithReplicas(self.link, replicas=1)
        store = JobStore(link, self.keys, ack_replicas=1)
        link.forgets = True

        with self.assertRaises(OutcomeUnknown):
            await store.workflows.plant(self.workflow(TWO_CHAINS))
        await store.notices.wait_until_idle()

    async def test_a_graph_waits_once_for_its_replicas(self) -> None:
        link = WithReplicas(self.link, replicas=1)
        store = JobStore(link, self.keys, ack_replicas=1)
        graph = self.workflow(TWO_CHAINS)

        await store.workflows.plant(graph)
        planted, link.waits = link.waits, 0
        await store.notices.wait_until_idle()
        await self.work()

        self.assertEqual(1, planted)
        self.assertEqual({"completed"}, set(self.ends(graph).values()))


class AskingThem(NoticesCase):
    async def test_a_job_whose_word_was_lost_asks(self) -> None:
        _, followers = await self.followed("b")
        self.client.delete(self.keys.notices("a"))

        await self.ask_all("b")

        self.assertEqual({"ready"}, self.states_of(followers))

    async def test_a_job_whose_parent_lives_is_told_by_it(self) -> None:
        parent = await self.enqueue(queue="a")
        graph = self.waiting_for(parent)
        await self.job_store.workflows.plant(graph)
        self.client.delete(self.keys.base("a") + "followers")

        await self.ask_all("b")
        await self.work()

        self.assertEqual({"": "completed"}, self.ends(graph))

    async def test_who_has_asked_asks_again_in_an_hour(self) -> None:
        graph = self.waiting_for(await self.enqueue(queue="a"))
        await self.job_store.workflows.plant(graph)
        self.make_all_ask("b")

        self.assertFalse(await self.a_teller().ask("b"))

        (score,) = [score for _, score in self.scores("b")]
        self.assertAlmostEqual(await self.now_ms() + AGAIN_MS, score, delta=60_000)

    async def test_a_parents_queue_that_is_broken_is_asked_again_soon(self) -> None:
        parents = [await self.enqueue(queue=queue) for queue in "ac"]
        graph = self.waiting_for(*parents)
        await self.job_store.workflows.plant(graph)
        await self.end_all("c")
        self.client.delete(self.keys.notices("c"))
        self.make_all_ask("b")
        self.break_key("a", "notices")

        await self.a_teller().ask("b")
        self.mend_key("a", "notices")

        (score,) = [score for _, score in self.scores("b")]
        self.assertLess(score, await self.now_ms() + 60_000)
        self.assertIn(("a", "RedisKeysBroken"), self.faults)
        self.assertEqual(("cc", RESULT), self.known("b", graph.anchor.job.job_id, parents[1]))

    async def test_everybody_can_be_made_to_ask_at_once(self) -> None:
        parent = await self.enqueue(queue="a")
        for _ in range(30):
            await self.job_store.workflows.plant(self.waiting_for(parent))
        teller = self.a_teller()
        self.make_all_ask("b")
        while await teller.ask("b"):
            pass

        self.assertTrue(await teller.hurry("b"))
        self.assertFalse(await teller.hurry("c"))
        rounds = 0
        while await teller.ask("b"):
            rounds += 1

        self.assertEqual(1, rounds)  # 20 of 30, and then the others.

    async def test_one_queue_of_three_is_emptied(self) -> None:
        graph = self.workflow(TWO_CHAINS | {"last": ("b", "efour")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.end_all("a")
        await self.notices.tell("a")
        self.client.delete(*self.key_names("wb:{c}:*"))
        self.leases.clear()
        self.job_store.forget_names()

        for queue in QUEUES:
            await self.notices.hurry(queue)
        await self.settle(graph)

        ends = self.ends(graph)
        self.assertEqual({"completed", "cancelled", "dead"}, set(ends.values()))
        self.assertEqual(("cancelled", "dead"), (ends["four"], ends[""]))
        self.assertEqual("parent_gone", ((await self.record(self.id_of(graph, "four"))).error or {})["type"])

    async def settle(self, graph: Graph) -> None:
        """Work, tell and ask until the graph has ended."""

        async def has_ended() -> bool:
            for queue in QUEUES:
                while await self.notices.ask(queue):
                    pass
            await self.work()
            return FINISHED.issuperset(self.ends(graph).values())

        await until(has_ended, "the graph does not end")
        self.ran.clear()

    async def test_a_workflow_that_is_cancelled_stops_its_members(self) -> None:
        graph = self.workflow(TWO_CHAINS)
        await self.job_store.workflows.plant(graph)
        await self.work_first("a")

        await self.job_store.cancel(graph.anchor.job.job_id)
        self.notices.attend([await self.record(graph.anchor.job.job_id)])
        await self.notices.wait_until_idle()
        await self.settle(graph)

        self.assertEqual("cancelled", self.ends(graph)[""])
        self.assertEqual("completed", self.ends(graph)["one"])
        self.assertEqual({"cancelled"}, {self.ends(graph)[name] for name in ("two", "three", "four")})

    async def test_a_workflow_that_has_not_begun_and_whose_jobs_were_cancelled_ends_when_it_is_cancelled(self) -> None:
        """Else it waits for the word that the outer one is open, and the outer one, which is to stop, for its end."""
        plan = Plan(
            "w",
            {
                "w": Node("a", members=("first", "outer")),
                "first": Node("a", home="w"),
                "outer": Node("b", (("c", "first"),), "w", members=("inner",)),
                "inner": Node("c", home="outer", members=("x",)),
                "x": Node("b", home="inner"),
            },
        )
        graph = graph_of(plan, self.job(queue="a").job_id)
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.job_store.cancel(self.id_of(graph, "x"))
        await self.upkeep()

        await self.job_store.cancel(self.id_of(graph, "outer"))
        await self.upkeep()
        await self.work_first("a")
        await self.upkeep()
        await self.upkeep()

        ended = {"": "cancelled", "first": "completed", "outer": "cancelled", "inner": "cancelled", "x": "cancelled"}
        self.assertEqual(ended, {name.removeprefix("w"): state for name, state in self.ends(graph).items()})

    async def work_first(self, queue: str) -> None:
        await self.notices.wait_until_idle()
        await self.end_all(queue)
        await self.notices.tell(queue)

    async def test_a_workflow_that_is_run_again_runs_what_did_not_complete(self) -> None:
        graph = self.workflow(TWO_CHAINS)
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.work(self.id_of(graph, "two"))
        self.assertEqual("dead", self.ends(graph)[""])
        self.ran.clear()

        await self.job_store.retry(graph.anchor.job.job_id)
        self.notices.attend([await self.record(graph.anchor.job.job_id)])
        await self.notices.wait_until_idle()
        await self.work()

        self.assertEqual({"completed"}, set(self.ends(graph).values()))
        self.assertEqual([self.id_of(graph, "two"), self.id_of(graph, "four")], self.ran)

    async def test_what_waits_for_any_end_waits_for_the_end_of_what_runs_again(self) -> None:
        graph = self.workflow({"one": ("a", ""), "tidy": ("b", "eone")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.job_store.cancel(graph.anchor.job.job_id)
        await self.upkeep()
        await self.work()
        self.assertEqual({"cancelled"}, set(self.ends(graph).values()))
        self.assertEqual([], self.ran)

        await self.job_store.retry(graph.anchor.job.job_id)
        self.notices.attend([await self.record(graph.anchor.job.job_id)])
        await self.notices.wait_until_idle()
        self.assertEqual({"one": "ready", "tidy": "blocked", "": "blocked"}, self.ends(graph))
        await self.work()

        self.assertEqual({"completed"}, set(self.ends(graph).values()))
        self.assertEqual([self.id_of(graph, "one"), self.id_of(graph, "tidy")], self.ran)

    async def test_a_word_from_before_it_was_run_again_does_not_end_a_workflow(self) -> None:
        """A second teller brings what it had read before the first one told it and somebody ran the workflow again."""
        graph = self.workflow({"one": ("a", ""), "two": ("b", "cone")})
        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.end_all("a")
        await self.notices.tell("a")
        await self.fail_all("b")
        (entry,) = self.client.xrange(self.keys.notices("b"))
        await self.notices.tell("b")
        self.assertEqual("dead", self.ends(graph)[""])

        await self.job_store.retry(graph.anchor.job.job_id)
        fields: Any = [item for pair in entry[1].items() for item in pair]
        await self.notices.bring(words_of(fields, entry[0]))
        self.assertEqual("blocked", self.ends(graph)[""])
        self.assertLess(self.scores("a")[0][1], await self.now_ms() + 2000)
        while await self.notices.ask("a"):
            pass
        await self.work()

        self.assertEqual({"completed"}, set(self.ends(graph).values()))

    async def fail_all(self, queue: str) -> None:
        """Fail all ready jobs of the queue, by a runner that tells nobody of it."""
        lease = Lease(self.link, self.a_link(), self.keys, queue, "failing", Random(1))
        await lease.register({"pid": 1})
        for job in (await lease.claim(1000)).jobs:
            await lease.end_and_wait("fail", fail_record(job.job_id, job.token, ERROR, None))

    async def test_a_word_from_before_it_was_run_again_sets_no_alarm_off(self) -> None:
        parent = await self.enqueue(queue="a")
        graph = self.waiting_for(parent, rule="f")
        await self.job_store.workflows.plant(graph)
        job_id = graph.anchor.job.job_id
        await self.fail_all("a")
        (entry,) = self.client.xrange(self.keys.notices("a"))
        self.client.delete(self.keys.notices("a"))
        await self.job_store.retry(parent)
        # A fast machine does all this within the ms of the notice.
        self.client.hset(self.keys.base("b") + "job:" + job_id, "reopened", int(entry[0].split(b"-")[0]) + 1)

        fields: Any = [item for pair in entry[1].items() for item in pair]
        await self.notices.bring(words_of(fields, entry[0]))

        self.assertEqual({"": "blocked"}, self.ends(graph))
        await self.ask_all("b")
        await self.fail_all("a")
        await self.notices.tell("a")
        self.assertEqual({"": "ready"}, self.ends(graph))

    async def test_a_plain_job_that_is_cancelled_costs_no_command(self) -> None:
        counted = Counting(self.link)
        teller = self.a_teller(counted)
        job_id = await self.enqueue()
        await self.job_store.cancel(job_id)
        record: JobRecord = await self.record(job_id)

        teller.attend([record])
        await teller.wait_until_idle()

        self.assertEqual(0, counted.count)

    def scores(self, queue: str) -> list[tuple[bytes, float]]:
        found: Any = self.client.zrange(self.keys.unsure(queue), 0, -1, withscores=True)
        return list(found)


class Untold(NoticesCase):
    async def test_a_notice_that_lies_for_over_a_minute_is_a_warning(self) -> None:
        old_ms = await self.now_ms() - 75_000
        entry = {"parent": self.job(queue="a").job_id, "outcome": "c", "followers": self.job().job_id, "said": ""}
        self.client.xadd(self.keys.notices("a"), entry, id=f"{old_ms}-0")

        (warning,) = await self.queues.untold.warnings(["a", "b"])

        self.assertRegex(warning.text, r"^1 notice in the queue a wait to be told, the oldest for 7\d s: ")
        self.assertEqual(("notices_untold", "a", old_ms), (warning.code, warning.queue, warning.since_ms))
        self.assertIn("start a worker", warning.what_to_do)
        await self.a_teller().tell("a")
        self.assertEqual([], await self.queues.untold.warnings(["a", "b"]))

    async def test_a_queue_with_notices_is_not_removed(self) -> None:
        parents, _ = await self.followed("b")
        await self.job_store.delete(parents[0])
        self.client.delete(*(self.keys.base("a") + name for name in ("workers", "beats")))

        with self.assertRaisesRegex(QueueInUse, "1 ends of jobs of the queue a are still to be told"):
            await self.queues.remove("a")
        await self.notices.tell("a")
        await self.queues.remove("a")


class Counting(Through):
    """A link that counts the commands."""

    count = 0

    async def call(self, *command: Argument) -> Any:
        self.count += 1
        return await super().call(*command)


class Hanging(Through):
    """A link whose scripts on one base are not answered before `go_on`."""

    def __init__(self, link: RedisLink, base: str) -> None:
        super().__init__(link)
        self._base = base
        self.go_on = asyncio.Event()

    async def call(self, *command: Argument) -> Any:
        if command[0] in ("EVALSHA", "EVAL") and command[3] == self._base:
            await self.go_on.wait()
        return await super().call(*command)


class WithReplicas(Through):
    """A link to a Redis that has so many replicas. forgets: another one was promoted, which lacks the last call."""

    def __init__(self, link: RedisLink, replicas: int = 0) -> None:
        super().__init__(link)
        self.replicas = replicas
        self.forgets = False
        self.waits = 0

    async def call(self, *command: Argument) -> Any:
        if command[0] == "WAIT":
            self.waits += 1
            return self.replicas
        reply = await super().call(*command)
        return b"0 " if command[0] == "GET" and self.forgets else reply


if __name__ == "__main__":
    unittest.main()
