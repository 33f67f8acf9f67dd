"""A host without tzdata: server and worker say so when they start, a PUT says what to install, and UTC goes on. A host
whose tzdata was upgraded: runs come by the new rules."""

import importlib.util
import unittest
from datetime import UTC, datetime, timedelta

from tests.processes import Server, Worker
from tests.system.worker_case import WorkerCase
from tests.zone_files import write_zone

NOWHERE = {"PYTHONTZPATH": "/nonexistent"}
ZONE = "Test/Zone"
SHOWN = ("queue", "schedule", "scheduled_for")


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


class HostWhoseTzdataWasUpgraded(WorkerCase):
    def test_a_run_that_lies_earlier_by_the_new_rules_comes_in_its_time_and_once(self) -> None:
        old, new = ({"PYTHONTZPATH": write_zone(self.folder / f"tz{s}", ZONE, s)} for s in (3600, 5400))
        server = self.enterContext(Server(self.redis.url, **old))
        first = self.enterContext(Worker(self.redis.url, WORKER_QUEUES="default=1", **old))
        # In ten minutes by the old rules; by the new ones twenty minutes ago.
        coming = datetime.now(UTC) + timedelta(hours=1, minutes=10)
        job = {"type": "noop", "payload": {}, "queue": "far"}
        body = {"cron": f"{coming.minute} {coming.hour} * * *", "timezone": ZONE, "job": job}
        status, before, _ = server.request("PUT", "/api/schedules/daily", body)
        self.assertEqual(201, status, before)
        first.wait_for("worker.started")
        self.assertEqual([], first.logged("schedule.shifted"))
        first.stop()

        second = self.enterContext(Worker(self.redis.url, WORKER_QUEUES="default=1", **new))
        (fired,) = second.wait_for("schedule.fired")

        (was_due, follows) = (datetime.fromisoformat(before["next_runs"][at].replace("Z", "+00:00")) for at in (0, 1))
        scheduled_for = datetime.fromisoformat(fired["scheduled_for"].replace("Z", "+00:00"))
        self.assertEqual(timedelta(minutes=-30), scheduled_for - was_due)
        (shifted,) = second.logged("schedule.shifted")
        self.assertEqual(("far", "daily", fired["scheduled_for"]), tuple(shifted[key] for key in SHOWN))
        _, after, _ = server.request("GET", "/api/schedules/daily")
        next_run = datetime.fromisoformat(after["next_runs"][0].replace("Z", "+00:00"))
        self.assertEqual((1, timedelta(minutes=-30)), (after["counts"]["fired"], next_run - follows))


if __name__ == "__main__":
    unittest.main()
