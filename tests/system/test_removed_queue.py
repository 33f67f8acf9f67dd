"""A queue that was mistyped is removed, under servers and a worker that all know it: none takes that for a loss."""

import unittest
from typing import Any

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker

TYPO = {"type": "noop", "payload": {}, "queue": "typo"}


class RemovedQueue(unittest.TestCase):
    def test_nobody_says_that_redis_was_emptied_and_a_job_begins_it_anew(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        server = self.enterContext(Server(self.redis.url, SERVER_PROCESSES=2))
        worker = self.enterContext(Worker(self.redis.url, WORKER_QUEUES="default=2"))
        _, job, _ = server.request("POST", "/api/jobs", TYPO)
        self.until_all_have_looked()

        refused, problem, _ = server.request("DELETE", "/api/queues/typo")
        server.request("POST", f"/api/jobs/{job['id']}/cancel")
        server.request("DELETE", f"/api/jobs/{job['id']}")
        removed, body, _ = server.request("DELETE", "/api/queues/typo")

        self.assertEqual((409, "/problems/queue-in-use", 204, b""), (refused, problem["type"], removed, body))
        for path in ("/api/queues", "/metrics"):
            self.assertNotIn("typo", str(server.request("GET", path)[1]))
        self.assertEqual(404, server.request("GET", "/api/queues/typo")[0])
        self.until_all_have_looked()
        for _ in range(8):  # Whichever process it comes to: the one that knew the queue by name, and the other one.
            self.assertEqual(202, server.request("POST", "/api/jobs", TYPO)[0])
        self.assertEqual(8, server.request("GET", "/api/queues/typo")[1]["counts"]["ready"])
        self.until_all_have_looked()
        for program in (server, worker):
            self.assertEqual([], program.logged("redis.emptied"))
        self.assertEqual(
            [], [one for one in server.request("GET", "/api/health")[1]["warnings"] if one["code"] == "redis_emptied"]
        )

    def until_all_have_looked(self) -> None:
        """Two servers and a supervisor look once a second, and each look begins with an INFO."""
        before = self.looks()
        wait_until(lambda: self.looks() >= before + 5, "all have looked")

    def looks(self) -> int:
        found: Any = self.redis.client.info("commandstats")
        return int(found["cmdstat_info"]["calls"]) - self.asked()

    def asked(self) -> int:
        """How often this test itself has sent an INFO."""
        self.own = getattr(self, "own", 0) + 1
        return self.own


if __name__ == "__main__":
    unittest.main()
