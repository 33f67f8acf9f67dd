"""The settings of the export of spans: the rows of settings_table.py whose names OpenTelemetry has given.

    OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20s3cret,x-scope-orgid=1
    ->  (("authorization", "Bearer s3cret"), ("x-scope-orgid", "1"))

The names, and what they mean, are those that every OpenTelemetry SDK knows:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. The environment may have them for
other programs, with values that are unknown here. That is a fault only where spans are exported (config.py).
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from lib.settings import kinds

SAMPLERS: Final = {
    "always_on": (False, 1.0),
    "always_off": (False, 0.0),
    "traceidratio": (False, None),
    "parentbased_always_on": (True, 1.0),
    "parentbased_always_off": (True, 0.0),
    "parentbased_traceidratio": (True, None),
}
"""Sampler -> whether it obeys the caller's flag, and how much of the other traces it keeps: None is
OTEL_TRACES_SAMPLER_ARG."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = {"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection"}
_VISIBLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

Pairs = tuple[tuple[str, str], ...]


class OtelRow(NamedTuple):
    """As settings_table.Setting, which is made of it."""

    name: str
    default: str
    about: str
    parse: Callable[[str], Any]


def endpoint(text: str) -> str:
    """http or https, a host, perhaps a port, a path and a query. No user and password: no message quotes the text."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and parts.hostname and text.isascii() and text.isprintable()
    except ValueError:
        is_url = False
    if not is_url or " " in text:
        raise ValueError("it is not of the form http://collector:4318")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("it has a user or a # in it; what a collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("its port is not a number from 0 to 65535") from None
    return text


def pairs(text: str) -> Pairs:
    """key=value, parted by commas, the values percent-encoded. No message quotes a value."""
    found = []
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"its part {number} is not of the form key=value")
        found.append((unquote(name.strip()), unquote(value.strip())))
    return tuple(found)


def headers(text: str) -> Pairs:
    found = pairs(text)
    for number, (name, value) in enumerate(found, 1):
        if not _HEADER_NAME.fullmatch(name) or not _VISIBLE.fullmatch(value):
            raise ValueError(f"its part {number} is no header of HTTP")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name} is set by Waybill itself")
    return found


def truth(text: str) -> bool:
    return kinds.one_of("true", "false")(text.lower()) == "true"


def ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is not a number from 0 to 1")
    return value


_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")

ROWS: tuple[OtelRow, ...] = (
    OtelRow(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "URL of an OpenTelemetry collector that takes OTLP over HTTP, as in http://127.0.0.1:4318: the spans of "
        "requests and jobs are sent to /v1/traces there; empty: none are",
        endpoint,
    ),
    OtelRow(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "",
        "the whole URL for spans, used as it is, in place of OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces",
        endpoint,
    ),
    OtelRow(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "",
        "headers for the collector, key=value, parted by commas, values percent-encoded, as in "
        "authorization=Bearer%20TOKEN; never logged",
        headers,
    ),
    OtelRow("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "", "the same, in place of OTEL_EXPORTER_OTLP_HEADERS", headers),
    OtelRow(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "http/json",
        "Waybill speaks http/json. http/protobuf: it sends JSON all the same, which collectors take at the same URL; "
        "grpc: nothing is sent, and a warning is logged",
        kinds.one_of("http/json", "http/protobuf", "grpc"),
    ),
    OtelRow(
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "none",
        "gzip or none: what is sent to the collector",
        kinds.one_of("none", "gzip"),
    ),
    OtelRow(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "10000",
        "milliseconds that the collector may be silent, 100 to 600000",
        kinds.whole(100, 600_000),
    ),
    OtelRow(
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "",
        "file of certificates (PEM) that are trusted for the collector in place of the system's; relative to the "
        "project",
        kinds.path_or_none,
    ),
    OtelRow(
        "OTEL_SERVICE_NAME",
        "",
        "service.name of the spans; empty: waybill-server and waybill-worker",
        lambda text: kinds.matching(_NAME, "a name of 1 to 255 characters")(text) if text else "",
    ),
    OtelRow(
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "other attributes of what sends the spans, key=value, parted by commas, as in deployment.environment.name=prod",
        pairs,
    ),
    OtelRow(
        "OTEL_TRACES_SAMPLER",
        "parentbased_traceidratio",
        f"which traces are kept, one of {', '.join(SAMPLERS)}; parentbased: where a caller sends traceparent, its flag "
        "decides",
        kinds.one_of(*SAMPLERS),
    ),
    OtelRow(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "how much is kept of the traces that begin here, 0 to 1, as in 0.05",
        ratio,
    ),
    OtelRow("OTEL_SDK_DISABLED", "false", "true: no spans are sent, whatever else is set", truth),
)
