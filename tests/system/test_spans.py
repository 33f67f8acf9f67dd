"""The trace of a job that is tried twice and queues others: an attempt has one span, and what it queues hangs on it."""

import unittest

from lib.tracing import attempt_span_id
from tests.system.worker_case import WorkerCase


class Spans(WorkerCase):
    def test_an_attempt_has_one_span_at_each_reading_and_the_next_one_has_another(self) -> None:
        self.ready()
        job_id = self.post("spans")
        self.until_all([job_id], "completed")

        record = self.record(job_id)

        assert record.spec is not None
        for attempt, token in (("first", 1), ("second", 2)):
            trace = record.spec.trace._replace(span_id=attempt_span_id(job_id, token))
            self.assertEqual([trace.traceparent], record.result[attempt])

    def test_what_a_handler_queues_says_who_queued_it_and_hangs_on_the_attempt(self) -> None:
        self.ready()
        job_id = self.post("spans")
        self.until_all([job_id], "completed")

        record = self.record(job_id)
        self.until_all(record.result["queued"], "completed")

        assert record.spec is not None
        self.assertEqual("", record.spec.by)
        for child in self.records(record.result["queued"]):
            assert child.spec is not None
            self.assertEqual((job_id, "r"), (child.spec.by, child.spec.request_id))
            self.assertEqual(record.result["second"], [child.spec.trace.traceparent])
            self.assertEqual(job_id[-4:], child.job_id[-4:], "a search for the request would pass it over")


if __name__ == "__main__":
    unittest.main()
