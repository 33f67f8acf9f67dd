"""What is shown of queues and jobs: census, pages, what handlers said; and what trim leaves of it."""

import asyncio
import unittest
from random import Random

from lib.errors import QueueNotFound
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.queue.end_record import complete_record, complete_without_result, fail_record
from lib.queue.end_waiters import EndWaiters
from lib.queue.listing import MOST_LOOKED_AT, Cursor, ListingPart, ListWalk, Wanted
from lib.queue.notes import Notes
from lib.queue.unreadable import Unreadable
from lib.queue.upkeep_steps import Retention
from tests.redis.case import ERROR, LIMIT_S, TRACE, RedisCase, ending, ids_of


class Census(RedisCase):
    async def test_every_state_is_counted(self) -> None:
        runner = await self.lease()
        await self.enqueue_many(6)
        jobs = (await runner.claim(4)).jobs
        for script, job in zip(("finish", "fail"), jobs, strict=False):
            await runner.end_and_wait(script, ending(script, job))
        await runner.end_and_wait("fail", fail_record(jobs[2].job_id, jobs[2].token, ERROR, None))
        await self.job_store.cancel(await self.enqueue())
        await self.enqueue("high")

        census = await self.queues.census("q")

        self.assertEqual(
            {"ready": 3, "active": 1, "delayed": 1, "blocked": 0, "completed": 1, "dead": 1, "cancelled": 1},
            census.counts,
        )
        self.assertEqual(1, census.workers)
        self.assertEqual({"enqueued": 8, "completed": 1, "retried": 1, "dead": 1, "cancelled": 1}, census.totals)
        self.assertEqual(census.totals, census.per_minute)

    async def test_every_end_is_counted_by_the_type_of_its_job(self) -> None:
        runner = await self.lease()
        for name in ("mail", "noop", "noop", "noop", "noop"):
            spec = JobSpec(name, {}, "request", TRACE, 5, 60.0, Backoff())
            await self.job_store.enqueue(NewJob(self.ids.new("q", "request"), "normal", spec.to_text()))
        jobs = (await runner.claim(4)).jobs
        await runner.end_and_wait("finish", complete_record(jobs[0].job_id, jobs[0].token, "mail", ""))
        await runner.end_and_wait("finish", complete_without_result(jobs[1].job_id, jobs[1].token, "noop", "no JSON"))
        await runner.end_and_wait("fail", fail_record(jobs[2].job_id, jobs[2].token, ERROR, 60.0))
        await runner.end_and_wait("fail", fail_record(jobs[3].job_id, jobs[3].token, ERROR, None))
        await self.job_store.cancel(jobs[2].job_id)

        totals = {name.decode(): int(count) for name, count in self.client.hgetall(self.base + "totals").items()}

        self.assertEqual(
            {
                "enqueued mail": 1,
                "enqueued noop": 4,
                "completed mail": 1,
                "completed noop": 1,
                "retried noop": 1,
                "dead noop": 1,
                "cancelled noop": 1,
            },
            totals,
        )

    async def test_types_that_nobody_defined_make_no_more_fields_than_the_cap(self) -> None:
        jobs = [NewJob(self.ids.new("q", "request"), "normal", f'{{"v":1,"type":"t{n}",') for n in range(700)]
        jobs += [NewJob(self.ids.new("q", "request"), "normal", text) for text in ("{}", '{"v":1,"type":"a\\"b"', "")]
        await asyncio.gather(*[self.job_store.enqueue(job) for job in jobs])

        totals = self.client.hgetall(self.base + "totals")

        self.assertEqual(501, len(totals))
        self.assertEqual(703, sum(map(int, totals.values())))
        self.assertEqual(203, int(totals[b"enqueued other"]))

    async def test_the_age_is_that_of_the_oldest_that_waits(self) -> None:
        first = await self.enqueue()
        await self.enqueue("high")
        self.client.zadd(self.base + "all", {first: await self.now_ms() - 100_000})
        self.assertAlmostEqual(100, (await self.queues.census("q")).oldest_ready_age_s or 0, delta=5)

        await self.job_store.cancel(first)

        self.assertLess((await self.queues.census("q")).oldest_ready_age_s or 0, 10)

    async def test_of_many_in_one_list_it_is_that_of_the_one_that_is_next(self) -> None:
        for count in (3, 30):
            with self.subTest(count):
                self.client.flushall()
                ids = await self.enqueue_many(count)
                ages_ms = {job_id: (count - at) * 10_000 for at, job_id in enumerate(ids)}
                now_ms = await self.now_ms()
                self.client.zadd(self.base + "all", {job_id: now_ms - ms for job_id, ms in ages_ms.items()})

                found_s = (await self.queues.census("q")).oldest_ready_age_s

                self.assertAlmostEqual(count * 10, found_s or 0, delta=5)

    async def test_behind_jobs_that_came_back_or_are_cancelled_it_is_found_all_the_same(self) -> None:
        ids = await self.enqueue_many(200)
        self.client.zadd(self.base + "all", {job_id: await self.now_ms() - 100_000 for job_id in ids})
        lease = await self.lease()
        for _ in range(2):
            await self.claimed(lease)

        await self.crash("w")
        self.assertAlmostEqual(100, (await self.queues.census("q")).oldest_ready_age_s or 0, delta=5)

        for job_id in ids[:150]:
            await self.job_store.cancel(job_id)
        self.assertAlmostEqual(100, (await self.queues.census("q")).oldest_ready_age_s or 0, delta=5)

    async def test_an_empty_queue_has_no_oldest_and_an_unknown_one_is_not_found(self) -> None:
        await self.lease()

        self.assertIsNone((await self.queues.census("q")).oldest_ready_age_s)

        with self.assertRaises(QueueNotFound):
            await self.queues.census("unknown")

    async def test_all_queues_are_counted_by_name(self) -> None:
        for queue in ("b", "a"):
            await self.job_store.enqueue(self.job(queue=queue))

        found = [census async for some in self.queues.census_of_all() for census in some]

        counted = [(census.queue, census.counts["ready"]) for census in found if not isinstance(census, Unreadable)]
        self.assertEqual([("a", 1), ("b", 1)], counted)

    async def test_a_queue_whose_keys_somebody_broke_is_told_of_beside_the_others(self) -> None:
        await self.job_store.enqueue(self.job(queue="b"))
        await self.link.call("SADD", "wb:queues", "a")
        await self.link.call("SET", "wb:{a}:all", "no sorted set")

        broken, sound = [census async for some in self.queues.census_of_all() for census in some]

        assert isinstance(broken, Unreadable)
        self.assertIn("WRONGTYPE", broken.reason)
        self.assertEqual(("a", "b"), (broken.queue, sound.queue))


