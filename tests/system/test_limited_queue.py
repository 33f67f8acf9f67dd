"""Limits of a queue over three runners in two worker processes; and a group that rests because a job of it says so."""

import asyncio
import itertools
import os
import signal
import unittest

from lib.jobs.job import JobRecord
from lib.queue.scripts import Scripts
from lib.redis_link.link import open_link
from tests.processes import Worker
from tests.system.worker_case import WorkerCase

BASE = "wb:{default}:"


class LimitsCase(WorkerCase):
    settings = {"WORKER_QUEUES": "default=2", "LEASE_S": 3}  # noqa: RUF012

    def adjust(self, **settings: str) -> None:
        """Set limits of the queue, as PATCH /api/queues/default does: concurrency="2", rate="5/500", "" for none."""

        async def call() -> None:
            link = open_link(self.redis.url, timeout_s=5)
            try:
                words = [word for setting in settings.items() for word in setting]
                await Scripts(link).call("adjust", BASE, "default", "", "", *words)
            finally:
                await link.close()

        asyncio.run(call())

    def two_workers(self, **settings: object) -> tuple[Worker, Worker]:
        """Two workers, the first with two runners, when all three runners are idle."""
        workers = self.worker(WORKER_PROCESSES=2, **settings), self.worker(WORKER_PROCESSES=1, **settings)
        for worker in workers:
            worker.wait_until_ready()
        self.until_blocked(3)
        return workers

    def until_blocked(self, runners: int) -> None:
        client = self.redis.client
        self.until(lambda: int(client.info("clients")["blocked_clients"]) >= runners, "so many runners are idle")

    def started_ms(self, ids: list[str]) -> list[int]:
        return sorted(int(self.redis.client.hget(f"{BASE}job:{job_id}", "started")) for job_id in ids)


class Limits(LimitsCase):
    def test_never_more_starts_in_a_window_than_the_rate_and_none_is_left_unused(self) -> None:
        self.adjust(rate="5/500")
        self.two_workers()

        ids = self.post_many(25, "noop")
        self.until_all(ids, "completed")

        started = self.started_ms(ids)
        for first in started:
            self.assertLessEqual(sum(first <= one < first + 500 for one in started), 5, started)
        # Four windows are four times 0.5 s. A start that nobody wakes up for would wait for the end of a block: 20 s.
        self.assertLess(started[-1] - started[0], 6_000)

    def test_never_more_at_once_than_the_concurrency(self) -> None:
        self.adjust(concurrency="2")
        self.two_workers()

        ids = self.post_many(12, "sleep", seconds=0.05)
        self.until_all(ids, "completed")

        records = self.records(ids)
        for one in records:
            at_once = [other for other in records if started(other) <= started(one) < ended(other)]
            self.assertLessEqual(len(at_once), 2)

    def test_a_limit_that_is_raised_or_taken_away_lets_jobs_begin_at_once(self) -> None:
        gate = self.flag()
        self.adjust(concurrency="1")
        self.two_workers()
        ids = self.post_many(6, "sleep", until=str(gate))
        self.until(lambda: len(self.executions()) == 1, "one has begun")
        self.until_blocked(2)

        self.adjust(concurrency="3")
        self.until(lambda: len(self.executions()) == 3, "three have begun", within_s=5)
        self.adjust(concurrency="")
        self.until(lambda: len(self.executions()) == 6, "all have begun", within_s=5)

        gate.touch()
        self.until_all(ids, "completed")

    def test_a_queue_that_gets_its_first_limit_holds_to_it_and_forgets_it_again(self) -> None:
        self.two_workers()
        self.until_all(self.post_many(3, "noop"), "completed")

        self.adjust(rate="1/300")
        limited = self.post_many(4, "noop")
        self.until_all(limited, "completed")
        self.adjust(rate="")
        self.until_all(self.post_many(10, "noop"), "completed", within_s=5)

        times = self.started_ms(limited)
        self.assertGreaterEqual(min(later - sooner for sooner, later in itertools.pairwise(times)), 300)

    def test_a_delayed_job_is_in_time_though_its_queue_has_a_rate(self) -> None:
        self.adjust(rate="100/1000")
        self.two_workers()

        ids = [self.post("noop", {"delay_s": delay_s}) for delay_s in (0.3, 0.6, 3.0)]
        self.until_all(ids, "completed")

        due_ms = [int(self.redis.client.hget(f"{BASE}job:{job_id}", "since")) for job_id in ids]
        late_ms = [begun - due for begun, due in zip(self.started_ms(ids), due_ms, strict=True)]
        self.assertTrue(all(0 <= late < 1000 for late in late_ms), late_ms)


