"""A host without tzdata: server and worker say so when they start, a PUT says what to install, and UTC goes on."""

import importlib.util
import unittest

from tests.processes import Server, Worker
from tests.system.worker_case import WorkerCase

NOWHERE = {"PYTHONTZPATH": "/nonexistent"}


@unittest.skipIf(importlib.util.find_spec("tzdata"), "PyPI's tzdata is installed")
class HostWithoutTzdata(WorkerCase):
    def test_it_is_said_at_the_start_and_schedules_run_in_utc(self) -> None:
        worker = self.enterContext(Worker(self.redis.url, WORKER_QUEUES="default=1", **NOWHERE))
        server = self.enterContext(Server(self.redis.url, **NOWHERE))
        job = {"type": "noop", "payload": {}}

        refused, problem, _ = server.request(
            "PUT", "/api/schedules/berlin", {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "job": job}
        )
        made, schedule, _ = server.request("PUT", "/api/schedules/utc", {"every_s": 1, "timezone": "UTC", "job": job})

        for program in (worker, server):
            (line,) = program.logged("zones.missing")
            self.assertIn("apt-get install tzdata", line["msg"])
        self.assertEqual((422, "/timezone"), (refused, problem["errors"][0]["pointer"]), problem)
        self.assertIn("apt-get install tzdata", problem["errors"][0]["detail"])
        self.assertEqual(201, made, schedule)
        self.assertEqual("utc", worker.wait_for("schedule.fired")[0]["schedule"])

    def test_the_doctor_says_it_which_is_a_fault_where_there_is_a_schedule(self) -> None:
        doctor = Worker(self.redis.url, **NOWHERE)
        server = self.enterContext(Server(self.redis.url))
        job = {"type": "noop", "payload": {}}

        self.assertIn("ok     Time zones: this host has no tzdata", doctor.examined()[1])
        server.request("PUT", "/api/schedules/utc", {"every_s": 3600, "job": job})
        self.assertIn("WRONG  Time zones: this host has no tzdata", doctor.examined()[1])


if __name__ == "__main__":
    unittest.main()
