"""The end of a job is sent to its callback_url: a real server, a real worker, and receivers on this host."""

import json
import unittest
from typing import Any

from tests.processes import Server
from tests.scripted_server import Asked, ScriptedServer, answer
from tests.system.test_webhooks import SECRET, is_genuine
from tests.system.worker_case import WorkerCase

OK = answer(200)


class CallbackCase(WorkerCase):
    settings = {  # noqa: RUF012
        "WORKER_QUEUES": "default=5,webhook=5",
        "JOB_MODULES": "lib.handlers.webhook,tests.jobs_for_tests",
        "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
        "WEBHOOK_SECRET": SECRET,
    }

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url, **self.settings))

    def receiver(self, *answers: Any) -> ScriptedServer:
        started: ScriptedServer = self.enterContext(ScriptedServer(*(answers or [OK] * 1000)))
        return started

    def sent(self, path: str, body: dict[str, Any], expected: int = 202, method: str = "POST") -> dict[str, Any]:
        status, shown, _ = self.server.request(method, path, body)
        self.assertEqual(expected, status, shown)
        return dict(shown)

    def taken(self, receiver: ScriptedServer, count: int) -> list[tuple[Asked, dict[str, Any]]]:
        """The webhooks that came, so many, with what their bodies say. Each is signed."""
        self.until(lambda: len(receiver.asked) >= count, f"{count} callbacks came")
        self.assertEqual(count, len(receiver.asked))
        for asked in receiver.asked:
            self.assertTrue(is_genuine(asked, SECRET))
        return [(asked, json.loads(asked.body)) for asked in receiver.asked]


class Callbacks(CallbackCase):
    def test_the_body_is_the_job_as_get_shows_it(self) -> None:
        receiver = self.receiver()
        worker = self.ready()
        body = {
            "type": "echo",
            "payload": {"n": 7, "api_key": "hush"},
            "callback_url": f"{receiver.url}/done?job=secret",
        }

        status, shown, _ = self.server.request("POST", "/api/jobs", body, **{"x-request-id": "order-4711"})

        self.assertEqual(202, status, shown)
        self.assertEqual(f"{receiver.url}/done?job=********", shown["callback_url"])
        ((asked, event),) = self.taken(receiver, 1)
        self.assertEqual(("POST", "/done?job=secret"), (asked.method, asked.path))
        now = self.server.request("GET", f"/api/jobs/{shown['id']}")[1]
        self.assertEqual({"type": "job.completed", "timestamp": now["finished_at"], "data": now}, event)
        self.assertEqual({"n": 7, "api_key": "********"}, event["data"]["payload"])
        self.assertEqual([], now["then"])
        webhook = self.server.request("GET", f"/api/jobs/{asked.headers['webhook-id']}?wait=10")[1]
        self.assertEqual(
            ("webhook", "webhook", "completed", "order-4711", now["trace_id"], now["id"], None),
            tuple(webhook[name] for name in ("type", "queue", "state", "request_id", "trace_id", "by", "callback_url")),
        )
        self.assertEqual((18, 30), (webhook["max_attempts"], webhook["timeout_s"]))
        self.assertEqual(receiver.url.removeprefix("http://"), webhook["group"])
        self.assertEqual("order-4711", asked.headers["x-request-id"])
        (line,) = worker.wait_for("callback.queued")
        self.assertEqual((webhook["id"], now["id"]), (line["job_id"], line["parent_id"]))


if __name__ == "__main__":
    unittest.main()
