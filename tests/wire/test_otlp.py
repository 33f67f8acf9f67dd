"""The exporter of spans against a collector over real sockets: what is sent, sent again, dropped and said."""

import gzip
import socket
import threading
import time
import unittest
from collections.abc import Callable
from math import nan
from random import Random
from typing import Any
from unittest import mock

from lib import otlp
from lib.otlp import BATCH, MOST_WAITING, Exporter
from lib.otlp_post import Collector, CollectorLink
from lib.otlp_text import INTERNAL, OtlpLink, OtlpSpan
from tests.certificates import Authority
from tests.otlp_collector import OtlpCollector, attributes_of
from tests.scripted_server import HANG_UP, Answer, Asked, answer, deaf_server
from tests.waiting import wait_until

TRACE_ID, NOW_NS = "0af7651916cd43dd8448eb211c80319c", 1_795_438_188_123_000_000


def span(number: int = 1, **fields: Any) -> OtlpSpan:
    made = OtlpSpan(TRACE_ID, f"{number:016x}", "", f"span {number}", INTERNAL, NOW_NS, NOW_NS + 5_000, {})
    return made._replace(**fields)


def spans(count: int) -> list[OtlpSpan]:
    return [span(number) for number in range(1, count + 1)]


class ExporterCase(unittest.TestCase):
    def setUp(self) -> None:
        self.said: list[tuple[str, str]] = []
        # The pauses of real life, a hundred times shorter.
        for name, value in (("BATCH_S", 0.05), ("FIRST_PAUSE_S", 0.02), ("LAST_PAUSE_S", 0.1)):
            self.enterContext(mock.patch.object(otlp, name, value))

    def collector(self, *answers: Answer | Callable[[Asked], Answer]) -> OtlpCollector:
        collector: OtlpCollector = self.enterContext(OtlpCollector(*answers))
        return collector

    def exporter(self, url: str, **fields: Any) -> Exporter:
        to = Collector(f"{url}/v1/traces", {"service.name": "test"}, **fields)
        exporter = Exporter(to, lambda *line: self.said.append(line), Random(1))
        exporter.start()
        self.addCleanup(exporter.close, 0.1)
        return exporter

    def counts(self, exporter: Exporter) -> tuple[int, int]:
        return exporter.exported, exporter.dropped

    def events(self) -> list[str]:
        return [event for event, _ in self.said]


class Sent(ExporterCase):
    def test_what_is_sent_has_ids_in_hex_times_in_decimal_strings_and_what_the_span_says(self) -> None:
        collector = self.collector()
        exporter = self.exporter(collector.url, headers=(("authorization", "Bearer s3cret"),))
        link = OtlpLink("b" * 32, "c" * 16, {"waybill.on": "completed"})
        attributes = {"text": "x" * 5000, "whole": 7, "part": 0.5, "is": True, "odd": "\udcff\x1f", "no": nan}

        exporter.add([span(parent_id="d" * 16, attributes=attributes, links=[link], error="no \udcff"), span(2)])
        wait_until(lambda: exporter.exported == 2, "both are taken")

        (asked,) = collector.asked
        self.assertEqual(("POST", "/v1/traces"), (asked.method, asked.path))
        self.assertEqual("application/json", asked.headers["content-type"])
        self.assertEqual("Bearer s3cret", asked.headers["authorization"])
        first, second = collector.spans
        self.assertEqual((TRACE_ID, f"{1:016x}", "d" * 16), (first["traceId"], first["spanId"], first["parentSpanId"]))
        self.assertEqual(f"{NOW_NS}", first["startTimeUnixNano"])
        self.assertEqual(f"{NOW_NS + 5_000}", first["endTimeUnixNano"])
        self.assertEqual({"code": 2, "message": "no ?"}, first["status"])
        self.assertEqual([("b" * 32, "c" * 16)], [(one["traceId"], one["spanId"]) for one in first["links"]])
        found = {"text": "x" * 4096, "whole": 7, "part": 0.5, "is": True, "odd": "?\x1f", "no": "nan"}
        self.assertEqual(found, attributes_of(first))
        self.assertEqual(set(), {"parentSpanId", "links", "status"} & set(second))
        self.assertEqual({"service.name": "test"}, attributes_of(collector.resources[0]["resource"]))
        self.assertEqual([], self.said)

    def test_a_batch_leaves_when_it_is_full_and_all_on_one_connection(self) -> None:
        with mock.patch.object(otlp, "BATCH_S", 60):
            collector = self.collector()
            exporter = self.exporter(collector.url)
            exporter.add(spans(BATCH - 1))
            exporter.add(spans(BATCH + 2))

            wait_until(lambda: exporter.exported == 2 * BATCH, "two batches, and one span is left")
            exporter.close(5)

        self.assertEqual((2 * BATCH + 1, 0), self.counts(exporter))
        self.assertEqual(1, len({asked.connection for asked in collector.asked}))

    def test_gzip(self) -> None:
        collector = self.collector()
        exporter = self.exporter(collector.url, is_gzip=True)

        exporter.add(spans(3))
        wait_until(lambda: exporter.exported == 3, "they are taken")

        self.assertEqual("gzip", collector.asked[0].headers["content-encoding"])
        self.assertIn(b"resourceSpans", gzip.decompress(collector.asked[0].body))

    def test_tls_is_trusted_by_its_certificate_alone(self) -> None:
        authority: Authority = self.enterContext(Authority())
        tls = authority.issue("collector", "IP:127.0.0.1")
        collector: OtlpCollector = self.enterContext(OtlpCollector(tls=tls))
        body = b'{"resourceSpans":[]}'

        trusting = Collector(collector.url, {}, ca_file=authority.ca_file)
        self.assertEqual("taken", CollectorLink(trusting).post(body).verdict)
        outcome = CollectorLink(Collector(collector.url, {})).post(body)

        self.assertEqual("later", outcome.verdict)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", outcome.words)


