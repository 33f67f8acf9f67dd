"""The filters of a listing, and the walk from the oldest job on: what page.lua finds is what fits, in its order."""

import asyncio
import unittest
from random import Random
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.queue.listing import MOST_IDS, MOST_LOOKED_AT, Cursor, ListWalk, Wanted
from tests.redis.case import TRACE, RedisCase


class FilterCase(RedisCase):
    async def make(self, *, kind: str = "noop", group: str = "", tags: tuple[str, ...] = ()) -> str:
        spec = JobSpec(kind, {"group": "tenant-9"}, "r", TRACE, 5, 60.0, Backoff(), group=group, tags=tags)
        job = NewJob(self.ids.new("q", "request"), "normal", spec.to_text(), group=group, tags=tags)
        await self.job_store.enqueue(job)
        return job.job_id

    def end(self, job_id: str, state: str, ms: int, error: str = "ValueError") -> None:
        """Have the job end at this time: as conclude.lua writes it, from the list on."""
        fields = {"state": state, "finished": str(ms), "error": f'{{"type":"{error}","message":"x"}}'}
        self.client.hset(f"{self.base}job:{job_id}", mapping=fields)
        self.client.zadd(self.base + state, {job_id: ms})
        self.client.lrem(self.base + "ready:normal", 1, job_id)

    async def found(self, wanted: Wanted, limit: int = 2, *, oldest_first: bool = False) -> list[str]:
        """All ids, a page of `limit` at a time, of jobs that fit when they are read, too."""
        seen: list[str] = []
        after: Cursor | None = None
        for _ in range(1000):
            if oldest_first:
                page = await self.job_store.page_of_oldest("q", wanted, after, limit)
            else:
                page = await self.job_store.page(["q"], wanted, after, limit)
            records = await self.job_store.read_many([place.job_id for place in page.jobs])
            self.assertTrue(all(map(wanted.fits, records)), wanted)
            seen += [place.job_id for place in page.jobs]
            if page.end is None:
                return seen
            after = page.end
        raise AssertionError("the pages do not end")


class Filters(FilterCase):
    async def test_a_group_is_told_from_one_that_the_payload_or_a_longer_name_has(self) -> None:
        ours = [await self.make(group="tenant-4"), await self.make(group="tenant-4")]
        await self.make(group="tenant-42")
        await self.make()

        self.assertEqual(set(ours), set(await self.found(Wanted(group="tenant-4"))))
        self.assertEqual(set(ours), set(await self.found(Wanted("ready", "noop", group="tenant-4"))))
        self.assertEqual([], await self.found(Wanted(group="tenant")))

    async def test_a_tag_finds_its_jobs_in_every_state_among_thousands_of_others(self) -> None:
        await self.enqueue_many(2 * MOST_LOOKED_AT)
        ready, dead = await self.make(tags=("eu", "order-17")), await self.make(tags=("eu",))
        await self.make(tags=("europe",))
        self.end(dead, "dead", await self.now_ms())

        page = await self.job_store.page(["q"], Wanted(tag="eu"), None, 50)

        self.assertEqual({ready, dead}, {place.job_id for place in page.jobs})
        self.assertEqual([dead], await self.found(Wanted("dead", tag="eu")))
        self.assertEqual([ready], await self.found(Wanted("ready", tag="eu")))
        self.assertEqual([ready], await self.found(Wanted(tag="order-17")))
        self.assertEqual([], await self.found(Wanted(tag="us")))

    async def test_an_error_is_found_by_the_whole_name_of_its_type(self) -> None:
        first, second, other = [await self.make() for _ in range(3)]
        for job_id, error in ((first, "ValueError"), (second, "ValueError"), (other, "ValueErrorGroup")):
            self.end(job_id, "dead", await self.now_ms(), error)

        self.assertEqual({first, second}, set(await self.found(Wanted("dead", error="ValueError"))))
        self.assertEqual({first, second}, set(await self.found(Wanted(error="ValueError"))))
        self.assertEqual([], await self.found(Wanted("dead", error="Value")))

    async def test_times_are_those_of_the_end_for_jobs_that_have_ended_and_of_the_creation_for_others(self) -> None:
        ids = await self.enqueue_many(6)
        self.client.zadd(self.base + "all", {job_id: 100 + number for number, job_id in enumerate(ids)})
        for number, job_id in enumerate(ids[:3]):
            self.end(job_id, "dead", 500 + number)

        self.assertEqual([ids[1]], await self.found(Wanted("dead", after_ms=501, before_ms=502)))
        self.assertEqual([ids[2], ids[1]], await self.found(Wanted("dead", after_ms=501)))
        self.assertEqual([ids[4], ids[3]], await self.found(Wanted("ready", before_ms=105)))
        self.assertEqual([ids[5], ids[4], ids[3], ids[2]], await self.found(Wanted(after_ms=102)))

    async def test_a_delayed_job_counts_by_its_creation_and_not_by_its_due_time(self) -> None:
        job_id = await self.enqueue(delay_ms=600_000)
        now_ms = await self.now_ms()

        self.assertEqual([job_id], await self.found(Wanted("delayed", before_ms=now_ms + 1)))
        self.assertEqual([], await self.found(Wanted("delayed", after_ms=now_ms + 1)))

    async def test_the_time_of_a_dead_job_with_a_tag_is_that_of_its_end(self) -> None:
        early, late = [await self.make(tags=("eu",)) for _ in range(2)]
        for job_id, ms in ((early, 500), (late, 600)):
            self.end(job_id, "dead", ms)

        self.assertEqual([early], await self.found(Wanted("dead", tag="eu", before_ms=600)))
        self.assertEqual([late], await self.found(Wanted("dead", tag="eu", after_ms=600)))


