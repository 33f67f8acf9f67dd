"""Spans that real processes export: the tree that GET /api/requests/{request_id} shows, in a collector."""

import json
import threading
import unittest
from collections.abc import Callable
from typing import Any

from lib.tracing import job_span_id
from tests.otlp_collector import OtlpCollector, Span, attributes_of
from tests.processes import JOB_MODULES, Server, Worker
from tests.scripted_server import Answer, Asked, answer
from tests.system.test_webhooks import AT_ONCE, WebhookCase

INTERNAL, SERVER, CLIENT, CONSUMER = 1, 2, 3, 5
KINDS = {"server": SERVER, "attempt": CONSUMER, "mail": CLIENT, "webhook": CLIENT}
NOOP: dict[str, Any] = {"type": "noop", "payload": {}}
MAIL: dict[str, Any] = {"type": "email", "payload": {"to": "a@example.com", "subject": "Hi", "text": "Hello"}}
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


class Otlp(WebhookCase):
    def setUp(self) -> None:
        super().setUp()
        own = {"JOB_MODULES": f"{JOB_MODULES},lib.handlers.email,lib.handlers.webhook"}
        own |= {"PUBLIC_URL": "http://127.0.0.1", "WORKER_QUEUES": "default=10,email=2,webhook=5"}
        self.settings = {**self.settings, **own}

    def collector(self, *answers: Answer | Callable[[Asked], Answer]) -> OtlpCollector:
        collector: OtlpCollector = self.enterContext(OtlpCollector(*answers))
        self.settings = {**self.settings, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        return collector

    def both(self, **settings: object) -> tuple[Server, Worker]:
        return self.server(**settings), self.ready(**settings)

    def call(self, api: Server, path: str, body: Any, request_id: str = "r", **headers: str) -> dict[str, Any]:
        status, job, _ = api.request("POST", path, body, x_request_id=request_id, **headers)
        self.assertIn(status, (200, 201, 202), job)
        found: dict[str, Any] = job
        return found

    def post_over(self, api: Server, body: dict[str, Any], request_id: str = "r", **headers: str) -> str:
        job_id: str = self.call(api, "/api/jobs", body, request_id, **headers)["id"]
        self.accepted.append(job_id)
        return job_id

    def of_job(self, collector: OtlpCollector, job_id: str) -> dict[str, Span]:
        """The job's spans by their names; fails where a span came twice."""
        found = [span for span in collector.spans if attributes_of(span).get("messaging.message.id") == job_id]
        self.assertEqual(len(found), len({span["spanId"] for span in found}), found)
        return {span["name"]: span for span in found}

    def until_job(self, collector: OtlpCollector, job_id: str) -> dict[str, Span]:
        """The job's spans once its own is among them."""
        is_there = lambda: any(span["spanId"] == job_span_id(job_id) for span in collector.spans)  # noqa: E731
        self.until(is_there, f"the span of {self.record(job_id)}")
        return self.of_job(collector, job_id)

    def test_a_call_a_retry_its_children_a_mail_and_a_webhook_are_the_tree_that_the_api_shows(self) -> None:
        collector = self.collector()
        receiver = self.receiver(answer(500), answer(204))
        api, _worker = self.both()
        caller = {"traceparent": f"00-{CALLER}-01"}
        first = self.post_over(api, {"type": "spans", "payload": {"ledger": str(self.ledger)}}, "o", **caller)
        self.post_over(api, MAIL, "o", **caller)
        self.post_over(api, {"type": "webhook", "payload": {"url": receiver.url}, **AT_ONCE}, "o", **caller)
        self.until(lambda: (story := self.story(api, "o"))["state"] == "ended" and len(story["jobs"]) == 5, "all ended")

        story = self.story(api, "o")
        self.until(lambda: len(collector.spans) >= len(story["spans"]), "as many spans as the API shows")

        exported = {span["spanId"]: span for span in collector.spans}
        self.assertEqual(len(exported), len(collector.spans), "a span came twice")
        self.assertEqual({span["id"] for span in story["spans"]}, set(exported))
        for span in story["spans"]:
            other = exported[span["id"]]
            with self.subTest(span["name"], kind=span["kind"]):
                self.assertEqual(CALLER[:32], other["traceId"])
                self.assertEqual(span["parent"] or CALLER[-16:], other["parentSpanId"])
                self.assertEqual(KINDS.get(span["kind"], INTERNAL), other["kind"])
                self.assertLessEqual(int(other["startTimeUnixNano"]), int(other["endTimeUnixNano"]))
                self.assertIn(other["name"], (span["name"], "POST /api/jobs"))
        failed = self.of_job(collector, first)["attempt 1"]
        self.assertEqual({"code": 2, "message": "as it was told to"}, failed["status"])
        self.assertEqual("ValueError", attributes_of(failed)["error.type"])
        self.until(lambda: self.counted(api, "exported") >= len(story["spans"]), "they are counted")
        services = {attributes_of(one["resource"])["service.name"] for one in collector.resources}
        self.assertEqual({"waybill-server", "waybill-worker"}, services)

    def story(self, api: Server, request_id: str) -> dict[str, Any]:
        found: dict[str, Any] = api.request("GET", f"/api/requests/{request_id}")[1]
        return found

    def test_what_a_caller_has_not_sampled_is_not_exported_and_nor_are_reads(self) -> None:
        collector = self.collector()
        api, worker = self.both()
        left = self.post_over(api, NOOP, "left", traceparent=f"00-{CALLER}-00")
        for path in ("/api/health", "/metrics", f"/api/jobs/{left}"):
            api.request("GET", path, traceparent=f"00-{CALLER}-01")
        self.until_all([left], "completed")
        kept = self.post_over(api, NOOP, "kept")

        self.until_job(collector, kept)
        api.stop()
        worker.stop()

        names = {span["name"] for span in collector.spans} - {"wait"}  # One of less than a ms is none.
        self.assertEqual({"POST /api/jobs", "noop", "attempt 1"}, names)
        self.assertNotIn(CALLER[:32], {span["traceId"] for span in collector.spans})

    def test_a_ratio_of_nothing_keeps_the_callers_traces_alone_and_tells_receivers(self) -> None:
        collector = self.collector()
        receiver = self.receiver(answer(204), answer(204))
        api, _worker = self.both(OTEL_TRACES_SAMPLER_ARG="0", OTEL_SERVICE_NAME="jobs")
        hook = {"type": "webhook", "payload": {"url": receiver.url}}
        left = self.post_over(api, hook)
        self.until_all([left], "completed")
        kept = self.post_over(api, hook, traceparent=f"00-{CALLER}-01")

        self.until_job(collector, kept)

        self.assertEqual({CALLER[:32]}, {span["traceId"] for span in collector.spans})
        self.assertEqual(["00", "01"], [asked.headers["traceparent"][-2:] for asked in receiver.asked])
        self.assertEqual({"jobs"}, {attributes_of(one["resource"])["service.name"] for one in collector.resources})

    def test_jobs_that_end_before_they_begin_are_exported_by_who_ends_them(self) -> None:
        collector = self.collector()
        api = self.server()
        later = {**NOOP, "delay_s": 60}
        replaced = {**later, "unique": {"key": "k", "mode": "replace"}, "group": "one"}
        cancelled, swept, superseded = (self.post_over(api, body) for body in (later, later, replaced))
        late = self.post_over(api, {**NOOP, "expires_in_s": 0.001})
        self.call(api, f"/api/jobs/{cancelled}/cancel", {})
        self.call(api, "/api/jobs/actions", {"action": "cancel", "ids": [swept]})
        self.post_over(api, {**replaced, "group": "another"})
        for job_id in (cancelled, swept, superseded):
            self.assertEqual("cancelled", attributes_of(self.until_job(collector, job_id)["noop"])["waybill.outcome"])

        self.ready()

        spans = self.until_job(collector, late)
        self.assertEqual(["noop"], list(spans))
        self.assertEqual("dead", attributes_of(spans["noop"])["waybill.outcome"])
        self.assertEqual("expired", attributes_of(spans["noop"])["error.type"])

    def test_an_attempt_whose_runner_was_killed_is_exported_by_who_takes_the_job_back(self) -> None:
        collector = self.collector()
        api, _worker = self.both()

        crashed = self.post_over(api, {"type": "parent", "payload": {"ledger": str(self.ledger), "text": "kill"}})

        self.until(lambda: "attempt 1" in self.of_job(collector, crashed), "the crashed attempt")
        attempt = self.of_job(collector, crashed)["attempt 1"]
        self.assertEqual("crashed", attributes_of(attempt)["waybill.outcome"])
        self.assertEqual("its runner ended while it ran", attempt["status"]["message"])
        self.until_all([crashed], "completed")
        self.accepted += self.record(crashed).result
        self.assertIn("attempt 2", self.until_job(collector, crashed))

    def test_an_attempt_that_a_callback_ends_is_exported_by_the_server(self) -> None:
        collector = self.collector()
        receiver = self.receiver(answer(202))
        api, worker = self.both()
        outside = {"url": receiver.url, "completion": "callback", "complete_within_s": 60}
        job_id = self.post_over(api, {"type": "webhook", "payload": outside})
        self.until(lambda: self.record(job_id).state == "blocked", "it is handed over")
        self.assertEqual(0, worker.stop())
        self.assertNotIn("attempt 1", self.of_job(collector, job_id))

        path = "/api/callbacks/" + receiver.asked[0].headers["waybill-callback"].rpartition("/")[2]
        self.call(api, path, {"outcome": "completed", "result": {"n": 1}})

        spans = self.until_job(collector, job_id)
        self.assertEqual("completed", attributes_of(spans["attempt 1"])["waybill.outcome"])

    def test_a_join_has_links_and_a_schedule_begins_a_trace(self) -> None:
        collector = self.collector()
        api, _worker = self.both()
        jobs = {"first": NOOP, "second": {**NOOP, "after": ["first"]}}
        flow = self.call(api, "/api/workflows", {"jobs": jobs}, "flow")
        ids = {one["name"]: one["id"] for one in flow["jobs"]}
        self.accepted += [flow["id"], *ids.values()]

        joined = self.until_job(collector, ids["second"])["noop"]

        self.assertEqual([(joined["traceId"], job_span_id(ids["first"]))], links_of(joined))
        self.assertIn("workflow", self.until_job(collector, flow["id"]))
        other = self.post_over(api, {**NOOP, "after": [ids["first"]]}, "other")
        behind = self.until_job(collector, other)["noop"]
        self.assertNotEqual(joined["traceId"], behind["traceId"])
        self.assertEqual([(joined["traceId"], job_span_id(ids["first"]))], links_of(behind))
        api.request("PUT", "/api/schedules/tick", {"every_s": 1, "job": NOOP})
        self.until(lambda: [one for one in collector.spans if one["name"] == "schedule tick"], "a slot's span")
        slot = next(one for one in collector.spans if one["name"] == "schedule tick")
        self.assertNotIn("parentSpanId", slot)
        parent_id = slot["spanId"]
        self.until(
            lambda: [one for one in collector.spans if one.get("parentSpanId") == parent_id], "the job of the slot"
        )
        api.request("DELETE", "/api/schedules/tick")

    def test_with_the_collector_away_jobs_run_spans_are_dropped_and_counted_and_memory_stays(self) -> None:
        self.settings = {**self.settings, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        api, worker = self.both()
        for _ in range(8):
            lines = (json.dumps(NOOP).encode() + b"\n") * 1000
            self.call(api, "/api/jobs/batch", lines, content_type="application/x-ndjson")

        self.until(lambda: self.redis.client.zcard("wb:{default}:completed") == 8000, "all have run", within_s=60)

        self.until(lambda: self.counted(api, "dropped") > 2000, "some were dropped", within_s=30)
        self.assertEqual(0, self.counted(api, "exported"))
        (line,) = worker.wait_for("spans.delayed")
        self.assertIn("http://127.0.0.1:9/v1/traces does not take them now: ConnectionRefusedError", line["msg"])
        self.assertEqual(0, worker.stop())

    def counted(self, api: Server, outcome: str) -> int:
        text = api.request("GET", "/metrics")[1].decode()
        line = next(line for line in text.splitlines() if line.startswith(f"waybill_spans_{outcome}_total"))
        return int(line.rpartition(" ")[2])

    def test_a_stop_sends_what_has_ended_from_each_process(self) -> None:
        collector = self.collector()
        api, worker = self.both(SERVER_PROCESSES=2, WORKER_PROCESSES=2)
        ids = [self.post_over(api, NOOP) for _ in range(20)]
        self.until_all(ids, "completed")

        self.assertEqual(0, api.stop())
        self.assertEqual(0, worker.stop())

        spans = {span["spanId"] for span in collector.spans}
        self.assertEqual(set(), {job_span_id(job_id) for job_id in ids} - spans)
        self.assertEqual(20, sum(span["kind"] == SERVER for span in collector.spans))

    def test_a_collector_that_does_not_answer_holds_no_stop_up_for_long(self) -> None:
        goes_on = threading.Event()
        self.addCleanup(goes_on.set)

        def hang(_asked: Asked) -> Answer:
            goes_on.wait(30)
            return answer(200)

        self.collector(*[hang] * 20)
        api, worker = self.both()
        job_id = self.post_over(api, NOOP)
        self.until_all([job_id], "completed")

        self.assertEqual(0, api.stop(within_s=6))
        self.assertEqual(0, worker.stop(within_s=10))

    def test_the_doctor_says_whether_it_answers(self) -> None:
        collector = self.collector()
        worker = Worker(self.redis.url, **self.settings)
        self.addCleanup(worker.close)
        self.assertIn(f"ok     Spans: the collector answers at {collector.url}/v1/traces\n", worker.examined()[1])

        away = Worker(self.redis.url, **{**self.settings, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
        self.addCleanup(away.close)
        self.assertIn("WRONG  Spans: http://127.0.0.1:9/v1/traces: ConnectionRefusedError", away.examined()[1])


def links_of(span: Span) -> list[tuple[str, str]]:
    return [(link["traceId"], link["spanId"]) for link in span.get("links", [])]


if __name__ == "__main__":
    unittest.main()
