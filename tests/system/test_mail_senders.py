"""A mail from another than MAIL_FROM: refused where it is queued, and once more where it is sent."""

import json
import unittest
from email import message_from_bytes, policy
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

MODULES = "lib.handlers.email,tests.jobs_for_tests"
MAIL = {"to": "a@x.example", "subject": "Hi", "text": "Hello"}


class Senders(unittest.TestCase):
    redis: PrivateRedis
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(
            Server(cls.redis.url, JOB_MODULES=MODULES, MAIL_FROM_ALLOWED="shop.example, me@x.example")
        )

    def post(self, sender: object) -> tuple[int, dict[str, Any]]:
        status, body, _ = self.server.request(
            "POST", "/api/jobs", {"type": "email", "payload": {**MAIL, "from": sender}, "delay_s": 600}
        )
        return status, body

    def test_each_way_in_refuses_one_that_is_not_allowed_and_names_the_setting(self) -> None:
        status, refusal = self.post("a@x.example")
        _, taken = self.post({"name": "Shop", "address": "orders@shop.example"})
        change = {"payload": {**MAIL, "from": "a@x.example"}}
        lines = json.dumps({"type": "email", "payload": change["payload"]}).encode()
        _, patched, _ = self.server.request("PATCH", f"/api/jobs/{taken['id']}", change)
        _, answer, _ = self.server.request("POST", "/api/jobs/batch", lines, content_type="application/x-ndjson")

        self.assertEqual(status, 422)
        for problem in (refusal, patched, answer["problem"]):
            [error] = problem["errors"]
            self.assertEqual(error["pointer"], "/payload/from")
            self.assertIn("is a@x.example, which MAIL_FROM_ALLOWED does not name", error["detail"])
        self.assertEqual(self.post("Me <me@x.example>")[0], 202)
        self.assertEqual(self.post("waybill@localhost")[0], 202)

    def test_a_worker_sends_what_its_own_setting_allows_and_buries_the_rest_at_once(self) -> None:
        worker = self.enterContext(
            Worker(self.redis.url, JOB_MODULES=MODULES, MAIL_FROM_ALLOWED="shop.example", WORKER_QUEUES="email=2")
        )
        done = {}
        for sender in ("Shop <orders@shop.example>", "me@x.example"):
            _, taken, _ = self.server.request(
                "POST", "/api/jobs", {"type": "email", "payload": {**MAIL, "from": sender}}
            )
            _, done[sender], _ = self.server.request("GET", f"/api/jobs/{taken['id']}?wait=20")

        sent, refused = done.values()
        message = message_from_bytes((worker.outbox / sent["result"]["file"]).read_bytes(), policy=policy.default)
        self.assertEqual(message["From"], "Shop <orders@shop.example>")
        self.assertEqual((refused["state"], refused["attempts"]), ("dead", 1), refused)
        self.assertEqual(refused["error"]["type"], "SenderNotAllowed")
        self.assertIn("MAIL_FROM_ALLOWED", refused["error"]["message"])

    def test_a_setting_that_can_name_no_sender_stops_the_start(self) -> None:
        for program in (Server, Worker):
            with self.subTest(program.__name__):
                broken = program(self.redis.url, JOB_MODULES=MODULES, MAIL_FROM_ALLOWED="a_b.example")
                self.addCleanup(broken.close)

                broken.start()

                self.assertEqual(78, broken.wait())
                self.assertIn("MAIL_FROM_ALLOWED: 'a_b.example' has a part behind the @", broken.said())


if __name__ == "__main__":
    unittest.main()
