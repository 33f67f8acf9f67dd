"""A job in a queue that no worker serves waits for ever; whoever looks is told why."""

import time
import unittest

from lib.jobs.timestamps import milliseconds
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker


class UnservedQueue(unittest.TestCase):
    def test_health_and_doctor_name_the_queue_until_a_worker_serves_it(self) -> None:
        redis = self.enterContext(PrivateRedis(aof="always"))
        server = self.enterContext(Server(redis.url))
        worker = self.enterContext(Worker(redis.url, WORKER_QUEUES="default=2"))
        worker.wait_until_ready()
        for _ in range(2):
            server.request("POST", "/api/jobs", {"type": "noop", "payload": {}, "queue": "reports"})

        _, health, _ = server.request("GET", "/api/health")
        code, said = worker.examined()

        text = "2 jobs wait in the queue reports, which no worker serves"
        advice = "name it in WORKER_QUEUES"
        (warning,) = health["warnings"]
        age_s = time.time() - milliseconds(warning.pop("since")) / 1000
        self.assertEqual(
            {"code": "queue_unserved", "severity": "error", "queue": "reports", "text": text, "what_to_do": advice},
            warning,
        )
        self.assertTrue(-5 < age_s < 60, age_s)
        self.assertIn(f"WRONG  Queues: {text}; {advice}\n", said)
        self.assertEqual(1, code)

        other = self.enterContext(Worker(redis.url, WORKER_QUEUES="reports=2"))
        other.wait_until_ready()
        self.assertEqual([], server.request("GET", "/api/health")[1]["warnings"])
        self.assertIn("ok     Queues: what waits has a worker\n", other.examined()[1])
        (line,) = other.logged("worker.serves_not")
        self.assertIn("default (", line["msg"])


if __name__ == "__main__":
    unittest.main()
