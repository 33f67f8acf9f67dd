"""What a runner does with the jobs that it has claimed. In Redis' place is a lease that writes down how they ended."""

import asyncio
import contextlib
import contextvars
import time
import unittest
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from lib.jobs.backoff import Backoff
from lib.jobs.job import ClaimedJob
from lib.jobs.registry import JobType, Registry
from lib.jobs.spec import JobSpec
from lib.queue.end_record import EndRecord
from lib.queue.lease import Lease
from lib.tracing import Trace
from lib.work.runner.context import Services
from lib.work.runner.current_job import BlankContext
from lib.work.runner.lanes import Lanes
from lib.work.runner.loop_parts import LoopParts
from lib.work.runner.prefetch.prefetch import BusyQueues
from lib.work.runner.prefetch.turns import Turns
from tests.a_log import ALog

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


TENANT: contextvars.ContextVar[Any] = contextvars.ContextVar("tenant", default=None)


class ALease:
    """Redis has the record of every end at once."""

    runner_id = "w"

    def __init__(self) -> None:
        self.ends: list[tuple[str, int]] = []

    def send_end(self, script: str, ended: EndRecord, hear: Callable[[bool | Exception], None]) -> None:
        self.ends.append((script, ended.token))
        hear(True)

    def note(self, words: EndRecord) -> None:
        raise AssertionError("no handler here says anything")

    async def wait_until_idle(self) -> None:
        await asyncio.sleep(0)


