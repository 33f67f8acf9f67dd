"""Webhooks that are ended by a callback, from end to end: a real server and worker, and a receiver that calls back."""

import http.client
import json
import os
import secrets
import signal
import threading
from typing import Any
from urllib.parse import urlsplit

from lib.errors import ConfigError
from lib.settings import api_keys, config
from tests.processes import Server
from tests.scripted_server import Answer, Asked, ScriptedServer, answer
from tests.system.test_webhooks import AT_ONCE, WebhookCase

TAKEN = answer(202)
DONE = {"outcome": "completed"}
LATER: dict[str, Any] = {"completion": "callback", "complete_within_s": 3600}


class CallbackCase(WebhookCase):
    def setUp(self) -> None:
        super().setUp()
        self.served = self.server(PUBLIC_URL="http://127.0.0.1")
        # What the workers send: the address at which this server listens.
        self.settings["PUBLIC_URL"] = f"{self.served.url}/"

    def ask(self, receiver: ScriptedServer, options: dict[str, Any] | None = None, **payload: Any) -> str:
        """Queue a webhook that is to be ended by a callback, over HTTP. Returns its id."""
        body = {"type": "webhook", "payload": {"url": receiver.url, **LATER, **payload}, **(options or {})}
        status, job, _ = self.served.request("POST", "/api/jobs", body, x_request_id="order-4711")
        self.assertEqual(202, status, job)
        self.accepted += [job["id"], *job["then"]]
        return str(job["id"])

    def handed_over(self, receiver: ScriptedServer, number: int = 1) -> str:
        """The URL that the receiver was given with its request number `number`, once the job waits for it."""
        self.until(lambda: len(receiver.asked) >= number, "the webhook came")
        asked = receiver.asked[number - 1]
        self.until_all([asked.headers["webhook-id"]], "blocked")
        return asked.headers["waybill-callback"]

    def say(self, url: str, body: Any) -> tuple[int, Any]:
        """Call back, as a receiver does: without any key of the API."""
        parts = urlsplit(url)
        link = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            link.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
            reply = link.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            link.close()


