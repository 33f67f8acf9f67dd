"""Keys that somebody broke by hand: no script stops half-way over them, and once mended they cost nothing more."""

import contextlib
import unittest
from collections.abc import Awaitable, Callable

from lib.commands import audit
from lib.errors import RedisKeysBroken
from lib.jobs.job import Revision
from lib.queue.keys import TYPES
from lib.queue.lease import Lease
from lib.queue.listing import Wanted
from lib.queue.upkeep_steps import Retention
from tests.redis.case import KEEP_ALL, RedisCase, ending
from tests.system.oracle import assert_sound

HOUR_MS = 3_600_000
KEEP_NONE = Retention(0, 0, 0, 0)
Step = Callable[[], Awaitable[object]]


class ByHalves(RedisCase):
    """Each step while each of the queue's keys is broken, which is as it was again afterwards."""

    async def a_runner(self) -> Lease:
        """With two jobs in its hands."""
        await self.enqueue_many(2)
        return await self.lease()

    async def enqueue_some(self) -> Step:
        await self.enqueue("high", delay_ms=HOUR_MS)
        return lambda: self.enqueue_many(2, delay_ms=HOUR_MS, expires_in_ms=HOUR_MS)

    async def cancel_ready(self) -> Step:
        job_id = await self.enqueue("low")
        return lambda: self.job_store.cancel(job_id)

    async def cancel_delayed(self) -> Step:
        job_id = await self.enqueue(delay_ms=HOUR_MS)
        return lambda: self.job_store.cancel(job_id)

    async def retry(self) -> Step:
        job_id = await self.enqueue("high")
        await self.job_store.cancel(job_id)
        return lambda: self.job_store.retry(job_id)

    async def delete(self) -> Step:
        job_id = await self.enqueue()
        await self.job_store.cancel(job_id)
        return lambda: self.job_store.delete(job_id)

    async def patch(self) -> Step:
        job_id = await self.enqueue()
        return lambda: self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), "high", None))

    async def promote(self) -> Step:
        await self.make_due(await self.enqueue("high", delay_ms=HOUR_MS))
        return lambda: self.queues.upkeep.promote("q")

    async def expire(self) -> Step:
        for job_id in (await self.enqueue(expires_in_ms=HOUR_MS), await self.enqueue("low", expires_in_ms=HOUR_MS)):
            self.client.zadd(self.base + "expiring", {job_id: 1})
        return lambda: self.queues.upkeep.expire("q")

    async def trim(self) -> Step:
        await self.job_store.cancel(await self.enqueue())
        return lambda: self.queues.upkeep.trim("q", KEEP_NONE)

    async def finish(self) -> Step:
        return await self.end("finish", None)

    async def fail_for_good(self) -> Step:
        return await self.end("fail", None)

    async def fail_for_now(self) -> Step:
        return await self.end("fail", 60.0)

    async def snooze(self) -> Step:
        return await self.end("snooze", 60.0)

    async def release(self) -> Step:
        return await self.end("release", None)

    async def end(self, script: str, delay_s: float | None) -> Step:
        runner = await self.a_runner()
        job, cancelled = (await runner.claim(2)).jobs
        await self.job_store.cancel(cancelled.job_id)
        return lambda: runner._scripts.call(
            script,
            self.base,
            "w",
            "".join(
                f"{one.job_id}\x1f{one.token}{ending(script, one, delay_s=delay_s).rest}\x1e"
                for one in (job, cancelled)
            ),
        )

    async def reap(self) -> Step:
        runner = await self.a_runner()
        _, cancelled = (await runner.claim(2)).jobs
        await self.job_store.cancel(cancelled.job_id)
        return lambda: self.crash("w", crash_limit=1)

    async def put_back(self) -> Step:
        runner = await self.a_runner()
        popped = self.popped(runner)
        self.client.hset(self.base + "meta", "paused", 1)
        return lambda: runner.claim(1, [popped])

    async def test_nothing_is_out_of_one_place_and_in_no_other(self) -> None:
        steps = (
            *(self.enqueue_some, self.cancel_ready, self.cancel_delayed, self.retry, self.delete, self.patch),
            *(self.promote, self.expire, self.trim),
            *(self.finish, self.fail_for_good, self.fail_for_now, self.snooze, self.release, self.reap, self.put_back),
        )
        for prepare in steps:
            for name in (*TYPES, "active:w"):
                with self.subTest(prepare.__name__, broken=name):
                    self.client.flushall()
                    self.job_store.forget_names()
                    step = await prepare()

                    await self.while_broken(self.base + name, step)

                    assert_sound(self.client)

    async def while_broken(self, key: str, step: Step) -> None:
        saved = self.client.dump(key)
        self.client.set(key, b"\xff")
        with contextlib.suppress(RedisKeysBroken):
            await step()
        self.client.delete(key)
        if saved is not None:
            self.client.restore(key, 0, saved)