class WaysOut(LimitsCase):
    """A slot of a queue with a concurrency of one is free again, by each way in which a job stops running: the next job
    begins at once, though every idle runner blocks for 20 s."""

    def setUp(self) -> None:
        super().setUp()
        self.adjust(concurrency="1")

    def assert_next_begins(self, next_id: str, freed_ms: int) -> None:
        self.until_begun(next_id)
        late_ms = self.started_ms([next_id])[0] - freed_ms
        self.assertTrue(0 <= late_ms < 1000, late_ms)

    def test_it_ends_well_or_badly_or_is_put_off(self) -> None:
        self.two_workers()
        for type_name in ("noop", "retry", "snooze", "discard"):
            with self.subTest(type_name):
                self.until_blocked(3)
                first, then = self.post(type_name, seconds=60.0), self.post("noop")

                self.until_all([then], "completed")

                self.assert_next_begins(then, ended(self.record(first)))

    def test_its_runner_leaves_and_gives_it_back(self) -> None:
        leaving = self.ready(WORKER_PROCESSES=1, SHUTDOWN_GRACE_S=0)
        first = self.post("sleep", seconds=60.0)
        self.until_begun(first)
        self.ready(WORKER_PROCESSES=1)
        then = self.post("noop", {"priority": "high"})
        self.until_blocked(1)

        leaving.signal(signal.SIGTERM)

        self.until_all([then], "completed")
        self.assert_next_begins(then, ended(self.record(first)))
        self.cancel(first)

    def test_its_runner_is_killed(self) -> None:
        killed = self.ready(WORKER_PROCESSES=1)
        first = self.post("sleep", seconds=60.0)
        self.until_begun(first)
        self.ready(WORKER_PROCESSES=1)
        then = self.post("noop", {"priority": "high"})
        self.until_blocked(1)
        (runner_pid,) = killed.runner_pids()

        os.kill(runner_pid, signal.SIGKILL)

        self.until_all([then], "completed")
        self.assert_next_begins(then, ended(self.record(first)))
        self.cancel(first)


class Hold(LimitsCase):
    def test_the_group_rests_and_no_other_one(self) -> None:
        self.two_workers()
        first = self.post("hold", {"group": "tenant-42"}, seconds=1.5)
        self.until(lambda: self.record(first).state == "delayed", "it has said so")
        mine, others = self.post("noop", {"group": "tenant-42"}), self.post("noop", {"group": "tenant-43"})

        self.until_all([others], "completed", within_s=5)
        self.assertEqual("ready", self.record(mine).state)
        self.until_all([first, mine], "completed")

        held_until_ms = ended(self.record(first), 0) + 1500
        self.assertTrue(held_until_ms <= self.started_ms([mine])[0] < held_until_ms + 1000)

    def test_a_job_without_a_group_waits_alone_and_the_log_says_so_once(self) -> None:
        worker = self.ready(WORKER_PROCESSES=1)

        ids = self.post_many(2, "hold", seconds=0.1)
        self.until_all(ids, "completed")

        (line,) = worker.logged("job.hold_ignored")
        self.assertIn("hold", line["msg"])


def started(record: JobRecord) -> int:
    assert record.started_ms is not None
    return record.started_ms


def ended(record: JobRecord, attempt: int = -1) -> int:
    """When the job's last attempt ended, or an earlier one."""
    finished_ms = record.history[attempt].finished_ms if record.history else record.finished_ms
    assert finished_ms is not None
    return finished_ms


if __name__ == "__main__":
    unittest.main()
