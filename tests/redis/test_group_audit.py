"""The audit of groups: what somebody did to their lines, turns and running sets by hand is named, and nothing else."""

import unittest

from lib.commands import audit
from tests.redis.grouped import GroupedCase

GROUP = "tenant-42"
MENDED = "upkeep puts that right within seconds: see that a worker.py runs"


class GroupAudit(GroupedCase):
    async def assert_found(self, *faults: str) -> None:
        found = await audit.find_faults(self.link, self.keys)

        self.assertEqual(sorted(f"q: {fault}" for fault in faults), sorted(found))

    async def test_groups_that_are_as_they_must_be_are_no_finding(self) -> None:
        for group in ("a", "b/c:d", ""):
            for priority in ("high", "normal", "low"):
                await self.put(group, 1, priority)

        await self.assert_found()

    async def test_a_job_that_was_cancelled_in_its_line_is_no_finding(self) -> None:
        await self.put(GROUP)
        (cancelled,) = await self.put(GROUP)
        await self.job_store.cancel(cancelled)

        await self.assert_found()

    async def test_a_group_without_a_turn_is_named_for_each_priority(self) -> None:
        await self.put(GROUP, 1, "high")
        await self.put("other", 1, "low")
        self.client.delete(self.base + "turns:high", self.base + "turns:low")

        await self.assert_found(
            f"the group {GROUP} has jobs in line:high:{GROUP} and no turn, so that none starts; {MENDED}",
            f"the group other has jobs in line:low:other and no turn, so that none starts; {MENDED}",
        )
        self.client.flushall()

    async def test_a_group_that_is_full_or_rests_needs_no_turn(self) -> None:
        for group in ("full", "rests"):
            await self.put(group)
        self.client.delete(self.base + "turns:normal")
        self.client.sadd(self.base + "full", "full")
        self.client.zadd(self.base + "resting", {"rests": 2**53})

        await self.assert_found()

    async def test_strikes_that_nobody_can_read_or_see_are_named(self) -> None:
        self.client.hset(self.base + "strikes", mapping={"a": "many", "b": "1 2 3 x", "c": "2 3 4"})
        self.client.zadd(self.base + "groups", {"c": 0})

        await self.assert_found(
            f"the group a has strikes that nobody can read: 'many'; {MENDED}",
            "the group b has strikes, and no page shows it; its next job puts that right",
        )
        self.client.flushall()

    async def test_a_line_that_holds_cancelled_jobs_alone_needs_no_turn(self) -> None:
        (cancelled,) = await self.put(GROUP)
        await self.job_store.cancel(cancelled)
        self.client.delete(self.base + "turns:normal")

        await self.assert_found()
        self.client.flushall()

    async def test_ghosts_in_running_are_named(self) -> None:
        (job_id,) = await self.put(GROUP)
        self.client.sadd(f"{self.base}running:{GROUP}", job_id, "no-job")

        await self.assert_found(
            f"{job_id} is ready and still in running:{GROUP}, which costs a slot; {MENDED}",
            f"no-job is no job and still in running:{GROUP}, which costs a slot; {MENDED}",
        )
        self.client.flushall()

    async def test_a_ghost_among_the_jobs_of_no_group_is_named(self) -> None:
        (job_id,) = await self.put()
        self.client.sadd(f"{self.base}running:", job_id)

        await self.assert_found(
            f"{job_id} is ready and still in running:, so that jobs of no group wait longer; take it out with SREM"
        )
        self.client.flushall()

    async def test_jobs_that_run_are_no_finding_and_one_that_running_lacks_is(self) -> None:
        await self.put(GROUP, 2)
        await self.put()
        runner = await self.runner()
        claimed = await runner.claim(3)
        await self.assert_found()

        grouped = next(job_id for job_id in claimed.ids if self.client.hget(f"{self.base}job:{job_id}", "group"))
        self.client.srem(f"{self.base}running:{GROUP}", grouped)

        await self.assert_found(
            f"{grouped} is active and not in running:{GROUP}, so that too many of the group may run until it ends"
        )
        self.client.sadd(f"{self.base}running:{GROUP}", grouped)

    async def test_a_job_out_of_its_groups_line_is_named(self) -> None:
        (job_id,) = await self.put(GROUP)
        self.client.rename(f"{self.base}line:normal:{GROUP}", self.base + "ready:normal")
        self.client.delete(self.base + "turns:normal")

        await self.assert_found(f"{job_id} is ready and stands in ready:normal")
        self.client.flushall()

    async def test_a_job_of_another_group_in_a_line_is_named(self) -> None:
        (job_id,) = await self.put(GROUP)
        self.client.hset(f"{self.base}job:{job_id}", "group", "other")

        await self.assert_found(f"{job_id} is ready and stands in line:normal:{GROUP}")
        self.client.flushall()

    async def test_a_key_of_a_wrong_type_is_named(self) -> None:
        await self.put(GROUP)
        self.client.set(self.base + "full", "no set")

        (found,) = await audit.find_faults(self.link, self.keys)

        self.assertEqual("q: wb:{q}:full holds no set; mend it or delete it", found)
        self.client.delete(self.base + "full")


if __name__ == "__main__":
    unittest.main()