class OfARequest(FilterCase):
    """A request's jobs are known by the last four digits of their ids; those of version 7 by their specs alone."""

    def a_job(self, request_id: str, *, mark_of: str = "", version: int = 8, **other: Any) -> NewJob:
        """A job of the request whose id ends in the mark of mark_of; one of version 7 ends in random digits."""
        job_id = self.ids.new("q", mark_of or request_id)
        if version == 7:
            job_id = f"{job_id[:-20]}7{job_id[-19:-4]}{Random(job_id).randrange(1 << 16):04x}"
        spec = JobSpec("noop", {"request_id": "r1"}, request_id, TRACE, 5, 60.0, Backoff(), **other)
        return NewJob(job_id, "normal", spec.to_text(), group=spec.group, tags=spec.tags)

    async def put(self, *jobs: NewJob) -> list[str]:
        """The ids of the jobs, which were created one ms after the other."""
        for number, job in enumerate(jobs):
            await self.job_store.enqueue(job)
            for index in ("all", *(f"tag:{tag}" for tag in job.tags)):
                self.client.zadd(self.base + index, {job.job_id: 1000 + number})
        return [job.job_id for job in jobs]

    async def test_its_jobs_are_found_whichever_version_their_ids_have(self) -> None:
        ids = await self.put(
            self.a_job("r1"), self.a_job("r2"), self.a_job("r1", version=7), self.a_job("r2", version=7)
        )

        self.assertEqual([ids[2], ids[0]], await self.found(Wanted(request_id="r1"), 1))
        self.assertEqual([ids[0], ids[2]], await self.found(Wanted(request_id="r1"), 1, oldest_first=True))
        self.assertEqual([], await self.found(Wanted(request_id="r3")))

    async def test_a_job_that_has_the_mark_by_chance_is_told_from_them_by_its_spec(self) -> None:
        ours, _ = await self.put(self.a_job("r1"), self.a_job("r2", mark_of="r1"))

        self.assertEqual([ours], await self.found(Wanted(request_id="r1")))

    async def test_the_other_filters_hold_beside_it(self) -> None:
        plain, tagged, grouped, _ = await self.put(
            self.a_job("r1"),
            self.a_job("r1", tags=("eu",), version=7),
            self.a_job("r1", group="tenant-4"),
            self.a_job("r2", tags=("eu",), group="tenant-4"),
        )
        self.end(plain, "dead", 500)

        self.assertEqual([tagged], await self.found(Wanted(request_id="r1", tag="eu")))
        self.assertEqual([grouped], await self.found(Wanted(request_id="r1", group="tenant-4")))
        self.assertEqual([plain], await self.found(Wanted("dead", request_id="r1", error="ValueError", before_ms=501)))
        self.assertEqual([], await self.found(Wanted("dead", request_id="r1", before_ms=500)))
        self.assertEqual([grouped, tagged], await self.found(Wanted("ready", request_id="r1")))
        self.assertEqual([grouped], await self.found(Wanted(request_id="r1", after_ms=1002, before_ms=1003)))

    async def test_a_call_looks_at_5000_ids_of_version_8_and_at_800_of_version_7(self) -> None:
        for version, most in ((8, MOST_IDS), (7, MOST_LOOKED_AT)):
            self.client.flushall()
            (ours,) = await self.put(self.a_job("r1"))
            others = [self.a_job("r2", version=version) for _ in range(most)]
            await asyncio.gather(*map(self.job_store.enqueue, others))

            first = await self.job_store.page(["q"], Wanted(request_id="r1"), None, 50)
            second = await self.job_store.page(["q"], Wanted(request_id="r1"), first.end, 50)

            self.assertEqual(([], True), (first.jobs, first.end is not None), version)
            self.assertEqual(([ours], None), ([place.job_id for place in second.jobs], second.end), version)


