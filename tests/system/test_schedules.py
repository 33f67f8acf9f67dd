"""Schedules of a real server and real workers: a PUT, and its jobs run in their time, whichever worker dies."""

import unittest
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

from lib.jobs.timestamps import timestamp
from tests.processes import Server, Worker
from tests.system.oracle import states
from tests.system.worker_case import WorkerCase

LATE_MS = 250


class Schedules(WorkerCase):
    settings: dict[str, object] = {"WORKER_QUEUES": "default=4"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url))

    def test_a_handler_is_told_the_time_that_its_run_was_for(self) -> None:
        worker = self.ready()
        self.schedule("tell", job={"type": "tell_the_time", "payload": {}})
        (line, *_) = worker.wait_for("schedule.fired")
        job = self.read(f"/api/jobs/{line['job_id']}?wait=10")
        status, run, _ = self.server.request("POST", "/api/schedules/tell/run")

        self.assertEqual(
            datetime.fromisoformat(line["scheduled_for"].replace("Z", "+00:00")), datetime.fromisoformat(job["result"])
        )
        listed = [one["id"] for one in self.read("/api/jobs?schedule=tell&limit=200")["items"]]
        self.assertLessEqual({run["id"], job["id"]}, {*listed})
        self.assertEqual([], self.read("/api/jobs?schedule=other")["items"])
        self.assertEqual((202, None), (status, self.read(f"/api/jobs/{run['id']}?wait=10")["result"]))

    def schedule(self, name: str, **fields: Any) -> dict[str, Any]:
        body = {"every_s": 1, "overlap": "allow", "job": {"type": "noop", "payload": {}}, **fields}
        status, content, _ = self.server.request("PUT", f"/api/schedules/{name}", body)
        self.assertEqual(201, status, content)
        return cast(dict[str, Any], content)

    def read(self, path: str) -> dict[str, Any]:
        status, content, _ = self.server.request("GET", path)
        self.assertEqual(200, status, content)
        return cast(dict[str, Any], content)

    def test_a_schedule_runs_once_each_second_and_its_jobs_say_so(self) -> None:
        worker = self.ready()
        made = self.schedule("tick")

        lines = worker.wait_for("schedule.fired", 4)

        self.assertEqual(made["next_run_at"], lines[0]["scheduled_for"])
        job = self.read(f"/api/jobs/{lines[0]['job_id']}?wait=10")
        self.assertEqual(("completed", "tick"), (job["state"], job["schedule"]))
        self.assertEqual([(line["job_id"], line["request_id"]) for line in lines[:1]], [(job["id"], job["request_id"])])
        self.assertEqual(made["next_run_at"], job["scheduled_for"])
        # The first may have waited for upkeep to come to the queue; from then on the timer is set.
        self.assertLess(max(line["late_ms"] for line in lines[1:]), LATE_MS, lines)
        self.assertEqual(204, self.server.request("DELETE", "/api/schedules/tick")[0])

    def test_no_slot_is_lost_and_none_comes_twice_when_workers_are_killed(self) -> None:
        names = [f"s{number}" for number in range(10)]
        workers = [self.ready(), self.ready()]
        for name in names:
            self.schedule(name, catch_up="all")

        for _ in range(3):
            workers.pop(0).kill()
            workers.append(self.ready())
        self.until(lambda: self.fired(names[0]) >= 5, "it has run five times")
        for name in names:
            self.assertEqual(200, self.server.request("POST", f"/api/schedules/{name}/pause")[0])

        slots = self.slots()
        for name in names:
            self.assertEqual({1000}, {behind - one for one, behind in pairwise(slots[name])}, name)
            self.assertEqual(len(slots[name]), self.fired(name))

    def test_the_metrics_count_what_fired_was_skipped_and_how_late_it_was(self) -> None:
        worker = self.ready()
        self.schedule("tick")
        self.schedule("stuck", overlap="skip", job={"type": "noop", "payload": {}, "queue": "nobody"})
        worker.wait_for("schedule.fired", 4)
        worker.wait_for("schedule.skipped", 1)
        for name in ("tick", "stuck"):
            self.assertEqual(200, self.server.request("POST", f"/api/schedules/{name}/pause")[0])
        counts = {name: self.read(f"/api/schedules/{name}")["counts"] for name in ("tick", "stuck")}

        metrics = bytes(self.server.request("GET", "/metrics")[1]).decode()

        for line in (
            'waybill_schedules{queue="default"} 1',
            f'waybill_schedule_fired_total{{queue="default"}} {counts["tick"]["fired"]}',
            f'waybill_schedule_late_seconds_count{{queue="default"}} {counts["tick"]["fired"]}',
            'waybill_schedule_skipped_total{queue="default",reason="overlap"} 0',
            'waybill_schedule_fired_total{queue="nobody"} 1',
            f'waybill_schedule_skipped_total{{queue="nobody",reason="overlap"}} {counts["stuck"]["skipped"]}',
            'waybill_schedule_skipped_total{queue="nobody",reason="missed"} 0',
            'waybill_schedule_overdue_seconds{queue="nobody"} 0',
        ):
            self.assertIn(f"\n{line}\n", metrics)

    def test_what_is_overdue_is_said_by_health_and_doctor_until_somebody_fires_it(self) -> None:
        made = self.schedule("tick", every_s=3600)
        due_ms = int(self.redis.client.zscore("wb:{default}:slots", "tick") or 0)
        late = {"tick": due_ms - 2 * 3_600_000}
        self.redis.client.zadd("wb:{default}:slots", late)
        self.redis.client.hset("wb:{default}:schedule:tick", "slot", late["tick"])
        sentence = r"the schedule tick in the queue default is overdue by 3[56]\d\d s: no worker\.py .*"
        (warning,) = [one for one in self.read("/api/health")["warnings"] if one["code"] == "schedule_overdue"]

        self.assertRegex(warning["text"], sentence)
        self.assertEqual(("default", timestamp(late["tick"])), (warning["queue"], warning["since"]))
        self.assertRegex(
            Worker(self.redis.url, **self.settings).examined()[1], f"WRONG  Schedules: {sentence}; start one"
        )

        worker = self.ready()
        worker.wait_for("schedule.fired", 1)
        self.assertEqual([], [one for one in self.read("/api/health")["warnings"] if one["code"] == "schedule_overdue"])
        said = worker.examined()[1]
        self.assertIn("ok     Schedules: 1, none of which is overdue\n", said)
        self.assertRegex(said, r"(ok|WRONG) +Time zones: ")
        self.assertEqual(made["next_run_at"], self.read("/api/schedules/tick")["next_run_at"])

    def fired(self, name: str) -> int:
        counts: dict[str, int] = self.read(f"/api/schedules/{name}")["counts"]
        self.assertEqual((0, 0), (counts["skipped"], counts["missed"]))
        return counts["fired"]

    def slots(self) -> dict[str, list[int]]:
        """Schedule -> the slots of all its jobs, in their order."""
        found: dict[str, list[int]] = {}
        for record in self.records([*states(self.redis.client)]):
            assert record.spec is not None
            found.setdefault(record.spec.schedule, []).append(record.spec.scheduled_for)
        return {name: sorted(slots) for name, slots in found.items()}


if __name__ == "__main__":
    unittest.main()
