"""Checkpoints of real jobs in real runners: whatever cuts an attempt short, the next one goes on where it was."""

import os
import signal

from lib.jobs.failure import ERROR_BYTES
from tests.processes import Server
from tests.system.worker_case import WorkerCase


class Checkpoints(WorkerCase):
    settings = {"WORKER_QUEUES": "default=5"}  # noqa: RUF012

    def steps_done(self) -> list[str]:
        return [line for line in self.lines() if "step-" in line]

    def test_the_next_attempt_goes_on_whatever_ended_the_one_before(self) -> None:
        self.ready()
        for act in ("raise", "snooze", "exit"):
            with self.subTest(act=act):
                self.ledger.unlink(missing_ok=True)

                job_id = self.post("steps", size=4, text=f"2 {act}")

                self.until_all([job_id], "completed")
                record = self.record(job_id)
                self.assertEqual({"began_at": 2}, record.result)
                self.assertEqual([f"ended step-{step}" for step in (1, 2, 3, 4)], self.steps_done())
                self.assertIsNone(record.checkpoint)

    def test_a_stop_hands_it_to_another_worker(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        job_id = self.post("steps", size=3, text="2 wait", until=str(self.flag()))
        self.until(lambda: len(self.steps_done()) == 2, "two steps are done")

        worker.stop()

        self.assertEqual({"step": 2, "token": "hush"}, self.record(job_id).checkpoint)
        self.ready()
        self.until_all([job_id], "completed")
        self.assertEqual({"began_at": 2}, self.record(job_id).result)

    def test_the_api_shows_it_masked_and_retries_with_and_without_it(self) -> None:
        self.ready()
        job_id = self.post("steps", {"max_attempts": 1}, size=2, text="1 raise")
        self.until_all([job_id], "dead")
        with Server(self.redis.url) as server:
            job = server.request("GET", f"/api/jobs/{job_id}")[1]
            wrong = server.request("POST", f"/api/jobs/{job_id}/retry?from_start=maybe")[0]
            status, _, _ = server.request("POST", f"/api/jobs/{job_id}/retry?from_start=true")
            self.until_all([job_id], "dead")
            again = server.request("POST", f"/api/jobs/{job_id}/retry")[0]
            self.until_all([job_id], "completed")
            ended = server.request("GET", f"/api/jobs/{job_id}")[1]

        self.assertEqual(1, job["checkpoint"]["step"])
        self.assertNotIn("hush", str(job))
        self.assertGreater(job["checkpointed_at"], job["created_at"])
        self.assertEqual((422, 200, 200), (wrong, status, again))
        self.assertEqual(({"began_at": 1}, None), (ended["result"], ended["checkpoint"]))
        self.assertEqual(["ended step-1", "ended step-1", "ended step-2"], self.steps_done())

    def test_a_handler_whose_runner_is_killed_at_every_step_takes_all_steps(self) -> None:
        self.ready(CRASH_LIMIT=2)
        job_id = self.post("climb", size=8)

        for step in range(1, 8):
            self.until(lambda: self.record(job_id).checkpoint == step, f"step {step} is saved")  # noqa: B023
            os.kill(self.executions(job_id)[-1].pid, signal.SIGKILL)

        self.until_all([job_id], "completed")
        self.assertEqual([f"ended step-{step}" for step in range(1, 9)], self.steps_done())
        self.assertEqual(8, self.record(job_id).result)
        self.assertEqual(8, len({run.pid for run in self.executions()}))

    def test_what_can_not_be_kept_is_told_to_the_handler(self) -> None:
        self.ready()

        job_id = self.post("hoards")

        self.until_all([job_id], "completed")
        result = self.record(job_id).result
        self.assertIn("the checkpoint can't be kept: it has 65,538 bytes of JSON, over 65,536", result)
        self.assertIn("an object of the class object", result)
        self.assertLess(len(result), ERROR_BYTES)
