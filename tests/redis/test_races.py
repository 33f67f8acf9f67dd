"""cancel against claim against finish, from connections of their own: one wins, and the state is final."""

import asyncio
import unittest
from collections import Counter
from random import Random

from lib.errors import WrongState
from lib.jobs.state import FINISHED
from lib.queue.job_store import JobStore
from lib.queue.lease import Lease
from tests.redis.case import RedisCase, ending
from tests.system.oracle import assert_sound

ROUNDS = 2000
RUNNERS = 4


class Races(RedisCase):
    async def test_each_of_two_thousand_races_ends_in_one_final_state(self) -> None:
        rng = Random(7)
        ids = await self.enqueue_many(ROUNDS)
        runners = [await self.lease(f"w{number}", self.a_link()) for number in range(RUNNERS)]
        done: Counter[str] = Counter()

        await asyncio.gather(
            *[self.work(runner, rng, done) for runner in runners],
            *[self.cancel(JobStore(self.a_link(), self.keys), ids[half::2], done) for half in (0, 1)],
        )

        states = Counter(self.states().values())
        self.assertEqual(ROUNDS, states["completed"] + states["cancelled"], states)
        self.assertEqual(1, max(done.values()), "an attempt ended twice")
        self.assertGreater(min(states["completed"], states["cancelled"]), 0, states)
        self.assertLessEqual(set(states), FINISHED)

    async def work(self, runner: Lease, rng: Random, done: Counter[str]) -> None:
        while jobs := (await runner.claim(rng.randint(1, 10))).jobs:
            for job in jobs:
                # Some are given back or fail first, so that a cancel meets every state.
                script = rng.choice(("finish", "finish", "release", "fail"))
                if await runner.end_and_wait(script, ending(script, job, delay_s=0)) and script == "finish":
                    done[job.job_id] += 1

    async def cancel(self, queue: JobStore, ids: list[str], done: Counter[str]) -> None:
        for job_id in reversed(ids):
            try:
                await queue.cancel(job_id)
            except WrongState:
                self.assertIn((await queue.read(job_id)).state, FINISHED)

    async def test_reapers_claimers_and_finishers_lose_and_double_nothing(self) -> None:
        rng = Random(11)
        ids = await self.enqueue_many(600)
        finished: Counter[str] = Counter()

        async def work(number: int) -> None:
            for life in range(200):
                runner = await self.lease(f"w{number}-{life}", self.link)
                jobs = (await runner.claim(rng.randint(1, 8))).jobs
                answers = [
                    (job, asyncio.create_task(runner.end_and_wait("finish", ending("finish", job)))) for job in jobs
                ]
                if rng.random() < 0.5:
                    await self.queues.runners.reap("q", runner.runner_id, is_crash=rng.random() < 0.2, crash_limit=100)
                for job, answer in answers:
                    was_ours = await answer
                    finished[job.job_id] += was_ours
                if not jobs:
                    return

        await asyncio.gather(*[work(number) for number in range(4)])

        states = self.states()
        self.assertEqual({1}, {finished[job_id] for job_id in ids if states[job_id] == "completed"})
        self.assertEqual(set(), {job_id for job_id in ids if states[job_id] != "completed" and finished[job_id]})
        assert_sound(self.client, accepted=ids)


if __name__ == "__main__":
    unittest.main()
