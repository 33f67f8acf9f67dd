"""Runners, supervisors and both of them killed, stopped for too long, and taken down by the jobs they run."""

import os
import resource
import signal
import time
import unittest
from datetime import datetime
from typing import Any

from lib.queue.keys import RedisKeys
from tests.processes import Worker, is_alive
from tests.system.worker_case import WorkerCase

KILLS = 7


def written_at(line: dict[str, Any]) -> datetime:
    """When a line of the log was written."""
    return datetime.fromisoformat(line["ts"])


def alone(worker: Worker, event: str) -> list[dict[str, Any]]:
    """The log lines of that event about isolation runners."""
    return [line for line in worker.logged(event) if ".alone" in line["msg"]]


class Killed(WorkerCase):
    def test_a_killed_runners_jobs_run_again_within_two_seconds(self) -> None:
        worker = self.ready()
        flag = self.flag()
        ids = self.post_many(5, "sleep", until=str(flag))
        self.until_begun(*ids)
        (pid,) = worker.runner_pids()

        os.kill(pid, signal.SIGKILL)
        killed_s = time.monotonic()
        self.until_begun(*ids, attempts=2)
        took_s = time.monotonic() - killed_s
        flag.touch()

        self.until_all(ids, "completed")
        self.assertLess(took_s, 5.0)  # Long before the lease: how soon, the faults' kills measure.
        self.assertEqual({1, 2}, {execution.attempt for execution in self.executions()})
        self.assertNotIn(pid, worker.runner_pids())
        self.assertEqual("crashed", self.record(ids[0]).history[0].outcome)

    def test_a_supervisor_that_can_start_no_runner_keeps_the_others_and_tries_again(self) -> None:
        worker = self.ready(WORKER_PROCESSES=2)
        killed, other = worker.runner_pids()
        _, hard = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (3, hard))

        os.kill(killed, signal.SIGKILL)
        # The first may be for the isolation runner alone, which each round of upkeep asks for: two rounds later the
        # place of the killed one has been tried, too.
        worker.wait_for("process.not_started", 4)
        self.until_all([self.post("noop")], "completed")
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (hard, hard))

        self.until(lambda: len(worker.runner_pids()) == 2, "another one is there")
        self.assertIn(other, worker.runner_pids())
        self.assertEqual(0, worker.stop())

    def test_a_killed_supervisors_runner_ends_what_it_has_begun_and_leaves(self) -> None:
        worker = self.ready(LEASE_S=2)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        (runner,) = worker.runner_pids()

        worker.kill()
        worker.wait_for("supervisor.lost")
        # What a pop that had begun before brings is run still.
        self.until(lambda: not self.redis.client.info("clients")["blocked_clients"], "it pops no more")
        waiting = self.post("noop")
        flag.touch()

        self.until_all([job_id], "completed")
        self.until(lambda: not is_alive(runner), "the runner has left")
        self.assertEqual(1, len(self.executions(job_id)))
        self.assertEqual("ready", self.record(waiting).state)

    def test_an_orphaned_runner_beats_for_itself_so_that_nobody_reaps_it(self) -> None:
        worker = self.ready(LEASE_S=3)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        worker.kill()
        other = self.ready(LEASE_S=3)

        beats: set[object] = set()

        def has_beaten() -> bool:
            beats.add(self.beat(job_id))
            return len(beats) > 4

        self.until(has_beaten, "the orphan beats")
        flag.touch()

        self.until_all([job_id], "completed")
        self.assertEqual((1, []), (len(self.executions(job_id)), other.logged("worker.reaped")))

    def beat(self, job_id: str) -> object:
        return self.redis.client.hget("wb:{default}:beats", self.record(job_id).runner_id or "")

    def test_when_both_are_killed_another_host_takes_the_jobs_after_the_lease(self) -> None:
        worker = self.ready(LEASE_S=2)
        flag = self.flag()
        ids = self.post_many(3, "sleep", until=str(flag))
        self.until_begun(*ids)
        other = self.ready(LEASE_S=2, WORKER_QUEUES="elsewhere=1,default=5")

        for pid in (worker.pid, *worker.runner_pids()):
            os.kill(pid, signal.SIGKILL)
        self.until_begun(*ids, attempts=2)
        flag.touch()

        self.until_all(ids, "completed")
        self.assertEqual(1, len(other.logged("worker.reaped")))
        self.assertEqual([2] * 3, [len(self.executions(job_id)) for job_id in ids])

    def test_a_runner_killed_before_it_reads_what_its_pop_brought_loses_nothing(self) -> None:
        worker = self.ready()
        (seen,) = self.redis.client.hkeys("wb:{default}:workers")
        own_list = RedisKeys("wb").active("default", bytes(seen).decode())
        (runner,) = worker.runner_pids()

        job_id = self.until(
            lambda: self.popped_while_stopped(runner, own_list), "a pop is answered to a stopped runner"
        )
        os.kill(runner, signal.SIGKILL)

        self.until_all([job_id], "completed")
        # Run once. The claim behind the pop counted an attempt that nobody began.
        self.assertEqual([2], [execution.attempt for execution in self.executions(job_id)])

    def popped_while_stopped(self, runner: int, own_list: str) -> str:
        """Stop the runner amid a pop and have that answered: the job's id. "" where there was none, and it goes on.

        WHY not at any time: between two pops, each of which Redis ends after 2 s, a stopped runner is handed nothing.
        """
        os.kill(runner, signal.SIGSTOP)
        is_popping = self.redis.client.info("clients")["blocked_clients"]
        job_id = self.post("noop") if is_popping else ""
        # Redis serves who is blocked before it answers the enqueue.
        if job_id and self.redis.client.llen(own_list) and self.record(job_id).state == "active":
            return job_id
        os.kill(runner, signal.SIGCONT)
        if job_id:
            self.until_all([job_id], "completed")
        return ""


