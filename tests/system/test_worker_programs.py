"""Programs and processes that jobs start: they end with their attempt and their runner, and are no second runner."""

import os
import signal
import time
import unittest
from pathlib import Path

from lib.jobs import registry
from tests.processes import JOB_MODULES, Worker, is_alive
from tests.system.worker_case import WorkerCase

MODULES = f"{JOB_MODULES},tests.jobs_that_start_programs"
SHORT = {"timeout_s": 0.4, "max_attempts": 1}
PROGRAMS = ("program_in_thread", "program_async", "program_to_thread")


class Case(WorkerCase):
    settings = {"WORKER_QUEUES": "default=10", "JOB_MODULES": MODULES}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(MODULES.split(","))
        self.pids_file = self.folder / "pids"
        self.addCleanup(self.kill_what_is_left)

    def pids(self) -> list[int]:
        return list(map(int, self.pids_file.read_text().split())) if self.pids_file.exists() else []

    def started(self, count: int) -> list[int]:
        """The ids of so many processes that jobs have started."""
        return list(self.until(lambda: len(found := self.pids()) >= count and found, "the programs run"))

    def until_gone(self, pids: list[int], within_s: float = 5.0) -> None:
        self.until(lambda: not [pid for pid in pids if is_alive(pid)], "the programs have ended", within_s)

    def kill_what_is_left(self) -> None:
        for pid in self.pids():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


class OfAnAttempt(Case):
    def test_an_attempt_that_runs_out_of_time_takes_its_programs_along_while_others_run_on(self) -> None:
        self.ready()
        flag = self.flag()
        beside = self.post("sleep", until=str(flag))
        self.until_begun(beside)

        late = [self.post(kind, SHORT, text=str(self.pids_file)) for kind in PROGRAMS]
        pids = self.started(2 * len(PROGRAMS))

        self.until_all(late, "dead")
        self.until_gone(pids)
        flag.touch()
        self.until_all([beside], "completed")
        self.assertEqual(1, len(self.executions(beside)))

    def test_a_cancelled_one_and_one_that_fails_do_too(self) -> None:
        worker = self.ready()
        cancelled = self.post("program_async", text=str(self.pids_file))
        failed = self.post("program_left", {"max_attempts": 1}, text=str(self.pids_file), seconds=1)
        pids = self.started(4)

        self.cancel(cancelled)

        self.until_all([cancelled], "cancelled")
        self.until_all([failed], "dead")
        self.until_gone(pids)
        self.assertEqual(1, len(worker.runner_pids()))

    def test_one_that_comes_to_its_end_leaves_its_program_running_until_its_runner_leaves(self) -> None:
        worker = self.ready()
        done = self.post("program_left", text=str(self.pids_file))
        apart = self.post("program_apart")
        self.until_all([done, apart], "completed")
        pids = self.started(2)
        self.assertEqual([], [pid for pid in pids if not is_alive(pid)])

        self.assertEqual(0, worker.stop())

        self.until_gone(pids)
        stands_alone = self.record(apart).result
        self.assertTrue(is_alive(stands_alone))
        os.kill(stands_alone, signal.SIGKILL)

    def test_a_forked_process_of_a_thread_that_hangs_ends_with_its_runner(self) -> None:
        self.ready()

        late = self.post("process_in_thread", SHORT, text=str(self.pids_file))

        self.until_all([late], "dead")
        self.until_gone(self.started(1))


