"""GET /api/workers of a real server over real workers: what runs, what a runner tells of itself, and how runners go."""

import os
import signal
import unittest
from typing import Any

from lib.jobs.timestamps import timestamp
from tests.processes import Server
from tests.system.worker_case import WorkerCase


class WorkersShown(WorkerCase):
    settings = {"WORKER_QUEUES": "default=10", "LEASE_S": 2}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = self.enterContext(Server(self.redis.url))

    def ask(self) -> dict[str, Any]:
        status, body, _ = self.server.request("GET", "/api/workers")
        self.assertEqual(200, status)
        found: dict[str, Any] = body
        return found

    def one(self) -> dict[str, Any]:
        (shown,) = self.ask()["items"]
        found: dict[str, Any] = shown
        return found

    def gone(self) -> list[dict[str, Any]]:
        return [one for one in self.ask()["gone"] if not one["id"].endswith(".alone")]

    def test_what_it_runs_how_large_it_is_and_that_it_drains(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)

        (job,) = self.one()["jobs"]
        self.assertEqual((job_id, "default", "sleep"), (job["id"], job["queue"], job["type"]))
        self.assertEqual(timestamp(self.record(job_id).started_ms or 0), job["started_at"])
        self.assertGreater(job["timeout_s"], 0)
        self.until(lambda: self.one()["state"] == "running", "the runner has told its state")
        self.assertGreater(self.one()["rss_bytes"], 1 << 20)

        worker.signal(signal.SIGTERM)
        self.until(lambda: self.one()["state"] == "draining", "the runner says that it drains")
        flag.touch()
        worker.wait()

        (left,) = self.gone()
        self.assertEqual(("left", 0, ["default"]), (left["how"], left["jobs_returned"], left["queues"]))
        self.assertEqual([], self.ask()["items"])

    def test_one_that_was_killed_and_whose_job_another_one_got(self) -> None:
        worker = self.ready()
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)
        before = self.one()

        os.kill(worker.runner_pids()[0], signal.SIGKILL)
        self.until(self.gone, "it is gone")
        flag.touch()
        self.until_all([job_id], "completed")

        (gone,) = self.gone()
        self.assertEqual((before["id"], "crashed", 1), (gone["id"], gone["how"], gone["jobs_returned"]))
        self.assertEqual(
            [before[name] for name in ("host", "pid", "version", "started_at")],
            [gone[name] for name in ("host", "pid", "version", "started_at")],
        )


if __name__ == "__main__":
    unittest.main()
