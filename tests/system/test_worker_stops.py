"""Signals: a drain that ends what runs, a grace that runs out, a second signal that will not wait."""

import functools
import os
import signal
import time
import unittest

from tests.faults.runners import processes_with
from tests.processes import Worker, hang_up_obeyed, is_alive
from tests.system.worker_case import WorkerCase


class Stops(WorkerCase):
    def test_sigterm_lets_what_runs_end_and_takes_nothing_more(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2")
        flag = self.flag()
        running = self.post_many(2, "sleep", until=str(flag))
        self.until_begun(*running)
        waiting = self.post_many(3, "noop")

        worker.signal(signal.SIGTERM)
        worker.wait_for("worker.draining")
        flag.touch()

        self.assertEqual(0, worker.wait())
        self.until_all(running, "completed", 0.1)
        self.until_all(waiting, "ready", 0.1)
        self.assertEqual([], worker.runner_pids())
        self.assertEqual([], self.redis.client.hkeys("wb:{default}:workers"))
        self.assertEqual(2, len(self.executions()))

    def test_an_idle_worker_leaves_at_once(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            worker = self.ready()
            began_s = time.monotonic()

            worker.signal(number)

            self.assertEqual(0, worker.wait())
            self.assertLess(time.monotonic() - began_s, 3)

    def test_a_signal_that_comes_before_the_supervisor_can_obey_is_obeyed_when_it_can(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            worker = self.worker()
            has_spawned = functools.partial(self.count, worker, 2)
            self.until(has_spawned, "the runner has been spawned")

            worker.signal(number)

            self.assertEqual(0, worker.wait())
            self.assertTrue(self.count(worker, 0), "a runner was left behind")

    def count(self, worker: Worker, expected: int) -> bool:
        """Whether it has so many processes, the supervisor among them."""
        return len(processes_with(f"OUTBOX_DIR={worker.outbox}")) == expected

    def test_a_signal_to_the_whole_tree_is_a_drain_too(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)

        for pid in (*worker.runner_pids(), worker.pid):
            os.kill(pid, signal.SIGINT)
        worker.wait_for("worker.draining")
        flag.touch()

        self.assertEqual(0, worker.wait())
        self.assertEqual(("completed", 1), (self.record(job_id).state, len(self.executions(job_id))))

    def test_a_terminal_that_closes_and_a_quit_are_drains_too(self) -> None:
        for number in (signal.SIGHUP, signal.SIGQUIT):
            with hang_up_obeyed():
                worker = self.ready()
            flag = self.flag()
            job_id = self.post("sleep", until=str(flag))
            self.until_begun(job_id)

            for pid in (*worker.runner_pids(), worker.pid):
                os.kill(pid, number)
            worker.wait_for("worker.draining")
            flag.touch()

            self.assertEqual(0, worker.wait())
            self.assertEqual(("completed", 1), (self.record(job_id).state, len(self.executions(job_id))))

    def test_a_signal_that_means_nothing_is_said_and_changes_nothing(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)

        for number in (signal.SIGUSR1, signal.SIGUSR2):
            for pid in (*worker.runner_pids(), worker.pid):
                os.kill(pid, number)
        worker.signal(signal.SIGALRM)
        said = worker.wait_for("signal.ignored", 3)
        flag.touch()

        self.assertEqual({"SIGUSR1", "SIGUSR2", "SIGALRM"}, {line["signal"] for line in said})
        self.until_all([job_id], "completed")
        self.assertEqual(1, len(self.executions(job_id)))
        self.assertEqual(0, worker.stop())

    def test_under_nohup_a_terminal_that_closes_stops_nothing(self) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # As nohup does it: what is started inherits it.
        try:
            worker = self.ready()
        finally:
            signal.signal(signal.SIGHUP, before)

        worker.signal(signal.SIGHUP)
        worker.signal(signal.SIGUSR1)
        worker.wait_for("signal.ignored")

        self.assertEqual([], worker.logged("worker.draining"))
        self.assertEqual(0, worker.stop())

    def test_a_job_longer_than_the_grace_is_next_and_its_attempt_does_not_count(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S="0.3", WORKER_QUEUES="default=2")
        ids = [self.post("sleep", seconds=60), self.post("sleep_thread", seconds=60)]
        self.until_begun(*ids)
        behind = self.post("noop")

        self.assertEqual(0, worker.stop())

        waiting = [bytes(item).decode() for item in self.redis.client.lrange("wb:{default}:ready:normal", 0, -1)]
        self.assertEqual(behind, next(job_id for job_id in waiting if job_id != "bell"))
        self.assertEqual(sorted([*ids, behind]), sorted(job_id for job_id in waiting if job_id != "bell"))
        self.assertEqual([0, 0], [record.attempts for record in self.records(ids)])
        self.assertEqual(["released", "released"], [record.history[-1].outcome for record in self.records(ids)])
        self.ready(WORKER_QUEUES="default=2")
        self.until_begun(*ids, attempts=2)
        self.assertEqual({1}, {execution.attempt for execution in self.executions()})

    def test_a_second_signal_releases_at_once(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=60)
        job_id = self.post("sleep", seconds=60)
        self.until_begun(job_id)
        worker.signal(signal.SIGTERM)
        worker.wait_for("worker.draining")

        began_s = time.monotonic()

        def again() -> bool:
            # A signal within the first second is taken for the first one's echo; so it is sent until it works.
            if is_alive(worker.pid) and worker.process is not None and worker.process.poll() is None:
                worker.signal(signal.SIGTERM)
                time.sleep(0.1)
            return worker.process is not None and worker.process.poll() is not None

        self.until(again, "the worker leaves")

        self.assertLess(time.monotonic() - began_s, 10)
        self.assertEqual(("ready", 0), (self.record(job_id).state, self.record(job_id).attempts))

    def test_a_runner_whose_loop_is_blocked_is_killed_after_the_grace_and_its_job_released(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        job_id = self.post("block", seconds=60)
        self.until_begun(job_id)

        self.assertEqual(0, worker.stop(30))

        record = self.record(job_id)
        self.assertEqual(("ready", 0, "released"), (record.state, record.attempts, record.history[-1].outcome))

    def test_what_a_claim_brings_that_was_in_flight_when_the_drain_began_is_run_to_its_end(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=1")
        gate = self.flag()
        first = self.post("sleep", until=str(gate))
        self.until_begun(first)
        second = self.post("sleep", seconds=0.3)

        self.redis.freeze()
        gate.touch()
        self.until(lambda: f"ended {first}" in self.lines(), "the slot is free, and claimed for")
        worker.signal(signal.SIGTERM)
        worker.wait_for("worker.draining")
        self.redis.thaw()

        self.assertEqual(0, worker.wait())
        self.assertEqual("completed", self.record(first).state)
        has_ended = f"ended {second}" in self.lines()
        self.assertEqual(len(self.executions(second)), int(has_ended), "it was begun and not ended")
        self.assertEqual("completed" if has_ended else "ready", self.record(second).state)

    def test_no_job_is_begun_twice_however_often_workers_are_stopped_under_load(self) -> None:
        ids = self.post_many(6000, "sleep", seconds=0.005)
        for _ in range(3):
            worker = self.ready(WORKER_QUEUES="default=3", WORKER_PROCESSES=3)
            begun = len(self.lines())
            self.until(lambda: len(self.lines()) > begun + 50, "it works")  # noqa: B023
            self.assertEqual(0, worker.stop())

            ends = {line.split()[1] for line in self.lines() if line.startswith("ended")}
            self.assertEqual(set(), {execution.job_id for execution in self.executions()} - ends)

        begun_ids = [execution.job_id for execution in self.executions()]
        self.assertEqual(len(set(begun_ids)), len(begun_ids))
        self.assertLess(len(begun_ids), len(ids), "the jobs were too few to be stopped among them")


class Bug(WorkerCase):
    def test_a_part_of_a_runner_that_ends_by_a_bug_has_the_runner_replaced_and_what_runs_ends(self) -> None:
        bug = self.flag()
        worker = self.ready(JOB_MODULES="tests.jobs_that_break_a_runner", BREAK_WHEN=bug)
        flag = self.flag()
        running = self.post("sleep", until=str(flag))
        self.until_begun(running)
        (old,) = worker.runner_pids()

        bug.touch()
        worker.wait_for("runner.failed")
        worker.wait_for("worker.registered", 2)
        after = self.post("noop")
        self.until_all([after], "completed")
        flag.touch()

        self.until_all([running], "completed")
        self.until(lambda: not is_alive(old), "the old runner has left")
        self.assertNotEqual(old, self.executions(after)[0].pid)
        self.assertEqual([1, 1], [len(self.executions(job_id)) for job_id in (running, after)])
        self.assertEqual([], worker.logged("runner.died"))


class Settings(WorkerCase):
    def test_wrong_settings_end_with_78_and_every_fault_is_named(self) -> None:
        worker = self.worker(LEASE_S=1, WORKER_QUEUES="Default", CRASH_LIMIT="three", LOG_LEVEL="LOUD")

        self.assertEqual(78, worker.wait())

        for name in ("LEASE_S", "WORKER_QUEUES", "CRASH_LIMIT", "LOG_LEVEL"):
            self.assertIn(f"{name}: ", worker.said())
        self.assertIn("prod/.env.example", worker.said())

    def test_a_job_module_that_can_not_be_imported_ends_it_with_78(self) -> None:
        worker = self.worker(JOB_MODULES="tests.jobs_for_tests,no_such_module")

        self.assertEqual(78, worker.wait())

        self.assertIn("JOB_MODULES: no_such_module can't be imported", worker.said())
        self.assertEqual([], worker.runner_pids())


if __name__ == "__main__":
    unittest.main()
