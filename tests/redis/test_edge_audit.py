"""The audit of what jobs know of each other: what somebody broke by hand is named with what to do, and nothing else."""

import unittest

from lib.commands import audit
from lib.commands.edge_audit import JUDGED_ANEW, MOST_NOTICES, NO_EDGES
from lib.ids import queue_of
from lib.queue.upkeep_steps import Retention
from tests.redis.edged import EdgedCase

KEEP_NOTHING = Retention(0, 0, 0, 0)


class EdgeAudit(EdgedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.parent = await self.enqueue(delay_ms=60_000)
        self.waiting = await self.waits_for(f"c{self.parent} fetch")

    async def asyncTearDown(self) -> None:
        # What is broken here is not mended at the end; the oracle would find it as well.
        self.client.flushall()
        await super().asyncTearDown()

    async def assert_found(self, *faults: str) -> None:
        found = await audit.find_faults(self.link, self.keys)

        self.assertEqual(sorted(f"q: {fault}" for fault in faults), sorted(found))

    def edges_of(self, job_id: str) -> str:
        return f"{self.keys.base(queue_of(job_id) or '')}parents:{job_id}"

    async def test_jobs_that_wait_run_and_have_ended_are_no_finding(self) -> None:
        done, failed = await self.enqueue(), await self.enqueue()
        await self.waits_for(f"c{done} a", f"e{self.parent} b", queue="other")
        await self.waits_for(f"c{done} ", f"c{failed} ")
        await self.workflow("ma", "nb", after=(f"c{self.parent} ",))
        workflow, (a, b) = await self.workflow("ma", "mb")
        await self.end(done)
        await self.end(failed, "fail")
        await self.end(a)
        await self.assert_found()

        await self.end(b, "fail")

        self.assertEqual("dead", await self.state(workflow))
        await self.assert_found()

    async def test_a_blocked_job_that_does_not_ask_is_named_and_asks_when_it_is_put_there(self) -> None:
        self.client.zrem(self.base + "unsure", self.waiting)

        await self.assert_found(
            f"{self.waiting} is blocked, waits for {self.parent}, and never asks: "
            f"ZADD {self.base}unsure 0 {self.waiting}"
        )

        self.client.zadd(self.base + "unsure", {self.waiting: 0})
        await self.assert_found()

    async def test_one_that_asks_and_waits_for_nothing_is_named_until_it_asks(self) -> None:
        self.client.zadd(self.base + "unsure", {self.parent: 0, "no-job": 0})

        await self.assert_found(
            f"{self.parent} stands in unsure and waits for nothing: it is taken out when it is to ask",
            "no-job stands in unsure and waits for nothing: it is taken out when it is to ask",
        )

        await self.scripts.call("asking", self.base, 10, 1000, 1000)
        await self.assert_found()

    async def test_one_that_waited_and_asks_still_is_named_until_it_asks(self) -> None:
        await self.job_store.cancel(self.waiting)
        self.client.zadd(self.base + "unsure", {self.waiting: 0})

        await self.assert_found(f"{self.waiting} stands in unsure and is cancelled: it is taken out when it is to ask")

        await self.scripts.call("asking", self.base, 10, 1000, 1000)
        await self.assert_found()

    async def test_counts_that_are_not_those_of_the_marks_are_named(self) -> None:
        self.client.hset(self.edges_of(self.waiting), "#open", 2)

        await self.assert_found(
            f"{self.waiting} has edges that were counted wrongly (#open is 2, and should be 1): {JUDGED_ANEW}"
        )

    async def test_a_count_of_members_is_named_too(self) -> None:
        workflow, _ = await self.workflow("ma", "mb")
        self.client.hset(self.edges_of(workflow), "@bad", 1)

        await self.assert_found(
            f"{workflow} has edges that were counted wrongly (@bad is 1, and should be 0): {JUDGED_ANEW}"
        )

    async def test_a_blocked_job_without_edges_is_named_and_can_be_cancelled_and_run(self) -> None:
        self.client.delete(self.edges_of(self.waiting))

        await self.assert_found(
            f"{self.waiting} {NO_EDGES}",
            f"{self.parent} has {self.waiting} among its followers, which does not wait for it: it is told in vain, no"
            " more",
        )

        await self.job_store.cancel(self.waiting)
        await self.job_store.retry(self.waiting)
        self.assertEqual("ready", await self.state(self.waiting))

    async def test_a_job_that_is_blocked_though_all_is_decided_is_named_and_judged_anew(self) -> None:
        self.client.hset(self.edges_of(self.waiting), mapping={self.parent: "cdfetch", "#open": 0, "#bad": 1})

        await self.assert_found(f"{self.waiting} is blocked, and waits for nothing: {JUDGED_ANEW}")

        await self.job_store.cancel(self.waiting)
        await self.job_store.retry(self.waiting)
        await self.ask(self.waiting)
        self.assertEqual("blocked", await self.state(self.waiting))
        await self.assert_found()

    async def test_edges_of_another_type_are_named(self) -> None:
        self.client.delete(self.edges_of(self.waiting))
        self.client.set(self.edges_of(self.waiting), "no hash")

        await self.assert_found(
            f"{self.waiting} waits for jobs, and {self.edges_of(self.waiting)} holds no hash: "
            "delete that key, and cancel it"
        )

    async def test_a_parent_that_does_not_know_of_its_follower_is_named_until_that_asks(self) -> None:
        self.client.hdel(self.base + "followers", self.parent)

        await self.assert_found(
            f"{self.waiting} waits for {self.parent}, which does not know that: it asks within the hour"
        )

        await self.ask(self.waiting)
        await self.assert_found()

    async def test_a_follower_that_does_not_wait_is_named(self) -> None:
        stranger = await self.enqueue()
        self.client.hset(self.base + "followers", self.parent, f"{self.waiting},{stranger}")

        await self.assert_found(
            f"{self.parent} has {stranger} among its followers, which does not wait for it: it is told in vain, no more"
        )

    async def test_a_follower_that_is_gone_is_no_finding(self) -> None:
        self.client.hset(self.base + "followers", self.parent, f"{self.waiting},{self.job(queue='other').job_id}")

        await self.assert_found()

    async def test_a_job_whose_end_is_to_be_told_to_a_url_is_a_finding_where_it_was_not_told(self) -> None:
        called, ended = await self.enqueue(calls_back=True), await self.enqueue(calls_back=True)
        told = await self.enqueue(calls_back=True)
        await self.end(told)
        followers = self.client.hgetall(self.base + "followers")
        self.client.delete(self.base + "followers")
        await self.end(ended)
        self.client.hset(self.base + "followers", mapping=followers)

        await self.assert_found(
            f"{ended} is completed, and its callback_url was not told: an older runner ended it; run it again, or HDEL"
            f" {self.base}followers {ended} and tell the callback_url yourself"
        )

        await self.job_store.retry(ended)
        await self.end(ended)
        await self.job_store.cancel(called)
        await self.assert_found()

    async def test_a_job_that_has_ended_and_has_followers_still_is_named(self) -> None:
        ended, deleted = await self.enqueue(), await self.enqueue()
        asks, other = await self.waits_for(f"c{ended} "), await self.waits_for(f"e{ended} ")
        loses, too = await self.waits_for(f"c{deleted} "), await self.waits_for(f"e{deleted} ")
        # As a runner and a server of a version that knows no followers end a job and delete it.
        followers = self.client.hgetall(self.base + "followers")
        self.client.delete(self.base + "followers")
        for job_id in (ended, deleted):
            await self.end(job_id)
        await self.job_store.delete(deleted)
        self.client.hset(self.base + "followers", mapping=followers)
        advice = "and has followers that were not told: they are when one asks, within the hour; if none of them"

        await self.assert_found(
            f"{ended} is completed {advice} is blocked, HDEL {self.base}followers {ended}",
            f"{deleted} is no job {advice} is blocked, HDEL {self.base}followers {deleted}",
        )

        await self.ask(asks)
        await self.ask(loses)
        await self.tell()
        self.assertEqual(["ready"] * 2, [await self.state(job_id) for job_id in (asks, other)])
        self.assertEqual(["cancelled"] * 2, [await self.state(job_id) for job_id in (loses, too)])
        await self.assert_found()

    async def test_edges_whose_job_an_older_server_deleted_are_named(self) -> None:
        await self.job_store.cancel(self.parent)
        await self.tell()
        self.assertEqual("cancelled", await self.state(self.waiting))
        edges = self.edges_of(self.waiting)
        kept = self.client.hgetall(edges)
        await self.job_store.delete(self.waiting)
        self.client.hset(edges, mapping=kept)

        await self.assert_found(
            f"{self.waiting} is no job, and its edges are left: an older server deleted it; UNLINK {edges}"
        )

        self.client.unlink(edges)
        await self.assert_found()

    async def test_a_word_that_nobody_tells_is_named_after_a_minute(self) -> None:
        await self.job_store.cancel(self.parent)
        await self.assert_found()
        ((_, fields),) = self.client.xrange(self.base + "notices")
        self.client.delete(self.base + "notices")
        self.client.xadd(self.base + "notices", fields, id=f"{await self.now_ms() - 60_001}-0")

        (found,) = await audit.find_faults(self.link, self.keys)

        self.assertRegex(
            found,
            r"^q: notices hold 1 word that jobs are to be told, the first since \S+Z: see that a worker.py runs that"
            r" serves q, and look for notices in logs/worker.log$",
        )
        await self.tell()
        await self.assert_found()

    async def test_many_words_are_not_all_read(self) -> None:
        old_ms = await self.now_ms() - 60_001
        pipe = self.client.pipeline(transaction=False)
        for number in range(MOST_NOTICES + 1):
            pipe.xadd(self.base + "notices", {"parent": "q-1"}, id=f"{old_ms}-{number}")
        pipe.execute()

        (found,) = await audit.find_faults(self.link, self.keys)

        self.assertIn("notices hold 1000 or more words", found)

    async def test_a_key_of_a_wrong_type_is_named(self) -> None:
        for name, kind in (("unsure", "zset"), ("followers", "hash"), ("notices", "stream")):
            self.client.delete(self.base + name)
            self.client.set(self.base + name, "garbage")

            found = await audit.find_faults(self.link, self.keys)

            self.assertIn(f"q: {self.base}{name} holds no {kind}; mend it or delete it", found)
            self.client.delete(self.base + name)

    async def test_what_was_trimmed_leaves_nothing(self) -> None:
        await self.job_store.cancel(self.waiting)
        await self.queues.upkeep.trim("q", KEEP_NOTHING)

        self.assertFalse(self.client.exists(self.edges_of(self.waiting)))
        await self.assert_found()


if __name__ == "__main__":
    unittest.main()
