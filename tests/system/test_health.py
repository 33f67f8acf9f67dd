"""The warnings of /api/health, from a real server: what is wrong with its Redis and with its workers."""

import unittest
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import Server
from tests.waiting import wait_until


class Health(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url))

    def warnings(self, status: int = 200) -> dict[str, dict[str, Any]]:
        answered, body, _ = self.server.request("GET", "/api/health")
        self.assertEqual(status, answered, body)
        return {one["code"]: one for one in body["warnings"]}

    def test_what_jobs_suffer_from_now_stands_before_what_they_may_suffer_from(self) -> None:
        found = self.warnings()

        self.assertEqual(["no_worker", "redis_not_durable"], [*found])
        self.assertEqual(
            {
                "code": "no_worker",
                "severity": "error",
                "queue": None,
                "text": "no worker is running: jobs wait",
                "what_to_do": "start one with python worker.py",
                "since": None,
            },
            found["no_worker"],
        )

    def test_a_redis_that_throws_jobs_away(self) -> None:
        self.redis.client.config_set("maxmemory-policy", "allkeys-lru")

        self.assertEqual("error", self.warnings()["redis_evicts"]["severity"])

    def test_a_set_of_workers_that_somebody_broke(self) -> None:
        self.redis.client.set("wb:runners", "no set")

        found = self.warnings()
        self.assertIn("workers_unknown", found)
        self.assertNotIn("no_worker", found)
        self.redis.client.delete("wb:runners")
        self.assertNotIn("workers_unknown", self.warnings())

    def test_programs_of_several_versions(self) -> None:
        wait_until(lambda: self.redis.client.zcard("wb:fleet"), "the server shows itself")
        self.redis.client.zadd("wb:fleet", {"supervisor 0.2.0 host.1.0123abcd": 9e15})

        self.assertIn("0.2.0: 0 servers", self.warnings()["versions_mixed"]["text"])

    def test_what_a_worker_of_an_older_version_wrote(self) -> None:
        self.redis.client.zadd("wb:warnings", {"worker on a: no mail gets out": 9e15})

        found = self.warnings()["worker"]
        self.assertEqual(("worker on a: no mail gets out", None), (found["text"], found["since"]))

    def test_a_redis_that_is_gone(self) -> None:
        self.redis.stop()

        found = self.warnings(503)
        self.assertEqual(["redis_away"], [*found])
        self.assertIn("start Redis", found["redis_away"]["what_to_do"])
