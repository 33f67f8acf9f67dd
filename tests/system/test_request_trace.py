"""GET /api/requests/{request_id} against real processes: all that a call caused, as one tree."""

import json
import unittest
from typing import Any

from lib.tracing import attempt_span_id, job_span_id
from tests.processes import JOB_MODULES
from tests.scripted_server import answer
from tests.system.test_webhooks import AT_ONCE, WebhookCase

NOOP: dict[str, Any] = {"type": "noop", "payload": {}}
LATER: dict[str, Any] = {**NOOP, "delay_s": 600}
MAIL: dict[str, Any] = {"type": "email", "payload": {"to": "a@example.com", "subject": "Hi", "text": "Hello"}}


class RequestTrace(WebhookCase):
    def setUp(self) -> None:
        super().setUp()
        own = {"JOB_MODULES": f"{JOB_MODULES},lib.handlers.email,lib.handlers.webhook"}
        own |= {"PUBLIC_URL": "http://127.0.0.1", "WORKER_QUEUES": "default=10,email=2,webhook=5"}
        self.settings = {**self.settings, **own}
        self.api = self.server()

    def call(self, path: str, body: Any, request_id: str, **headers: str) -> dict[str, Any]:
        status, job, _ = self.api.request("POST", path, body, x_request_id=request_id, **headers)
        self.assertIn(status, (200, 202), job)
        found: dict[str, Any] = job
        return found

    def post(self, body: dict[str, Any], request_id: str) -> str:  # type: ignore[override]
        job_id: str = self.call("/api/jobs", body, request_id)["id"]
        self.accepted.append(job_id)
        return job_id

    def trace(self, request_id: str, query: str = "", status: int = 200) -> dict[str, Any]:
        found, story, _ = self.api.request("GET", f"/api/requests/{request_id}{query}")
        self.assertEqual(status, found, story)
        answered: dict[str, Any] = story
        return answered

    def ended(self, request_id: str, jobs: int) -> dict[str, Any]:
        """The story once so many jobs have ended."""
        self.until(
            lambda: (story := self.trace(request_id))["state"] == "ended" and len(story["jobs"]) == jobs, "all ended"
        )
        return self.trace(request_id)

    def names(self, story: dict[str, Any], job_id: str) -> list[str]:
        return [span["name"] for span in story["spans"] if span["job_id"] == job_id and span["kind"] != "wait"]

    def test_a_call_its_retry_what_the_second_attempt_queued_a_mail_and_a_webhook_are_one_tree(self) -> None:
        receiver = self.receiver(answer(500), answer(204))
        self.ready()
        retried = self.post({"type": "spans", "payload": {"ledger": str(self.ledger)}}, "order-1")
        mail = self.post(MAIL, "order-1")
        hook = self.post({"type": "webhook", "payload": {"url": receiver.url}, **AT_ONCE}, "order-1")

        story = self.ended("order-1", jobs=5)

        self.assertEqual((True, False, "ended", 5), self.about(story))
        self.assertEqual((None, []), (story["next_cursor"], story["warnings"]))
        spans = {span["id"]: span for span in story["spans"]}
        self.assertEqual(len(spans), len(story["spans"]))
        self.assertEqual(["server"] * 3, [span["kind"] for span in story["spans"] if span["parent"] is None])
        for span in story["spans"]:
            self.assertLessEqual(span["start"], span["end"])
            if span["parent"] is not None:
                self.assertLessEqual(spans[span["parent"]]["start"], span["start"])
        self.assertEqual(["spans", "attempt 1", "backoff", "attempt 2"], self.names(story, retried))
        self.assertEqual(["email", "attempt 1", "mail"], self.names(story, mail))
        sent = ["webhook", "attempt 1", "webhook", "backoff", "attempt 2", "webhook"]
        self.assertEqual(sent, self.names(story, hook))
        statuses = [span["attributes"]["status"] for span in story["spans"] if span["kind"] == "webhook"]
        self.assertEqual([500, 204], statuses)
        self.assertEqual(f"<{mail}@", self.mail_of(story)["attributes"]["message_id"][: len(mail) + 2])
        children = self.record(retried).result["queued"]
        listed = self.api.request("GET", f"/api/jobs?by={retried}")[1]["items"]
        self.assertEqual(set(children), {job["id"] for job in listed})
        self.assertEqual([attempt_span_id(retried, 2)] * 2, [spans[job_span_id(child)]["parent"] for child in children])
        self.assertEqual(f"{spans[job_span_id(retried)]['parent']}-01", self.traceparent(story)[-19:])

    def mail_of(self, story: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = next(span for span in story["spans"] if span["kind"] == "mail")
        return found

    def traceparent(self, story: dict[str, Any]) -> str:
        """Of the call that queued the first job: what its spec holds."""
        spec = self.record(story["jobs"][0]["id"]).spec
        assert spec is not None
        return spec.trace.traceparent

    def test_a_workflow_and_a_call_that_goes_on(self) -> None:
        jobs = {"first": NOOP, "second": {**LATER, "after": ["first"]}}
        flow = self.call("/api/workflows", {"jobs": jobs}, "flow")
        self.accepted += [flow["id"], *(one["id"] for one in flow["jobs"])]
        self.ready()
        ids = {one["name"]: one["id"] for one in flow["jobs"]}
        self.until(lambda: self.record(ids["second"]).state == "delayed", "the second waits for its time")

        story = self.trace("flow")

        self.assertEqual(("open", None, True), (story["state"], story["ended_at"], story["complete"]))
        self.assertEqual({flow["id"], *ids.values()}, {job["id"] for job in story["jobs"]})
        members = self.api.request("GET", f"/api/jobs?workflow={flow['id']}")[1]["items"]
        self.assertEqual(set(ids.values()), {job["id"] for job in members})
        link = {"from": job_span_id(ids["second"]), "to": job_span_id(ids["first"]), "on": "completed"}
        self.assertEqual([link], story["links"])
        last = [span for span in story["spans"] if span["job_id"] == ids["second"]][-1]
        self.assertEqual(("wait", None), (last["kind"], last["end"]))

    def test_a_job_that_waits_for_a_callback_is_still_in_its_attempt(self) -> None:
        receiver = self.receiver(answer(202))
        self.ready()
        payload = {"url": receiver.url, "completion": "callback", "complete_within_s": 60}
        hook = self.post({"type": "webhook", "payload": payload}, "outside")
        self.until(lambda: self.record(hook).state == "blocked", "the service has taken it")

        story = self.trace("outside")

        last = story["spans"][-1]
        self.assertEqual(("attempt", None, None), (last["kind"], last["end"], last["outcome"]))
        self.api.request("POST", f"/api/jobs/{hook}/cancel", {})

    def test_a_job_that_was_deleted_is_missing_and_its_child_has_no_parent(self) -> None:
        self.ready()
        retried = self.post({"type": "spans", "payload": {"ledger": str(self.ledger)}}, "gone")
        self.ended("gone", jobs=3)
        self.assertEqual(204, self.api.request("DELETE", f"/api/jobs/{retried}")[0])
        self.accepted.remove(retried)

        story = self.trace("gone")

        self.assertEqual([None, None], [span["parent"] for span in story["spans"] if span["kind"] == "job"])

    def test_more_jobs_than_an_answer_has_are_told_of_and_come_on_the_next_page(self) -> None:
        for request_id, jobs in (("just", 1000), ("many", 1003)):
            lines = (json.dumps(LATER).encode() + b"\n") * jobs
            self.call("/api/jobs/batch", lines, request_id, content_type="application/x-ndjson")

        self.assertEqual((True, False, "open", 1000), self.about(self.trace("just")))
        first = self.trace("many")
        second = self.trace("many", f"?cursor={first['next_cursor']}")

        self.assertEqual((False, True, "open", 1000), self.about(first))
        self.assertEqual((True, False, "open", 3), self.about(second))
        self.assertEqual(1003, len({job["id"] for page in (first, second) for job in page["jobs"]}))
        self.assertEqual(422, self.api.request("GET", f"/api/requests/other?cursor={first['next_cursor']}")[0])

    def about(self, story: dict[str, Any]) -> tuple[bool, bool, str, int]:
        return story["complete"], story["truncated"], story["state"], len(story["jobs"])

    def test_a_request_of_no_job_is_404_only_where_every_queue_was_read(self) -> None:
        self.post({**LATER, "queue": "whole"}, "known")
        self.post({**LATER, "queue": "broken"}, "lost")
        for request_id in ("nobody", "no%20id", "x" * 129):
            self.assertEqual("/problems/request-not-found", self.trace(request_id, status=404)["type"])
        self.redis.client.rename("wb:{broken}:all", "wb:{broken}:kept")
        self.redis.client.set("wb:{broken}:all", "no index")

        for request_id, jobs in (("known", 1), ("lost", 0)):
            story = self.trace(request_id)

            self.assertEqual((False, jobs, 1), (story["complete"], len(story["jobs"]), len(story["warnings"])))
            self.assertIn("broken", story["warnings"][0])
        self.redis.client.rename("wb:{broken}:kept", "wb:{broken}:all")


del WebhookCase

if __name__ == "__main__":
    unittest.main()
