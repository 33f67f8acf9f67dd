"""Server and worker as the user of prod/redis.conf: whatever they do, Redis has to refuse them nothing."""

import re
import unittest
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import ROOT, Server, Worker

MAIL = {"type": "email", "payload": {"to": "ann@x.example", "subject": "Hi", "text": "Hello"}}


class LeastRights(unittest.TestCase):
    def test_a_day_of_work_is_refused_nothing(self) -> None:
        (rules,) = re.findall(r"^user (waybill .*)$", (ROOT / "prod" / "redis.conf").read_text(encoding="utf-8"), re.M)
        redis = self.enterContext(PrivateRedis(options=["--user", *rules.split()]))
        url = redis.url.replace("unix://", "unix://waybill:change-me@")
        settings = {
            "JOB_MODULES": "lib.handlers.email,lib.handlers.webhook",
            "RATE_LIMIT": "1000/1",
            "WORKER_QUEUES": "email=5,webhook=2",
            "WEBHOOK_SECRET": "whsec_" + "YWFh" * 8,
            "WEBHOOK_ALLOW_PRIVATE": "127.0.0.1/32",
        }
        server = self.enterContext(Server(url, **settings))
        worker = self.enterContext(Worker(url, **settings))
        redis.client.config_resetstat()

        for method, path, body, expected in (
            ("POST", "/api/jobs", MAIL, 202),
            ("POST", "/api/jobs/batch", [MAIL, {**MAIL, "unique": {"key": "a", "ttl_s": 60}, "delay_s": 30}], 200),
            ("POST", "/api/jobs", {**MAIL, "priority": "high", "delay_s": 0.2}, 202),
            ("POST", "/api/jobs", {**MAIL, "group": "tenant-42", "tags": ["eu"]}, 202),
            ("GET", "/api/jobs?limit=2", None, 200),
            ("GET", "/api/queues", None, 200),
            ("GET", "/api/queues?sort=trouble", None, 200),
            ("PATCH", "/api/queues/email", {"max_depth": 100}, 200),
            ("PATCH", "/api/queues/email", {"concurrency": 4, "rate": {"limit": 50, "per_s": 1}}, 200),
            ("PATCH", "/api/queues/email", {"groups": {"concurrency": 1, "rate": {"limit": 9, "per_s": 1}}}, 200),
            ("PATCH", "/api/queues/email/groups/tenant-42", {"concurrency": 2}, 200),
            ("POST", "/api/jobs/batch", [{**MAIL, "group": "tenant-42"}] * 5, 200),
            ("GET", "/api/queues/email/groups", None, 200),
            ("GET", "/api/hosts?queue=email", None, 200),
            ("GET", "/api/requests/nobody", None, 404),
            ("GET", "/api/stats?queue=email", None, 200),
            ("GET", "/api/errors", None, 200),
            ("POST", "/api/queues/email/groups/tenant-42/release", None, 404),
            ("DELETE", "/api/queues/email/groups/tenant-42", None, 204),
            ("POST", "/api/queues/email/pause", None, 200),
            ("POST", "/api/queues/email/resume", None, 200),
            ("GET", "/api/workers", None, 200),
            ("GET", "/api/events?queue=email&for_s=1", None, 200),
            ("GET", "/api/events?digest_s=1&for_s=1", None, 200),
            ("GET", "/api/health", None, 200),
            ("GET", "/metrics", None, 200),
        ):
            status, answer, _ = server.request(method, path, body)
            self.assertEqual(expected, status, (method, path, answer))
        job_id = self.a_cancelled_job(server)
        changes: tuple[tuple[str, str, Any, int], ...] = (
            ("GET", f"/api/jobs/{job_id}", None, 200),
            ("POST", f"/api/jobs/{job_id}/retry", None, 200),
            ("GET", f"/api/jobs/{job_id}?wait=10", None, 200),
            ("POST", "/api/jobs/actions", {"action": "cancel", "ids": [job_id]}, 200),
            ("POST", "/api/queues/email/redrive", {"state": "cancelled", "tag": "eu"}, 200),
            ("POST", "/api/queues/email/purge", {"state": "delayed", "before": "2026-01-01T00:00:00Z"}, 200),
            ("DELETE", f"/api/jobs/{job_id}", None, 204),
        )
        for method, path, body, expected in changes:
            status, answer, _ = server.request(method, path, body)
            self.assertEqual(expected, status, (method, path, answer))
        self.run_graphs(server)
        _code, said = worker.examined("--check")

        self.assertIn("ok     Jobs: each is in exactly one place", said)
        self.assertEqual([], redis.client.acl_log())
        self.assertNotIn("errorstat_NOPERM", redis.client.info("errorstats"))

    def run_graphs(self, server: Server) -> None:
        """Jobs that wait for jobs: told, explained, cancelled and run again, alone and as a workflow."""
        mail = {**MAIL, "delay_s": 600}
        _, parent, _ = server.request("POST", "/api/jobs", mail)
        status, waits, _ = server.request("POST", "/api/jobs", {**MAIL, "after": [parent["id"]], "then": [MAIL]})
        self.assertEqual((202, "blocked"), (status, waits["state"]), waits)
        jobs = {"first": mail, "then": {**MAIL, "after": ["first"]}, "late": {**mail, "optional": True}}
        body = {"jobs": jobs, "callback_url": "http://127.0.0.1:9/"}
        status, workflow, _ = server.request("POST", "/api/workflows", body, idempotency_key='"graph-1"')
        self.assertEqual(202, status, workflow)
        path, one = f"/api/workflows/{workflow['id']}", f"/api/jobs/{waits['id']}"
        for method, where, expected in (
            ("GET", f"{one}/explain", 200),
            ("GET", "/api/jobs?state=blocked", 200),
            ("POST", f"{one}/cancel", 200),
            ("POST", f"{one}/retry", 200),
            ("POST", f"/api/jobs/{parent['id']}/cancel", 200),
            ("GET", f"{one}?wait=10", 200),
            ("POST", f"{path}/cancel", 200),
            ("GET", f"{path}?wait=10", 200),
            ("POST", f"{path}/retry", 200),
            ("GET", f"{path}?wait=15", 200),
        ):
            status, answer, _ = server.request(method, where)
            self.assertEqual(expected, status, (method, where, answer))
        self.assertEqual("completed", answer["state"], answer)
        # The workflow was cancelled, and has completed.
        webhooks = "/api/jobs?type=webhook"
        server.until(lambda: len(server.request("GET", webhooks)[1]["items"]) == 2, "both ends are called back")

    def a_cancelled_job(self, server: Server) -> str:
        """One that waited, and was changed meanwhile."""
        _, job, _ = server.request("POST", "/api/jobs", {**MAIL, "delay_s": 60, "tags": ["eu"]})
        path = f"/api/jobs/{job['id']}"
        self.assertEqual(200, server.request("PATCH", path, {"priority": "high", "tags": ["us"]})[0])
        self.assertEqual(200, server.request("POST", f"{path}/cancel")[0])
        return str(job["id"])


if __name__ == "__main__":
    unittest.main()
