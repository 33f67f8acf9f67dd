"""Workers that are killed with their supervisor, and nobody is left to reap them: who looks is soon shown none."""

import os
import signal
import unittest

from tests.processes import Server
from tests.system.worker_case import WorkerCase


class Ghosts(WorkerCase):
    def test_the_dead_are_gone_after_their_lease_with_no_worker_left_to_reap_them(self) -> None:
        server = self.enterContext(Server(self.redis.url))
        worker = self.ready(LEASE_S=2)
        job_id = self.post("sleep", until=str(self.flag()))
        self.until_begun(job_id)
        (shown,) = server.request("GET", "/api/workers")[1]["items"]
        self.assertEqual(1, shown["active"])

        worker.kill()
        for pid in worker.runner_pids():
            os.kill(pid, signal.SIGKILL)
        self.post_many(2, "noop")  # Two: the pop that the dead runner had left behind may still take one of them along.

        # The server's own LEASE_S is 15: it is the worker's that counts, and the worker has said it.
        self.until(lambda: not server.request("GET", "/api/workers")[1]["items"], "no worker is listed", 5)
        _, queue, _ = server.request("GET", "/api/queues/default")
        self.assertEqual(0, queue["workers"])
        self.assertEqual(3, queue["counts"]["active"] + queue["counts"]["ready"])
        self.assertEqual(0, server.request("GET", "/api/queues")[1]["items"][0]["workers"])
        self.assertEqual(0, server.request("GET", "/api/health")[1]["workers"])
        self.assertIn(b"\nwaybill_workers 0\n", server.request("GET", "/metrics")[1])
        self.assertRegex(worker.examined()[1], "[12] jobs? waits? in the queue default, which no worker serves")


if __name__ == "__main__":
    unittest.main()
