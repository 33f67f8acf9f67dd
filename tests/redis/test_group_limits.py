"""Limits of groups: max_depth of each group, limits of one group alone, the page of groups, the end of a hold."""

import asyncio
import unittest

from lib.errors import GroupFull, GroupNotFound, IdempotencyKeyReused, QueueFull, QueueNotFound
from lib.jobs.job import Keyed, NewJob
from lib.jobs.start_limits import OwnLimits, Rate
from tests.redis.grouped import GroupedCase

TENANT = "tenant-42"


class MaxDepthCase(GroupedCase):
    def of(self, group: str, priority: str = "normal") -> NewJob:
        return self.job(priority)._replace(group=group)

    async def limit_groups(self, **groups: object) -> None:
        await self.queues.adjust("q", {"groups": groups}, begins=True)

    async def take_in(self, *groups: str) -> list[str]:
        """`new`, `group-full` or `full` for a job of each of these groups, sent at once."""
        answers = await asyncio.gather(
            *[self.job_store.enqueue(self.of(group)) for group in groups], return_exceptions=True
        )
        words: dict[object, str] = {GroupFull: "group-full", QueueFull: "full"}
        return [words.get(type(one), getattr(one, "outcome", repr(one))) for one in answers]


class MaxDepth(MaxDepthCase):
    async def test_what_comes_beyond_it_is_refused_for_that_group_alone(self) -> None:
        await self.limit_groups(max_depth=2)

        self.assertEqual(
            ["new", "new", "group-full", "new", "group-full", "new"],
            await self.take_in("a", "a", "a", "b", "a", ""),
        )
        self.assertEqual(["group-full", "new", "group-full"], await self.take_in("a", "b", "b"))

    async def test_jobs_of_all_priorities_count_and_delayed_ones_do_not(self) -> None:
        await self.limit_groups(max_depth=2)
        for job in (self.of("a", "high"), self.of("a", "low"), self.of("a")._replace(delay_ms=60_000)):
            if job.delay_ms is None or job.priority != "normal":
                await self.job_store.enqueue(job)

        self.assertEqual(["group-full"], await self.take_in("a"))
        await self.job_store.enqueue(self.of("b")._replace(delay_ms=60_000))
        self.assertEqual(["new", "new", "group-full"], await self.take_in("b", "b", "b"))

    async def test_the_refusal_says_when_there_may_be_room(self) -> None:
        await self.limit_groups(max_depth=0)

        with self.assertRaises(GroupFull) as refused:
            await self.job_store.enqueue(self.of("a"))

        self.assertEqual("60", dict(refused.exception.headers)["Retry-After"])
        self.assertIn("group", refused.exception.detail)

    async def test_the_queues_own_bound_goes_first(self) -> None:
        await self.queues.adjust("q", {"max_depth": 1, "groups": {"max_depth": 5}}, begins=True)

        self.assertEqual(["new", "full"], await self.take_in("a", "a"))

    async def test_a_bound_that_is_taken_away_bounds_no_more(self) -> None:
        await self.limit_groups(max_depth=0)
        await self.limit_groups(max_depth=None)

        self.assertEqual(["new"] * 3, await self.take_in("a", "a", "a"))


