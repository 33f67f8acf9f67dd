"""An OpenTelemetry collector over HTTP, as far as spans go: it gives the answers of a test, then 200, and keeps what it
has taken.

    with OtlpCollector(answer(503, {"retry-after": "1"})) as collector:
        … OTEL_EXPORTER_OTLP_ENDPOINT=collector.url …
    collector.spans        [{"traceId": "0af7…", "spanId": "b7ad…", "name": "POST /api/jobs", …}]
"""

import gzip
import json
import ssl
from collections.abc import Callable
from typing import Any

from tests.scripted_server import Answer, Asked, ScriptedServer, answer

Span = dict[str, Any]


class OtlpCollector(ScriptedServer):
    def __init__(self, *answers: Answer | Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(*answers, tls=tls, otherwise=answer(200))

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What was taken with status 200, by who sent it: [{"resource": …, "scopeSpans": […]}]."""
        taken = [asked for asked, status in self.answered if status == 200]
        return [one for asked in taken for one in body_of(asked)["resourceSpans"]]

    @property
    def spans(self) -> list[Span]:
        return [span for one in self.resources for scope in one["scopeSpans"] for span in scope["spans"]]


def body_of(asked: Asked) -> dict[str, Any]:
    raw = gzip.decompress(asked.body) if asked.headers.get("content-encoding") == "gzip" else asked.body
    found: dict[str, Any] = json.loads(raw)
    return found


def attributes_of(one: dict[str, Any]) -> dict[str, Any]:
    """Of a span or a resource: {"service.name": "waybill-server", "waybill.attempt": 2}."""
    found: dict[str, Any] = {}
    for attribute in one["attributes"]:
        ((kind, value),) = attribute["value"].items()
        found[attribute["key"]] = int(value) if kind == "intValue" else value
    return found