class Zombie(WorkerCase):
    def test_a_worker_stopped_past_its_lease_changes_nothing_when_it_goes_on(self) -> None:
        zombie = self.ready(LEASE_S=2)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        (runner,) = zombie.runner_pids()
        first_id = self.record(job_id).runner_id

        for pid in (zombie.pid, runner):
            os.kill(pid, signal.SIGSTOP)
        other = self.ready(LEASE_S=2)
        self.until_begun(job_id, attempts=2)
        second_id = self.record(job_id).runner_id
        flag.touch()
        self.until_all([job_id], "completed")
        before = self.record(job_id)
        for pid in (zombie.pid, runner):
            os.kill(pid, signal.SIGCONT)

        zombie.wait_for("job.stale")
        zombie.wait_for("worker.reaped")
        zombie.wait_for("worker.registered", 2)
        self.assertEqual(before, self.record(job_id))
        self.assertNotEqual(first_id, second_id)
        self.assertEqual(0, other.stop())
        again = self.post("noop")
        self.until_all([again], "completed")
        self.assertNotIn(self.record(again).runner_id, (first_id, second_id))

    def test_a_stopped_supervisor_that_goes_on_does_not_reap_its_own_runners(self) -> None:
        worker = self.ready(LEASE_S=2)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        beat = self.redis.client.hgetall("wb:{default}:beats")

        for _ in range(3):
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(2.5)  # What is tested is that so long a stop does no harm: there is nothing to wait for.
            os.kill(worker.pid, signal.SIGCONT)
            self.until(lambda: self.redis.client.hgetall("wb:{default}:beats") != beat, "it beats again")  # noqa: B023
            beat = self.redis.client.hgetall("wb:{default}:beats")
        flag.touch()

        self.until_all([job_id], "completed")
        self.assertEqual((1, []), (len(self.executions(job_id)), worker.logged("worker.reaped")))


class Poison(WorkerCase):
    def test_a_poisonous_job_is_dead_and_the_innocents_beside_it_complete(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=6")
        poison = self.post("crash", seconds=0.1)
        innocents = self.post_many(5, "sleep", seconds=0.5)

        self.until_all([poison], "dead", 30)
        self.until_all(innocents, "completed", 30)

        record = self.record(poison)
        self.assertEqual("worker_lost", (record.error or {})["type"])
        self.assertEqual(3, len(self.executions(poison)))
        self.assertLessEqual(len(worker.logged("runner.died")), 3)
        self.assertEqual(0, self.redis.client.llen("wb:{default}:suspects"))
        # The request's id leads to all that became of it, though the runners could say nothing any more.
        (died,) = self.until(lambda: worker.logged("job.died"), "its death is in the log")
        request_id = self.record(poison).spec.request_id  # type: ignore[union-attr]
        self.assertEqual((poison, request_id, "default"), (died["job_id"], died["request_id"], died["queue"]))
        self.assertIn("worker_lost", died["msg"])
        taken_back = [line for line in worker.logged("job.taken_back") if line["job_id"] == poison]
        self.assertEqual([request_id] * 2, [line["request_id"] for line in taken_back])

    def test_a_job_that_crashes_once_is_run_again(self) -> None:
        self.ready()

        job_id = self.post("crash_once")

        self.until_all([job_id], "completed")
        self.assertEqual("at the second attempt", self.record(job_id).result)

    def test_after_its_second_crash_a_job_does_not_wait_for_upkeep_to_run_alone(self) -> None:
        worker = self.ready(CRASH_LIMIT=100)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        for attempt in range(1, KILLS + 1):
            self.until_begun(job_id, attempts=attempt)
            os.kill(self.executions(job_id)[-1].pid, signal.SIGKILL)
        self.until_begun(job_id, attempts=KILLS + 1)
        flag.touch()

        self.until_all([job_id], "completed")
        died = [written_at(line) for line in worker.logged("runner.died")]
        started = alone(worker, "runner.started")
        self.assertEqual(KILLS, len(died))
        waits_s = [[(written_at(line) - at).total_seconds() for line in started] for at in died[1:]]
        followed = [any(0 <= waited_s < 0.5 for waited_s in waits) for waits in waits_s]
        # All but one: where the supervisor looked into Redis in the moment of a claim, one more is there for a while.
        self.assertGreaterEqual(sum(followed), KILLS - 2, waits_s)

    def test_after_a_crash_a_runner_is_ready_for_the_job_that_crashes_again(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=4", CRASH_LIMIT=100)
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        os.kill(self.executions(job_id)[-1].pid, signal.SIGKILL)
        self.until(lambda: alone(worker, "worker.registered"), "an isolation runner serves")
        self.until_begun(job_id, attempts=2)

        os.kill(self.executions(job_id)[-1].pid, signal.SIGKILL)

        self.until_begun(job_id, attempts=3)
        flag.touch()
        self.until_all([job_id], "completed")
        (started,) = alone(worker, "runner.started")
        self.assertEqual(self.executions(job_id)[-1].pid, started["pid"])
        self.assertEqual(0, worker.stop())

    def test_innocents_that_were_aboard_two_crashes_are_cleared_one_by_one(self) -> None:
        self.ready(WORKER_QUEUES="default=4")
        poisons = [self.post("crash", seconds=0.3) for _ in range(2)]
        innocents = self.post_many(2, "sleep", seconds=1.0)

        self.until_all(poisons, "dead", 40)
        self.until_all(innocents, "completed", 40)


if __name__ == "__main__":
    unittest.main()