class SentAgain(ExporterCase):
    def test_each_status_that_asks_for_it_and_lost_links_and_then_it_says_that_all_is_well(self) -> None:
        later = [answer(status, body=b"busy") for status in (429, 502, 503, 504)]
        collector = self.collector(*later, HANG_UP, HANG_UP)
        exporter = self.exporter(collector.url)

        exporter.add(spans(3))
        wait_until(lambda: exporter.exported == 3, "they are taken at last")

        self.assertEqual(1, len({asked.body for asked in collector.asked}))
        self.assertGreaterEqual(len(collector.asked), 6)
        self.assertEqual(["spans.delayed", "spans.mended"], self.events())
        self.assertIn("does not take them now: 429 Too Many Requests: busy", self.said[0][1])

    def test_not_sooner_than_retry_after(self) -> None:
        collector = self.collector(answer(503, {"retry-after": "1"}))
        exporter = self.exporter(collector.url)

        exporter.add(spans(1))
        wait_until(lambda: exporter.exported == 1, "it is taken")

        first, second = collector.asked
        self.assertGreaterEqual(second.at_s - first.at_s, 1.0)
        self.assertLess(second.at_s - first.at_s, 5.0)

    def test_a_link_that_was_closed_while_it_was_idle_costs_no_pause_and_no_word(self) -> None:
        collector = self.collector(answer(200), HANG_UP)
        exporter = self.exporter(collector.url)
        for number in (1, 2):
            exporter.add(spans(1))
            wait_until(lambda wanted=number: exporter.exported == wanted, "it is taken")  # type: ignore[misc]

        self.assertEqual((3, []), (len(collector.asked), self.said))

    def test_a_reset_amid_the_request(self) -> None:
        with deaf_server(b"") as url:
            exporter = self.exporter(url)
            exporter.add([span(n, attributes={"text": "x" * 4000}) for n in range(500)])
            wait_until(lambda: self.said, "it is said")

        self.assertEqual(["spans.delayed"], self.events())


