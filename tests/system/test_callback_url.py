"""The end of a job is sent to its callback_url: a real server, a real worker, and receivers on this host."""

import json
import signal
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

    def sent(self, path: str, body: Any, expected: int = 202, method: str = "POST") -> dict[str, Any]:
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
        (line,) = worker.wait_for("callback_url.queued")
        self.assertEqual((webhook["id"], now["id"]), (line["job_id"], line["parent_id"]))

    def test_a_job_that_dies_and_completes_when_it_is_redriven_calls_twice(self) -> None:
        receiver, flag = self.receiver(), self.flag()
        self.ready()
        payload = {"ledger": str(self.ledger), "until": str(flag)}
        job = self.sent("/api/jobs", {"type": "when_there", "payload": payload, "callback_url": receiver.url})
        self.taken(receiver, 1)
        flag.touch()

        dry = self.sent("/api/queues/default/redrive", {"dry_run": True}, 200)
        self.sent("/api/queues/default/redrive", {}, 200)

        events = self.taken(receiver, 2)
        self.assertEqual((1, 1), (dry["matched"], dry["followed"]))
        self.assertEqual(["job.dead", "job.completed"], [event["type"] for _, event in events])
        self.assertEqual([job["id"]] * 2, [event["data"]["id"] for _, event in events])
        self.assertEqual(2, len({asked.headers["webhook-id"] for asked, _ in events}))
        self.assertEqual("FileNotFoundError", events[0][1]["data"]["error"]["type"])

    def test_a_receiver_that_is_down_gets_the_same_body_under_the_same_id_later(self) -> None:
        receiver = self.receiver(answer(503, {"retry-after": "1"}), OK)
        self.ready()

        job = self.sent("/api/jobs", {"type": "noop", "payload": {}, "callback_url": receiver.url})

        first, second = (asked for asked, _ in self.taken(receiver, 2))
        self.assertEqual((first.headers["webhook-id"], first.body), (second.headers["webhook-id"], second.body))
        self.assertEqual(job["id"], json.loads(second.body)["data"]["id"])

    def test_it_is_told_though_the_record_is_not_to_be_kept(self) -> None:
        receiver = self.receiver()
        self.ready()

        job = self.sent("/api/jobs", {"type": "vanish", "payload": {}, "callback_url": receiver.url})

        ((_, event),) = self.taken(receiver, 1)
        self.assertEqual(
            (job["id"], "completed", 0), tuple(event["data"][name] for name in ("id", "state", "retain_s"))
        )

    def test_whoever_finds_the_end_untold_tells_it(self) -> None:
        receiver = self.receiver()
        body = {"type": "noop", "payload": {}, "callback_url": receiver.url}
        job = self.sent("/api/jobs", {**body, "delay_s": 600})
        self.server.signal(signal.SIGSTOP)  # The server is about to tell the end of the job, and does not.
        try:
            self.cancel_silently(job["id"])
        finally:
            self.server.kill()

        self.ready()

        ((_, event),) = self.taken(receiver, 1)
        self.assertEqual("job.cancelled", event["type"])

    def cancel_silently(self, job_id: str) -> None:
        self.cancel(job_id)
        notices: Any = self.redis.client.xlen("wb:{default}:notices")
        self.assertEqual(1, notices)

    def test_a_server_alone_tells_what_it_cancels(self) -> None:
        job = self.sent(
            "/api/jobs", {"type": "noop", "payload": {}, "delay_s": 600, "callback_url": "http://127.0.0.1:9/"}
        )

        self.sent(f"/api/jobs/{job['id']}/cancel", {}, 200)

        (line,) = self.server.wait_for("callback_url.queued")
        webhook = self.server.request("GET", f"/api/jobs/{line['job_id']}")[1]
        self.assertEqual(("ready", job["id"]), (webhook["state"], webhook["by"]))
        self.assertEqual("job.cancelled", webhook["payload"]["body"]["type"])

    def test_a_job_that_is_cancelled_while_it_waits_for_another_says_why(self) -> None:
        receiver = self.receiver()
        self.ready()
        follower = {"type": "noop", "payload": {}, "callback_url": f"{receiver.url}/follower"}
        body = {
            "type": "fail",
            "payload": {},
            "max_attempts": 1,
            "callback_url": f"{receiver.url}/first",
            "then": [follower],
        }

        self.sent("/api/jobs", body)

        events = {asked.path: event for asked, event in self.taken(receiver, 2)}
        self.assertEqual(("job.dead", "job.cancelled"), (events["/first"]["type"], events["/follower"]["type"]))
        self.assertEqual("parent_failed", events["/follower"]["data"]["error"]["type"])
        self.assertEqual([events["/follower"]["data"]["id"]], events["/first"]["data"]["then"])

    def test_a_workflow_with_a_dead_member_tells_its_end_and_theirs(self) -> None:
        receiver = self.receiver()
        self.ready()
        url = receiver.url
        jobs = {
            "one": {"type": "noop", "payload": {}, "callback_url": f"{url}/one"},
            "two": {"type": "fail", "payload": {}, "max_attempts": 1, "callback_url": f"{url}/two"},
            "inner": {
                "jobs": {"three": {"type": "noop", "payload": {}}},
                "after": ["two"],
                "callback_url": f"{url}/inner",
            },
        }

        workflow = self.sent("/api/workflows", {"jobs": jobs, "callback_url": f"{url}/all?key=hush"})

        events = {asked.path: event for asked, event in self.taken(receiver, 4)}
        self.assertEqual(
            {
                "/one": "job.completed",
                "/two": "job.dead",
                "/inner": "workflow.cancelled",
                "/all?key=hush": "workflow.dead",
            },
            {path: event["type"] for path, event in events.items()},
        )
        self.assertEqual(workflow["id"], events["/all?key=hush"]["data"]["id"])
        self.assertEqual(f"{url}/all?key=********", workflow["callback_url"])

    def test_a_batch_of_five_hundred_calls_five_hundred_times(self) -> None:
        receiver = self.receiver()
        self.ready()
        line = {"type": "noop", "payload": {}, "callback_url": receiver.url}

        taken = self.sent("/api/jobs/batch", [line] * 500, 200)

        events = self.taken(receiver, 500)
        ids = {event["data"]["id"] for _, event in events}
        self.assertEqual({item["id"] for item in taken["items"]}, ids)
        self.assertEqual(500, len(ids))
        self.assertEqual(500, len({asked.headers["webhook-id"] for asked, _ in events}))

    def test_the_jobs_of_schedules_call_too(self) -> None:
        receiver = self.receiver()
        self.ready()
        job = {"type": "noop", "payload": {}, "callback_url": f"{receiver.url}/tick?key=hush"}
        masked = {**job, "callback_url": f"{receiver.url}/tick?key=********"}
        body = {"every_s": 1, "overlap": "allow", "job": job}

        made = self.sent("/api/schedules/tick", body, 201, "PUT")
        self.assertEqual(masked["callback_url"], made["job"]["callback_url"])
        kept = self.sent("/api/schedules/tick", {**body, "job": masked}, 200, "PUT")
        self.assertEqual(made["version"], kept["version"])
        run = self.sent("/api/schedules/tick/run", {})
        self.until(lambda: len(receiver.asked) >= 2, "its jobs have called")
        self.server.request("DELETE", "/api/schedules/tick")

        events = [json.loads(asked.body) for asked in receiver.asked]
        self.assertEqual({"/tick?key=hush"}, {asked.path for asked in receiver.asked})
        self.assertIn(run["id"], {event["data"]["id"] for event in events})
        self.assertEqual({"tick"}, {event["data"]["schedule"] for event in events})

    def test_a_workflow_of_a_schedule_calls_with_all_its_jobs(self) -> None:
        receiver = self.receiver()
        self.ready()
        jobs = {"one": {"type": "noop", "payload": {}, "callback_url": f"{receiver.url}/one?a=1"}}
        workflow = {"jobs": jobs, "callback_url": f"{receiver.url}/all?b=2"}
        made = self.sent("/api/schedules/flow", {"every_s": 3600, "workflow": workflow}, 201, "PUT")

        self.sent("/api/schedules/flow/run", {})

        self.assertEqual(f"{receiver.url}/all?b=********", made["workflow"]["callback_url"])
        self.assertEqual(f"{receiver.url}/one?a=********", made["workflow"]["jobs"]["one"]["callback_url"])
        events = {asked.path: event["type"] for asked, event in self.taken(receiver, 2)}
        self.assertEqual({"/one?a=1": "job.completed", "/all?b=2": "workflow.completed"}, events)

    def test_what_a_handler_enqueues_calls_too(self) -> None:
        receiver = self.receiver()
        modules = "lib.handlers.webhook,tests.jobs_that_call_back"
        self.ready(JOB_MODULES=modules)
        server = self.enterContext(Server(self.redis.url, **{**self.settings, "JOB_MODULES": modules}))

        status, asks, _ = server.request("POST", "/api/jobs", {"type": "asks", "payload": {"url": receiver.url}})

        self.assertEqual(202, status, asks)
        events = self.taken(receiver, 4)
        kinds = sorted((event["type"], event["data"]["type"]) for _, event in events)
        self.assertEqual([("job.completed", "bare")] * 3 + [("workflow.completed", "workflow")], kinds)
        self.assertEqual({asks["request_id"]}, {asked.headers["x-request-id"] for asked, _ in events})

    def test_it_can_not_be_changed(self) -> None:
        job = self.sent(
            "/api/jobs", {"type": "noop", "payload": {}, "delay_s": 600, "callback_url": "http://127.0.0.1:9/"}
        )

        refused = self.sent(f"/api/jobs/{job['id']}", {"callback_url": "http://127.0.0.1:8/"}, 422, "PATCH")

        ((pointer, detail),) = ((error["pointer"], error["detail"]) for error in refused["errors"])
        self.assertEqual("/callback_url", pointer)
        self.assertIn("can't be changed", detail)

    def test_a_worker_without_a_secret_sends_nothing_and_another_sends_it(self) -> None:
        receiver = self.receiver()
        worker = self.ready(WEBHOOK_SECRET="")
        job = self.sent("/api/jobs", {"type": "noop", "payload": {}, "callback_url": receiver.url})

        (line,) = worker.wait_for("webhook.failed")
        self.assertIn("set WEBHOOK_SECRET", line["msg"])
        self.assertIn("of a callback_url", worker.wait_for("warning.raised")[0]["msg"])
        worker.stop()
        self.assertEqual([], receiver.asked)
        self.ready()
        webhook = self.server.request("GET", f"/api/jobs/{line['job_id']}")[1]
        self.assertEqual(("delayed", "NoSecret"), (webhook["state"], webhook["history"][-1]["error"]["type"]))
        self.sent(f"/api/jobs/{webhook['id']}", {"run_at": None}, 200, "PATCH")

        ((_, event),) = self.taken(receiver, 1)
        self.assertEqual(job["id"], event["data"]["id"])

    def test_without_a_secret_it_is_refused(self) -> None:
        server = self.enterContext(Server(self.redis.url, **{**self.settings, "WEBHOOK_SECRET": ""}))

        status, refused, _ = server.request(
            "POST",
            "/api/workflows",
            {"jobs": {"a": {"type": "noop", "payload": {}}}, "callback_url": "http://127.0.0.1"},
        )

        self.assertEqual(422, status)
        self.assertEqual(["/callback_url"], [error["pointer"] for error in refused["errors"]])


if __name__ == "__main__":
    unittest.main()
