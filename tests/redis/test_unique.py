"""unique: one job at a time under a key, each type for itself; and what versions before that was so make of it."""

import asyncio
import unittest
from typing import Any

from lib.errors import InvalidFields, WrongState
from lib.jobs.backoff import Backoff
from lib.jobs.job import Accepted, NewJob, Revision
from lib.jobs.spec import JobSpec
from tests.redis.case import TRACE, RedisCase

DAY_MS = 86_400_000


class Unique(RedisCase):
    def new(self, kind: str, key: str = "k", **options: Any) -> NewJob:
        spec = JobSpec(kind, {}, "request", TRACE, 5, 60.0, Backoff(), unique_key=key)
        return NewJob(self.ids.new("q", "request"), "normal", spec.to_text(), unique_key=key, **options)

    async def post(self, kind: str, key: str = "k", **options: Any) -> Accepted:
        return await self.job_store.enqueue(self.new(kind, key, **options))

    async def post_as_before(self, kind: str) -> str:
        """As a version took it in for which a key was every type's."""
        job = self.new(kind)
        await self.job_store.enqueue(job._replace(unique_key=""))
        self.client.set(self.base + "unique:k", job.job_id, px=DAY_MS)
        return job.job_id

    async def test_each_type_has_the_key_for_itself(self) -> None:
        first = {kind: await self.post(kind) for kind in ("a", "b", "c d")}
        again = {kind: await self.post(kind) for kind in first}

        self.assertEqual({"new"}, {accepted.outcome for accepted in first.values()})
        for kind, accepted in again.items():
            self.assertEqual(("duplicate", first[kind].job_id), (accepted.outcome, accepted.job_id))

    async def test_types_and_keys_that_read_alike_when_put_together_are_apart(self) -> None:
        for kind, key in (("a", "b c"), ("a b", "c"), ("c", "a b"), ("a", "b"), ("b", "a"), ("a", "c")):
            self.assertEqual("new", (await self.post(kind, key)).outcome, (kind, key))

    async def test_in_one_commit_each_type_has_one(self) -> None:
        jobs = [self.new(kind) for kind in ("a", "b") * 20]

        outcomes = await asyncio.gather(*map(self.job_store.enqueue, jobs))

        self.assertEqual(2, sum(accepted.outcome == "new" for accepted in outcomes))
        self.assertEqual(2, len({accepted.job_id for accepted in outcomes}))

    async def test_whichever_of_them_ends_first_each_type_has_one_at_a_time(self) -> None:
        for ends_first in (0, 1):
            with self.subTest(ends_first):
                self.client.flushall()
                self.job_store.forget_names()
                kinds = ("a", "b")
                ids = [(await self.post(kind)).job_id for kind in kinds]
                await self.job_store.cancel(ids[ends_first])

                again = [await self.post(kind) for kind in kinds]
                third = [await self.post(kind) for kind in kinds]

                outcomes = ["duplicate", "duplicate"]
                outcomes[ends_first] = "new"
                self.assertEqual(outcomes, [accepted.outcome for accepted in again])
                self.assertEqual([one.job_id for one in again], [one.job_id for one in third])

    async def test_a_key_that_a_version_before_wrote_is_its_types_own(self) -> None:
        older = await self.post_as_before("a")

        accepted = {kind: await self.post(kind) for kind in ("a", "b")}

        self.assertEqual(("duplicate", older), (accepted["a"].outcome, accepted["a"].job_id))
        self.assertEqual("new", accepted["b"].outcome)

    async def test_a_version_before_finds_the_job_where_it_looks(self) -> None:
        job_id = (await self.post("a")).job_id

        self.assertEqual(job_id.encode(), self.client.get(self.base + "unique:k"))

    async def test_a_job_is_run_again_beside_another_type_and_not_beside_its_own(self) -> None:
        ids = {kind: (await self.post(kind)).job_id for kind in ("a", "b")}
        await self.job_store.cancel(ids["b"])
        await self.job_store.retry(ids["b"])
        self.assertEqual(ids["b"], (await self.post("b")).job_id)
        await self.job_store.cancel(ids["b"])
        second = (await self.post("b")).job_id

        with self.assertRaises(WrongState) as refused:
            await self.job_store.retry(ids["b"])

        self.assertIn(second, refused.exception.detail)
        self.assertEqual(ids["a"], (await self.post("a")).job_id)

    async def test_a_job_that_is_put_off_keeps_its_key_until_then_and_its_time_beyond(self) -> None:
        due_ms = await self.now_ms() + DAY_MS
        for kind, ttl_ms, held_ms in (("a", 5_000, DAY_MS + 5_000), ("b", 0, 2 * DAY_MS)):
            job_id = (await self.post(kind, unique_ttl_ms=ttl_ms)).job_id

            await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), None, due_ms))

            (key,) = [key for key in self.key_names("*unique:*") if self.client.get(key) == job_id.encode()]
            self.assertAlmostEqual(held_ms, self.client.pttl(key), delta=10_000)

    async def test_one_that_is_put_off_takes_no_key_that_is_another_jobs(self) -> None:
        first = (await self.post("a")).job_id
        self.client.delete(self.base + "unique:k")
        second = (await self.post("a")).job_id
        due_ms = await self.now_ms() + DAY_MS

        await self.job_store.patch(first, lambda record: Revision(record.spec_text.decode(), None, due_ms))

        self.assertEqual(second, (await self.post("a")).job_id)

    async def test_a_broken_key_costs_its_uniqueness_and_no_job(self) -> None:
        self.client.rpush(self.base + "unique:k", "a list")
        self.client.rpush(self.base + "unique:k\x1ca", "a list")

        self.assertEqual("new", (await self.post("a")).outcome)
        self.assertEqual("duplicate", (await self.post("a")).outcome)

    async def test_a_time_beyond_its_ttl_is_refused_and_nothing_is_taken_in(self) -> None:
        now_ms = await self.now_ms()

        with self.assertRaises(InvalidFields) as refused:
            await self.post("a", run_at_ms=now_ms + 60_000, unique_ttl_ms=50_000)

        self.assertEqual(["/unique/ttl_s"], [error.pointer for error in refused.exception.errors])
        self.assertEqual({}, self.states())
        self.assertEqual([], [key for key in self.key_names() if b"unique" in key or b"job" in key])
        self.assertEqual("new", (await self.post("a", run_at_ms=now_ms + 60_000, unique_ttl_ms=70_000)).outcome)
        self.assertEqual("duplicate", (await self.post("a", run_at_ms=now_ms - 60_000, unique_ttl_ms=1)).outcome)

    async def test_in_a_batch_it_costs_itself_alone(self) -> None:
        now_ms = await self.now_ms()
        jobs = [self.job(), self.new("a", run_at_ms=now_ms + 60_000, unique_ttl_ms=5), self.job()]

        answers = await asyncio.gather(*map(self.job_store.enqueue, jobs), return_exceptions=True)

        self.assertIsInstance(answers[1], InvalidFields)
        self.assertEqual({jobs[0].job_id, jobs[2].job_id}, set(self.states()))

    async def test_where_no_ttl_is_given_it_holds_a_day_beyond_its_time(self) -> None:
        now_ms = await self.now_ms()
        cases: tuple[tuple[dict[str, Any], int], ...] = (
            ({}, DAY_MS),
            ({"delay_ms": 3 * DAY_MS}, 4 * DAY_MS),
            ({"run_at_ms": now_ms + DAY_MS}, 2 * DAY_MS),
            ({"run_at_ms": now_ms - DAY_MS}, DAY_MS),
        )
        for times, held_ms in cases:
            self.client.flushall()
            self.job_store.forget_names()
            await self.post("a", **times)
            self.assertAlmostEqual(held_ms, self.client.pttl(self.base + "unique:k"), delta=10_000)


if __name__ == "__main__":
    unittest.main()
