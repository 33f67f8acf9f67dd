"""Which requests have a span, and what it says."""

import unittest
from collections.abc import Sequence

from lib.http1.message import Response
from lib.otlp_text import SERVER, OtlpSpan
from lib.tracing import Trace
from lib.web.middleware import WebRequest
from lib.web.request_spans import RequestSpans
from lib.web.router import Call, Route

TRACE = Trace("a" * 32, "b" * 16, "01")
NOW_NS = 1_795_438_188_123_000_000


async def operation(_call: Call) -> Response:
    return Response(200)


class RequestSpan(unittest.TestCase):
    def setUp(self) -> None:
        self.made: list[OtlpSpan] = []

    def add(self, spans: Sequence[OtlpSpan]) -> None:
        self.made += spans

    def noted(self, method: str = "POST", status: int = 202, **fields: object) -> list[OtlpSpan]:
        request = WebRequest(method, "/", "/api/jobs/q-1", "", "1.1", {}, "h", True, 0, False, False, 1000)
        request.request_id, request.trace = "order-1", TRACE
        request.route = Route(method, "/api/jobs/{job_id}", "x", operation, frozenset(), scope="write"), {}
        for name, value in fields.items():
            setattr(request, name, value)
        self.made.clear()
        RequestSpans(self.add, lambda: NOW_NS).note(request, Response(status), 0.25)
        return self.made

    def test_it_hangs_on_the_callers_span_and_has_the_id_that_the_jobs_of_the_request_know(self) -> None:
        caller = f"00-{'a' * 32}-{'c' * 16}-01"

        (span,) = self.noted(headers={"traceparent": caller})

        self.assertEqual(("a" * 32, "b" * 16, "c" * 16), span[:3])
        self.assertEqual(("POST /api/jobs/{job_id}", SERVER, None), (span.name, span.kind, span.error))
        self.assertEqual((NOW_NS - 250_000_000, NOW_NS), (span.start_ns, span.end_ns))
        expected = {
            "http.request.method": "POST",
            "http.route": "/api/jobs/{job_id}",
            "http.response.status_code": 202,
            "waybill.request_id": "order-1",
        }
        self.assertEqual(expected, span.attributes)

    def test_without_a_caller_it_has_no_parent(self) -> None:
        for headers in ({}, {"traceparent": "nonsense"}):
            self.assertEqual("", self.noted(headers=headers)[0].parent_id)

    def test_reads_what_matches_no_route_and_what_is_not_sampled_have_none(self) -> None:
        for method in ("GET", "HEAD", "OPTIONS"):
            self.assertEqual([], self.noted(method))
        self.assertEqual([], self.noted(route=None))
        self.assertEqual([], self.noted(trace=TRACE._replace(flags="00")))
        for method in ("PUT", "PATCH", "DELETE"):
            self.assertEqual(1, len(self.noted(method)))

    def test_a_fault_of_ours_is_one_and_a_refusal_is_none(self) -> None:
        self.assertIsNone(self.noted(status=422)[0].error)
        self.assertEqual("status 503", self.noted(status=503)[0].error)


if __name__ == "__main__":
    unittest.main()
