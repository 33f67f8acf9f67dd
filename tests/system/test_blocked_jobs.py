"""What a user sees of blocked jobs, with a real server and worker: counts, metrics, events, explain, the doctor."""

import http.client
import json
import re
import time
import unittest
from typing import Any
from urllib.parse import urlsplit

from tests.processes import LIMIT_S, Server
from tests.system.worker_case import WorkerCase


class BlockedJobs(WorkerCase):
    settings = {"WORKER_QUEUES": "default=2,other=2", "LEASE_S": 3}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(self.redis.url, LEASE_S=3)
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.wait_until_ready()
        self.go = self.flag()

    def sent(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        found, answer, _ = self.server.request(method, path, body)
        self.assertEqual(status, found, answer)
        return answer

    def body(self, type_name: str, *, until: str = "", **options: Any) -> dict[str, Any]:
        payload = {"ledger": str(self.ledger), **({"until": until} if until else {})}
        return {"type": type_name, "payload": payload, **options}

    def sent_job(self, type_name: str, *, until: str = "", **options: Any) -> str:
        job_id = str(self.sent("POST", "/api/jobs", self.body(type_name, until=until, **options), status=202)["id"])
        self.accepted.append(job_id)
        return job_id

    def explained(self, job_id: str) -> dict[str, Any]:
        return dict(self.sent("GET", f"/api/jobs/{job_id}/explain"))

    def gauge(self, **labels: str) -> float:
        """The value of waybill_jobs with these labels."""
        text = self.server.request("GET", "/metrics")[1].decode()
        wanted = ",".join(f'{name}="{value}"' for name, value in labels.items())
        return float(re.findall(rf"^waybill_jobs{{{wanted}}} (\S+)$", text, re.M)[0])

    def test_it_is_counted_listed_measured_and_explained_until_it_runs(self) -> None:
        self.ready()
        fetch = self.sent_job("sleep", until=str(self.go))
        waits = self.sent_job("noop", queue="other", after=[{"job": fetch, "name": "fetch"}])
        self.until_begun(fetch)

        queue = self.sent("GET", "/api/queues/other")
        listed = self.sent("GET", "/api/jobs?state=blocked")
        explained = self.explained(waits)

        self.assertEqual((1, 0), (queue["counts"]["blocked"], queue["counts"]["ready"]))
        self.assertIsNone(queue["oldest_ready_age_s"])
        self.assertEqual([waits], [job["id"] for job in listed["items"]])
        self.assertEqual(1, self.gauge(queue="other", state="blocked"))
        self.assertEqual(
            ("waiting_for_jobs", "blocked", None), tuple(explained[name] for name in ("reason", "state", "until"))
        )
        self.assertRegex(explained["detail"], r"^1 of 1 job has not ended: fetch \(active for \d[.\d]* s on \S+\)$")
        warnings = self.sent("GET", "/api/health")["warnings"]
        self.assertEqual([], [warning for warning in warnings if warning["code"] != "redis_not_durable"])

        self.go.touch()
        self.until_all([fetch, waits], "completed")

        self.assertEqual(0, self.sent("GET", "/api/queues/other")["counts"]["blocked"])
        self.assertEqual(0, self.gauge(queue="other", state="blocked"))
        self.assertEqual("finished", self.explained(waits)["reason"])

    def test_a_job_that_its_parent_ended_says_which_and_the_retry_of_the_parent_heals_it(self) -> None:
        self.ready()
        bad = self.sent_job("sleep", until=str(self.go), max_attempts=1, timeout_s=0.2)
        waits = self.sent_job("noop", after=[{"job": bad, "name": "fetch"}])
        self.until_all([waits], "cancelled")

        explained = self.explained(waits)

        self.assertIn(f"parent_failed: {bad}", explained["detail"])
        self.assertRegex(explained["detail"], r"; because of fetch \(dead: \S+: .*\)$")

        self.go.touch()
        self.sent("POST", f"/api/jobs/{bad}/retry")
        self.until_all([bad, waits], "completed")

    def test_every_change_of_its_state_is_an_event(self) -> None:
        link = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=LIMIT_S)
        self.addCleanup(link.close)
        self.sent_job("noop", delay_s=600)
        link.request("GET", "/api/events?queue=default")
        answer = link.getresponse()
        parent = self.sent_job("noop", delay_s=600)
        waits = self.sent_job("noop", after=[{"job": parent, "on": "ended"}])
        self.sent("POST", f"/api/jobs/{waits}/cancel")
        self.sent("POST", f"/api/jobs/{waits}/retry")
        self.sent("POST", f"/api/jobs/{parent}/cancel")

        seen = self._events(answer, waits, "ready")

        self.assertEqual(
            [("blocked", "enqueue"), ("cancelled", "cancel"), ("blocked", "retry"), ("ready", "resolve")], seen
        )

    def _events(self, answer: http.client.HTTPResponse, job_id: str, last: str) -> list[tuple[str, str]]:
        """State and event of each change of the job, until it is in the state `last`."""
        seen, ends_s = [], time.monotonic() + LIMIT_S
        while time.monotonic() < ends_s:
            line = answer.readline().decode().rstrip("\n")
            if not line.startswith("data: "):
                continue
            data = json.loads(line.removeprefix("data: "))
            if data and data.get("id") == job_id:
                seen.append((data["state"], data["by"]))
                if data["state"] == last:
                    return seen
        raise AssertionError(f"{job_id} is not {last}: {seen}")

    def test_purge_and_actions_take_blocked_jobs(self) -> None:
        parent = self.sent_job("noop", delay_s=600)
        ids = [self.sent_job("noop", after=[parent]) for _ in range(3)]

        dry = self.sent("POST", "/api/queues/default/purge", {"state": "blocked", "dry_run": True})
        cancelled = self.sent("POST", "/api/jobs/actions", {"action": "cancel", "ids": ids[:1]})
        purged = self.sent("POST", "/api/queues/default/purge", {"state": "blocked"})

        self.assertEqual(3, dry["matched"])
        self.assertEqual(["done"], [item["outcome"] for item in cancelled["items"]])
        self.assertEqual(2, purged["cancelled"])
        self.until_all(ids, "cancelled")

    def test_the_doctor_finds_nothing_wrong_with_a_workflow_and_names_what_is_broken(self) -> None:
        worker = self.ready()
        job = self.body("sleep", until=str(self.go))
        jobs = {"a": job, "b": {**job, "after": ["a"]}, "c": {**job, "queue": "other", "after": ["a"]}}
        workflow = self.sent("POST", "/api/workflows", {"jobs": jobs}, status=202)
        ids = {one["name"]: one["id"] for one in workflow["jobs"]}
        self.until_begun(ids["a"])
        well = worker.examined("--check")[1]
        self.redis.client.zrem("wb:{default}:unsure", ids["b"])

        broken = worker.examined("--check")[1]

        self.assertIn("ok     Jobs: each is in exactly one place", well)
        self.assertIn(f"{ids['b']} is blocked, waits for {ids['a']}, and never asks: ZADD", broken)
        explained = self.explained(workflow["id"])
        self.assertRegex(explained["detail"], r"^3 of 3 jobs have not ended: a \(active for .*\), b \(blocked for ")
        self.go.touch()
        self.until_all([*ids.values(), workflow["id"]], "completed")


if __name__ == "__main__":
    unittest.main()