class Pages(RedisCase):
    async def walk(
        self, wanted: Wanted, limit: int, queues: tuple[str, ...] = ("q",), most_pages: int = 10_000
    ) -> list[str]:
        """All ids of a listing, a page at a time; no more pages than it can have."""
        seen: list[str] = []
        after: Cursor | None = None
        for _ in range(most_pages):
            page = await self.job_store.page(list(queues), wanted, after, limit)
            self.assertLessEqual(len(page.jobs), limit)
            seen += [place.job_id for place in page.jobs]
            if page.end is None:
                return seen
            after = page.end
        raise AssertionError("the pages do not end")

    async def test_three_thousand_jobs_of_one_millisecond_are_each_shown_once(self) -> None:
        ids = await self.enqueue_many(3000)
        self.client.zadd(self.base + "all", dict.fromkeys(ids, 1_700_000_000_000))

        shown = await self.walk(Wanted(), 77)

        self.assertEqual(sorted(ids, reverse=True), shown)

    async def test_a_page_goes_on_where_the_last_one_ended_though_that_job_is_gone(self) -> None:
        ids = await self.enqueue_many(3000)
        self.client.zadd(self.base + "all", dict.fromkeys(ids, 1_700_000_000_000))
        expected = sorted(ids, reverse=True)
        for last in (0, 1, 1499, 2998, 2999):
            after = Cursor(1_700_000_000_000, expected[last])
            self.client.zrem(self.base + "all", expected[last])

            page = await self.job_store.page(["q"], Wanted(), after, 10)

            self.assertEqual(expected[last + 1 : last + 11], [place.job_id for place in page.jobs])
            self.client.zadd(self.base + "all", {expected[last]: 1_700_000_000_000})

    async def test_a_page_goes_on_where_the_last_one_ended_though_that_job_has_another_time_by_now(self) -> None:
        ids = [await self.enqueue(delay_ms=60_000 * number) for number in range(1, 7)]
        as_due = ListWalk("next")
        first = await self.job_store.page(["q"], Wanted("delayed"), None, 2, as_due)
        assert first.end is not None
        moved = first.end.job_id
        for ms, expected in ((10**14, [*ids[2:], moved]), (1, ids[2:])):
            self.client.zadd(self.base + "delayed", {moved: ms})

            page = await self.job_store.page(["q"], Wanted("delayed"), first.end, 10, as_due)

            self.assertEqual((ids[1], expected), (moved, [place.job_id for place in page.jobs]))

    async def test_jobs_of_several_queues_are_shown_newest_first(self) -> None:
        jobs = [self.job(queue=queue) for queue in ("a", "b", "a", "c", "b")]
        for number, job in enumerate(jobs):
            await self.job_store.enqueue(job)
            queue = job.job_id.split("-")[0]
            self.client.zadd(f"wb:{{{queue}}}:all", {job.job_id: number})

        for limit in (1, 2, 10):
            for wanted in (Wanted(), Wanted("ready")):
                shown = await self.walk(wanted, limit, ("a", "b", "c"))

                self.assertEqual([job.job_id for job in reversed(jobs)], shown)

    async def test_a_state_has_its_own_index(self) -> None:
        delayed = await self.enqueue(delay_ms=60_000)
        await self.enqueue()

        self.assertEqual([delayed], await self.walk(Wanted("delayed"), 5))
        self.assertEqual([], await self.walk(Wanted("dead"), 5))

    async def test_ready_jobs_among_many_that_are_not(self) -> None:
        """Of those at most that one page looks at, none may fit; the next page goes on behind them."""
        oldest = await self.enqueue()
        for job_id in (cancelled := await self.enqueue_many(2 * MOST_LOOKED_AT + 100)):
            await self.job_store.cancel(job_id)
        newest = await self.enqueue()
        self.client.zadd(self.base + "all", {oldest: 1, **dict.fromkeys(cancelled, 2), newest: 3})

        first = await self.job_store.page(["q"], Wanted("ready"), None, 50)
        second = await self.job_store.page(["q"], Wanted("ready"), first.end, 50)

        self.assertEqual([newest], [place.job_id for place in first.jobs])
        self.assertEqual(sorted(cancelled)[1 - MOST_LOOKED_AT], (first.end or Cursor(0, "")).job_id)
        self.assertEqual([], second.jobs)
        self.assertEqual([newest, oldest], await self.walk(Wanted("ready"), 50, most_pages=3))

    async def test_the_active_ones_are_found_at_once_however_old_they_are(self) -> None:
        runners = [await self.lease(runner_id) for runner_id in ("a", "b")]
        ids = await self.enqueue_many(6000)
        self.client.zadd(self.base + "all", {job_id: number for number, job_id in enumerate(ids)})
        claimed = [job_id for runner in runners for job_id in ids_of(await runner.claim(4))]
        self.popped(runners[0])

        self.assertEqual(sorted(claimed, reverse=True), await self.walk(Wanted("active"), 50, most_pages=1))
        self.assertEqual(sorted(claimed, reverse=True), await self.walk(Wanted("active"), 3, most_pages=3))

    async def test_where_very_many_are_active_they_are_found_all_the_same(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_many(2500)
        for _ in range(5):
            await runner.claim(500)
        await self.enqueue()

        self.assertEqual(set(ids), set(await self.walk(Wanted("active"), 200)))

    async def test_types_and_requests_are_told_apart(self) -> None:
        by_wanted: dict[Wanted, list[str]] = {}
        for number, (kind, request_id) in enumerate([("mail", "r1"), ("mail", "r2"), ('m"il', "r1"), ("m", "r")] * 3):
            spec = JobSpec(kind, {"type": "mail", "request_id": "r1"}, request_id, TRACE, 5, 60.0, Backoff())
            job = NewJob(self.ids.new("q", request_id), "normal", spec.to_text())
            await self.job_store.enqueue(job)
            self.client.zadd(self.base + "all", {job.job_id: number})
            for wanted in (Wanted(None, kind), Wanted("ready", None, request_id), Wanted("ready", kind, request_id)):
                by_wanted.setdefault(wanted, []).insert(0, job.job_id)

        for wanted, ids in by_wanted.items():
            self.assertEqual(ids, await self.walk(wanted, 2), wanted)
        for nothing in (Wanted(None, ""), Wanted("delayed", "mail"), Wanted(None, "r1"), Wanted(None, None, "mail")):
            self.assertEqual([], await self.walk(nothing, 2), nothing)

    async def test_a_page_that_looks_at_large_specs_looks_at_fewer(self) -> None:
        large = JobSpec("large", {"text": "x" * 1_000_000}, "r", TRACE, 5, 60.0, Backoff()).to_text()
        ids = [self.ids.new("q", "request") for _ in range(8)]
        for job_id in ids:
            await self.job_store.enqueue(NewJob(job_id, "normal", large))
        self.client.zadd(self.base + "all", {job_id: number for number, job_id in enumerate(ids)})

        page = await self.job_store.page(["q"], Wanted(None, "small"), None, 50)

        self.assertEqual(ListingPart([], Cursor(3, ids[3]), seen=5, of=8), page)


class Trim(RedisCase):
    async def test_the_oldest_completed_jobs_over_the_count_go_in_bites(self) -> None:
        ids = await self.complete(450)
        self.client.zadd(self.base + "completed", {job_id: 1_000 + n for n, job_id in enumerate(ids)})
        keep = Retention(50, 10**10, 10**10)
        self.assertTrue((await self.queues.upkeep.survey("q", keep)).is_trimmable)

        bites = [await self.queues.upkeep.trim("q", keep) for _ in range(3)]

        self.assertEqual([True, True, False], bites)
        self.assertEqual(set(ids[-50:]), set(self.states()))
        self.assertFalse((await self.queues.upkeep.survey("q", keep)).is_trimmable)

    async def test_finished_jobs_go_when_they_are_old_and_dead_ones_later(self) -> None:
        (completed,) = await self.complete(1)
        runner = await self.lease()
        dead = await self.enqueue()
        job = await self.claimed(runner)
        await runner.end_and_wait("fail", fail_record(dead, job.token, ERROR, None))
        cancelled = await self.enqueue(delay_ms=60_000)
        await self.job_store.cancel(cancelled)
        hour_ago = await self.now_ms() - 3_600_000
        for state, job_id in (("completed", completed), ("dead", dead), ("cancelled", cancelled)):
            self.client.zadd(self.base + state, {job_id: hour_ago})

        await self.queues.upkeep.trim("q", Retention(10, 1800, 7200))
        self.assertEqual({dead: "dead"}, self.states())

        await self.queues.upkeep.trim("q", Retention(10, 1800, 1800))
        self.assertEqual({}, self.states())

    async def test_waiting_and_running_jobs_are_never_trimmed(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_many(3)
        await runner.claim(1)
        await self.enqueue(delay_ms=60_000)

        await self.queues.upkeep.trim("q", Retention(0, 0, 0))

        self.assertEqual(len(ids) + 1, len(self.states()))

    async def test_a_trimmed_job_leaves_neither_log_nor_id(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        job = await self.claimed(runner)
        notes = Notes(job_id, job.token)
        notes.add_line("said")
        runner.note(notes)
        await runner.wait_until_idle()
        await runner.end_and_wait("finish", ending("finish", job))

        await self.queues.upkeep.trim("q", Retention(0, 10, 10))

        self.assertEqual([], [key for key in self.key_names() if job_id in str(key)])

    async def test_a_cancelled_job_that_is_listed_is_trimmed_to_a_tombstone(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue()
        await self.job_store.cancel(job_id)
        self.client.zadd(self.base + "cancelled", {job_id: 1})

        await self.queues.upkeep.trim("q", Retention(0, 10, 10))
        self.assertEqual(1, self.client.hlen(self.base + "gone"))
        await runner.claim(1)

        self.assertEqual([0, 0], [self.client.hlen(self.base + "gone"), self.client.llen(self.base + "quarantine")])

    async def test_graves_are_forgotten_after_a_day(self) -> None:
        await self.lease("old")
        await self.crash("old")
        self.client.zadd(self.base + "graves", {"old": await self.now_ms() - 90_000_000})
        keep = Retention(10, 10, 10)
        self.assertTrue((await self.queues.upkeep.survey("q", keep)).is_trimmable)

        await self.queues.upkeep.trim("q", keep)

        self.assertEqual(0, self.client.zcard(self.base + "graves"))

    async def complete(self, count: int) -> list[str]:
        runner = await self.lease()
        ids = await self.enqueue_many(count)
        answers = [
            asyncio.create_task(runner.end_and_wait("finish", ending("finish", job)))
            for job in (await runner.claim(count)).jobs
        ]
        for answer in answers:
            await answer
        return ids


class Waiting(RedisCase):
    """EndWaiters: who waits for a job is woken when it ends."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.endings = EndWaiters(self.a_link(), self.keys, Random(1))
        self.addAsyncCleanup(self.endings.close)

    async def wakes(self, job_id: str, event: asyncio.Event) -> None:
        """The event may be set early: who waits looks again. It must be set once the job has ended."""
        async with asyncio.timeout(LIMIT_S):
            while (await self.record(job_id)).finished_ms is None:
                await event.wait()
                event.clear()

    async def test_every_end_wakes_who_waits_for_it(self) -> None:
        for script, delay_s in (("finish", 0.0), ("fail", None), ("cancel", 0.0), ("reap", 0.0)):
            runner = await self.lease()
            job_id = await self.enqueue()
            with self.endings.of("q", job_id) as event:
                waiting = asyncio.create_task(self.wakes(job_id, event))
                await asyncio.sleep(0.02)
                if script == "cancel":
                    await self.job_store.cancel(job_id)
                else:
                    job = await self.claimed(runner)
                    if script == "reap":
                        await self.job_store.cancel(job_id)
                        await self.crash("w")
                    else:
                        await runner.end_and_wait(script, ending(script, job, delay_s=delay_s))

                await waiting

    async def test_a_job_that_ended_before_the_reader_began_is_not_waited_for(self) -> None:
        job_id = await self.enqueue()
        with self.endings.of("q", job_id) as event:
            await self.job_store.cancel(job_id)

            await self.wakes(job_id, event)

    async def test_many_waiters_of_many_jobs_are_all_woken(self) -> None:
        runner = await self.lease()
        ids = await self.enqueue_many(200)

        async def wait(job_id: str) -> None:
            with self.endings.of("q", job_id) as event:
                await self.wakes(job_id, event)

        waiting = [asyncio.create_task(wait(job_id)) for job_id in ids]
        for job in (await runner.claim(200)).jobs:
            await runner.end_and_wait("finish", ending("finish", job))

        await asyncio.gather(*waiting)

    async def test_when_nobody_waits_any_more_nobody_reads(self) -> None:
        with self.endings.of("q", "q-" + "0" * 32):
            await asyncio.sleep(0)

        async with asyncio.timeout(LIMIT_S):
            while self.endings._readers:
                await asyncio.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
