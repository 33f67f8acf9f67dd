"""Jobs with a group or tags while an older program uses the same Redis: refused, as no other job is."""

import asyncio
import unittest

from lib.errors import UpgradeNeeded
from lib.jobs.job import Accepted, JobRecord, NewJob, Revision
from lib.jobs.spec import JobSpec
from lib.queue.fleet import FRESH_S, Fleet, Program
from lib.queue.job_store import JobStore
from tests.redis.case import LosesReplies, RedisCase, until

OLD = Program("server", "0.2.0", "web1.1.aaaaaaaa")
NEW = OLD._replace(version="0.3.0")
LEASE_S = 30.0


def to_tags(record: JobRecord) -> Revision:
    return Revision(record.spec_text.decode(), tags=("eu",))


class Gated(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.now_s = 0.0
        self.seen = LosesReplies(self.link)
        self.job_store = JobStore(self.seen, self.keys, clock=lambda: self.now_s)
        self.fleet = Fleet(self.link, self.keys)
        await self.fleet.show([OLD, NEW], LEASE_S)

    def grouped(self, *, may_lose_group: bool = False) -> NewJob:
        plain = self.job()
        spec = JobSpec.from_text(plain.spec_text)._replace(group="tenant-42")
        return plain._replace(spec_text=spec.to_text(), group="tenant-42", may_lose_group=may_lose_group)

    async def posted(self, job: NewJob) -> Accepted | Exception:
        answered: asyncio.Future[Accepted | Exception] = asyncio.get_running_loop().create_future()
        self.job_store.post(job, answered.set_result)
        return await answered

    async def test_they_are_refused_on_both_ways_in_and_nothing_is_written(self) -> None:
        before = self.dump()
        replacing = self.job(unique_key="k", unique_mode="replace")
        for job, feature in (
            (self.grouped(), "groups"),
            (self.job(tags=("eu",)), "tags"),
            (self.job(calls_back=True), "jobs with a callback_url"),
            (replacing, "the unique modes replace and debounce"),
            (replacing._replace(unique_mode="debounce"), "the unique modes replace and debounce"),
        ):
            with self.assertRaisesRegex(UpgradeNeeded, f"^{feature} need Waybill 0.3.0 .* {OLD.program_id}"):
                await self.job_store.enqueue(job)
            self.assertIsInstance(await self.posted(job), UpgradeNeeded)

        self.assertEqual(before, self.dump())

    async def test_jobs_without_are_taken_in_and_nobody_looks_at_the_fleet_for_them(self) -> None:
        await self.enqueue()
        self.assertIsInstance(await self.posted(self.job()), Accepted)

        self.assertNotIn(self.keys.fleet, [word for command in self.seen.sent for word in command])

    async def test_they_are_taken_in_as_soon_as_nobody_is_older(self) -> None:
        self.assertIsInstance(await self.posted(self.grouped()), UpgradeNeeded)
        await self.fleet.hide([OLD])
        self.now_s += FRESH_S

        accepted = await self.posted(self.grouped())

        assert isinstance(accepted, Accepted)
        self.assertEqual(b"tenant-42", self.client.hget(f"{self.base}job:{accepted.job_id}", "group"))
        await self.job_store.enqueue(self.grouped())

    async def test_many_that_come_at_once_look_at_the_fleet_once(self) -> None:
        await self.fleet.hide([OLD])

        await asyncio.gather(*[self.posted(self.grouped()) for _ in range(20)])

        self.assertEqual(1, sum(self.keys.fleet in command for command in self.seen.sent))
        self.assertEqual(20, len(self.states()))

    async def test_a_job_whose_group_is_its_types_alone_goes_without_the_group_meanwhile(self) -> None:
        for way_in in (self.job_store.enqueue, self.posted):
            accepted = await way_in(self.grouped(may_lose_group=True))

            assert isinstance(accepted, Accepted)
            spec = (await self.record(accepted.job_id)).spec
            self.assertEqual("", spec and spec.group)
            self.assertFalse(self.client.hexists(f"{self.base}job:{accepted.job_id}", "group"))

    async def test_tags_can_not_be_changed_meanwhile_and_other_fields_can(self) -> None:
        job_id = await self.enqueue()
        with self.assertRaises(UpgradeNeeded):
            await self.job_store.patch(job_id, to_tags)

        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), "high"))

        self.assertEqual([job_id], self.list("ready:high"))

    async def test_a_running_job_can_not_enqueue_one_either(self) -> None:
        runner = await self.lease()
        await self.enqueue()
        parent = await self.claimed(runner)

        with self.assertRaises(UpgradeNeeded):
            await self.job_store.named_jobs.enqueue(parent, "name", self.grouped(), "request")

        await self.fleet.hide([OLD])
        self.now_s += FRESH_S
        child = await self.job_store.named_jobs.enqueue(parent, "name", self.grouped(), "request")
        self.assertEqual(b"tenant-42", self.client.hget(f"{self.base}job:{child}", "group"))

    async def test_who_asks_and_goes_away_takes_nobody_along(self) -> None:
        await self.fleet.hide([OLD])
        gone = asyncio.ensure_future(self.job_store.enqueue(self.grouped()))
        stays = asyncio.ensure_future(self.job_store.enqueue(self.grouped()))
        await asyncio.sleep(0)

        gone.cancel()

        self.assertEqual("new", (await stays).outcome)

        async def has_ended() -> bool:
            return gone.done()

        await until(has_ended, "the first one ends")


if __name__ == "__main__":
    unittest.main()