class Dropped(ExporterCase):
    def test_what_is_refused_and_it_is_said_once_a_minute(self) -> None:
        collector = self.collector(*[answer(400, body={"message": "no such tenant"})] * 3, answer(301), answer(500))
        exporter = self.exporter(collector.url)

        for number in range(1, 6):
            exporter.add(spans(2))
            wait_until(lambda wanted=number: exporter.dropped == 2 * wanted, "they are dropped")  # type: ignore[misc]

        self.assertEqual((5, ["spans.refused"]), (len(collector.asked), self.events()))
        self.assertIn('400 Bad Request: {"message": "no such tenant"}', self.said[0][1])

    def test_no_secret_is_said_that_the_collector_quotes(self) -> None:
        quoting = b"unknown: Bearer s3cret-of-header, s3cret-of-header or s3cret/of/query"
        collector = self.collector(
            answer(401, body=quoting), answer(200, body={"partialSuccess": {"errorMessage": "s3cret-of-header"}})
        )
        headers = (("authorization", "Bearer s3cret-of-header"),)
        link = CollectorLink(Collector(f"{collector.url}/v1/traces?key=s3cret%2Fof%2Fquery", {}, headers))
        self.addCleanup(link.close)

        refused, taken = link.post(b"{}"), link.post(b"{}")

        self.assertEqual("401 Unauthorized: unknown: ********, ******** or ********", refused.words)
        self.assertEqual(("taken", "********"), (taken.verdict, taken.words))

    def test_a_partial_success_of_endless_spans_ends_no_export(self) -> None:
        collector = self.collector(answer(200, body=b'{"partialSuccess": {"rejectedSpans": 1e999}}'))
        exporter = self.exporter(collector.url)

        for number in (1, 2):
            exporter.add([span()])
            wait_until(lambda wanted=number: exporter.exported == wanted, "it is taken")  # type: ignore[misc]

    def test_what_a_partial_success_rejects(self) -> None:
        partial = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}
        bodies: list[Any] = [{"partialSuccess": None}, [], {"partialSuccess": 7}, b"<html>"]
        odd = [answer(200, body=body) for body in bodies]
        collector = self.collector(answer(200, body=partial), *odd)
        exporter = self.exporter(collector.url)

        for number in range(1, 6):
            exporter.add(spans(3))
            wait_until(lambda wanted=number: sum(self.counts(exporter)) == 3 * wanted, "taken")  # type: ignore[misc]

        self.assertEqual((13, 2), self.counts(exporter))
        self.assertEqual(["spans.partly_taken"], self.events())
        self.assertTrue(self.said[0][1].endswith("has taken 1 of 3 spans: too old"))

    def test_the_newest_while_so_many_wait_for_a_collector_that_hangs(self) -> None:
        goes_on = threading.Event()
        self.addCleanup(goes_on.set)

        def hang(asked: Asked) -> Answer:
            goes_on.wait(20)
            return answer(200)

        collector = self.collector(hang)
        exporter = self.exporter(collector.url)
        exporter.add(spans(BATCH))
        wait_until(lambda: collector.asked, "the first batch is on its way")

        began_s = time.monotonic()
        for _ in range(10):
            exporter.add(spans(1000))
        took_s = time.monotonic() - began_s
        self.assertEqual(10_000 - MOST_WAITING, exporter.dropped)
        goes_on.set()
        wait_until(lambda: exporter.exported == BATCH + MOST_WAITING, "what waited is taken")

        self.assertLess(took_s, 2)
        self.assertEqual(["spans.dropped"], self.events())

    def test_what_was_not_sent_in_time_before_the_end(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:  # It answers nothing.
            exporter = self.exporter("http://127.0.0.1:{1}".format(*listening.getsockname()))
            exporter.add(spans(BATCH + 7))
            began_s = time.monotonic()

            exporter.close(0.3)
            took_s = time.monotonic() - began_s

        self.assertLess(took_s, 2)
        self.assertEqual((0, BATCH + 7), self.counts(exporter))
        exporter.add(spans(1))
        self.assertEqual((0, BATCH + 8), self.counts(exporter))

    def test_at_the_end_a_collector_that_is_away_is_tried_once_a_batch(self) -> None:
        collector = self.collector(*[answer(503, {"retry-after": "60"})] * 9)
        exporter = self.exporter(collector.url)
        exporter.add(spans(BATCH + 1))
        wait_until(lambda: self.said, "the first try")

        exporter.close(5)

        self.assertEqual((0, BATCH + 1), self.counts(exporter))
        self.assertEqual(3, len(collector.asked))


if __name__ == "__main__":
    unittest.main()
