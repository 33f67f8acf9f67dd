"""Payloads whose own check raises, whatever that is: the caller is told, by whichever way the job came, and server and
worker live on."""

import json
import unittest
from typing import Any

from tests.jobs_for_tests import REFUSALS
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker


class Checks(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url, JOB_MODULES="tests.jobs_for_tests"))

    def refused(self, problem: dict[str, Any], name: str) -> None:
        """It is a 422 that points to the payload, and says what its check said."""
        self.assertEqual((422, "/problems/invalid-fields"), (problem["status"], problem["type"]), name)
        (error,) = problem["errors"]
        self.assertEqual("/payload", error["pointer"])
        said = "can't be shown" if name == "Unspeakable" else "as it was told to" if name == "ValueError" else name
        self.assertIn(said, error["detail"])

    def test_each_way_in_answers_422_with_what_was_said_and_the_server_lives(self) -> None:
        pid = self.server.pid
        bodies = [{"type": "checked", "payload": {"raises": name}} for name in REFUSALS]
        lines = "\n".join(map(json.dumps, bodies)).encode()
        fine = {"type": "checked", "payload": {}, "delay_s": 600}

        for name, body in zip(REFUSALS, bodies, strict=True):
            self.refused(self.server.request("POST", "/api/jobs", body)[1], name)
        array = self.server.request("POST", "/api/jobs/batch", [*bodies, fine])[1]["items"]
        ndjson = self.server.request("POST", "/api/jobs/batch", lines, content_type="application/x-ndjson")[1]
        items = sorted(map(json.loads, ndjson.splitlines()), key=lambda item: int(item["index"]))

        for name, one, other in zip(REFUSALS, array, items, strict=False):
            self.refused(one["problem"], name)
            self.refused(other["problem"], name)
        self.assertEqual(202, array[-1]["status"])
        for name, body in zip(REFUSALS, bodies, strict=True):
            change = {"payload": body["payload"]}
            self.refused(self.server.request("PATCH", f"/api/jobs/{array[-1]['id']}", change)[1], name)
        self.assertEqual(200, self.server.request("GET", "/readyz")[0])
        self.assertEqual(([], pid), (self.server.logged("request.failed"), self.server.pid))

    def test_a_handler_that_enqueues_such_a_payload_is_told_so(self) -> None:
        self.enterContext(Worker(self.redis.url, JOB_MODULES="tests.jobs_for_tests"))

        taken = self.server.request("POST", "/api/jobs", {"type": "enqueue_checked", "payload": {}})[1]
        done = self.server.request("GET", f"/api/jobs/{taken['id']}?wait=20")[1]

        self.assertEqual("completed", done["state"], done)
        self.assertEqual(len(REFUSALS), len(done["result"]))
        for said in done["result"]:
            self.assertTrue(said.startswith("InvalidFields /payload "), said)


if __name__ == "__main__":
    unittest.main()
