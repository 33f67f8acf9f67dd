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

    def test_the_jobs_of_a_request_in_a_hundred_queues_are_one_list_of_many_pages(self) -> None:
        """More queues than are asked in full at a time; in one of them the job lies deeper than a call looks."""
        names = [f"queue-{number:03}" for number in range(100)]
        oldest = self.server.request("POST", "/api/jobs", {**NOOP, "delay_s": 600}, x_request_id="mine")[1]["id"]
        for _ in range(6):
            self.post_many(1000)
        mine: list[str] = []
        for request_id in ("others", "mine", "theirs", "mine", "others"):
            body = [{**NOOP, "queue": queue, "delay_s": 600} for queue in names]
            items = self.server.request("POST", "/api/jobs/batch", body, x_request_id=request_id)[1]["items"]
            mine += [one["id"] for one in items] if request_id == "mine" else []
        newest = self.server.request("POST", "/api/jobs", NOOP, x_request_id="mine")[1]["id"]

        pages: list[list[str]] = []
        cursor: str | None = ""
        while cursor is not None:
            ids, cursor = self.listed(f"request_id=mine&limit=30&cursor={cursor}")
            pages.append(ids)

        found = [job_id for ids in pages for job_id in ids]
        self.assertEqual((newest, oldest), (found[0], found[-1]))
        self.assertEqual((sorted(mine[100:]), sorted(mine[:100])), (sorted(found[1:101]), sorted(found[101:201])))
        self.assertEqual(202, len(found))
        self.assertGreaterEqual(len(pages), 7)  # On a busy machine a page ends after half a second.

    def test_where_few_jobs_have_a_state_or_type_a_page_is_not_empty(self) -> None:
        body = {"type": "echo", "payload": {}}
        job_id = self.server.request("POST", "/api/jobs", body)[1]["id"]
        self.post_many(1500)

        self.assertEqual([job_id], self.listed("state=ready")[0])
        self.assertEqual([job_id], self.listed("type=echo")[0])


class Unshowable(unittest.TestCase):
    """Jobs of which a part is such as no version of ours would write now: it costs that part, and no page."""

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url))

    def post(self, **fields: str) -> str:
        """A job with these fields of its hash set by hand."""
        job_id = str(self.server.request("POST", "/api/jobs", NOOP, x_request_id="mine")[1]["id"])
        if fields:
            self.redis.client.hset(f"wb:{{default}}:job:{job_id}", mapping=fields)
        return job_id

    def test_a_part_of_a_job_that_can_not_be_shown_breaks_no_answer(self) -> None:
        fine = self.post(result='{"a": 1}', progress='{"fraction": 0.5, "note": ""}')
        spec = self.redis.client.hget(f"wb:{{default}}:job:{fine}", "spec").decode()
        deep = "[" * 950 + "]" * 950
        wrong = {
            "deep result": self.post(result=deep),
            "result over 100 levels": self.post(result="[" * 101 + "]" * 101),
            "very deep result": self.post(result="[" * 30_000 + "]" * 30_000),
            "result that is not a number": self.post(result='{"a": [NaN, Infinity]}'),
            "very deep progress": self.post(progress="[" * 30_000 + "]" * 30_000),
            "progress that is not a number": self.post(progress='{"fraction": NaN, "note": ""}'),
            "error that is no object": self.post(error='["x"]'),
            "deep error": self.post(error=f'{{"type": "X", "message": {deep}}}'),
            "history of a deep error": self.post(history=f'1\x1d1\x1d2\x1dw\x1dretried\x1d{{"type": {deep}}}\x1c'),
            "payload that is not a number": self.post(spec=spec.replace('"payload":{', '"payload":{"a":NaN')),
            "deep payload": self.post(spec=spec.replace('"payload":{', f'"payload":{{"a":{deep}')),
            "odd key": self.post(spec=spec.replace('"payload":', f'"unique_key":{deep},"payload":')),
        }

        for query in ("", "?state=ready", "?request_id=mine", "?queue=default&limit=200"):
            status, page, _ = self.server.request("GET", f"/api/jobs{query}")
            self.assertEqual(200, status, query)
            shown = {job["id"]: job for job in page["items"]}
            self.assertEqual({fine, *wrong.values()}, set(shown), query)
        for what, job_id in wrong.items():
            with self.subTest(what):
                self.assertEqual(200, self.server.request("GET", f"/api/jobs/{job_id}")[0])
        self.assertEqual({"a": 1}, shown[fine]["result"])
        for what in ("deep result", "result over 100 levels", "very deep result", "result that is not a number"):
            self.assertIsNone(shown[wrong[what]]["result"], what)
            self.assertTrue(shown[wrong[what]]["result_error"], what)
        self.assertEqual([], self.server.logged("request.failed"))


if __name__ == "__main__":
    unittest.main()
