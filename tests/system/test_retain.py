"""A job that is not to be kept: who waits for its end is told of it, and a moment later nobody finds it any more."""

import threading
import unittest
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.system.oracle import assert_sound, everything


class Vanishing(unittest.TestCase):
    def test_its_end_is_told_to_all_who_wait_and_then_nothing_is_left_of_it(self) -> None:
        redis = self.enterContext(PrivateRedis())
        modules = {"JOB_MODULES": "tests.jobs_for_tests"}
        server = self.enterContext(Server(redis.url, **modules))
        worker = self.enterContext(Worker(redis.url, **modules))
        worker.wait_until_ready()
        by_type = {"type": "vanish", "payload": {}, "delay_s": 0.3}
        dead = {**by_type, "payload": {"text": "no"}}
        asked = {"type": "noop", "payload": {}, "retain_s": 0}
        kept = {"type": "noop", "payload": {}}
        cancelled = {"type": "noop", "payload": {}, "delay_s": 600, "retain_s": 0.5}

        waited: dict[str, Any] = {}

        def wait(name: str, body: dict[str, Any]) -> None:
            waited[name] = server.request("POST", "/api/jobs", body, prefer="wait=20")[:2]

        threads = [threading.Thread(target=wait, args=one) for one in (("by_type", by_type), ("dead", dead))]
        for thread in threads:
            thread.start()
        taken = [server.request("POST", "/api/jobs", body)[1] for body in (asked, kept, cancelled)]
        self.assertEqual([0, None, 0.5], [job["retain_s"] for job in taken])
        server.request("POST", f"/api/jobs/{taken[2]['id']}/cancel")
        for job in taken:
            done = server.request("GET", f"/api/jobs/{job['id']}?wait=20")
            self.assertEqual(200, done[0], done)
        for thread in threads:
            thread.join()

        states = {name: (status, job["state"], job["retain_s"]) for name, (status, job) in waited.items()}
        self.assertEqual({"by_type": (200, "completed", 0), "dead": (200, "dead", 0)}, states)
        gone = [waited["by_type"][1]["id"], waited["dead"][1]["id"], taken[0]["id"], taken[2]["id"]]

        def left() -> list[str]:
            return [key for key in everything(redis.client) for job_id in gone if job_id in key]

        worker.until(lambda: not left(), "their records are gone", within_s=10)
        self.assertEqual({404}, {server.request("GET", f"/api/jobs/{job_id}")[0] for job_id in gone})
        self.assertEqual(200, server.request("GET", f"/api/jobs/{taken[1]['id']}")[0])
        assert_sound(redis.client)


if __name__ == "__main__":
    unittest.main()
