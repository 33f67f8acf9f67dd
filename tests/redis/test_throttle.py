"""unique with the mode throttle: at most one job of a type under a key in ttl_s, whatever became of that job."""

import asyncio
import unittest
from typing import Any

from lib.errors import QueueFull, Throttled, WrongState
from lib.jobs.backoff import Backoff
from lib.jobs.job import Accepted, NewJob, Revision
from lib.jobs.spec import JobSpec
from tests.redis.case import TRACE, RedisCase, ending, until

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Throttle(RedisCase):
    def new(self, kind: str = "a", mode: str = "throttle", **options: Any) -> NewJob:
        spec = JobSpec(kind, {}, "request", TRACE, 5, 60.0, Backoff(), unique_key="k")
        return NewJob(
            self.ids.new("q", "request"),
            "normal",
            spec.to_text(),
            unique_key="k",
            unique_mode=mode,
            **{"unique_ttl_ms": HOUR_MS, **options},
        )

    async def post(self, kind: str = "a", mode: str = "throttle", **options: Any) -> Accepted:
        return await self.job_store.enqueue(self.new(kind, mode, **options))

    def place(self, kind: str = "a") -> str:
        return f"{self.base}unique:k\x1c{kind}\x1cthrottle"

    async def ended(self, *, state: str, kind: str = "a", mode: str = "throttle", **options: Any) -> str:
        """The id of a job that was taken in, and has ended."""
        job_id = (await self.post(kind, mode, **options)).job_id
        if state == "cancelled":
            await self.job_store.cancel(job_id)
            return job_id
        lease = await self.lease()
        job = await self.claimed(lease)
        script = "finish" if state == "completed" else "fail"
        await lease.end_and_wait(script, ending(script, job, delay_s=None))
        return job_id

    async def test_a_job_that_lives_or_has_ended_stands_for_all_that_come_in_its_time(self) -> None:
        for state in ("ready", "completed", "dead", "cancelled"):
            with self.subTest(state):
                self.client.flushall()
                self.job_store.forget_names()
                first = (await self.post()).job_id if state == "ready" else await self.ended(state=state)

                again = [await self.post() for _ in range(2)]

                self.assertEqual(state, (await self.job_store.read(first)).state)
                self.assertEqual([("duplicate", first)] * 2, [(one.outcome, one.job_id) for one in again])

    async def test_when_its_time_is_over_the_next_is_taken_in(self) -> None:
        first = await self.ended(state="completed", unique_ttl_ms=1)

        async def is_free() -> bool:
            return not self.client.exists(self.place())

        await until(is_free, "the key is free")

        second = await self.post()

        self.assertNotEqual(first, second.job_id)
        self.assertEqual("new", second.outcome)

    async def test_where_that_job_is_gone_the_answer_is_its_id_and_when_the_key_is_free(self) -> None:
        first = await self.ended(state="completed")
        await self.job_store.delete(first)
        before = self.dump()

        with self.assertRaises(Throttled) as refused:
            await self.post()

        error = refused.exception
        self.assertEqual((409, {"job_id": first}), (error.status, error.members))
        ((name, seconds),) = error.headers
        self.assertEqual("Retry-After", name)
        self.assertIn(int(seconds), range(3590, 3601))
        self.assertIn(f"free in {seconds} s", error.detail)
        self.assertEqual({}, self.states())
        self.assertEqual(set(), {key for key in set(before) ^ set(self.dump()) if "commit:" not in key})

    async def test_a_key_holds_a_day_beyond_its_time_where_none_is_given(self) -> None:
        await self.post(unique_ttl_ms=0, delay_ms=HOUR_MS)

        self.assertAlmostEqual(DAY_MS + HOUR_MS, self.client.pttl(self.place()), delta=10_000)

    async def test_each_type_has_a_time_of_its_own(self) -> None:
        first = {kind: await self.ended(state="cancelled", kind=kind) for kind in ("a", "b")}

        again = {kind: (await self.post(kind)).job_id for kind in first}

        self.assertEqual(first, again)
        await self.job_store.delete(first["a"])
        with self.assertRaises(Throttled):
            await self.post("a")
        self.assertEqual(("duplicate", first["b"]), (await self.post("b"))[1::-1])

    async def test_in_one_commit_one_is_taken_in(self) -> None:
        jobs = [self.new() for _ in range(20)]

        accepted = await asyncio.gather(*map(self.job_store.enqueue, jobs))

        self.assertEqual(1, [one.outcome for one in accepted].count("new"))
        self.assertEqual(1, len({one.job_id for one in accepted}))

    async def test_a_job_of_either_mode_that_lives_stands_for_both(self) -> None:
        for modes in (("keep", "throttle"), ("throttle", "keep")):
            self.client.flushall()
            self.job_store.forget_names()
            first = (await self.post(mode=modes[0])).job_id

            second = await self.post(mode=modes[1])

            self.assertEqual(("duplicate", first), (second.outcome, second.job_id), modes)

    async def test_a_job_of_keep_that_has_ended_stops_none_and_ends_no_time_of_a_throttle(self) -> None:
        await self.ended(state="cancelled", mode="keep")
        throttled = await self.ended(state="cancelled")

        kept = await self.ended(state="cancelled", mode="keep", unique_ttl_ms=1)

        self.assertEqual(("duplicate", throttled), (await self.post())[1::-1])
        self.assertNotEqual(throttled, kept)

    async def test_a_broken_key_costs_its_time_and_no_job(self) -> None:
        self.client.rpush(self.place(), "a list")

        self.assertEqual("new", (await self.post()).outcome)
        self.assertEqual("duplicate", (await self.post()).outcome)

    async def test_a_job_that_the_queue_has_no_room_for_takes_no_time(self) -> None:
        await self.enqueue()
        await self.queues.adjust("q", {"max_depth": 1})

        with self.assertRaises(QueueFull):
            await self.post()

        self.assertEqual([], self.key_names("*unique*"))

    # Idempotency keys.

    async def test_an_idempotency_key_is_answered_first(self) -> None:
        keyed = {"idempotency_key": "caller x", "fingerprint": "f"}
        first = await self.post(**keyed)
        await self.job_store.cancel(first.job_id)
        other = await self.post(idempotency_key="caller y", fingerprint="f")
        await self.job_store.delete(first.job_id)

        replays = [await self.post(**keyed), await self.post(idempotency_key="caller y", fingerprint="f")]

        self.assertEqual("duplicate", other.outcome)
        self.assertEqual(["replayed-new", "replayed-duplicate"], [one.outcome for one in replays])
        self.assertEqual({first.job_id}, {one.job_id for one in replays})

    async def test_one_that_is_refused_may_come_again_under_its_idempotency_key(self) -> None:
        keyed = {"idempotency_key": "caller x", "fingerprint": "f"}
        first = await self.ended(state="cancelled")
        await self.job_store.delete(first)
        with self.assertRaises(Throttled):
            await self.post(**keyed)
        self.client.delete(self.place())

        self.assertEqual("new", (await self.post(**keyed)).outcome)

    # What is done to the job.

    async def test_a_job_that_is_run_again_begins_its_time_anew(self) -> None:
        job_id = await self.ended(state="dead")
        for key in (self.place(), f"{self.base}unique:k"):
            self.client.pexpire(key, 60_000)

        await self.job_store.retry(job_id)

        self.assertEqual(("duplicate", job_id), (await self.post())[1::-1])
        for key in (self.place(), f"{self.base}unique:k"):
            self.assertAlmostEqual(HOUR_MS, self.client.pttl(key), delta=10_000)

    async def test_a_job_is_not_run_again_within_the_time_of_another(self) -> None:
        first = await self.ended(state="cancelled")
        self.client.delete(self.place(), f"{self.base}unique:k")
        second = await self.ended(state="cancelled")
        for is_gone in (False, True):
            if is_gone:
                await self.job_store.delete(second)

            with self.assertRaises(WrongState) as refused:
                await self.job_store.retry(first)

            self.assertEqual(f"the job {second} holds the same unique key", refused.exception.detail)
        self.client.delete(self.place())
        await self.job_store.retry(first)
        self.assertEqual("ready", (await self.job_store.read(first)).state)

    async def test_a_job_that_is_put_off_keeps_its_key_until_then_and_its_time_beyond(self) -> None:
        due_ms = await self.now_ms() + DAY_MS
        job_id = (await self.post()).job_id

        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), None, due_ms))

        for key in (self.place(), f"{self.base}unique:k"):
            self.assertAlmostEqual(DAY_MS + HOUR_MS, self.client.pttl(key), delta=10_000)

    async def test_a_job_without_the_mode_touches_no_key_of_a_throttle(self) -> None:
        await self.ended(state="cancelled", mode="keep")

        self.assertEqual([], self.key_names("*throttle"))
        self.assertEqual([], [name for name in self.job_fields() if name == "unique_mode"])


if __name__ == "__main__":
    unittest.main()
