"""The spans of jobs, made of their records in Redis by the process in which something of them has ended."""

import asyncio
import unittest
from random import Random
from typing import Any
from unittest import mock

from lib.jobs.exported_spans import IN_PLACE, OTHERWISE, Ended
from lib.otlp import Exporter
from lib.otlp_post import Collector
from lib.queue import job_spans
from lib.queue.end_record import complete_record
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore
from lib.queue.meters import Meters
from lib.queue.outcome_log import OutcomeLog
from lib.tracing import attempt_span_id, job_span_id
from tests.a_log import ALog
from tests.otlp_collector import OtlpCollector, attributes_of
from tests.redis.case import TRACE, RedisCase

NOWHERE = "unix:///nowhere/redis.sock"


class JobSpansCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.log = ALog(self)
        self.collector: OtlpCollector = self.enterContext(OtlpCollector())
        self.spans = self.a_process()

    def a_process(self, url: str = "") -> JobSpans:
        """The spans of a process. url: of its Redis."""
        exporter = Exporter(Collector(f"{self.collector.url}/v1/traces", {}), self.log.warning, Random(1))
        exporter.start()
        self.addCleanup(exporter.close, 0.1)
        link = self.a_link(url)
        return JobSpans(exporter, JobStore(link, self.keys), Meters(self.link, self.keys), self.log)

    async def complete(self, count: int) -> list[str]:
        ids = await self.enqueue_many(count)
        lease = await self.lease()
        for job in (await lease.claim(count)).jobs:
            await lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", "1"))
        return ids

    def exported(self) -> list[dict[str, Any]]:
        return [span for span in self.collector.spans if attributes_of(span)["waybill.span"] != "wait"]


class Exported(JobSpansCase):
    async def test_each_attempt_and_each_job_once_before_the_process_ends(self) -> None:
        ids = await self.complete(job_spans.READ_AT_ONCE + 7)
        for job_id in ids:
            self.spans.note(job_id, Ended.of_attempt(1))

        await self.spans.close(10)

        found = sorted(span["spanId"] for span in self.exported())
        expected = [one for job_id in ids for one in (job_span_id(job_id), attempt_span_id(job_id, 1))]
        self.assertEqual(sorted(expected), found)
        self.assertEqual({TRACE.trace_id}, {span["traceId"] for span in self.collector.spans})
        self.assertEqual({TRACE.span_id}, {s["parentSpanId"] for s in self.exported() if s["name"] == "noop"})
        count = len(self.collector.spans)
        self.assertEqual({"exported": count, "dropped": 0}, await Meters(self.link, self.keys).spans())

    async def test_a_job_whose_runner_is_gone_is_exported_with_the_line_that_says_so(self) -> None:
        job_id = await self.enqueue()
        await self.claimed(await self.lease("gone"))
        await self.crash("gone")
        outcomes = OutcomeLog(self.job_store, self.log, self.spans)

        await outcomes.log_each([job_id])
        await self.spans.close(10)

        (attempt,) = self.exported()
        self.assertEqual(attempt_span_id(job_id, 1), attempt["spanId"])
        self.assertEqual("crashed", attributes_of(attempt)["waybill.outcome"])

    async def test_a_job_that_is_gone_and_one_that_goes_on_have_none(self) -> None:
        waiting = await self.enqueue()
        for job_id in (waiting, self.job().job_id):
            for ended in (IN_PLACE, OTHERWISE, Ended.of_attempt(1)):
                self.spans.note(job_id, ended)

        await self.spans.close(10)

        self.assertEqual([], self.collector.asked)
        self.assertEqual(3, self.spans.exporter.dropped, "those of the job that is gone")


class Lost(JobSpansCase):
    async def test_what_is_noted_beyond_the_most_is_dropped_and_counted(self) -> None:
        (job_id,) = await self.complete(1)
        with mock.patch.object(job_spans, "MOST_NOTED", 5):
            for _ in range(8):
                self.spans.note(job_id, Ended.of_attempt(1))

        self.assertEqual(3, self.spans.exporter.dropped)
        await self.spans.close(10)

    async def test_while_the_collector_is_away_no_record_is_read_in_vain(self) -> None:
        ids = await self.complete(20)
        with mock.patch.object(job_spans, "ROOM", 4097), mock.patch.object(job_spans, "READ_AFTER_S", 0):
            for job_id in ids:
                self.spans.note(job_id, Ended.of_attempt(1))
            reads = self.reads()
            await asyncio.sleep(0.3)

            self.assertEqual(reads, self.reads())
            await self.spans.close(10)

        self.assertEqual(40, len(self.exported()))

    def reads(self) -> int:
        """How many scripts this Redis has run."""
        stats: list[Any] = [node.info("commandstats") for node in self.redis.clients]
        return sum(int(of_one.get("cmdstat_evalsha", {}).get("calls", 0)) for of_one in stats)

    async def test_without_redis_they_are_dropped_and_nobody_is_told_a_fault(self) -> None:
        away = self.a_process(NOWHERE)
        for _ in range(3):
            away.note(self.job().job_id, Ended.of_attempt(1))

        await away.close(1)

        self.assertEqual((3, []), (away.exporter.dropped, self.log.lines()))

    async def test_a_fault_of_ours_costs_spans_alone(self) -> None:
        (job_id,) = await self.complete(1)
        with mock.patch.object(job_spans, "exported", side_effect=ZeroDivisionError):
            await OutcomeLog(self.job_store, self.log, self.spans).log_each([job_id])

        self.assertEqual(1, self.spans.exporter.dropped)
        self.assertEqual(["job.taken_back", "spans.failed"], [line["event"] for line in self.log.lines()])


if __name__ == "__main__":
    unittest.main()