class OfOneGroup(GroupedCase):
    """queues.groups: a page of groups, limits of one of them, its hold."""

    async def test_a_page_shows_each_group_with_its_numbers(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": 2}})
        await self.put(TENANT, 5)
        await self.put("other", 1)
        await (await self.runner()).claim(6)

        page = await self.queues.groups.page("q", "", 10)

        self.assertEqual(
            [("other", 0, 1, None, 2), (TENANT, 3, 2, "concurrency", 2)],
            [(one.name, one.ready, one.running, one.limited_by, one.concurrency) for one in page.items],
        )
        self.assertEqual("", page.end)
        self.assertEqual([None, None], [one.own for one in page.items])

    async def test_pages_follow_each_other(self) -> None:
        names = sorted(f"g{number}" for number in range(23))
        for name in names:
            await self.put(name)

        found, after = [], ""
        for _ in range(5):
            page = await self.queues.groups.page("q", after, 5)
            found += [one.name for one in page.items]
            after = page.end
            self.assertEqual(found == names, not after)
        self.assertEqual(names, found)

    async def test_there_are_no_groups_in_a_queue_that_there_is_not(self) -> None:
        with self.assertRaises(QueueNotFound):
            await self.queues.groups.page("nobody", "", 10)
        with self.assertRaises(QueueNotFound):
            await self.queues.groups.change("nobody", TENANT, {"concurrency": 1})
        with self.assertRaises(QueueNotFound):
            await self.queues.groups.reset("nobody", TENANT)
        with self.assertRaises(QueueNotFound):
            await self.queues.groups.release("nobody", TENANT)

    async def test_a_groups_own_limits_hold_for_it_alone_and_at_once(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": 1}})
        await self.put(TENANT, 5)
        await self.put("other", 5)
        runner = await self.runner()
        await runner.claim(10)

        changed = await self.queues.groups.change("q", TENANT, {"concurrency": 3})
        await runner.claim(10)

        self.assertEqual((3, OwnLimits(3)), (changed.concurrency, changed.own))
        self.assertEqual((3, 1), (self.running(TENANT), self.running("other")))

    async def test_a_change_leaves_what_it_does_not_name(self) -> None:
        await self.queues.adjust("q", {"groups": {"concurrency": 9, "rate": Rate(7, 1000)}})
        await self.put(TENANT)

        for changes, own in (
            ({"concurrency": 3}, OwnLimits(3)),
            ({"rate": Rate(5, 1000)}, OwnLimits(3, Rate(5, 1000))),
            ({"is_paused": True}, OwnLimits(3, Rate(5, 1000), is_paused=True)),
            ({"concurrency": None}, OwnLimits(None, Rate(5, 1000), is_paused=True)),
        ):
            changed = await self.queues.groups.change("q", TENANT, changes)

            self.assertEqual(own, changed.own)
            self.assertEqual("paused" if own.is_paused else None, changed.limited_by)
        self.assertEqual((9, Rate(5, 1000)), (changed.concurrency, changed.rate))

    async def test_of_changes_at_the_same_moment_each_counts(self) -> None:
        changes: list[dict[str, object]] = [{"concurrency": 3}, {"rate": Rate(5, 1000)}, {"is_paused": True}]

        await asyncio.gather(*[self.queues.groups.change("q", TENANT, change) for change in changes])

        self.assertEqual("3|5/1000|1", self.client.hget(self.base + "limits", TENANT).decode())

    async def test_limits_may_be_set_before_the_groups_first_job(self) -> None:
        changed = await self.queues.groups.change("q", TENANT, {"is_paused": True})
        await self.put(TENANT)
        await self.put("other")

        claimed = await (await self.runner()).claim(5)

        self.assertEqual((0, 0, "paused"), (changed.ready, changed.running, changed.limited_by))
        self.assertEqual(1, len(claimed.jobs))

    async def test_a_paused_group_goes_on_when_its_limits_are_taken_away(self) -> None:
        await self.put(TENANT, 2)
        await self.queues.groups.change("q", TENANT, {"is_paused": True})
        runner = await self.runner()
        before = await runner.claim(5)

        await self.queues.groups.reset("q", TENANT)

        self.assertEqual((0, 2), (len(before.jobs), len((await runner.claim(5)).jobs)))
        with self.assertRaises(GroupNotFound):
            await self.queues.groups.reset("q", TENANT)

    async def test_a_change_to_nothing_leaves_a_group_with_none_of_its_own(self) -> None:
        changed = await self.queues.groups.change("q", TENANT, {"concurrency": None})

        self.assertIsNone(changed.own)
        with self.assertRaises(GroupNotFound):
            await self.queues.groups.reset("q", TENANT)

    async def test_a_hold_shows_and_is_ended(self) -> None:
        await self.put(TENANT, 3)
        runner = await self.runner()
        (first,) = (await runner.claim(1)).jobs
        await runner.hold(first, 60_000)
        held = (await self.queues.groups.page("q", "", 5)).items[0]
        while_held = await runner.claim(5)

        released, is_replay = await self.queues.groups.release("q", TENANT)

        self.assertEqual(("hold", 0), (held.limited_by, len(while_held.jobs)))
        self.assertAlmostEqual(60_000, (held.until_ms or 0) - while_held.now_ms, delta=5000)
        self.assertEqual((None, None, False), (released.limited_by, released.until_ms, is_replay))
        self.assertEqual(2, len((await runner.claim(5)).jobs))
        with self.assertRaises(GroupNotFound):
            await self.queues.groups.release("q", TENANT)

    async def test_a_release_that_is_sent_again_under_its_key_is_answered_again(self) -> None:
        await self.put(TENANT, 3)
        runner = await self.runner()
        (first,) = (await runner.claim(1)).jobs
        await runner.hold(first, 60_000)
        keyed = Keyed("anyone k", "print")

        answers = [(await self.queues.groups.release("q", TENANT, keyed))[1] for _ in range(2)]

        self.assertEqual([False, True], answers)
        with self.assertRaises(IdempotencyKeyReused):
            await self.queues.groups.release("q", TENANT, Keyed("anyone k", "another print"))

    async def test_what_somebody_wrote_by_hand_is_shown_as_far_as_it_makes_sense(self) -> None:
        await self.put(TENANT)
        self.client.hset(self.base + "limits", TENANT, "many|5/0|yes")

        (shown,) = (await self.queues.groups.page("q", "", 5)).items

        self.assertEqual((None, None, None), (shown.concurrency, shown.rate, shown.own))


if __name__ == "__main__":
    unittest.main()