class OfAnId(FilterCase):
    """Jobs are found by the digits with which their ids begin, the first twelve of which are a time."""

    async def put(self, digits: str, created_ms: int) -> str:
        job_id = f"q-{digits}"
        spec = JobSpec("noop", {}, "r1", TRACE, 5, 60.0, Backoff())
        await self.job_store.enqueue(NewJob(job_id, "normal", spec.to_text()))
        self.client.zadd(self.base + "all", {job_id: created_ms})
        return job_id

    async def test_those_that_begin_so_are_found_and_no_others(self) -> None:
        now_ms = 1_795_438_188_123
        digits = f"{now_ms:012x}8000a1b2c3d4e5f6ffea"
        ours = await self.put(digits, now_ms)
        twin = await self.put(f"{now_ms:012x}8001a1b2c3d4e5f6ffea", now_ms + 1)
        derived = await self.put(f"{now_ms:012x}8999a1b2c3d4e5f6ffea", now_ms + 7_200_000)
        await self.put(f"{now_ms + 1:012x}8000a1b2c3d4e5f6ffea", now_ms + 2)
        await self.put(f"{now_ms - 9:012x}8000{now_ms:012x}8000", now_ms)  # They stand further behind.
        for wanted, found in (
            (Wanted(digits=digits[:12]), [ours, twin, derived]),
            (Wanted("ready", digits=digits[:12]), [ours, twin, derived]),
            (Wanted(digits=digits[:16]), [ours]),
            (Wanted(digits=digits), [ours]),
            (Wanted(digits=digits[:12], after_ms=now_ms + 1), [twin, derived]),
            (Wanted(digits=digits[:12], before_ms=now_ms + 1), [ours]),
            (Wanted("dead", digits=digits[:12]), []),
        ):
            with self.subTest(wanted):
                self.assertEqual(found, await self.found(wanted, oldest_first=True))
                self.assertEqual(found[::-1], await self.found(wanted))
        self.end(ours, "dead", now_ms + 500)
        self.assertEqual([ours], await self.found(Wanted("dead", digits=digits[:12])))

    async def test_thousands_of_older_jobs_are_not_looked_at_and_a_clock_may_be_ahead(self) -> None:
        now_ms = 1_795_438_188_123
        for number in range(MOST_LOOKED_AT):
            await self.put(f"{number:032x}", 1000 + number)
        ours = await self.put(f"{now_ms:012x}8000a1b2c3d4e5f6ffea", now_ms - 500_000)

        page = await self.job_store.page(["q"], Wanted(digits=f"{now_ms:012x}"), None, 50, ListWalk("oldest"))

        self.assertEqual(([ours], 1, 1), ([place.job_id for place in page.jobs], page.seen, page.of))


class AnyOrder(FilterCase):
    async def test_both_ways_show_what_fits_and_go_on_though_the_last_job_is_gone(self) -> None:
        """Against a sorted list, for random times of which many are the same."""
        rng = Random(11)
        ids = [await self.enqueue() for _ in range(60)]
        for job_id in ids:
            self.end(job_id, "dead", rng.randrange(20), rng.choice(("A", "B")))
        times: Any = dict(self.client.zrange(self.base + "dead", 0, -1, withscores=True))
        places = sorted((int(ms), job_id.decode()) for job_id, ms in times.items())
        errors = {job_id: (await self.record(job_id)).error for job_id in ids}
        for _ in range(60):
            low, high = rng.choice((None, rng.randrange(20))), rng.choice((None, rng.randrange(20)))
            wanted = Wanted("dead", error=rng.choice((None, "A")), after_ms=low, before_ms=high)
            fitting = [
                job_id
                for ms, job_id in places
                if (low or 0) <= ms < (100 if high is None else high)
                and wanted.error in (None, (errors[job_id] or {})["type"])
            ]
            limit = rng.randrange(1, 8)

            self.assertEqual(fitting, await self.found(wanted, limit, oldest_first=True), wanted)
            self.assertEqual(fitting[::-1], await self.found(wanted, limit), wanted)

    async def test_of_three_thousand_jobs_of_one_ms_the_next_are_found_when_the_first_are_gone(self) -> None:
        ids = sorted(await self.enqueue_many(3000))
        await asyncio.gather(*[self.job_store.cancel(job_id) for job_id in ids])
        self.client.zadd(self.base + "cancelled", dict.fromkeys(ids, 7))
        gone = ids[:1000]
        await self.job_store.in_bulk.delete(await self.job_store.read_many(gone), only_as_read=False)

        page = await self.job_store.page_of_oldest("q", Wanted("cancelled"), Cursor(7, gone[-1]), 3)

        self.assertEqual(ids[1000:1003], [place.job_id for place in page.jobs])


if __name__ == "__main__":
    unittest.main()
