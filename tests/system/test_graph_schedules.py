"""Schedules of a job with `then`, and of whole workflows, with a real server and real workers."""

import time
import unittest
from collections import Counter
from datetime import datetime
from typing import Any, cast

from lib.queue.fleet import Program
from tests.processes import Server, Worker
from tests.system.oracle import states
from tests.system.worker_case import WorkerCase

TELL = {"type": "tell_the_time", "payload": {}}


class GraphSchedules(WorkerCase):
    settings: dict[str, object] = {"WORKER_QUEUES": "default=4,reports=4,letters=4"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url))

    def job(self, type_name: str, queue: str = "default", **fields: Any) -> dict[str, Any]:
        return {"type": type_name, "payload": {"ledger": str(self.ledger)}, "queue": queue, **fields}

    def workflow(self, **fields: Any) -> dict[str, Any]:
        jobs = {
            "when": TELL | {"queue": "reports"},
            "part": {"jobs": {"left": self.job("noop"), "right": self.job("noop", "letters", after=["left"])}},
            "sum": self.job("gather", "letters", after=["when", "part"]),
        }
        return {"name": "import", "jobs": jobs, "then": [self.job("noop", on="ended")], **fields}

    def schedule(self, name: str, **fields: Any) -> dict[str, Any]:
        status, content, _ = self.server.request("PUT", f"/api/schedules/{name}", {"every_s": 1, **fields})
        self.assertEqual(201, status, content)
        return cast(dict[str, Any], content)

    def read(self, path: str) -> dict[str, Any]:
        status, content, _ = self.server.request("GET", path)
        self.assertEqual(200, status, content)
        return cast(dict[str, Any], content)

    def pause(self, name: str) -> None:
        self.assertEqual(200, self.server.request("POST", f"/api/schedules/{name}/pause")[0])

    def test_a_workflow_runs_each_second_and_its_jobs_know_for_which(self) -> None:
        worker = self.ready()
        made = self.schedule("flow", workflow=self.workflow())
        lines = worker.wait_for("schedule.fired", 3)
        self.pause("flow")

        self.assertEqual((None, "default"), (made["job"], made["queue"]))
        self.assertEqual({"base_s": 2, "cap_s": 3600}, made["workflow"]["jobs"]["sum"]["backoff"])
        for line in lines:
            self.assertEqual(f"Schedule flow fired: the workflow {line['job_id']} of 6 jobs", line["msg"])
            shown = self.read(f"/api/workflows/{line['job_id']}?wait=20")
            self.assertEqual(("completed", "import"), (shown["state"], shown["name"]))
            ids = {one["name"]: one["id"] for one in shown["jobs"]}
            at = datetime.fromisoformat(line["scheduled_for"].replace("Z", "+00:00")).isoformat()
            last = self.read(f"/api/jobs/{ids['sum']}")
            self.assertEqual(at, last["result"]["when"])
            self.assertEqual(("flow", line["scheduled_for"]), (last["schedule"], last["scheduled_for"]))
            self.assertEqual(line["request_id"], last["request_id"])
            self.assertEqual("completed", self.read(f"/api/jobs/{shown['then'][0]}?wait=20")["state"])
        fired = [one for one in self.read("/api/schedules/flow")["outcomes"] if one["outcome"] == "fired"]
        self.assertEqual([line["job_id"] for line in reversed(lines)], [one["job_id"] for one in fired][-3:])

    def test_the_alarm_of_a_then_runs_where_the_job_fails(self) -> None:
        worker = self.ready()
        failing = self.job("fail", max_attempts=1)
        then = [self.job("noop", "letters", on="failed"), self.job("noop", "reports")]

        self.schedule("failing", job=failing | {"then": then})
        (line,) = worker.wait_for("schedule.fired", 1)[:1]
        self.pause("failing")

        self.assertEqual(f"Schedule failing fired: {line['job_id']}, and 2 jobs to follow it", line["msg"])
        alarm, other = self.read(f"/api/jobs/{line['job_id']}?wait=20")["then"]
        self.assertEqual("completed", self.read(f"/api/jobs/{alarm}?wait=20")["state"])
        self.assertEqual("cancelled", self.read(f"/api/jobs/{other}?wait=20")["state"])

    def test_a_run_by_hand_starts_a_workflow_now_and_once_under_one_key(self) -> None:
        self.ready()
        self.schedule("flow", every_s=3600, workflow=self.workflow())

        answers = [self.server.request("POST", "/api/schedules/flow/run", idempotency_key="now") for _ in range(2)]

        (status, first, head), (again_status, again, again_head) = answers
        self.assertEqual((202, 202), (status, again_status))
        self.assertEqual(
            ("workflow", "blocked", "flow", None),
            tuple(first[name] for name in ("type", "state", "schedule", "scheduled_for")),
        )
        self.assertEqual((first["id"], "true"), (again["id"], again_head["idempotency-replayed"]))
        self.assertEqual(f"/api/jobs/{first['id']}", head["location"])
        self.assertEqual("completed", self.read(f"/api/workflows/{first['id']}?wait=20")["state"])
        outcomes = self.read("/api/schedules/flow")["outcomes"]
        self.assertEqual([("run", first["id"])], [(one["outcome"], one["job_id"]) for one in outcomes])

    def test_a_put_again_changes_nothing_and_secrets_stay(self) -> None:
        secret = {"type": "noop", "payload": {"ledger": "", "text": "x"}}
        body = {"every_s": 3600, "workflow": {"jobs": {"a": secret, "b": TELL | {"payload": {"api_key": "k-123"}}}}}
        made = self.schedule("flow", **body)
        self.assertEqual("********", made["workflow"]["jobs"]["b"]["payload"]["api_key"])

        status, again, _ = self.server.request("PUT", "/api/schedules/flow", body)
        masked = {"every_s": 3600, "workflow": made["workflow"]}
        _, third, _ = self.server.request("PUT", "/api/schedules/flow", masked)

        self.assertEqual((200, [made["version"]] * 2), (status, [again["version"], third["version"]]))

    def test_no_slot_is_lost_and_none_comes_twice_when_workers_are_killed(self) -> None:
        workers = [self.ready(LEASE_S=3), self.ready(LEASE_S=3)]
        fields = {"catch_up": "all", "overlap": "allow"}
        self.schedule("flow", workflow=self.workflow(), **fields)
        self.schedule("then", job=self.job("noop", then=[self.job("noop", "letters")]), **fields)

        for _ in range(3):
            workers.pop(0).kill()
            workers.append(self.ready(LEASE_S=3))
        self.until(lambda: self.fired("flow") >= 5, "it has run five times")
        for name in ("flow", "then"):
            self.pause(name)

        self.until(lambda: {*states(self.redis.client).values()} == {"completed"}, "all have run", 60)
        specs = [record.spec for record in self.records([*states(self.redis.client)]) if record.spec]
        counts = Counter((spec.schedule, spec.scheduled_for) for spec in specs)
        for name, jobs in (("flow", 7), ("then", 2)):
            slots = sorted(slot for schedule, slot in counts if schedule == name)
            self.assertEqual({jobs}, {counts[name, slot] for slot in slots}, name)
            self.assertEqual([*range(slots[0], slots[-1] + 1, 1000)], slots, name)
            self.assertEqual(self.fired(name), len(slots))

    def fired(self, name: str) -> int:
        counts: dict[str, int] = self.read(f"/api/schedules/{name}")["counts"]
        self.assertEqual((0, 0), (counts["skipped"], counts["missed"]))
        return counts["fired"]

    def test_the_doctor_names_a_type_that_no_module_defines_in_any_of_its_jobs(self) -> None:
        self.schedule("flow", every_s=3600, workflow=self.workflow())
        key = "wb:{default}:schedule:flow"
        text = (self.redis.client.hget(key, "text") or b"").decode()
        self.redis.client.hset(key, "text", text.replace("gather", "gathers"))

        said = Worker(self.redis.url, **self.settings).examined()[1]

        self.assertIn(
            "WRONG  Schedules: flow queues jobs that no job module of this host defines: gathers (/workflow/jobs/sum);",
            said,
        )

    def test_while_an_older_supervisor_runs_a_put_is_refused_with_who(self) -> None:
        old = Program("supervisor", "0.2.0", "jobs1.812.77aa01f0")
        self.redis.client.zadd("wb:fleet", {old.text: int(time.time() * 1000) + 60_000})

        for fields, words in (
            ({"workflow": self.workflow()}, "schedules of workflows need Waybill 0.3.0"),
            ({"job": self.job("noop", then=[TELL])}, "schedules with `then` need Waybill 0.3.0"),
        ):
            status, problem, _ = self.server.request("PUT", "/api/schedules/flow", {"every_s": 1, **fields})

            self.assertEqual((503, "/problems/upgrade-needed"), (status, problem["type"]))
            self.assertIn(words, problem["detail"])
            self.assertIn(old.named, problem["detail"])


if __name__ == "__main__":
    unittest.main()
