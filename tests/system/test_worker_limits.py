"""A limit is never exceeded, whatever becomes of the runners: handlers that hang and the runners that retire for them.

Jobs write to the ledger when they begin and when they end, so a test knows how many ran at once. A thread that hangs
ends nowhere but with its process.
"""

import os
import signal
import time
import unittest
from typing import Any

from lib.jobs import registry
from tests.processes import JOB_MODULES, Worker, is_alive
from tests.system.worker_case import Execution, WorkerCase

MODULES = f"{JOB_MODULES},tests.jobs_that_start_programs"


class Case(WorkerCase):
    settings = {"WORKER_QUEUES": "default=1", "JOB_MODULES": MODULES}  # noqa: RUF012
    short: dict[str, Any] = {"timeout_s": 0.3, "max_attempts": 1}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(MODULES.split(","))

    def running(self) -> list[Execution]:
        """The executions that have begun, have not ended, and whose process lives."""
        lines = self.lines()  # Read once: between two looks a job may end, and another begin in its place.
        ended = {line.split()[1] for line in lines if line.startswith("ended")}
        last = {execution.job_id: execution for execution in self.executions(lines=lines)}
        return [run for job_id, run in last.items() if job_id not in ended and is_alive(run.pid)]

    def watch(self, until: Any, limit: int, within_s: float = 30.0) -> int:
        """Look, again and again until something is so, how many run at once: never more than `limit`. The most."""
        most = 0
        deadline_s = time.monotonic() + within_s
        while not until():
            self.assertLess(time.monotonic(), deadline_s, "it takes too long")
            running = self.running()
            most = max(most, len(running))
            self.assertLessEqual(len(running), limit, running)
            time.sleep(0.003)
        return most

    def are(self, ids: list[str], state: str) -> Any:
        return lambda: all(record.state == state for record in self.records(ids))


class Limits(Case):
    def test_where_one_may_run_none_runs_beside_a_thread_that_hangs(self) -> None:
        self.ready()
        hung = self.post_many(3, "hangs_in_thread", self.short, seconds=60)
        after = self.post_many(5, "sleep", seconds=0.02)

        most = self.watch(self.are(after, "completed"), 1)

        self.assertEqual(1, most)
        self.assertEqual({"dead"}, {record.state for record in self.records(hung)})

    def test_nor_beside_a_coroutine_that_does_not_stop(self) -> None:
        self.ready(WORKER_QUEUES="default=3")
        flag = self.flag()
        beside = self.post("sleep", until=str(flag))
        self.until_begun(beside)
        self.post("swallow", self.short, seconds=60)
        after = self.post_many(30, "sleep", seconds=0.15)

        self.watch(lambda: len(self.executions()) >= 25, 3)  # By then it is given up, and another runner is there.
        flag.touch()

        self.watch(self.are([beside, *after], "completed"), 3)
        self.assertEqual((1, 2), (len(self.executions(beside)), len({run.pid for run in self.executions()})))

    def test_what_a_retiring_runner_runs_is_missing_from_its_successor(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=4")
        flag = self.flag()
        beside = self.post_many(2, "sleep", until=str(flag))
        self.until_begun(*beside)
        self.post("hangs_in_thread", self.short, seconds=60)
        after = self.post_many(60, "sleep", seconds=0.1)

        def ended() -> int:
            return len([line for line in self.lines() if line.startswith("ended")])

        self.watch(lambda: len(worker.runner_pids()) == 2, 4)
        before = ended()
        # One slot is left to the successor, and none for the thread that hangs.
        self.watch(lambda: ended() >= before + 6, 4)
        self.assertEqual(2, len(worker.runner_pids()))
        flag.touch()

        self.watch(self.are([*beside, *after], "completed"), 4)
        self.assertEqual([1] * 62, [len(self.executions(job_id)) for job_id in [*beside, *after]])
        self.until(lambda: len(worker.runner_pids()) == 1, "the old runner has left")
        self.assertEqual([], worker.logged("runner.died"))

    def test_with_several_runners_each_keeps_to_its_own(self) -> None:
        self.ready(WORKER_QUEUES="default=2", WORKER_PROCESSES=2)
        self.post_many(4, "hangs_in_thread", {"timeout_s": 0.5, "max_attempts": 2}, seconds=60)
        after = self.post_many(30, "sleep", seconds=0.05)

        most = self.watch(self.are(after, "completed"), 4)

        self.assertEqual(4, most)

    def test_how_long_a_retiring_runner_may_stay_is_bounded_and_its_jobs_come_back_as_after_a_stop(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", SHUTDOWN_GRACE_S=1)
        (old,) = worker.runner_pids()
        flag = self.flag()
        long = self.post("sleep", until=str(flag))
        self.until_begun(long)
        self.post("hangs_in_thread", self.short, seconds=60)

        self.watch(lambda: len(self.executions(long)) == 2, 2)
        flag.touch()

        self.until_all([long], "completed")
        record = self.record(long)
        self.assertEqual((1, ["released"]), (record.attempts, [line.outcome for line in record.history[:-1]]))
        self.assertFalse(is_alive(old))
        (line,) = worker.logged("runner.dismissed")
        self.assertIn("has not ended what it runs in 1 s", line["msg"])

    def test_how_many_may_retire_at_once_is_bounded(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=12")
        flag = self.flag()
        most, longs = 0, []
        for _ in range(4):
            longs.append(self.post("sleep", until=str(flag)))
            self.until_begun(longs[-1])
            self.post("hangs_in_thread", self.short, seconds=60)
            retired = len(worker.logged("worker.retiring"))
            worker.until(lambda: len(worker.logged("worker.retiring")) > retired, "it retires")  # noqa: B023
            most = max(most, len(worker.runner_pids()))
        flag.touch()

        self.watch(self.are(longs, "completed"), 12)
        self.assertLessEqual(most, 4)
        self.assertEqual(2, len(worker.logged("runner.dismissed")))

    def test_a_successor_that_is_killed_while_it_has_few_slots_is_followed_by_one_that_has_as_few(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", CRASH_LIMIT=100)
        flag = self.flag()
        beside = self.post("sleep", until=str(flag))
        self.until_begun(beside)
        self.post("hangs_in_thread", self.short, seconds=60)
        worker.wait_for("worker.registered", 2)
        waiting = self.post_many(4, "sleep", seconds=0.05)

        self.kill_newest(worker)
        worker.wait_for("worker.registered", 3)

        self.assertEqual([], [job_id for job_id in waiting if self.executions(job_id)])
        flag.touch()
        self.watch(self.are([beside, *waiting], "completed"), 2)

    @staticmethod
    def kill_newest(worker: Worker) -> None:
        os.kill(worker.runner_pids()[-1], signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