class OfOneQueue(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        over = self.over = asyncio.Event()

        async def end_all() -> None:
            # A lane takes a cancellation as one of its job, and goes on: a loop that closes would wait for the lane.
            over.set()

        self.addAsyncCleanup(end_all)
        self.begun: list[str] = []
        self.has_begun = asyncio.Event()
        self.lease = ALease()

        async def wait(ctx: Any, payload: Any) -> None:
            self.begun.append(ctx.job_id)
            self.has_begun.set()
            await over.wait()

        async def block(ctx: Any, payload: Any) -> None:
            self.begun.append(ctx.job_id)
            time.sleep(0.2)

        async def shrug(ctx: Any, payload: Any) -> None:
            self.has_begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
            await over.wait()

        async def leave(ctx: Any, payload: Any) -> None:
            """Cancel the task that runs this job, now or in a moment, as the payload says."""
            self.begun.append(ctx.job_id)
            task = asyncio.current_task()
            assert task is not None
            when = payload["when"]
            if when == "now":
                task.cancel()
            elif when == "later":
                asyncio.get_running_loop().call_later(0.05, task.cancel)
            self.seen.append(TENANT.get())
            if when:
                TENANT.set(when)

        self.seen: list[Any] = []
        handlers = (wait, block, shrug, leave)
        known = Registry([JobType(f.__name__, f, lambda value, path: value, is_async=True) for f in handlers])
        self.waits_s: list[float] = []
        timings = SimpleNamespace(
            note_wait=lambda queue, type_name, wait_s: self.waits_s.append(wait_s), note_run=lambda *seen: None
        )
        self.settings = SimpleNamespace(lease_s=30.0, unwind_s=0.3)
        self.log = ALog(self)
        self.services = cast(Services, SimpleNamespace(registry=known, log=self.log))
        parts = SimpleNamespace(
            timings=timings,
            settings=self.settings,
            keeps_tracebacks=True,
            busy=BusyQueues(),
            turns=Turns(),
            blank=BlankContext(),
            retire=lambda reason: None,
            rng=Random(1),
            spans=None,
        )
        self.parts = cast(LoopParts, parts)

    def lanes(self, limit: int) -> Lanes:
        return Lanes("q", limit, self.services, self.parts, lambda: None)

    def start(
        self, lanes: Lanes, *numbers: int, type_name: str = "wait", timeout_s: float = 60.0, when: str = ""
    ) -> None:
        """Jobs whose token is their number."""
        text = JobSpec(type_name, {"when": when}, "r", TRACE, 1, timeout_s, Backoff(2.0, 60.0)).to_text().encode()
        jobs = [ClaimedJob(f"q-{number:032}", number, 1, None, 0, text) for number in numbers]
        lanes.start(jobs, cast(Lease, self.lease))

    async def test_who_leaves_at_once_begins_nothing_of_what_waits_and_gives_it_back_in_order(self) -> None:
        lanes = self.lanes(1)
        self.start(lanes, 1)
        await asyncio.wait_for(self.has_begun.wait(), 5)
        self.start(lanes, 2, 3)

        await lanes.release()

        self.assertEqual([f"q-{1:032}"], self.begun)
        self.assertEqual([("release", 3), ("release", 2), ("release", 1)], self.lease.ends)

    async def test_what_a_claim_in_flight_brings_to_one_who_leaves_goes_back_in_order(self) -> None:
        lanes = self.lanes(1)
        await lanes.release()

        self.start(lanes, 1, 2, 3)

        self.assertEqual(([], 0), (self.begun, lanes.unended))
        self.assertEqual([("release", 3), ("release", 2), ("release", 1)], self.lease.ends)

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.begun) < count:
                await asyncio.sleep(0.001)

    async def test_as_many_run_as_the_limit_says_when_it_is_raised_and_lowered(self) -> None:
        lanes = self.lanes(0)
        self.assertEqual(0, lanes.free)
        lanes.limit = 2
        self.start(lanes, 1, 2)
        await self.until_begun(2)

        lanes.limit = 1
        self.assertEqual(2, lanes.occupied)
        lanes.cancel([f"q-{1:032}"])
        async with asyncio.timeout(5):
            while lanes.occupied > 1:
                await asyncio.sleep(0.001)

        self.assertEqual((0, 1), (lanes.free, lanes.occupied))
        lanes.cancel([f"q-{2:032}"])
        await asyncio.wait_for(lanes.wait_until_idle(), 5)
        self.start(lanes, 3)
        await self.until_begun(3)
        self.assertEqual([1, 2, 3], self.numbers())

    def numbers(self) -> list[int]:
        return [int(job_id.removeprefix("q-")) for job_id in self.begun]

    async def test_idle_lanes_are_not_used_above_a_lowered_limit(self) -> None:
        lanes = self.lanes(3)
        self.start(lanes, 1, 2, 3, type_name="leave")
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        lanes.limit = 1
        self.start(lanes, 4, 5)
        async with asyncio.timeout(5):
            while ("release", 5) not in self.lease.ends:  # With the one lane taken, it would wait here for job 4.
                await asyncio.sleep(0.001)

        self.assertEqual([4], self.numbers()[3:])

    async def test_who_is_closed_begins_nothing_more_and_counts_what_runs(self) -> None:
        lanes = self.lanes(2)
        self.start(lanes, 1)
        await self.until_begun(1)

        lanes.close()
        self.start(lanes, 2, 3)

        self.assertEqual((1, [("release", 3), ("release", 2)]), (lanes.occupied, self.lease.ends))

    async def test_a_handler_that_was_given_up_counts_until_it_has_ended(self) -> None:
        lanes = self.lanes(2)
        self.start(lanes, 1, type_name="shrug", timeout_s=0.02)
        await asyncio.wait_for(self.has_begun.wait(), 5)
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        lanes.close()

        self.assertEqual(1, lanes.occupied)
        self.over.set()
        async with asyncio.timeout(5):
            while lanes.occupied:
                await asyncio.sleep(0.001)

    async def test_what_waited_for_half_a_lease_is_not_begun_for_it_may_be_somebody_elses(self) -> None:
        lanes = self.lanes(2)

        self.settings.lease_s = 0.2  # A handler that holds up the loop for half of it is too much.
        self.start(lanes, 1, 2, type_name="block")
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        self.assertEqual([f"q-{1:032}"], self.begun)
        self.assertEqual([("finish", 1), ("release", 2)], self.lease.ends)

    async def test_what_a_handler_keeps_from_beginning_has_waited_so_long(self) -> None:
        lanes = self.lanes(2)

        self.start(lanes, 1, 2, type_name="block")
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        at_once_s, behind_s = self.waits_s
        self.assertGreaterEqual(behind_s - at_once_s, 0.2)

    async def test_a_lane_that_a_job_left_a_cancellation_to_is_followed_by_another(self) -> None:
        lanes = self.lanes(1)
        for number, when in enumerate(("now", "later", "later", "now", "never"), 1):
            self.start(lanes, number, type_name="leave", when=when)
            await asyncio.wait_for(lanes.wait_until_idle(), 5)
            await asyncio.sleep(0.1)  # A cancellation that was left for later comes, and finds the lane idle.

        self.assertEqual([("finish", number) for number in range(1, 6)], self.lease.ends)

    async def test_a_lane_that_was_woken_and_cancelled_in_one_turn_hands_on_what_waits(self) -> None:
        lanes = self.lanes(1)
        self.start(lanes, 1, type_name="leave")
        await asyncio.wait_for(lanes.wait_until_idle(), 5)
        [lane] = lanes._pool.lanes

        self.start(lanes, 2, type_name="leave")
        lane.cancel()
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        self.assertEqual([("finish", 1), ("finish", 2)], self.lease.ends)

    async def test_a_job_that_a_cancelled_lane_was_about_to_begin_is_given_back(self) -> None:
        lanes = self.lanes(1)
        asked, never = asyncio.Event(), asyncio.Event()

        async def settled() -> None:
            asked.set()
            await never.wait()

        with patch.object(self.lease, "wait_until_idle", settled):
            self.start(lanes, 1, 2)  # Of an unknown type: before the first begins, the second goes back.
            await asyncio.wait_for(asked.wait(), 5)
            [lane] = lanes._pool.lanes
            lane.cancel()
            await asyncio.wait_for(lanes.wait_until_idle(), 5)

        self.assertEqual(([], [("release", 2), ("release", 1)]), (self.begun, self.lease.ends))

    async def test_a_job_finds_no_context_variable_of_the_one_before(self) -> None:
        lanes = self.lanes(1)

        for number in (1, 2, 3):
            self.start(lanes, number, type_name="leave", when="never")
            await asyncio.wait_for(lanes.wait_until_idle(), 5)

        self.assertEqual([None] * 3, self.seen)

    async def test_a_time_out_does_not_outweigh_a_stop_that_was_asked_for_in_a_jobs_first_moment(self) -> None:
        lanes = self.lanes(1)
        self.start(lanes, 1, type_name="shrug", timeout_s=0.05)
        await asyncio.wait_for(self.has_begun.wait(), 5)

        lanes.cancel([f"q-{1:032}"])
        await asyncio.wait_for(lanes.wait_until_idle(), 5)

        self.assertEqual(f"Job cancelled: q-{1:032}", self.log.lines()[-1]["msg"])


if __name__ == "__main__":
    unittest.main()
