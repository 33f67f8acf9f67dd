"""GET /api/jobs/{id}/explain with a real server and worker: the main reasons, as they come and go."""

import os
import signal
import unittest
from typing import Any

from tests.processes import Server
from tests.system.worker_case import WorkerCase


class Explain(WorkerCase):
    settings = {"WORKER_QUEUES": "default=2", "LEASE_S": 3}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(self.redis.url, LEASE_S=3)
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.wait_until_ready()

    def explained(self, job_id: str) -> dict[str, Any]:
        status, found, _ = self.server.request("GET", f"/api/jobs/{job_id}/explain")
        self.assertEqual(200, status, found)
        return dict(found)

    def until_reason(self, job_id: str, reason: str) -> dict[str, Any]:
        found: dict[str, Any] = self.until(
            lambda: (now := self.explained(job_id))["reason"] == reason and now, f"{job_id} is {reason}"
        )
        return found

    def test_a_job_that_no_worker_serves_waits_its_turn_runs_and_is_finished(self) -> None:
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.assertIn("no worker lives", self.explained(job_id)["detail"])

        self.ready()
        running = self.until_reason(job_id, "running")
        others = self.post_many(4, "sleep", until=str(flag))
        self.until_begun(others[0])
        waiting = self.explained(others[3])
        flag.touch()
        finished = self.until_reason(job_id, "finished")

        self.assertIn("attempt 1 of 5 runs on ", running["detail"])
        self.assertEqual(
            ("waiting_its_turn", 2, False, None, "ready"),
            tuple(waiting[name] for name in ("reason", "ahead", "ahead_at_least", "eta_s", "state")),
        )
        self.assertIn("with 1 runner for 2 at once", waiting["detail"])
        self.assertEqual("completed", finished["state"])
        self.until_all(others, "completed")

    def test_a_queue_that_no_worker_serves_and_one_that_is_paused(self) -> None:
        self.ready()
        self.assertEqual(200, self.server.request("POST", "/api/queues/default/pause")[0])
        paused = self.post("noop")
        unserved = self.post("noop", {"queue": "reports"})

        self.assertIn(
            "(live workers serve default); name reports in", self.until_reason(unserved, "no_worker")["detail"]
        )
        self.assertIn("POST /api/queues/default/resume", self.until_reason(paused, "queue_paused")["detail"])

        self.assertEqual(200, self.server.request("POST", "/api/queues/default/resume")[0])
        self.until_reason(paused, "finished")

    def test_a_job_that_failed_one_that_is_delayed_and_one_of_a_type_that_the_worker_does_not_know(self) -> None:
        self.ready(JOB_MODULES="lib.handlers.email")
        unknown = self.post("noop")
        delayed = self.post("noop", {"delay_s": 600})

        self.assertIn("noop", self.until_reason(unknown, "unknown_type")["detail"])
        self.assertIsNotNone(self.until_reason(delayed, "delayed")["until"])

    def test_a_job_whose_attempt_failed_waits_for_the_next_one(self) -> None:
        self.ready()
        job_id = self.post("fail", {"backoff": {"base_s": 600, "cap_s": 600}})

        found = self.until_reason(job_id, "retry_backoff")

        self.assertIn("attempt 1 of 5 failed: ValueError: as it was told to; the next one is due at", found["detail"])
        self.assertEqual("delayed", found["state"])

    def test_a_worker_that_stands_still_is_told_of(self) -> None:
        worker = self.ready(LEASE_S=60)
        job_id = self.post("sleep", until=str(self.flag()))
        self.until_begun(job_id)
        for pid in (worker.pid, *worker.runner_pids()):
            os.kill(pid, signal.SIGSTOP)

        found = self.until(
            lambda: "its worker was last heard of" in (now := self.explained(job_id)["detail"]) and now, "it is told of"
        )

        self.assertIn("attempt 1 of 5 runs on", found)

    def change(self, path: str, body: dict[str, Any]) -> None:
        status, answer, _ = self.server.request("PATCH", path, body)
        self.assertEqual(200, status, answer)

    def test_a_group_that_is_full_or_paused_and_a_queue_that_has_used_up_its_rate(self) -> None:
        self.ready(WORKER_QUEUES="default=4")
        flag = self.flag()
        self.change("/api/queues/default", {"groups": {"concurrency": 1}})
        first, *_, last = [self.post("sleep", {"group": "a"}, until=str(flag)) for _ in range(3)]

        running = self.until_reason(first, "running")
        full = self.until_reason(last, "concurrency_limited")
        self.change("/api/queues/default/groups/a", {"paused": True})
        paused = self.until_reason(last, "group_paused")
        self.change("/api/queues/default/groups/a", {"paused": False})
        flag.touch()
        self.until_all(self.accepted, "completed")
        self.change("/api/queues/default", {"rate": {"limit": 1, "per_s": 600}})
        self.until_reason(self.post("noop"), "finished")
        limited = self.until_reason(self.post("noop", {"group": "b"}), "rate_limited")
        self.change("/api/queues/default", {"rate": None})
        self.until_all(self.accepted, "completed")

        self.assertIn("attempt 1 of 5 runs", running["detail"])
        self.assertEqual(
            (1, f"1 of 1 of its group a run: {first}; 1 job of its group a is before it"),
            (full["ahead"], full["detail"]),
        )
        self.assertIn("PATCH /api/queues/default/groups/a", paused["detail"])
        self.assertIsNotNone(limited["until"])
        self.assertIn("default has used up its rate of 1 in 600 s until ", limited["detail"])

    def test_an_id_without_a_job_is_404_and_a_parameter_422(self) -> None:
        job_id = self.post("noop")

        self.assertEqual(404, self.server.request("GET", "/api/jobs/default-" + "0" * 32 + "/explain")[0])
        self.assertEqual(404, self.server.request("GET", "/api/jobs/x/explain")[0])
        self.assertEqual(422, self.server.request("GET", f"/api/jobs/{job_id}/explain?wait=1")[0])


if __name__ == "__main__":
    unittest.main()
