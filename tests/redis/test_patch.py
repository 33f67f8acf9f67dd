"""patch: what may be changed of a job that waits, and that its id is taken once, wherever it stood before."""

import asyncio
import contextlib
import itertools
import unittest
from collections import Counter
from collections.abc import Callable
from random import Random

from lib.commands import audit
from lib.errors import JobNotFound, WaybillError, WrongState
from lib.jobs.job import JobRecord, Revision
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease
from lib.queue.upkeep_steps import Retention
from tests.redis.case import RedisCase, ending, ids_of
from tests.system.oracle import assert_sound

PRIORITIES = ("high", "normal", "low")


Revise = Callable[[JobRecord], Revision]


def to(priority: str | None = None, due: int | str | None = None, max_attempts: int = 0) -> Revise:
    """A change to that; the spec says the priority as well, and max_attempts where it is given."""

    def revise(record: JobRecord) -> Revision:
        assert record.spec is not None
        spec = record.spec._replace(priority=priority or record.spec.priority)
        return Revision((spec._replace(max_attempts=max_attempts) if max_attempts else spec).to_text(), priority, due)

    return revise


class Patch(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease()
        self.far_ms = await self.now_ms() + 60_000

    async def test_each_way_through_the_priorities_leaves_one_place_to_be_taken_from(self) -> None:
        for way in itertools.product(PRIORITIES, repeat=4):
            job_id = await self.enqueue(way[0])
            for priority in way[1:]:
                await self.job_store.patch(job_id, to(priority))
                assert_sound(self.client)
            marker = {priority: await self.enqueue(priority) for priority in PRIORITIES}

            order = [ids_of(await self.runner.claim(1))[0] for _ in range(4)]

            expected = [marker[priority] for priority in PRIORITIES]
            expected.insert(PRIORITIES.index(way[-1]), job_id)
            self.assertEqual(expected, order, way)
            self.assertEqual([], ids_of(await self.runner.claim(10)))
            for job in order:
                self.assertNotIn(b"listed", self.client.hkeys(f"{self.base}job:{job}"))

    async def test_a_ready_job_is_put_off_and_back(self) -> None:
        job_id = await self.enqueue()

        await self.job_store.patch(job_id, to(due=self.far_ms))

        record = await self.record(job_id)
        self.assertEqual(("delayed", self.far_ms), (record.state, record.run_at_ms))
        self.assertEqual(1, (await self.queues.census("q")).counts["delayed"])
        self.assertEqual([], ids_of(await self.runner.claim(5)))
        await self.job_store.patch(job_id, to(due="now"))
        self.assertEqual([[job_id], []], [ids_of(await self.runner.claim(5)) for _ in range(2)])

    async def test_put_off_and_back_before_anybody_came_by_it_has_its_old_place(self) -> None:
        first, second = await self.enqueue_many(2)
        await self.job_store.patch(first, to(due=self.far_ms))

        await self.job_store.patch(first, to(due="now"))

        self.assertEqual([second, first], self.list("ready:normal"))
        self.assertEqual([first, second], ids_of(await self.runner.claim(5)))

    async def test_a_delayed_job_is_due_at_another_time_and_in_another_list(self) -> None:
        job_id = await self.enqueue(delay_ms=1000)

        await self.job_store.patch(job_id, to("high", self.far_ms))
        self.assertEqual(self.far_ms, (await self.record(job_id)).run_at_ms)
        await self.make_due(job_id)
        await self.queues.upkeep.promote("q")

        self.assertEqual([job_id], self.list("ready:high"))

    async def test_promoted_while_its_id_stood_in_the_list_still_it_runs_once(self) -> None:
        job_id = await self.enqueue()
        await self.job_store.patch(job_id, to(due=self.far_ms))
        await self.make_due(job_id)

        await self.queues.upkeep.promote("q")

        self.assertEqual([job_id], self.list("ready:normal"))
        self.assertEqual([[job_id], []], [ids_of(await self.runner.claim(5)) for _ in range(2)])

    async def test_a_time_that_is_over_means_now(self) -> None:
        ready, delayed = await self.enqueue(), await self.enqueue(delay_ms=60_000)

        for job_id in (ready, delayed):
            await self.job_store.patch(job_id, to(due=1))

        self.assertEqual({ready: "ready", delayed: "ready"}, self.states())

    async def test_what_is_changed_in_a_runners_hands_before_it_is_claimed(self) -> None:
        """Popped out of ready:normal, the id counts as there: it is dropped, and taken from where it waits."""
        for due in (None, self.far_ms):
            job_id = await self.enqueue()
            popped = self.popped(self.runner)
            await self.job_store.patch(job_id, to("high", due))
            assert_sound(self.client)

            claim = await self.runner.claim(5, [popped])

            self.assertEqual([job_id] if due is None else [], ids_of(claim))
            self.assertEqual([], ids_of(await self.runner.claim(5)))

    async def test_an_id_left_behind_that_its_own_runner_pops_does_not_run_the_job_twice(self) -> None:
        job_id = await self.enqueue()
        await self.job_store.patch(job_id, to("high"))
        other = await self.enqueue()
        job = (await self.runner.claim(1)).jobs[0]
        popped = self.popped(self.runner)
        assert_sound(self.client)

        claim = await self.runner.claim(1, [popped])

        self.assertEqual((job_id, job_id, [other]), (job.job_id, popped, ids_of(claim)))
        self.assertTrue(await self.runner.end_and_wait("finish", ending("finish", job)))

    async def test_a_runner_that_dies_with_a_job_and_an_id_left_behind_gives_it_back_once(self) -> None:
        job_id = await self.enqueue()
        await self.job_store.patch(job_id, to("high"))
        await self.runner.claim(1)
        self.popped(self.runner)

        await self.crash("w")

        self.assertEqual([job_id], self.list("ready:high"))
        self.assertNotIn(job_id, self.list("ready:normal"))

    async def test_a_suspect_stays_one_until_it_is_put_off(self) -> None:
        job_id = await self.enqueue()
        for runner_id in ("a", "b"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)

        await self.job_store.patch(job_id, to("high"))
        self.assertEqual([job_id], self.list("suspects"))
        await self.job_store.patch(job_id, to(due=self.far_ms))
        await self.job_store.patch(job_id, to(due="now"))
        assert_sound(self.client)

        self.assertEqual([], ids_of(await self.runner.claim(1, source="suspects")))
        self.assertEqual([job_id], ids_of(await self.runner.claim(1)))

    async def test_cancelled_deleted_or_trimmed_it_leaves_as_many_tombstones_as_it_has_places(self) -> None:
        for end in ("delete", "trim"):
            job_id = await self.enqueue("low")
            for priority in ("high", "normal"):
                await self.job_store.patch(job_id, to(priority))
            await self.job_store.cancel(job_id)
            assert_sound(self.client)

            await (
                self.job_store.delete(job_id)
                if end == "delete"
                else self.queues.upkeep.trim("q", Retention(0, -10, -10))
            )

            self.assertEqual({job_id.encode(): b"3"}, self.client.hgetall(self.base + "gone"))
            await self.runner.claim(1)
            self.assertEqual((0, []), (self.client.hlen(self.base + "gone"), self.list("quarantine")))

    async def test_a_job_that_does_not_wait_is_refused_and_nothing_changes(self) -> None:
        (active, done, cancelled) = await self.enqueue_many(3)
        jobs = (await self.runner.claim(2)).jobs
        await self.runner.end_and_wait("finish", ending("finish", jobs[1]))
        await self.job_store.cancel(cancelled)
        before = self.dump()

        for job_id, state in ((active, "active"), (done, "completed"), (cancelled, "cancelled")):
            with self.assertRaisesRegex(WrongState, state):
                await self.job_store.patch(job_id, to("high", self.far_ms))
        for job_id in ("q-" + "0" * 32, "no id"):
            with self.assertRaises(JobNotFound):
                await self.job_store.patch(job_id, to("high"))

        self.assertEqual(before, self.dump())

    async def test_two_at_once_both_count(self) -> None:
        job_id = await self.enqueue()

        await asyncio.gather(
            self.job_store.patch(job_id, to(max_attempts=9)),
            JobStore(self.a_link(), self.keys).patch(job_id, to("low")),
        )

        record = await self.record(job_id)
        assert record.spec is not None
        self.assertEqual((9, "low"), (record.spec.max_attempts, record.spec.priority))

    async def test_an_idle_runner_is_woken(self) -> None:
        job_id = await self.enqueue(delay_ms=60_000)
        self.client.delete(self.base + "ready:normal")

        await self.job_store.patch(job_id, to("high", "now"))

        self.assertEqual(["bell"], self.list("ready:normal"))


class AnyOrder(RedisCase):
    async def test_after_each_of_many_steps_every_job_is_in_one_place_and_none_ran_twice(self) -> None:
        for seed in range(6):
            await self.walk(Random(seed), 250)

    async def walk(self, rng: Random, steps: int) -> None:
        self.client.flushall()
        self.lives = itertools.count()
        self.runners = [await self.lease(f"w{next(self.lives)}") for _ in range(2)]
        self.held: dict[tuple[str, int], tuple[Lease, object]] = {}
        self.in_lists: dict[str, list[str]] = {}
        ids = [await self.enqueue(rng.choice(PRIORITIES)) for _ in range(4)]
        for step in range(steps):
            if len(ids) < 4:
                ids.append(await self.enqueue(rng.choice(PRIORITIES)))
            job_id = rng.choice(ids)
            name = rng.choice((*["patch"] * 6, *["claim", "end"] * 2, "pop", "cancel", "retry", "crash", "due"))
            with contextlib.suppress(WaybillError):
                await self.step(rng, name, job_id, ids)
            with self.subTest(step=step, name=name):
                assert_sound(self.client)
        self.assertEqual([], await audit.find_faults(self.link, self.keys))

    async def step(self, rng: Random, name: str, job_id: str, ids: list[str]) -> None:
        runner = rng.choice(self.runners)
        if name == "patch":
            due = rng.choice((None, None, "now", await self.now_ms() + 60_000))
            await self.job_store.patch(job_id, to(rng.choice((None, *PRIORITIES)), due))
        elif name == "claim":
            await self.claim(runner, rng)
        elif name == "pop":
            if runner.runner_id in self.in_lists or not self.list("ready:normal"):
                return
            self.in_lists[runner.runner_id] = [self.popped(runner)]
        elif name == "end":
            if not self.held:
                return
            key = rng.choice(list(self.held))
            holder, job = self.held.pop(key)
            script = rng.choice(("finish", "fail", "snooze", "release"))
            await holder.end_and_wait(script, ending(script, job, delay_s=60))  # type: ignore[arg-type]
        elif name == "crash":
            await self.queues.runners.reap("q", runner.runner_id, is_crash=rng.random() < 0.5, crash_limit=100)
            self.in_lists.pop(runner.runner_id, None)
            self.held = {key: held for key, held in self.held.items() if held[0] is not runner}
            self.runners[self.runners.index(runner)] = await self.lease(f"w{next(self.lives)}")
        elif name == "due":
            await self.make_due_if_delayed(job_id)
            await self.queues.upkeep.promote("q")
        else:
            await getattr(self.job_store, name)(job_id)
            if name == "cancel" and rng.random() < 0.3:
                await self.job_store.delete(job_id)
                ids.remove(job_id)

    async def claim(self, runner: Lease, rng: Random) -> None:
        source = rng.choice(("ready", "ready", "ready", "suspects"))
        claim = await runner.claim(rng.randint(1, 3), self.in_lists.pop(runner.runner_id, []), source)
        for job_id, count in Counter(ids_of(claim)).items():
            self.assertEqual(1, count)
            self.assertNotIn(job_id, {held for held, _ in self.held}, "it runs already")
        self.held |= {(job.job_id, job.token): (runner, job) for job in claim.jobs}

    async def make_due_if_delayed(self, job_id: str) -> None:
        if self.client.zscore(self.base + "delayed", job_id) is not None:
            await self.make_due(job_id)


if __name__ == "__main__":
    unittest.main()