class OfARunner(Case):
    def running(self, worker: Worker) -> list[int]:
        for kind in (*PROGRAMS, "process_in_thread"):
            self.post(kind, text=str(self.pids_file))
        return self.started(2 * len(PROGRAMS) + 1)

    def test_a_runner_that_is_killed_takes_them_along(self) -> None:
        worker = self.ready()
        pids = self.running(worker)
        (runner,) = worker.runner_pids()

        worker.signal(signal.SIGSTOP)  # So that nothing begins anew.
        os.kill(runner, signal.SIGKILL)
        worker.signal(signal.SIGCONT)
        self.until_gone(pids)

    def test_a_stop_beyond_the_grace_takes_them_along(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S="0.2")
        pids = self.running(worker)

        self.assertEqual(0, worker.stop())

        self.until_gone(pids, 0.5)
        self.assertEqual({0}, {record.attempts for record in self.records(self.accepted)})

    def test_a_stop_takes_the_end_of_a_job_whose_program_had_ended_for_what_it_is(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0, UNWIND_S=4)
        job_id = self.post("program_before", seconds=1.5)
        self.until_begun(job_id)

        self.assertEqual(0, worker.stop())

        self.assertEqual(("completed", "done"), (self.record(job_id).state, self.record(job_id).result))

    def test_a_runner_without_a_supervisor_takes_them_along_when_it_leaves(self) -> None:
        worker = self.ready(LEASE_S=2)
        flag = self.flag()
        left = self.post("program_left", text=str(self.pids_file))
        running = self.post("sleep", until=str(flag))
        self.until_all([left], "completed")
        self.until_begun(running)
        pids = self.started(2)

        worker.kill()
        worker.wait_for("supervisor.lost")
        self.assertEqual([], [pid for pid in pids if not is_alive(pid)])
        flag.touch()

        self.until_gone(pids)
        self.until_all([running], "completed")

    def test_one_whose_loop_is_stuck_too_does_not_stay_for_ever(self) -> None:
        worker = self.ready(LEASE_S=2)
        (runner,) = worker.runner_pids()
        blocks = self.post("block", seconds=60)
        self.until_begun(blocks)

        worker.kill()

        self.until(lambda: not is_alive(runner), "it has ended", 10)

    def test_ctrl_c_in_a_terminal_does_not_reach_programs_that_are_within_the_grace(self) -> None:
        worker = self.ready()
        job_id = self.post("program_quick", {"max_attempts": 1}, seconds=1)
        self.until_begun(job_id)
        (runner,) = worker.runner_pids()
        self.assertNotEqual(os.getpgid(worker.pid), os.getpgid(runner))

        worker.signal(signal.SIGINT)

        self.assertEqual(0, worker.wait())
        self.assertEqual(("completed", 0), (self.record(job_id).state, self.record(job_id).result))


class Forked(Case):
    def test_a_forked_process_ends_as_it_would_anywhere(self) -> None:
        self.ready()

        ids = [self.post("exit_codes_thread"), self.post("exit_codes_async")]
        mortal = self.post("child_is_mortal")

        self.until_all([*ids, mortal], "completed")
        self.assertEqual([[0, 3, 1, -signal.SIGTERM]] * 2, [record.result for record in self.records(ids)])
        self.assertEqual([-signal.SIGTERM, -signal.SIGHUP, -signal.SIGUSR1], self.record(mortal).result)

    def test_a_child_that_comes_back_out_of_its_handler_ends_there(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()

        ids = [
            self.post(kind, text=how) for kind in ("fork_thread", "fork_async") for how in ("exit", "fail", "return")
        ]

        self.until_all(ids, "completed")
        self.assertEqual([3, 1, 0] * 2, [record.result for record in self.records(ids)])
        after = self.post("noop")
        self.until_all([after], "completed")
        self.assertEqual((pids, [1] * 6), (worker.runner_pids(), [len(self.executions(job_id)) for job_id in ids]))
        self.assertEqual(0, worker.stop())
        for job_id in ids:
            with self.subTest(self.record(job_id).result):
                lines = [line["msg"] for line in worker.logged("log.message") if job_id in line["msg"]]
                # The child's line may come first: its parent writes at the end of its turn.
                self.assertCountEqual([*(f"line {n} of {job_id}" for n in range(20)), f"the child of {job_id}"], lines)
                self.assertEqual(1, worker.said().count(f"printed by {job_id}"))


class Printed(Case):
    def test_what_a_job_prints_is_there_when_it_prints_it_and_all_of_it_when_its_runner_has_left(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("prints", text="this", until=str(flag))
        self.until_begun(job_id)

        for line in ("a line of this\n", "a line from a thread of this\n"):
            worker.until(lambda: line in worker.said(), f"{line!r} is there")  # noqa: B023
        flag.touch()
        self.until_all([job_id], "completed")
        self.assertEqual(0, worker.stop())

        self.assertIn("and the beginning of another of this", worker.said())

    def test_exit_hooks_of_a_job_module_run_when_a_runner_leaves_and_when_it_retires(self) -> None:
        said = self.folder / "said"
        worker = self.ready(AT_EXIT_WRITE_TO=said)
        late = self.post("hangs_in_thread", SHORT, seconds=60)
        self.until_all([late], "dead")
        worker.wait_for("worker.registered", 2)

        self.assertEqual(0, worker.stop())

        self.assertEqual(2, said.read_text().count("good-bye"))
        self.assertEqual([], worker.logged("runner.died"))

    def test_an_exit_hook_that_hangs_is_cut_off(self) -> None:
        said = self.folder / "hang"
        worker = self.ready(AT_EXIT_WRITE_TO=said)
        began_s = time.monotonic()

        self.assertEqual(0, worker.stop())

        self.assertEqual("good-bye\n", Path(said).read_text())
        self.assertLess(time.monotonic() - began_s, 6)
        self.assertEqual(1, len(worker.logged("runner.hooks_cut_off")))


if __name__ == "__main__":
    unittest.main()
