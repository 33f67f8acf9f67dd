"""Pages of jobs, forwards and back, while jobs come and go: who stands still is shown once, and in its place."""

import asyncio
import unittest
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from lib.api.cursor import PagePlace
from lib.api.job_pages import FEW_QUEUES, JobPages, Page
from lib.api.job_search import JobSearch
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.jobs.state import STATES
from lib.queue.listing import Order, Wanted
from tests.redis.case import TRACE, ending, ids_of
from tests.redis.paged import OTHER_QUEUE, PageCase


class WhileJobsMove(PageCase):
    """A walk to the end and back again, with changes between any two pages."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.rng = Random(20)
        self.touched: set[str] = set()
        self.made: list[str] = []
        self.queue_names = ["q", OTHER_QUEUE]

    async def make(self, count: int, groups: Sequence[str]) -> None:
        for _ in range(count):
            delay_ms = self.rng.choice((None, None, 3_600_000, 3_600_000 + self.rng.randrange(50)))
            times = {} if delay_ms is None else {"delay_ms": delay_ms}
            priority, queue = self.rng.choice(("high", "normal", "normal", "low")), self.rng.choice(self.queue_names)
            job = self.a_job(self.rng.choice(groups), priority, queue, **times)
            await self.job_store.enqueue(job)
            self.made.append(job.job_id)

    async def change(self) -> None:
        """Something happens to a few jobs: all of them are noted in `touched`."""
        for _ in range(self.rng.randrange(4)):
            kind = self.rng.choice(("make", "cancel", "claim", "retry", "delete"))
            job_id = self.rng.choice(self.made)
            state = self.state_of(job_id)
            if kind == "make":
                await self.make(1, self.groups)
            elif kind == "claim":
                await self.claim_one()
            elif kind == "cancel" and state in ("ready", "delayed"):
                self.touched.add(job_id)
                await self.job_store.cancel(job_id)
            elif kind == "retry" and state == "cancelled":
                self.touched.add(job_id)
                await self.job_store.retry(job_id)
            elif kind == "delete" and state == "cancelled":
                self.touched.add(job_id)
                await self.job_store.delete(job_id)

    def state_of(self, job_id: str) -> str:
        base = self.keys.base(job_id.rsplit("-", 1)[0])
        found: Any = self.client.hget(f"{base}job:{job_id}", "state")
        return (found or b"").decode()

    async def claim_one(self) -> None:
        claim = await self.runner.claim(1)
        for job in claim.jobs:
            self.touched.add(job.job_id)
            word = self.rng.choice(("finish", "fail", "release", ""))
            if word:
                await self.runner.end_and_wait(word, ending(word, job))
        self.assertLessEqual(len(ids_of(claim)), 1)

    async def walked(self, wanted: Wanted, order: Order) -> tuple[list[str], list[str]]:
        """The ids on the way to the end, and those on the way back, both in the order of the list."""
        limit = self.rng.randrange(1, 9)
        place: PagePlace | None = None
        forwards: list[str] = []
        while True:
            page = await self.page(wanted, place, order, limit)
            self.assertLessEqual(page.looked_at, page.of)
            forwards += page.items
            await self.change()
            if page.next is None:
                break
            place = page.next
        back: list[str] = []
        while page.back is not None:
            back = page.items + back
            page = await self.page(wanted, page.back, order, limit)
            await self.change()
        return forwards, page.items + back

    async def test_each_job_that_stands_is_met_once_on_the_way_there_and_once_on_the_way_back(self) -> None:
        self.runner = await self.lease("w")
        lists: list[tuple[Wanted, Order]] = [
            (Wanted("ready"), "next"),
            (Wanted("ready"), "newest"),
            (Wanted("ready"), "oldest"),
            (Wanted("delayed"), "next"),
            (Wanted("delayed"), "newest"),
            (Wanted("active"), "started"),
            (Wanted("cancelled"), "newest"),
            (Wanted("completed", or_states=("cancelled",)), "newest"),
            (Wanted("completed", or_states=("cancelled",)), "oldest"),
            (Wanted("ready", or_states=("delayed", "cancelled")), "newest"),
            (Wanted(), "newest"),
            (Wanted(), "oldest"),
        ]
        for groups in (("",), ("", "tenant-1", "tenant-2")):
            self.groups = groups
            for wanted, order in lists:
                self.client.flushall()
                self.job_store.forget_names()
                self.made, self.touched = [], set()
                self.runner = await self.lease("w")
                await self.make(40, groups)
                for _ in range(20):
                    await self.change()
                self.touched.clear()
                states = {job_id: self.state_of(job_id) for job_id in self.made}
                before = {one for one, state in states.items() if state in (wanted.states or STATES)}

                forwards, back = await self.walked(wanted, order)

                standing = before - self.touched
                case = (wanted, order, groups)
                self.assertEqual(standing, set(forwards) & standing, case)
                self.assertEqual(standing, set(back) & standing, case)
                in_order = [job_id for job_id in forwards if job_id in standing]
                self.assertEqual(len(standing), len(in_order), case)
                self.assertEqual(in_order, [job_id for job_id in back if job_id in standing], case)


class FewAmongMany(PageCase):
    async def test_the_few_jobs_of_a_state_are_found_at_once_behind_thousands_of_others(self) -> None:
        ready = [await self.enqueue("low"), await self.enqueue("high")]
        grouped = self.a_job("tenant-1")
        await self.job_store.enqueue(grouped)
        due = await self.enqueue(delay_ms=50_000)
        gone = await self.enqueue()
        await self.job_store.cancel(gone)
        await self.enqueue_many(2500, delay_ms=3_600_000)

        found = await self.page(Wanted("ready"), None, "next", 50)
        self.assertEqual((ready[1], grouped.job_id, ready[0]), tuple(found.items))
        self.assertEqual((None, 3, 3), (found.next, found.looked_at, found.of))
        for order in ("newest", "oldest"):
            page = await self.page(Wanted("ready"), None, order, 50)
            self.assertEqual(({*ready, grouped.job_id}, None), (set(page.items), page.next))
        page = await self.page(Wanted("ready", or_states=("cancelled",)), None, "oldest", 50)
        self.assertEqual(({*ready, grouped.job_id, gone}, None), (set(page.items), page.next))
        self.assertEqual([due], (await self.page(Wanted("delayed"), None, "next", 1)).items)

    async def test_a_worker_s_jobs_are_those_that_it_runs_or_ran_last(self) -> None:
        first, second = await self.lease("w1"), await self.lease("w2")
        ids = await self.enqueue_many(4)
        (running,) = (await first.claim(1)).jobs
        (ended,) = (await first.claim(1)).jobs
        await first.end_and_wait("finish", ending("finish", ended))
        (failed,) = (await first.claim(1)).jobs
        await first.end_and_wait("fail", ending("fail", failed))
        await second.claim(1)

        of_first = Wanted(worker="w1")
        self.assertEqual({running.job_id, ended.job_id, failed.job_id}, set(await self.all_of(of_first, "newest", 50)))
        self.assertEqual([running.job_id], await self.all_of(Wanted("active", worker="w1"), "started"))
        self.assertEqual([failed.job_id], await self.all_of(Wanted("delayed", worker="w1"), "next"))
        self.assertEqual([], await self.all_of(Wanted(worker="w"), "newest"))
        oldest = await self.job_store.page_of_oldest("q", of_first, None, 50)
        self.assertEqual(3, len(oldest.jobs))
        self.assertEqual(4, len(ids))

    async def test_how_far_a_list_is_counts_the_jobs_up_to_the_end_of_the_page(self) -> None:
        await self.enqueue_many(30)
        place: PagePlace | None = None
        seen = []
        for _ in range(3):
            page = await self.page(Wanted(), place, "newest", 10)
            seen.append((page.looked_at, page.of))
            place = page.next
        self.assertEqual([(10, 30), (20, 30), (30, 30)], seen)
        assert page.back
        self.assertEqual(20, (await self.page(Wanted(), page.back, "newest", 10)).looked_at)

    async def test_of_many_queues_one_list_is_read_at_a_time(self) -> None:
        search = JobSearch(self.job_store)
        self.pages = JobPages(self.job_store, search)
        ids = await self.enqueue_many(3)
        self.queue_names = ["q", *(f"of-many-{number}" for number in range(FEW_QUEUES))]
        async with search.one_at_a_time:
            of_many = asyncio.ensure_future(self.page(Wanted(), None, "newest", 10))
            await asyncio.sleep(0)
            self.queue_names = ["q"]
            of_one = await self.page(Wanted(), None, "newest", 10)
            was_done = of_many.done()

        self.assertFalse(was_done)
        for page in (of_one, await of_many):
            self.assertEqual(ids[::-1], page.items)


class ManyQueues(PageCase):
    """Jobs of more queues than a step asks at once, and of each more than one call looks at."""

    QUEUES, JOBS = 50, 45

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.pages = JobPages(self.job_store, JobSearch(self.job_store), clock=lambda: 0.0)
        self.queue_names = [f"of-many-{number}" for number in range(self.QUEUES)]
        specs = [
            JobSpec(type_name, {"text": text}, request_id, TRACE, 5, 60.0, Backoff())
            for type_name, text, request_id in (("mail", "common", "r"), ("other", "rare needle", "r"), ("x", "", "r2"))
        ]
        rng = Random(4)
        self.specs: dict[str, JobSpec] = {}
        for name in self.queue_names:
            some = [rng.choice(specs) for _ in range(self.JOBS)]
            self.specs |= {self.ids.new(name, spec.request_id): spec for spec in some}
        jobs = [NewJob(job_id, "normal", spec.to_text()) for job_id, spec in self.specs.items()]
        await asyncio.gather(*map(self.job_store.enqueue, jobs))

    def lie(self, ms_of: dict[str, int]) -> None:
        """The jobs stand at these times in the index of all jobs."""
        for name in self.queue_names:
            own = {job_id: ms for job_id, ms in ms_of.items() if job_id.startswith(f"{name}-")}
            self.client.zadd(self.keys.base(name) + "all", own)

    def layouts(self) -> list[dict[str, int]]:
        """The times of the queues' jobs: all mixed; each queue's behind those of another one; of five ms alone."""
        at_random = list(range(len(self.specs)))
        Random(5).shuffle(at_random)
        in_turn = range(len(self.specs))
        return [
            {job_id: 1_700_000_000_000 + ms for job_id, ms in zip(self.specs, times, strict=True)}
            for times in (at_random, in_turn, [ms % 5 for ms in at_random])
        ]

    def calls(self) -> int:
        stats: list[Any] = [node.info("commandstats") for node in self.redis.clients]
        return sum(one.get("cmdstat_evalsha", {"calls": 0})["calls"] for one in stats)

    async def there_and_back(self, wanted: Wanted, order: Order) -> tuple[list[str], list[str]]:
        page = await self.page(wanted, None, order, 200)
        there = page.items
        while page.next:
            page = await self.page(wanted, page.next, order, 200)
            there += page.items
        back = page.items
        while page.back:
            page = await self.page(wanted, page.back, order, 200)
            back = page.items + back
        return there, back

    async def test_their_jobs_come_in_one_order_there_and_back_however_they_lie_in_time(self) -> None:
        lists: list[tuple[Wanted, Order, Callable[[JobSpec], bool]]] = [
            (Wanted(), "newest", lambda _: True),
            (Wanted("ready", type_name="other"), "oldest", lambda spec: spec.type == "other"),
            (Wanted(sought="needle"), "newest", lambda spec: spec.type == "other"),
            (Wanted(request_id="r2"), "oldest", lambda spec: spec.request_id == "r2"),
        ]
        for ms_of in self.layouts():
            self.lie(ms_of)
            for wanted, order, fits in lists:
                there, back = await self.there_and_back(wanted, order)

                fitting = sorted([(ms_of[one], one) for one, spec in self.specs.items() if fits(spec)])
                expected = [one for _, one in (fitting if order == "oldest" else fitting[::-1])]
                self.assertEqual((expected, expected), (there, back), (wanted, order))

    async def test_a_search_asks_each_queue_a_few_times_however_they_lie_in_time(self) -> None:
        for ms_of in self.layouts():
            self.lie(ms_of)
            for wanted in (Wanted(sought="nowhere"), Wanted(type_name="none"), Wanted(request_id="none")):
                before = self.calls()

                page = await self.page(wanted, None, "newest", 50)

                self.assertEqual(([], None), (page.items, page.next))
                self.assertEqual((self.QUEUES * self.JOBS,) * 2, (page.looked_at, page.of))
                self.assertLessEqual(self.calls() - before, 4 * self.QUEUES, wanted)


class Oracle(PageCase):
    """Of two texts that no job shows, one is hidden in jobs: every page is the same for both, to the last number."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.queue_names = ["q", OTHER_QUEUE]

    async def make(self, payload: dict[str, Any], count: int = 1, **times: Any) -> list[str]:
        spec = JobSpec("noop", payload, "r", TRACE, 5, 60.0, Backoff())
        names = [self.queue_names[number % 2] for number in range(count)]
        jobs = [NewJob(self.ids.new(name, "r"), "normal", spec.to_text(), **times) for name in names]
        await asyncio.gather(*map(self.job_store.enqueue, jobs))
        return [job.job_id for job in jobs]

    async def pages_of(self, wanted: Wanted, order: Order, limit: int) -> list[Page]:
        """To the end, and from there back to the begin."""
        pages = [await self.page(wanted, None, order, limit)]
        while (place := pages[-1].next) is not None:
            pages.append(await self.page(wanted, place, order, limit))
        while (place := pages[-1].back) is not None:
            pages.append(await self.page(wanted, place, order, limit))
        return pages

    async def test_right_and_wrong_guesses_are_told_apart_by_no_page(self) -> None:
        self.pages = JobPages(self.job_store, JobSearch(self.job_store), sought_in=700)
        for _ in range(8):
            await self.make({"to": "ann", "password": "hunter2"}, 250, delay_ms=3_600_000)
            await self.make({"to": "bob", "token": "hunter2"}, 3)
        lists: list[tuple[Wanted, Order, int]] = [
            (Wanted(), "newest", 5),
            (Wanted("delayed"), "next", 50),
            (Wanted("ready"), "next", 2),
            (Wanted("ready", or_states=("delayed",)), "oldest", 200),
        ]
        for wanted, order, limit in lists:
            for right, wrong in (("hunter2", "hunter3"), ('"hunt', '"huntx')):
                told = await self.pages_of(wanted._replace(sought=right), order, limit)
                untold = await self.pages_of(wanted._replace(sought=wrong), order, limit)

                self.assertEqual(untold, told)
                self.assertEqual([], [job_id for page in told for job_id in page.items])
                self.assertGreater(len(told), 0 if wanted.states == ("ready",) else 4)

    async def test_a_text_that_some_show_and_many_hide_has_the_pages_of_one_that_the_same_ones_show_alone(self) -> None:
        self.pages = JobPages(self.job_store, JobSearch(self.job_store), sought_in=700)
        shown = []
        for number in range(6):
            await self.make({"password": "hunter2"}, 350, delay_ms=3_600_000)
            shown += await self.make({"to": "hunter2 other"}, number, delay_ms=3_600_000)
        both: list[tuple[Wanted, Order]] = [(Wanted(), "newest"), (Wanted("delayed"), "next")]
        for wanted, order in both:
            for limit in (1, 3, 4, 200):
                hidden_too = await self.pages_of(wanted._replace(sought="hunter2"), order, limit)
                alone = await self.pages_of(wanted._replace(sought="hunter2 other"), order, limit)

                self.assertEqual(alone, hidden_too)
                self.assertEqual(set(shown), {job_id for page in alone for job_id in page.items})


if __name__ == "__main__":
    unittest.main()
