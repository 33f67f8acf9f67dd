"""`once`: one child for each name that a job gives, however often the job is tried and whatever dies in between."""

import asyncio
import itertools
import unittest
from random import Random
from typing import Any

from lib.errors import InvalidFields, OutcomeUnknown, QueueFull, RedisUnavailable, WrongState
from lib.ids import derived_id, queue_of, request_mark
from lib.jobs.job import ClaimedJob
from lib.queue.end_record import fail_record
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease
from lib.queue.named_jobs import FORGOTTEN_S, MOST_NAMES
from lib.queue.upkeep_steps import Retention
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import ERROR, RedisCase, Through, ending, ids_of

LONGEST = 30


class FailsAt(Through):
    """A link whose command number `at` is not sent ("before") or loses its reply ("after"). is_death: so are all behind
    it, for the process is dead."""

    def __init__(self, link: RedisLink, at: int, *, is_sent: bool, is_death: bool) -> None:
        super().__init__(link)
        self._at = at
        self._is_sent = is_sent
        self._is_death = is_death
        self.calls = 0

    async def call(self, *command: Argument) -> Any:
        self.calls += 1
        if self.calls < self._at or (self.calls > self._at and not self._is_death):
            return await super().call(*command)
        if self._is_sent and self.calls == self._at:
            await super().call(*command)
            raise OutcomeUnknown("the reply was lost")
        raise RedisUnavailable("it was cut off")