class Callbacks(CallbackCase):
    def test_a_service_takes_the_work_and_ends_the_job_later(self) -> None:
        receiver = self.receiver(TAKEN)
        worker = self.ready()
        job_id = self.ask(
            receiver, {"then": [{"type": "webhook", "payload": {"url": receiver.url}, "max_attempts": 1}]}
        )

        url = self.handed_over(receiver)

        _, explained, _ = self.served.request("GET", f"/api/jobs/{job_id}/explain")
        self.assertEqual(("waiting_for_callback", "blocked"), (explained["reason"], explained["state"]))
        self.assertIsNotNone(explained["until"])
        self.assertEqual(
            (200, {"job_id": job_id, "state": "blocked"}), self.say(f"{url}/extend", {"extend_s": 60, "progress": 0.5})
        )
        outcome = {"outcome": "completed", "result": {"rows": 5}}
        self.assertEqual((200, {"job_id": job_id, "state": "completed"}), self.say(url, outcome))
        self.assertEqual((200, {"job_id": job_id, "state": "completed"}), self.say(url, outcome))
        status, problem = self.say(url, {"outcome": "failed"})
        self.assertEqual((410, "/problems/callback-gone"), (status, problem["type"]))
        record = self.record(job_id)
        self.assertEqual({"rows": 5}, record.result)
        self.until(lambda: len(receiver.asked) == 2, "who waited for the end runs")
        self.assertEqual(["order-4711"] * 2, [one.headers["x-request-id"] for one in receiver.asked])
        (handed_over,) = worker.wait_for("job.handed_over")
        taken = self.served.wait_for("callback.taken", 2)[-1]
        (refused,) = self.served.wait_for("callback.refused")
        ids = {(line["job_id"], line["request_id"]) for line in (handed_over, taken, refused)}
        self.assertEqual({(job_id, "order-4711")}, ids)
        secret = url.rpartition("_")[2]
        self.assertNotIn(secret, str(self.served.logged()) + self.served.said() + str(worker.logged()))
        self.assertNotIn(secret, str([self.redis.client.hgetall(f"wb:{{webhook}}:job:{job_id}")]))

    def test_a_service_that_has_failed_gets_the_work_again_under_another_url(self) -> None:
        receiver = self.receiver(TAKEN, TAKEN)
        self.ready()
        job_id = self.ask(receiver, AT_ONCE)
        first = self.handed_over(receiver)
        error = {"type": "NoPaper", "message": "tray 2 is empty"}

        self.assertEqual((200, "delayed"), _brief(self.say(first, {"outcome": "failed", "error": error})))

        second = self.handed_over(receiver, 2)
        self.assertNotEqual(first, second)
        self.assertEqual([job_id] * 2, [one.headers["webhook-id"] for one in receiver.asked])
        self.assertEqual(410, self.say(first, DONE)[0])
        self.assertEqual(error, self.record(job_id).history[0].error)
        self.served.wait_for("job.retried")
        self.assertEqual((200, "dead"), _brief(self.say(second, {"outcome": "failed", "retry": False})))

    def test_a_failure_behind_which_no_attempt_would_begin_in_time_makes_the_job_dead(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver, {"give_up_after_s": 600})
        url = self.handed_over(receiver)
        error = {"type": "NoPaper", "message": "tray 2 is empty"}

        self.assertEqual(
            (200, "dead"), _brief(self.say(url, {"outcome": "failed", "error": error, "retry_after_s": 900}))
        )

        found = self.record(job_id).error or {}
        self.assertEqual(("gave_up", error), (found["type"], found["cause"]))

    def test_a_service_that_never_calls_back_gets_the_work_again(self) -> None:
        receiver = self.receiver(TAKEN, TAKEN)
        worker = self.ready()
        job_id = self.ask(receiver, complete_within_s=1)
        self.handed_over(receiver)

        self.until(lambda: len(receiver.asked) == 2, "the webhook came again")

        self.assertEqual("callback_timeout", (self.record(job_id).history[0].error or {})["type"])
        self.assertIn("callback_timeout", str(worker.wait_for("job.retried")))
        self.served.request("POST", f"/api/jobs/{job_id}/cancel")

    def test_a_service_may_call_back_before_it_answers(self) -> None:
        said: list[tuple[int, str]] = []

        def call_back(asked: Asked) -> Answer:
            said.append(_brief(self.say(asked.headers["waybill-callback"], {"outcome": "completed", "result": 7})))
            return TAKEN

        receiver = self.receiver(call_back)
        worker = self.ready()
        job_id = self.ask(receiver)

        self.until_all([job_id], "completed")

        worker.wait_for("job.handed_over")
        self.assertEqual(([(200, "completed")], 7), (said, self.record(job_id).result))
        self.assertEqual([], worker.logged("job.stale"))

    def test_another_2xx_completes_it_at_once(self) -> None:
        receiver = self.receiver(answer(200, body={"done": True}))
        self.ready()
        job_id = self.ask(receiver)

        self.until_all([job_id], "completed")

        self.assertEqual(200, self.record(job_id).result["status"])
        self.assertEqual(410, self.say(receiver.asked[0].headers["waybill-callback"], DONE)[0])

    def test_a_cancelled_job_waits_for_nobody(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        url = self.handed_over(receiver)

        self.served.request("POST", f"/api/jobs/{job_id}/cancel")

        self.assertEqual("cancelled", self.record(job_id).state)
        status, problem = self.say(url, DONE)
        self.assertEqual((410, True), (status, "is cancelled" in problem["detail"]))

    def test_a_job_that_is_out_outlives_its_worker(self) -> None:
        receiver = self.receiver(TAKEN)
        worker = self.ready(LEASE_S=2)
        job_id = self.ask(receiver)
        url = self.handed_over(receiver)
        for pid in (*worker.runner_pids(), worker.pid):
            os.kill(pid, signal.SIGKILL)

        self.assertEqual((200, "completed"), _brief(self.say(url, {"outcome": "completed", "result": 1})))

        self.assertEqual(1, self.record(job_id).result)

    def test_who_waits_for_the_end_is_answered(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        url = self.handed_over(receiver)
        answered: list[Any] = []
        path = f"/api/jobs/{job_id}?wait=20"
        waiting = threading.Thread(target=lambda: answered.append(self.served.request("GET", path)[1]))
        waiting.start()

        self.say(url, {"outcome": "completed", "result": 1})

        waiting.join(20)
        self.assertEqual("completed", answered[0]["state"])


class WithKeys(CallbackCase):
    def setUp(self) -> None:
        self.key, entry = api_keys.new_key("shop", "write", "", secrets.choice)
        super().setUp()
        self.served = self.server(PUBLIC_URL="http://127.0.0.1", API_KEYS=entry)
        self.settings["PUBLIC_URL"] = self.served.url

    def test_who_was_sent_the_url_needs_no_key_and_all_else_does(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.hook(receiver.url, **LATER)
        url = self.handed_over(receiver)

        self.assertEqual(200, self.say(f"{url}/extend", {"extend_s": 60})[0])
        self.assertEqual((200, "completed"), _brief(self.say(url, DONE)))
        for path in ("/api/callbacks", f"/api/callbacks/{job_id}/other", "/api/callback", f"/api/jobs/{job_id}"):
            self.assertEqual(401, self.served.request("GET", path)[0], path)


class Refused(CallbackCase):
    def test_what_nobody_was_sent_is_unknown_and_many_are_too_many(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        url = self.handed_over(receiver)
        forged = f"{url.rpartition('_')[0]}_{'a' * 43}"

        found = [self.say(one, DONE) for one in (forged, f"{url}x", f"{self.served.url}/api/callbacks/x")]
        self.assertEqual(
            {(404, "/problems/callback-unknown")}, {(status, problem["type"]) for status, problem in found}
        )
        more = [self.say(forged, DONE)[0] for _ in range(10)]

        self.assertEqual((404, 429), (more[0], more[-1]))
        self.assertEqual((200, "completed"), _brief(self.say(url, DONE)), "a good one is always taken")
        self.assertEqual("completed", self.record(job_id).state)
        self.assertNotIn("a" * 43, str(self.served.logged()))

    def test_a_job_of_a_later_version_is_tried_again_by_a_worker_that_can_read_it(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        url, key = self.handed_over(receiver), f"wb:{{webhook}}:job:{job_id}"
        spec: bytes = self.redis.client.hget(key, "spec")
        self.redis.client.hset(key, "spec", spec.replace(b'"v":1', b'"v":9'))

        found = _brief(self.say(url, {"outcome": "failed", "retry_after_s": 600}))

        self.redis.client.hset(key, "spec", spec)
        self.assertEqual((200, "delayed"), found)

    def test_who_has_no_key_learns_nothing_of_the_job(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        self.handed_over(receiver)
        guess = f"{self.served.url}/api/callbacks/{job_id}.0.wb_{'b' * 12}_{'a' * 43}"

        found = [self.say(url, {"outcome": "done"}) for url in (guess, f"{guess}/extend")]

        self.assertEqual([404, 404], [status for status, _ in found])
        self.assertNotIn("blocked", str(found))
        self.assertEqual(2, len(self.served.wait_for("callback.refused", 2)))

    def test_bad_input_is_told_with_a_pointer_and_changes_nothing(self) -> None:
        receiver = self.receiver(TAKEN)
        self.ready()
        job_id = self.ask(receiver)
        url = self.handed_over(receiver)

        for path, body, pointer in (
            (url, {"outcome": "done"}, "/outcome"),
            (url, {"outcome": "completed", "result": "a" * 70_000}, "/result"),
            (f"{url}/extend", {"extend_s": 0}, "/extend_s"),
        ):
            status, problem = self.say(path, body)
            self.assertEqual((422, pointer), (status, problem["errors"][0]["pointer"]))
        self.assertEqual("blocked", self.record(job_id).state)
        status, problem, _ = self.served.request("PATCH", f"/api/jobs/{job_id}", {"priority": "high"})
        self.assertEqual((409, "/problems/wrong-state"), (status, problem["type"]))

    def test_without_a_public_url_no_callback_is_taken_on(self) -> None:
        server: Server = self.server(PUBLIC_URL="")
        body = {"type": "webhook", "payload": {"url": "https://api.example.com/", **LATER}}

        status, problem, _ = server.request("POST", "/api/jobs", body)

        self.assertEqual((422, "/payload/completion"), (status, problem["errors"][0]["pointer"]))
        self.assertIn("PUBLIC_URL", problem["errors"][0]["detail"])


def _brief(said: tuple[int, Any]) -> tuple[int, str]:
    status, body = said
    return status, body["state"]


class Settings(CallbackCase):
    def test_its_host_is_one_of_the_allowed(self) -> None:
        server = self.server(PUBLIC_URL="https://Waybill.example.com/base/")

        self.assertEqual(
            404, server.request("POST", "/api/callbacks/x", {"outcome": "completed"}, host="waybill.example.com")[0]
        )
        self.assertEqual(
            421, server.request("POST", "/api/callbacks/x", {"outcome": "completed"}, host="other.example.com")[0]
        )

    def test_it_is_a_url_alone(self) -> None:
        for text in (
            "waybill.example.com",
            "ftp://a.example",
            "https://a.example?x=1",
            "https://me:pw@a.example",
            "https://",
        ):
            with self.assertRaises(ConfigError, msg=text):
                config.load({"PUBLIC_URL": text}, self.folder)
