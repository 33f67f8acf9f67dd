"""explain of jobs that wait for others, or were ended by them: which ones are named, and how they are."""

import unittest
from typing import Any

from lib.jobs.edges import KnownEdge
from lib.jobs.explanation import Explanation, explain
from lib.queue.explanation_facts import ExplanationFacts
from lib.redis_link.resp import Argument
from tests.redis.case import Through
from tests.redis.edged import EdgedCase


class Explained(EdgedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.facts = ExplanationFacts(self.link, self.keys, self.queues.runners, lease_s=15.0)

    async def explained(self, job_id: str) -> Explanation:
        """Explained, and nothing in Redis has changed by it."""
        before = self.dump()
        found = explain(await self.facts.of(job_id))
        self.assertEqual(before, self.dump())
        return found

    async def test_a_job_that_waits_names_those_that_have_not_ended_in_any_queue(self) -> None:
        done, runs, elsewhere = await self.enqueue(), await self.enqueue(), self.job(queue="other", delay_ms=60_000)
        await self.job_store.enqueue(elsewhere)
        waits = await self.waits_for(f"c{done} a", f"c{runs} b", f"e{elsewhere.job_id} ")
        await self.begin()
        await self.end(done)

        found = await self.explained(waits)

        since_ms = int(float(str(self.client.zscore(self.base + "blocked", waits))))
        self.assertEqual(("waiting_for_jobs", "blocked", since_ms), (found.reason, found.state, found.since_ms))
        self.assertEqual((None, None, None), (found.until_ms, found.ahead, found.eta_s))
        self.assertRegex(
            found.detail,
            rf"^2 of 3 jobs have not ended: (b \(active for 0\.. s on w\)|{elsewhere.job_id} \(due in 60 s\))(, |$)",
        )
        self.assertIn("b (active for 0.", found.detail)
        self.assertIn(f"{elsewhere.job_id} (due in 60 s)", found.detail)

    async def test_of_ten_that_have_not_ended_five_are_looked_at(self) -> None:
        ids = await self.enqueue_many(10)
        waits = await self.waits_for(*[f"c{job_id} j{at}" for at, job_id in enumerate(ids)])

        facts = await self.facts.of(waits)
        found = explain(facts)

        self.assertEqual(5, len(facts.parents))
        self.assertTrue(found.detail.startswith("10 of 10 jobs have not ended: "), found.detail)
        self.assertIn(" and 5 more", found.detail)

    async def test_what_keeps_a_parent_from_running_is_told_in_few_words(self) -> None:
        parent = await self.enqueue()
        waits = await self.waits_for(f"c{parent} fetch")
        unserved = await self.explained(waits)
        await self.queues.adjust("q", {"paused": True})
        paused = await self.explained(waits)

        self.assertIn("fetch (ready, and no live worker serves q)", unserved.detail)
        self.assertTrue(unserved.detail.endswith("; then it waits on, for no live worker serves q"), unserved.detail)
        self.assertIn("fetch (ready, and the queue q is paused)", paused.detail)
        self.assertTrue(paused.detail.endswith("; then it waits on, for the queue q is paused"), paused.detail)
        self.assertEqual(["waiting_for_jobs"] * 2, [unserved.reason, paused.reason])

    async def test_a_chain_is_looked_at_one_step_deep(self) -> None:
        first = await self.enqueue()
        second = await self.waits_for(f"c{first} one")
        third = await self.waits_for(f"c{second} two")

        found = await self.explained(third)

        self.assertIn("1 of 1 job has not ended: two (blocked for 0.", found.detail)
        self.assertNotIn("one", found.detail)

    async def test_a_workflow_names_its_members_and_a_member_its_workflow(self) -> None:
        load = await self.enqueue(delay_ms=60_000)
        workflow, (a, _) = await self.workflow("ma", "nb", after=(f"c{load} load",))
        before = await self.explained(workflow)
        member = await self.explained(a)
        await self.make_due(load)
        await self.queues.upkeep.promote("q")
        await self.end(load)
        await self.end(a)
        after = await self.explained(workflow)

        self.assertIn("1 of 1 job has not ended: load (due in 60 s)", before.detail)
        self.assertIn(f"the job by which it begins has not begun itself: {workflow} (blocked for 0.", member.detail)
        self.assertTrue(after.detail.startswith("1 of 2 jobs has not ended: b (active for 0."), after.detail)

    async def test_a_workflow_that_is_to_stop_says_so(self) -> None:
        workflow, _ = await self.workflow("ma", "nb")
        await self.job_store.cancel(workflow)

        found = await self.explained(workflow)

        self.assertEqual("waiting_for_jobs", found.reason)
        self.assertRegex(found.detail, r"; it was asked to stop at \S+, and ends when its jobs have ended$")

    async def test_a_job_that_its_parent_ended_says_which_and_why(self) -> None:
        parent = await self.enqueue()
        waits = await self.waits_for(f"c{parent} fetch")
        await self.end(parent, "fail")

        found = await self.explained(waits)
        await self.job_store.delete(parent)
        gone = await self.explained(waits)

        self.assertEqual(("finished", "cancelled"), (found.reason, found.state))
        self.assertIn(f"parent_failed: {parent}, ", found.detail)
        self.assertIn("; because of fetch (dead: ValueError: as it was told to)", found.detail)
        self.assertIn("; because of fetch (dead)", gone.detail)

    async def test_a_workflow_that_is_dead_names_the_members_that_failed(self) -> None:
        workflow, (a, b) = await self.workflow("ma", "mb")
        await self.end(a)
        await self.end(b, "fail")

        found = await self.explained(workflow)

        self.assertIn("jobs_failed: 1 of 2 jobs did not complete; because of b (dead: ValueError", found.detail)

    async def test_a_parent_whose_record_is_gone_is_told_of(self) -> None:
        parent = await self.enqueue()
        waits = await self.waits_for(f"c{parent} fetch")
        other = self.job(queue="other").job_id
        self.client.hset(f"{self.base}parents:{waits}", mapping={other: "c.b", "#open": 2})

        found = await self.explained(waits)

        self.assertIn("b (there is no such job)", found.detail)
        self.client.hdel(f"{self.base}parents:{waits}", other)
        self.client.hset(f"{self.base}parents:{waits}", "#open", 1)

    async def test_a_parent_of_a_queue_with_broken_keys_is_told_of(self) -> None:
        parent = self.job(queue="other")
        await self.job_store.enqueue(parent)
        waits = await self.waits_for(f"c{parent.job_id} fetch")
        broken = self.keys.base("other") + "ready:normal"
        self.client.rename(broken, broken + ":kept")
        self.client.set(broken, "no list")

        found = await self.explained(waits)

        self.assertIn("fetch (keys of the queue other are broken)", found.detail)
        self.client.rename(broken + ":kept", broken)

    async def test_the_edges_are_read_where_they_matter_alone(self) -> None:
        workflow, (a,) = await self.workflow("ma")

        facts, member = await self.facts.of(workflow), await self.facts.of(a)

        self.assertEqual((KnownEdge("m", ".", a, "0/a"),), facts.record.edges)
        self.assertEqual((KnownEdge("o", "o", workflow, ""),), member.record.edges)
        self.assertEqual((), facts.parents[0].facts.record.edges if facts.parents[0].facts else None)

    async def test_a_job_that_waits_for_nobody_is_asked_about_once(self) -> None:
        counted = Counted(self.link)
        facts = ExplanationFacts(counted, self.keys, self.queues.runners, lease_s=15.0)
        job_id = await self.enqueue(delay_ms=60_000)

        await facts.of(job_id)

        self.assertLessEqual(counted.calls, 2)


class Counted(Through):
    """A link that counts the calls; a script that Redis does not know yet takes two."""

    calls = 0

    async def call(self, *command: Argument) -> Any:
        self.calls += 1
        return await super().call(*command)


if __name__ == "__main__":
    unittest.main()
