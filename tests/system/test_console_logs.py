"""A container: no files (its root may be read-only), JSON on the console is all, and the worker has HOST=0.0.0.0."""

import unittest

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

IN_A_CONTAINER = {"LOG_DIR": "", "LOG_FORMAT": "json", "JOB_MODULES": "lib.handlers.email"}
MAIL = {"type": "email", "payload": {"to": "ann@x.example", "subject": "Hi", "text": "Hello"}}


class ConsoleLogs(unittest.TestCase):
    def test_the_whole_way_of_a_mail_is_on_the_two_consoles_and_in_no_file(self) -> None:
        redis = self.enterContext(PrivateRedis())
        server = self.enterContext(Server(redis.url, **IN_A_CONTAINER))
        worker = self.enterContext(Worker(redis.url, HOST="0.0.0.0", **IN_A_CONTAINER))

        status, job, _ = server.request("POST", "/api/jobs", MAIL, prefer="wait=10", x_request_id="in-a-container")

        self.assertEqual((status, job["state"]), (200, "completed"))
        worker.wait_for("job.finished")
        for program, event in ((server, "job.enqueued"), (worker, "job.finished")):
            self.assertEqual(["in-a-container"], [line["request_id"] for line in program.logged(event)])
            self.assertEqual([], list(program.folder.rglob("*.log")))


if __name__ == "__main__":
    unittest.main()