class Mended(RedisCase):
    async def test_beats_that_are_gone_or_garbage_begin_anew_with_the_next(self) -> None:
        breakings: tuple[Callable[[], object], ...] = (
            lambda: self.client.delete(self.base + "beats"),
            lambda: self.client.hset(self.base + "beats", "w", "garbage"),
        )
        for breaks in breakings:
            await self.lease()
            breaks()

            self.assertEqual({"w": True}, await self.queues.runners.beat("q", ["w"]))

            self.assertTrue((await self.queues.upkeep.survey("q", KEEP_ALL)).beats["w"].startswith("1:"))

    async def test_a_dead_runner_whose_beats_are_gone_is_reaped_all_the_same(self) -> None:
        await self.enqueue()
        await self.claimed(await self.lease())
        self.client.delete(self.base + "beats")

        seen = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats["w"]

        self.assertEqual(1, len(await self.queues.runners.reap("q", "w", beat_seen=seen, crash_limit=3) or ()))

    async def test_a_living_one_whose_beats_were_gone_for_a_moment_is_not(self) -> None:
        await self.lease()
        self.client.delete(self.base + "beats")
        seen = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats["w"]
        await self.queues.runners.beat("q", ["w"])

        self.assertIsNone(await self.queues.runners.reap("q", "w", beat_seen=seen, crash_limit=3))

    async def test_a_worker_id_of_any_bytes_is_found_again_by_them(self) -> None:
        self.client.hset(self.base + "beats", b"\xff", "garbage")
        ((runner_id, beat),) = (await self.queues.upkeep.survey("q", KEEP_ALL)).beats.items()

        await self.queues.runners.reap("q", runner_id, beat_seen=beat, crash_limit=3)

        self.assertEqual({}, (await self.queues.upkeep.survey("q", KEEP_ALL)).beats)
        self.client.delete(self.base + "graves")

    async def test_a_job_in_a_state_that_there_is_not_goes_to_the_quarantine(self) -> None:
        job_id = await self.enqueue()
        self.client.hset(f"{self.base}job:{job_id}", "state", b"\xff")

        await (await self.lease()).claim(1)

        (found,) = await self.queues.quarantine("q")
        self.assertEqual((job_id, "its state is none"), (found.job_id, found.reason))
        self.client.delete(f"{self.base}job:{job_id}")
        self.client.zrem(self.base + "all", job_id)


class Told(RedisCase):
    async def test_a_listing_leaves_a_broken_queue_out_and_names_it(self) -> None:
        kept = await self.enqueue()
        self.client.set("wb:{broken}:all", "no sorted set")

        page = await self.job_store.page(["broken", "q"], Wanted(), None, 50)

        self.assertEqual([kept], [place.job_id for place in page.jobs])
        (unreadable,) = page.unreadable
        self.assertEqual("broken", unreadable.queue)
        self.assertIn("WRONGTYPE", unreadable.reason)

    async def test_the_audit_names_every_broken_key_and_goes_on(self) -> None:
        job_id = await self.enqueue()
        self.client.delete(self.base + "ready:normal")
        for name, kind in TYPES.items():
            write = self.client.rpush if kind == "string" else self.client.set
            write(f"wb:{{broken}}:{name}", "garbage")
        self.client.sadd("wb:queues", "broken", b"\xff")

        found = await audit.find_faults(self.link, self.keys)

        told = [line for line in found if line.startswith("broken: ")]
        self.assertEqual(
            [f"wb:{{broken}}:{name} holds no {kind}" for name, kind in TYPES.items()],
            [line.removeprefix("broken: ").partition(";")[0] for line in told],
        )
        self.assertEqual([f"q: {job_id} is ready and stands in no place"], [x for x in found if x not in told])
        self.client.flushall()

    async def test_without_the_set_of_names_it_looks_at_those_that_it_is_told(self) -> None:
        job_id = await self.enqueue()
        self.client.delete(self.base + "ready:normal")
        self.client.set("wb:queues", "no set")

        names, misplaced = await audit.find_faults(self.link, self.keys, ["q"])

        self.assertIn("wb:queues holds no set", names)
        self.assertIn(job_id, misplaced)
        self.client.flushall()


if __name__ == "__main__":
    unittest.main()
