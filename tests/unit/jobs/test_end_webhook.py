"""The webhook that tells a job's end: its id, its story, and a body that is the job as it ended."""

import json
import unittest
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.end_webhook import MOST_BYTES, JobEnd, webhook_of
from lib.jobs.job import WORKFLOW_TYPE, JobRecord
from lib.jobs.shown import present
from lib.jobs.spec import JobSpec, SpecError
from lib.tracing import Trace

TRACE = Trace("1" * 32, "2" * 16, "01")
URL = "https://API.example.com/done?key=hush"
SPEC = JobSpec("mail", {"to": "a", "secret": "s"}, "r1", TRACE, 5, 60, Backoff(), callback_url=URL)
JOB_ID = f"q-{7:032x}"
RECORD = JobRecord(JOB_ID, "q", "completed", SPEC, attempts=2, finished_ms=1764410000123, result={"rows": 5})
HEAD = SPEC.to_text().partition(',"payload":')[0].encode()
END = JobEnd(JOB_ID, "1764410000124-0", "completed", "1764410000123", '{"rows":5}', HEAD)


def body_of(end: JobEnd, record: JobRecord | None) -> dict[str, Any]:
    _, spec = webhook_of(end, record)
    body: dict[str, Any] = spec.payload["body"]
    return body


class Webhooks(unittest.TestCase):
    def test_the_job_is_sent_as_the_api_shows_it(self) -> None:
        body = body_of(END, RECORD)

        self.assertEqual(
            {"type": "job.completed", "timestamp": "2025-11-29T09:53:20.123Z", "data": present(RECORD)}, body
        )
        self.assertNotIn("hush", json.dumps(body))

    def test_it_stands_in_the_story_of_the_job_under_an_id_that_is_always_the_same(self) -> None:
        job, spec = webhook_of(END, RECORD)

        self.assertEqual(spec, JobSpec.from_text(job.spec_text))
        self.assertEqual((job.job_id, "webhook"), (webhook_of(END, None)[0].job_id, job.queue))
        self.assertNotEqual(job.job_id, webhook_of(END._replace(notice_id="1764410000124-1"), RECORD)[0].job_id)
        self.assertEqual(("r1", "1" * 32, JOB_ID), (spec.request_id, spec.trace.trace_id, spec.by))
        self.assertEqual(("api.example.com:443", "api.example.com:443"), (job.group, spec.group))
        self.assertFalse(job.calls_back or spec.callback_url)

    def test_a_workflow_says_that_it_is_one(self) -> None:
        record = RECORD._replace(spec=SPEC._replace(type=WORKFLOW_TYPE), state="dead")

        self.assertEqual("workflow.dead", body_of(END._replace(state="dead"), record)["type"])

    def test_of_a_job_that_is_gone_the_notice_says_what_it_knows(self) -> None:
        body = body_of(END, None)
        self.assertEqual(("job.completed", body["data"]["finished_at"]), (body["type"], body["timestamp"]))
        self.assertEqual(({"rows": 5}, None), (body["data"]["result"], body["data"]["error"]))
        self.assertEqual((None, True), (body["data"]["payload"], body["data"]["payload_truncated"]))

        hidden = {"type": "ValueError", "message": "********"}
        for said, error in ((json.dumps({**hidden, "message": "it may quote a secret"}), hidden), ("", None)):
            data = body_of(END._replace(state="dead", said=said), None)["data"]
            self.assertEqual(("dead", error, None), (data["state"], data["error"], data["result"]))
        too_much = body_of(END._replace(said="!"), None)["data"]
        self.assertEqual((None, True), (too_much["result"], too_much["result_truncated"]))

    def test_a_job_that_was_run_again_is_told_as_it_ended(self) -> None:
        for record in (
            RECORD._replace(state="active", finished_ms=None, result=None),
            RECORD._replace(state="dead", finished_ms=1764410009999, result=None, error={"type": "E", "message": "m"}),
            RECORD._replace(finished_ms=1764410009999, result="another"),
        ):
            body = body_of(END, record)

            self.assertEqual(("job.completed", "2025-11-29T09:53:20.123Z"), (body["type"], body["timestamp"]))
            data = body["data"]
            self.assertEqual(("completed", {"rows": 5}, None), (data["state"], data["result"], data["error"]))

    def test_a_payload_is_left_out_where_the_whole_is_too_long(self) -> None:
        for chars, is_whole in ((MOST_BYTES // 2 - 2000, True), (MOST_BYTES // 2, False)):
            data = body_of(END, RECORD._replace(spec=SPEC._replace(payload={"text": "ü" * chars})))["data"]

            self.assertEqual(is_whole, data["payload"] is not None)
            self.assertEqual(None if is_whole else True, data.get("payload_truncated"))

    def test_what_no_script_of_ours_noted_is_a_fault(self) -> None:
        for end in (END._replace(spec_head=b""), END._replace(spec_head=b"{"), END._replace(said="{")):
            with self.assertRaises((SpecError, ValueError)):
                webhook_of(end, None)
        with self.assertRaises(ValueError):
            webhook_of(END, RECORD._replace(spec=SPEC._replace(callback_url="")))


if __name__ == "__main__":
    unittest.main()
