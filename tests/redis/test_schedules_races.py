"""Eight supervisors race over thirty schedules. They are killed at any await, and replies are lost: each slot gets one
job, and none is lost. Beside them others change, pause and delete schedules: nothing fires behind a deletion."""

import asyncio
import contextlib
import itertools
import os
import unittest
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

from lib.errors import PreconditionFailed, RedisUnavailable, ScheduleNotFound
from lib.jobs.schedule import Schedule
from lib.queue.job_store import JobStore
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_slots import ScheduleSlots
from lib.queue.schedule_store import ScheduleStore
from tests.redis.case import LosesReplies
from tests.redis.schedule_case import ScheduleCase, every

SECONDS = float(os.environ.get("SCHEDULE_RACE_S", "3"))
SUPERVISORS, SCHEDULES = 8, 30
STEP_MS = (100, 160, 260)
"""How far apart the slots of a schedule are in these races: less than a request may ask for."""


class Races(ScheduleCase):
    def setUp(self) -> None:
        self.rng = Random(7)
        self.stop = asyncio.Event()
        self.came_second = 0
        self.lost = 0

    def schedule(self, number: int) -> Schedule:
        step_ms = STEP_MS[number % len(STEP_MS)]
        return every(step_ms / 1000, catch_up="all", overlap="allow")

    async def supervise(self, seed: int) -> None:
        """What a supervisor does with due slots, over a link that loses replies."""
        rng, link = Random(seed), LosesReplies(self.link)
        slots = ScheduleSlots(link, self.keys, self.ids, JobStore(link, self.keys).workflows)
        while not self.stop.is_set():
            found = await slots.due("q")
            for due in rng.sample(found.due, len(found.due)):
                link.lose = int(rng.random() < 0.05)
                self.lost += link.lose
                with contextlib.suppress(RedisUnavailable):
                    taken = await slots.take("q", due, found.now_ms)
                    self.came_second += taken.outcome == "changed"
                link.lose = 0
            await asyncio.sleep(rng.uniform(0.005, 0.03))

    async def race(self, *others: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Eight supervisors for SECONDS, killed and started again, beside `others`."""
        seeds = itertools.count()
        tasks = [asyncio.create_task(self.supervise(next(seeds))) for _ in range(SUPERVISORS)]

        async def kill() -> None:
            while not self.stop.is_set():
                await asyncio.sleep(self.rng.uniform(0.02, 0.1))
                victim = self.rng.randrange(SUPERVISORS)
                tasks[victim].cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await tasks[victim]
                tasks[victim] = asyncio.create_task(self.supervise(next(seeds)))

        beside = [asyncio.create_task(one()) for one in (kill, *others)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), SECONDS)
        self.stop.set()
        await asyncio.gather(*beside)
        await asyncio.gather(*tasks)

    async def fired(self) -> Counter[tuple[str, int]]:
        """(schedule, slot) -> how many jobs, of all jobs that there are."""
        found: Counter[tuple[str, int]] = Counter()
        for key in self.client.scan_iter(self.base + "job:*", count=1000):
            spec = await self.spec(key.decode().rpartition(":")[2])
            found[(spec.schedule, spec.scheduled_for)] += 1
        return found

    async def test_each_slot_has_one_job_whoever_dies(self) -> None:
        for number in range(SCHEDULES):
            await self.put(self.schedule(number), f"s{number}")

        await self.race()

        slots = await self.fired()
        self.assertEqual([], [slot for slot, count in slots.items() if count > 1])
        for number in range(SCHEDULES):
            name, step_ms = f"s{number}", STEP_MS[number % len(STEP_MS)]
            seen = await self.schedules.read(name)
            taken = sorted(at_ms for one, at_ms in slots if one == name)
            assert seen.slot is not None
            every_one = list(range(seen.anchor_ms + step_ms, seen.slot.at_ms, step_ms))
            self.assertEqual([], [at_ms for at_ms in taken if at_ms not in every_one], name)
            # A machine that stands still for as long as a hundred slots take misses some, and says so.
            self.assertEqual(len(every_one), len(taken) + seen.missed, (name, seen))
            self.assertEqual((len(taken), 0), (seen.fired, seen.skipped))
        self.assertGreater(len(slots), 100)
        self.assertGreater(min(self.lost, self.came_second), 0)

    async def test_nothing_fires_behind_a_deletion_and_nothing_twice_beside_changes(self) -> None:
        deleted: dict[str, list[int]] = {}
        made: dict[str, list[int]] = {}
        store = ScheduleStore(self.link, self.keys)

        async def edit() -> None:
            rng = Random(99)
            while not self.stop.is_set():
                number = rng.randrange(SCHEDULES)
                name = f"s{number}"
                wanted = self.schedule(rng.randrange(9))._replace(paused=rng.random() < 0.2)
                with contextlib.suppress(ScheduleNotFound, PreconditionFailed):
                    if rng.random() < 0.3:
                        await store.delete(name)
                        deleted.setdefault(name, []).append(await self.now_ms())
                    else:
                        began_ms = await self.now_ms()
                        if (await store.put(name, partial(_it, wanted)))[1]:
                            made.setdefault(name, []).append(began_ms)
                await asyncio.sleep(rng.uniform(0, 0.02))

        for number in range(SCHEDULES):
            await self.put(self.schedule(number), f"s{number}")
        await self.race(edit)

        slots = await self.fired()
        self.assertEqual([], [slot for slot, count in slots.items() if count > 1])
        self.assertGreater(min(len(slots), len(deleted)), 3)
        self.assertEqual([], [job for job in await self.jobs() if self.is_behind(*job, deleted, made)])
        left = await store.index()
        for name in left:
            seen = await store.read(name)
            self.assertEqual(seen.schedule.paused, seen.slot is None, name)
        self.assertEqual(len(left), self.client.zcard(self.base + "slots"))

    async def jobs(self) -> list[tuple[str, int]]:
        """Schedule and time of creation of each job."""
        created = self.client.zrange(self.base + "all", 0, -1, withscores=True)
        return [((await self.spec(job_id.decode())).schedule, int(ms)) for job_id, ms in created]

    @staticmethod
    def is_behind(name: str, created_ms: int, deleted: dict[str, list[int]], made: dict[str, list[int]]) -> bool:
        """Whether the job was queued while no schedule of its name was there."""
        last = max((ms for ms in deleted.get(name, ()) if ms < created_ms), default=None)
        return last is not None and not any(last - 1 <= ms <= created_ms for ms in made.get(name, ()))


def _it(wanted: Schedule, present: ScheduleSeen | None) -> Schedule:
    return wanted


if __name__ == "__main__":
    unittest.main()