class OnceCase(RedisCase):
    """A parent in `q`, its children in `child`."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.runner = await self.lease("runner")

    async def parent(self) -> ClaimedJob:
        await self.enqueue()
        return await self.claimed(self.runner)

    async def child(self, parent: ClaimedJob, name: str = "mail", by: JobStore | None = None, **other: Any) -> str:
        """What the handler of `parent` is given that enqueues under a name."""
        job = self.job(**{"queue": "child", **other})
        return await (by or self.job_store).named_jobs.enqueue(parent, name, job, "request")

    async def again(self, parent: ClaimedJob) -> ClaimedJob:
        """The next attempt of the parent, after a crash of its runner."""
        await self.crash(self.runner.runner_id)
        self.runner = await self.lease(f"runner{next(self.numbers)}")
        claim = await self.runner.claim(1)
        if not claim.jobs:
            claim = await self.runner.claim(1, source="suspects")
        self.assertEqual([parent.job_id], ids_of(claim))
        return claim.jobs[0]

    numbers = itertools.count()

    def made(self, queue: str = "child") -> int:
        """How many jobs were ever taken in there."""
        found: Any = self.client.hgetall(f"wb:{{{queue}}}:totals")
        return sum(int(count) for event, count in found.items() if event.startswith(b"enqueued"))

    async def forget(self, job_id: str) -> None:
        """Let a child have run, ended and been deleted."""
        runner_id = f"runner{next(self.numbers)}"
        lease = Lease(self.link, self.a_link(), self.keys, queue_of(job_id) or "", runner_id, Random(1))
        await lease.register({})
        (job,) = (await lease.claim(1)).jobs
        await lease.end_and_wait("finish", ending("finish", job))
        await self.job_store.delete(job_id)


class Once(OnceCase):
    async def test_each_attempt_is_given_the_same_child_and_it_is_made_once(self) -> None:
        parent = await self.parent()
        first = await self.child(parent)
        self.assertEqual(first, await self.child(parent))

        parent = await self.again(parent)

        self.assertEqual((first, first), (await self.child(parent), await self.child(parent)))
        self.assertEqual(1, self.made())
        self.assertEqual("child", queue_of(first))

    async def test_another_name_or_another_parent_is_another_child(self) -> None:
        parent = await self.parent()
        other = await self.parent()

        children = {
            await self.child(parent, "a"),
            await self.child(parent, "b"),
            await self.child(other, "a"),
        }

        self.assertEqual((3, 3), (len(children), self.made()))

    async def test_the_first_content_wins_in_whichever_queue_it_is(self) -> None:
        parent = await self.parent()
        first = await self.child(parent, priority="high")

        again = await self.child(parent, priority="low")
        elsewhere = await self.child(await self.again(parent), queue="elsewhere")

        self.assertEqual((first, first), (again, elsewhere))
        spec = (await self.job_store.read(first)).spec
        self.assertEqual(("high", 1, 0), (spec.priority if spec else "", self.made(), self.made("elsewhere")))

    async def test_a_child_in_the_parents_own_queue(self) -> None:
        parent = await self.parent()

        first = await self.child(parent, queue="q")

        self.assertEqual(first, await self.child(parent, queue="q"))
        self.assertEqual(2, self.made("q"))

    async def test_one_that_was_deleted_meanwhile_is_not_made_anew(self) -> None:
        parent = await self.parent()
        first = await self.child(parent)
        await self.forget(first)

        self.assertEqual(first, await self.child(await self.again(parent)))
        self.assertEqual(1, self.made())

    async def test_no_day_ends_it(self) -> None:
        """A mail is tried for three days: what Redis lets expire by itself must not be what keeps the child single."""
        parent = await self.parent()
        first = await self.child(parent)
        await self.forget(first)
        for key in self.key_names("wb:*"):
            if self.client.ttl(key) > 0:
                self.client.delete(key)

        self.assertEqual(first, await self.child(await self.again(parent)))
        self.assertEqual(1, self.made())

    async def test_a_child_that_is_there_is_found_though_its_keys_have_expired_and_nobody_confirmed_it(self) -> None:
        parent = await self.parent()
        first = await self.child(parent)
        self.client.hset(f"{self.base}job:{parent.job_id}", "once:mail", first)
        self.client.delete(*self.key_names("wb:{child}:idem:*"))

        self.assertEqual(first, await self.child(await self.again(parent)))
        self.assertEqual(1, self.made())

    async def test_nothing_of_it_is_left_but_in_the_parent(self) -> None:
        parent = await self.parent()
        await self.child(parent)

        (key,) = self.key_names("wb:{child}:idem:*")

        self.assertLessEqual(self.client.ttl(key), FORGOTTEN_S)
        await self.runner.end_and_wait("finish", ending("finish", parent))
        await self.queues.upkeep.trim("q", Retention(0, 10**9, 10**9))
        self.assertEqual([], self.key_names("wb:{q}:job:*"))

    async def test_a_parent_that_is_run_again_by_hand_keeps_its_children(self) -> None:
        ends = (
            ending("finish", await self.parent()),
            fail_record("", 0, ERROR, None),
        )
        for end, script in zip(ends, ("finish", "fail"), strict=True):
            parent = await self.parent() if end.job_id == "" else ClaimedJob(end.job_id, end.token, 1, None, 0, b"")
            first = await self.child(parent)
            await self.runner.end_and_wait(script, end._replace(job_id=parent.job_id, token=parent.token))
            await self.forget(first)

            await self.job_store.retry(parent.job_id)

            (again,) = (await self.runner.claim(1)).jobs
            self.assertEqual((parent.job_id, first), (again.job_id, await self.child(again)), script)
            await self.runner.end_and_wait("finish", ending("finish", again))
        self.assertEqual(2, self.made())

    async def test_a_snoozed_a_released_and_a_failed_parent_keep_theirs(self) -> None:
        for script in ("snooze", "release", "fail"):
            parent = await self.parent()
            first = await self.child(parent)
            await self.runner.end_and_wait(script, ending(script, parent, delay_s=0))

            (again,) = (await self.runner.claim(1)).jobs

            self.assertEqual(first, await self.child(again), script)
            await self.runner.end_and_wait("finish", ending("finish", again))
        self.assertEqual(3, self.made())

    async def test_where_the_childs_queue_is_full_the_next_attempt_makes_it(self) -> None:
        parent = await self.parent()
        self.client.hset("wb:{child}:meta", "max_depth", 0)
        with self.assertRaises(QueueFull):
            await self.child(parent)
        self.client.hdel("wb:{child}:meta", "max_depth")

        first = await self.child(await self.again(parent))

        self.assertEqual(("ready", 1), (await self.state(first), self.made()))

    async def test_a_job_that_stands_for_it_under_a_unique_key_stays_the_one(self) -> None:
        holder = self.job(queue="child", unique_key="k", unique_ttl_ms=60_000)
        await self.job_store.enqueue(holder)
        parent = await self.parent()

        first = await self.child(parent, unique_key="k", unique_ttl_ms=60_000)
        await self.forget(holder.job_id)
        again = await self.child(await self.again(parent), unique_key="k", unique_ttl_ms=60_000)

        self.assertEqual((holder.job_id, holder.job_id, 1), (first, again, self.made()))

    async def test_many_at_once_under_one_name_are_one(self) -> None:
        parent = await self.parent()
        queues = [JobStore(self.a_link(), self.keys) for _ in range(4)]

        children = await asyncio.gather(*[self.child(parent, by=queue) for queue in queues * 8])

        self.assertEqual((1, 1), (len(set(children)), self.made()))

    async def test_names_and_their_number_are_bounded(self) -> None:
        parent = await self.parent()
        for name in ("", "a b", "ä", "x" * 65, "a\x1f", "a\n", None, 7, "a/b"):
            with self.assertRaises(InvalidFields) as raised:
                await self.child(parent, name)  # type: ignore[arg-type]
            self.assertIn("/once must be", str(raised.exception))
        first = await self.child(parent, "Aa0_.-" + "x" * 58)
        self.client.hset(f"{self.base}job:{parent.job_id}", "onces", MOST_NAMES)

        with self.assertRaises(InvalidFields) as raised:
            await self.child(parent, "one-too-many")

        self.assertIn(f"{MOST_NAMES} names", str(raised.exception))
        self.assertEqual(first, await self.child(parent, "Aa0_.-" + "x" * 58))
        self.assertEqual(1, self.made())

    async def test_an_id_that_was_derived_is_one_of_version_8_with_the_parents_time(self) -> None:
        parent = self.ids.new("q", "request")

        child = derived_id("other", parent, "mail", "request")

        self.assertEqual("other", queue_of(child))
        self.assertEqual((parent[2:14], "8"), (child[6:18], child[18]))
        self.assertEqual(request_mark("request"), child[-4:])
        self.assertIn(child[22], "89ab")
        self.assertEqual(child, derived_id("other", parent, "mail", "request"))
        self.assertNotEqual(child[-32:], derived_id("other", parent, "mails", "request")[-32:])


class Fenced(OnceCase):
    async def test_a_zombie_enqueues_nothing(self) -> None:
        parent = await self.parent()
        await self.crash(self.runner.runner_id)
        with self.assertRaises(WrongState):
            await self.child(parent)
        self.runner = await self.lease("another")
        (again,) = (await self.runner.claim(1)).jobs
        with self.assertRaises(WrongState):
            await self.child(parent)
        self.assertEqual(0, self.made())

        await self.child(again)

        with self.assertRaises(WrongState):
            await self.child(parent)
        self.assertEqual(1, self.made())

    async def test_nor_does_one_whose_job_has_ended_or_is_gone(self) -> None:
        parent = await self.parent()
        await self.runner.end_and_wait("finish", ending("finish", parent))
        with self.assertRaises(WrongState):
            await self.child(parent)
        await self.job_store.delete(parent.job_id)

        with self.assertRaises(WrongState):
            await self.child(parent)

        self.assertEqual(([], 0), (self.key_names("wb:{q}:job:*"), self.made()))

    async def test_one_that_is_overtaken_between_the_two_writes_makes_the_same_child(self) -> None:
        """The zombie has noted its child and is stopped; the next attempt makes it; the zombie goes on."""
        parent = await self.parent()
        stopped = StoppedAtEnqueue(self.link)
        zombie = asyncio.create_task(self.child(parent, by=JobStore(stopped, self.keys)))
        await stopped.is_there.wait()
        first = await self.child(await self.again(parent))
        await self.forget(first)

        stopped.may_go_on.set()

        self.assertEqual((first, 1), (await zombie, self.made()))


class StoppedAtEnqueue(Through):
    """A link on which the call behind the first script waits."""

    def __init__(self, link: RedisLink) -> None:
        super().__init__(link)
        self.is_there, self.may_go_on = asyncio.Event(), asyncio.Event()
        self._scripts = 0

    async def call(self, *command: Argument) -> Any:
        self._scripts += command[0] == "EVALSHA"
        if self._scripts == 2 and not self.is_there.is_set():
            self.is_there.set()
            await self.may_go_on.wait()
        return await super().call(*command)


class Swept(OnceCase):
    """The first attempt goes wrong at its k-th word to Redis, for every k; then the job is tried again."""

    async def test_whatever_is_cut_off_or_lost_the_child_is_made_once(self) -> None:
        await self.sweep(is_deleted=False)

    async def test_so_it_is_where_the_child_has_run_and_gone_before_the_next_attempt(self) -> None:
        await self.sweep(is_deleted=True)

    async def sweep(self, *, is_deleted: bool) -> None:
        for is_sent, is_death in itertools.product((False, True), repeat=2):
            for at in range(1, LONGEST):
                link = FailsAt(self.link, at, is_sent=is_sent, is_death=is_death)
                await self.live(link, is_deleted=is_deleted, where=f"{at} {is_sent=} {is_death=}")
                if link.calls < at:
                    break
            self.assertLess(4, at)
            self.assertLess(at, LONGEST - 1)

    async def live(self, link: FailsAt, *, is_deleted: bool, where: str) -> None:
        for node in self.redis.clients:
            node.flushall()
        self.job_store.forget_names()
        self.runner = await self.lease(f"runner{next(self.numbers)}")
        parent = await self.parent()
        try:
            first = await self.child(parent, by=JobStore(link, self.keys))
        except RedisUnavailable:
            first = ""
        if is_deleted:
            for key in self.key_names("wb:{child}:job:*"):
                await self.forget(key.decode().partition(":job:")[2])

        # Another queue: what was noted before the first attempt died holds, whether or not the child was made.
        parent = await self.again(parent)
        second = await self.child(parent, queue="elsewhere")
        third = await self.child(await self.again(parent))

        self.assertIn(first, ("", second), where)
        self.assertEqual((second, 1), (third, self.made() + self.made("elsewhere")), where)


if __name__ == "__main__":
    unittest.main()
