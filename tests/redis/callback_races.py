"""Callbacks raced against all else that may end or return an attempt, over links of their own; the oracle judges.

    python -m tests.redis.callback_races [--rounds 1500] [--seed 7]

Each round takes a job, of a group or of none, asks for a callback, and sends two to six of these calls at once or one
behind the other, in any order: the hand-over, two callbacks that say that the work is done, two that it has failed, the
deadline, a cancellation, a reaper, a retry by hand, the runner's own end of the attempt. At most one callback may be
answered as the first of its kind; the job is in one place then, and a slot of its group is held by who runs alone.
"""

import argparse
import asyncio
import os
import sys
import unittest
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from lib.errors import CallbackGone, CallbackUnknown, WaybillError
from lib.jobs.callback_key import CallbackKey
from lib.queue.end_record import complete_record, fail_record, hand_over_record, records_text
from lib.queue.job_store import JobStore
from lib.queue.queue_store import QueueStore
from tests.redis.case import ERROR
from tests.redis.grouped import GroupedCase, Handed, Runner
from tests.redis.lines import assert_lines
from tests.system.oracle import assert_sound

AT_ONCE = 6


class CallbackRaces(GroupedCase):
    """Rounds, for the test and for the command below."""

    async def race(self, rounds: int, seed: int) -> Counter[str]:
        """Raises AssertionError with the seed and the round. Gives how often a job ended each way."""
        rng, ends = Random(seed), Counter[str]()
        links = [self.a_link() for _ in range(AT_ONCE)]
        stores = [(JobStore(link, self.keys), QueueStore(link, self.keys)) for link in links]
        for number in range(rounds):
            try:
                ends[await self._round(rng, stores, f"w{number}")] += 1
            except AssertionError as fault:
                raise AssertionError(f"seed {seed}, round {number}: {fault}") from fault
        return ends

    async def _round(self, rng: Random, stores: list[tuple[JobStore, QueueStore]], name: str) -> str:
        await self.put(rng.choice(("", "a")))
        runner = await self.runner(name)
        (job,) = (await runner.claim(1)).jobs
        key = await self.job_store.callbacks.expect(job.job_id, job.token)
        calls = rng.sample(self._calls(rng, runner, job, key), rng.randint(2, AT_ONCE))
        at_once = rng.randint(0, len(calls))
        first = await asyncio.gather(*[self._said(call(*stores[at])) for at, call in enumerate(calls[:at_once])])
        later = [await self._said(call(*stores[0])) for call in calls[at_once:]]
        taken = [word for word in (*first, *later) if word == "taken"]
        state = assert_sound(self.client)[job.job_id]
        assert_lines(self.lines())
        assert len(taken) <= 1, f"{len(taken)} callbacks were taken, and the job is {state}"
        self.client.flushall()
        self.client.sadd(self.keys.queues, self.queue_name)
        return state

    def _calls(
        self, rng: Random, runner: Runner, job: Handed, key: CallbackKey
    ) -> list[Callable[[JobStore, QueueStore], Awaitable[Any]]]:
        within_s = rng.choice((0, 60))

        async def end(script: str, record: Any) -> None:
            await self.call(script, runner.runner_id, records_text([record]))

        return [
            lambda jobs, _: end(
                "hand_over", hand_over_record(job.job_id, job.token, within_s, is_last=rng.random() < 0.3)
            ),
            lambda jobs, _: jobs.callbacks.complete(key, '"one"'),
            lambda jobs, _: jobs.callbacks.complete(key, '"two"'),
            lambda jobs, _: jobs.callbacks.fail(key, '{"type":"E","message":"m"}', 60),
            lambda jobs, _: jobs.callbacks.fail(key, '{"type":"E","message":"m"}', None),
            lambda _, queues: queues.upkeep.take_back_overdue(self.queue_name),
            lambda jobs, _: jobs.cancel(job.job_id),
            lambda _, queues: queues.runners.reap(self.queue_name, runner.runner_id, crash_limit=3),
            lambda jobs, _: jobs.retry(job.job_id),
            lambda jobs, _: end("finish", complete_record(job.job_id, job.token, "noop", '"own"')),
            lambda jobs, _: end("fail", fail_record(job.job_id, job.token, ERROR, 60)),
        ]

    async def _said(self, call: Awaitable[Any]) -> str:
        """`taken` for a callback that was the first of its kind."""
        try:
            answer = await call
        except (CallbackGone, CallbackUnknown):
            return "refused"
        except WaybillError:
            return "no"
        return "taken" if getattr(answer, "is_again", True) is False else "done"


def main() -> int:
    parser = argparse.ArgumentParser(description="Callbacks raced against all else.")
    parser.add_argument("--rounds", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    chosen = parser.parse_args()

    class Once(CallbackRaces):
        async def test_all(self) -> None:
            print(f"seed {chosen.seed}: {chosen.rounds} rounds, {dict(await self.race(chosen.rounds, chosen.seed))}")

    return 0 if unittest.TextTestRunner().run(unittest.TestLoader().loadTestsFromTestCase(Once)).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
