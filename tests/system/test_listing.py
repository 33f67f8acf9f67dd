"""GET /api/jobs against a real server and Redis: jobs that are few among very many."""

import json
import unittest
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import Server

NOOP: dict[str, Any] = {"type": "noop", "payload": {}}


class FewAmongMany(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url))

    def post_many(self, count: int) -> None:
        lines = json.dumps({**NOOP, "delay_s": 600}).encode() + b"\n"
        status, _, _ = self.server.request(
            "POST", "/api/jobs/batch", lines * count, content_type="application/x-ndjson", x_request_id="others"
        )
        self.assertEqual(200, status)

    def listed(self, query: str) -> tuple[list[str], str | None]:
        status, page, _ = self.server.request("GET", f"/api/jobs?{query}")
        self.assertEqual(200, status)
        return [job["id"] for job in page["items"]], page["next_cursor"]

    def test_the_jobs_of_a_request_are_found_behind_others_in_thousands(self) -> None:
        ids: list[str] = []
        for queue in ("default", "email", "default"):
            body = {**NOOP, "queue": queue, "delay_s": 600}
            ids.insert(0, self.server.request("POST", "/api/jobs", body, x_request_id="mine")[1]["id"])
            self.post_many(1500)

        self.assertEqual((ids, None), self.listed("request_id=mine"))
        self.assertEqual((ids, None), self.listed("request_id=mine&state=delayed&type=noop"))
        self.assertEqual(([], None), self.listed("request_id=nobodys"))
        first, cursor = self.listed("request_id=mine&limit=2")
        self.assertEqual((ids[:2], (ids[2:], None)), (first, self.listed(f"request_id=mine&limit=2&cursor={cursor}")))

    def test_where_few_jobs_have_a_state_or_type_a_page_is_not_empty(self) -> None:
        body = {"type": "echo", "payload": {}}
        job_id = self.server.request("POST", "/api/jobs", body)[1]["id"]
        self.post_many(1500)

        self.assertEqual([job_id], self.listed("state=ready")[0])
        self.assertEqual([job_id], self.listed("type=echo")[0])


if __name__ == "__main__":
    unittest.main()
