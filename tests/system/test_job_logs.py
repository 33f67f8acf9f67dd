"""GET /api/jobs/{id}/logs with real server and worker: lines of each attempt, and of a job that runs, as they come."""

import unittest
from typing import Any

from tests.processes import Server
from tests.system.worker_case import WorkerCase


class Logs(WorkerCase):
    settings = {"WORKER_QUEUES": "default=2"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(self.redis.url)
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.wait_until_ready()

    def logged(self, job_id: str, after: str = "") -> dict[str, Any]:
        status, found, _ = self.server.request("GET", f"/api/jobs/{job_id}/logs{after}")
        self.assertEqual(200, status, found)
        return dict(found)

    def test_a_job_that_runs_is_followed_over_its_attempts(self) -> None:
        flag = self.flag()
        job_id = self.post("fail_once_aloud", until=str(flag))
        self.assertEqual({"items": [], "next": 0}, self.logged(job_id))
        self.ready()

        begun = self.until(lambda: (now := self.logged(job_id))["next"] == 2 and now, "two attempts have begun")
        flag.touch()
        self.until_all([job_id], "completed")
        ended = self.logged(job_id, f"?after={begun['next']}")

        self.assertEqual([(1, "begin 1"), (2, "begin 2")], [(one["attempt"], one["text"]) for one in begun["items"]])
        self.assertEqual([(2, "end")], [(one["attempt"], one["text"]) for one in ended["items"]])
        self.assertEqual({"items": [], "next": 3}, self.logged(job_id, f"?after={ended['next']}"))
        self.assertEqual(3, len(self.logged(job_id)["items"]))
        first, second = self.server.request("GET", f"/api/jobs/{job_id}")[1]["history"]
        times = [first["started_at"], begun["items"][0]["at"], first["finished_at"]]
        times += [second["ready_at"], second["started_at"], begun["items"][1]["at"], ended["items"][0]["at"]]
        self.assertEqual(sorted(times), times)

    def test_what_is_no_number_is_refused(self) -> None:
        job_id = self.post("noop")

        for after in ("-1", "x", "1.5", "1000000000"):
            status, found, _ = self.server.request("GET", f"/api/jobs/{job_id}/logs?after={after}")
            self.assertEqual((422, True), (status, "after" in str(found)), found)
        self.assertEqual(404, self.server.request("GET", f"/api/jobs/default-{'0' * 32}/logs?after=1")[0])
        self.ready()
        self.until_all([job_id], "completed")


if __name__ == "__main__":
    unittest.main()
