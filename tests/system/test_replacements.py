"""RUNNER_MAX_JOBS and RUNNER_MAX_MB: a runner makes way for a new one, and no job and no slot is lost."""

import os
import signal
import unittest

from lib.memory import MIB
from tests.processes import Server, Worker, is_alive
from tests.system.test_metrics import samples, scrape
from tests.system.test_worker_limits import Case

SOON_S = 60.0


class Replacements(Case):
    def until_replaced(self, worker: Worker, count: int = 1) -> list[dict[str, object]]:
        self.until(lambda: len(worker.logged("runner.replaced")) >= count, f"{count} were replaced", SOON_S)
        return worker.logged("runner.replaced")

    def assert_quiet(self, worker: Worker) -> None:
        """Nothing was killed, and nobody died."""
        for event in ("runner.died", "runner.killed", "runner.dismissed", "supervisor.failed", "runner.failed"):
            self.assertEqual([], worker.logged(event))

    def test_each_runs_so_many_jobs_and_they_are_replaced_one_after_another(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=3", WORKER_PROCESSES=2, RUNNER_MAX_JOBS=10)
        ids = self.post_many(180, "sleep", seconds=0.1)
        most_processes = 0

        def are_done() -> bool:
            nonlocal most_processes
            most_processes = max(most_processes, len(worker.runner_pids()))
            return bool(self.are(ids, "completed")())

        most = self.watch(are_done, 6, SOON_S)
        replaced = self.until_replaced(worker, 2)

        self.assertGreater(most, 3, "slots were lost")
        self.assertEqual(3, most_processes)
        self.assertEqual([1] * 180, [len(self.executions(job_id)) for job_id in ids])
        for line in replaced:
            self.assertEqual("jobs", line["why"])
            self.assertGreaterEqual(int(str(line["jobs"])), 10)
        gone = [int(str(line["pid"])) for line in replaced]
        self.assertEqual(len(gone), len(set(gone)))
        self.until(lambda: len(worker.runner_pids()) == 2, "those that were replaced have left")
        self.assert_quiet(worker)
        self.assert_counted(worker)

    def assert_counted(self, worker: Worker) -> None:
        with Server(self.redis.url) as server:
            server.wait_until_ready()

            def counted() -> tuple[float, float]:
                found = samples(scrape(server))
                reasons = ("jobs", "memory")
                jobs, memory = (found[f'waybill_runner_replacements_total{{reason="{one}"}}'] for one in reasons)
                return jobs, memory

            self.until(lambda: counted() == (len(worker.logged("runner.replaced")), 0), "each is counted")

    def test_one_that_leaks_is_replaced_before_its_memory_is_the_hosts(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=1", RUNNER_MAX_MB=130)
        ids = self.post_many(60, "leak", size=5 * MIB, seconds=0.1)

        self.watch(self.are(ids, "completed"), 1, SOON_S)

        first, *_ = self.until_replaced(worker)
        self.assertEqual("memory", first["why"])
        self.assertGreaterEqual(int(str(first["mb"])), 130)
        self.assertLess(int(str(first["mb"])), 300)
        self.assertEqual([1] * 60, [len(self.executions(job_id)) for job_id in ids])
        self.assert_quiet(worker)

    def test_a_limit_below_what_a_runner_takes_without_a_job_is_said_once_and_replaces_none(self) -> None:
        worker = self.ready(RUNNER_MAX_MB=9, WORKER_PROCESSES=2)
        pids = worker.runner_pids()
        ids = self.post_many(40, "sleep", seconds=0.6)
        self.until_all(ids, "completed")

        (line,) = worker.wait_for("runner.max_mb_too_low")
        self.assertIn("RUNNER_MAX_MB is 9", str(line["msg"]))
        self.assertEqual(([], pids), (worker.logged("runner.replaced"), worker.runner_pids()))

    def test_a_job_takes_as_long_as_it_takes_and_its_slot_is_its_own(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=3", RUNNER_MAX_JOBS=2, SHUTDOWN_GRACE_S=0)
        (first,) = worker.runner_pids()
        flag = self.flag()
        long = self.post("sleep", until=str(flag))
        self.until_begun(long)
        short = self.post_many(200, "sleep", seconds=0.1)

        # Its successor was replaced since: the grace of a stop, none here, is over.
        self.watch(lambda: len(worker.logged("runner.replaced")) >= 2, 3, SOON_S)
        self.assertTrue(is_alive(first))
        flag.touch()

        self.watch(self.are([long, *short], "completed"), 3, SOON_S)
        self.assertEqual([first], [run.pid for run in self.executions(long)])
        self.until(lambda: not is_alive(first), "it has left when its job had ended")
        self.assertEqual([1] * 200, [len(self.executions(job_id)) for job_id in short])
        self.assert_quiet(worker)

    def test_beside_two_that_end_what_they_run_none_is_replaced(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=3", RUNNER_MAX_JOBS=1, SHUTDOWN_GRACE_S=0)
        flag = self.flag()
        long = []
        for count in (1, 2):
            long += self.post_many(1, "sleep", until=str(flag))
            self.until_begun(long[-1])
            self.until_all(self.post_many(2, "noop"), "completed")
            self.until_replaced(worker, count)
        self.until(lambda: len(worker.runner_pids()) == 3, "two retire")

        more = self.post_many(40, "sleep", seconds=0.1)
        self.until_all(more, "completed")

        self.assertEqual(2, len(worker.logged("runner.replaced")))
        flag.touch()
        self.until_replaced(worker, 3)
        self.until_all(long, "completed")
        self.assert_quiet(worker)

    # Kills.

    def test_a_successor_that_is_killed_as_it_starts_costs_nothing(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", RUNNER_MAX_JOBS=5)
        (old,) = worker.runner_pids()
        ids = self.post_many(40, "sleep", seconds=0.1)

        successor = self.until(lambda: worker.runner_pids()[1:], "its successor is started", SOON_S)[0]
        os.kill(successor, signal.SIGKILL)

        self.watch(self.are(ids, "completed"), 2, SOON_S)
        self.assertEqual([1] * 40, [len(self.executions(job_id)) for job_id in ids])
        worker.wait_for("runner.died")
        # The kill may have come when the successor had ticked. Then another one follows, as after any crash.
        if not worker.logged("runner.replaced"):
            self.assertEqual([old], worker.runner_pids())
        self.assertEqual(0, worker.stop())

    def test_a_worn_runner_that_is_killed_is_followed_by_the_successor_that_was_started_for_it(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", RUNNER_MAX_JOBS=5)
        (old,) = worker.runner_pids()
        ids = self.post_many(40, "sleep", seconds=0.1)

        successor = self.until(lambda: worker.runner_pids()[1:], "its successor is started", SOON_S)[0]
        os.kill(old, signal.SIGKILL)
        ids += self.post_many(4, "sleep", seconds=0.1)  # The first ones may all have ended on a slow machine.

        self.watch(self.are(ids, "completed"), 2, SOON_S)
        self.assertIn(successor, {run.pid for run in self.executions()})
        runs = [len(self.executions(job_id)) for job_id in ids]
        self.assertLessEqual(sum(runs), len(ids) + 2, "more were run again than were aboard")

    def test_one_that_is_killed_while_it_ends_what_it_runs_loses_no_job(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", RUNNER_MAX_JOBS=2)
        (old,) = worker.runner_pids()
        flag = self.flag()
        long = self.post("sleep", until=str(flag))
        self.until_begun(long)
        short = self.post_many(20, "sleep", seconds=0.1)
        self.until_replaced(worker)

        os.kill(old, signal.SIGKILL)
        self.until_begun(long, attempts=2)
        flag.touch()

        self.watch(self.are([long, *short], "completed"), 2, SOON_S)
        self.assertEqual(2, len(self.executions(long)))

    def test_runners_without_their_supervisor_end_what_they_run_and_leave(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", RUNNER_MAX_JOBS=2)
        flag = self.flag()
        long = self.post("sleep", until=str(flag))
        self.until_begun(long)
        self.until_all(self.post_many(4, "noop"), "completed")
        self.until_replaced(worker)

        worker.kill()
        flag.touch()

        self.until_all([long], "completed")
        self.until(lambda: not worker.runner_pids(), "both have left")
        self.assertEqual(1, len(self.executions(long)))

    # Stops.

    def test_a_stop_in_the_midst_of_it_is_a_stop(self) -> None:
        for moment in ("runner.started", "runner.replaced"):
            with self.subTest(moment):
                worker = self.ready(WORKER_QUEUES="default=2", RUNNER_MAX_JOBS=2, SHUTDOWN_GRACE_S=1)
                flag = self.flag()
                long = self.post("sleep", until=str(flag))
                self.until_begun(long)
                self.until_all(self.post_many(4, "noop"), "completed")
                count = 2 if moment == "runner.started" else 1
                self.until(lambda: len(worker.logged(moment)) >= count, moment, SOON_S)  # noqa: B023

                worker.signal(signal.SIGTERM)

                self.assertEqual(0, worker.wait())
                self.assertEqual([], worker.runner_pids())
                self.until_all([long], "ready", 1)  # Its attempt is given back, as at any stop.
                self.cancel(long)


if __name__ == "__main__":
    unittest.main()
