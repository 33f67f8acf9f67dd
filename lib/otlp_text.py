"""Spans as OTLP/JSON, the body of `POST /v1/traces`. Pure.

    {"resourceSpans": [{
      "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "waybill-server"}}]},
      "scopeSpans": [{"scope": {"name": "waybill", "version": "0.3.0"}, "spans": [
        {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "POST /api/jobs",
         "kind": 2, "startTimeUnixNano": "1795438188123000000", "endTimeUnixNano": "1795438188125000000"}]}]}]}

Ids are hex digits and times decimal strings, as OTLP asks of its JSON; protobuf's own JSON has ids in base64. Source:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring as _quoted
from math import isfinite
from typing import Final, NamedTuple

from lib import __version__

INTERNAL, SERVER, CLIENT, CONSUMER = 1, 2, 3, 5
"""Kinds of spans, by their numbers in OTLP."""
TEXT_CHARS: Final = 4096
"""A longer text, an error's message say, is cut."""
_ERROR: Final = 2

Attributes = Mapping[str, str | int | float | bool]


class OtlpLink(NamedTuple):
    """The span that another one waited for, which may be of another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes


class OtlpSpan(NamedTuple):
    """A span that has ended. parent_id: "" for none. start_ns, end_ns: since 1970. error: what went wrong; None where
    nothing did."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Attributes
    links: Sequence[OtlpLink] = ()
    error: str | None = None


def body_of(texts: Iterable[str], resource: Attributes) -> bytes:
    """texts: of spans, as `text_of` makes them. resource: what made the spans, {"service.name": "waybill-server"}."""
    about, scope = f'{{"attributes":[{_attributes(resource)}]}}', f'{{"name":"waybill","version":"{__version__}"}}'
    spans = ",".join(texts)
    whole = f'{{"resourceSpans":[{{"resource":{about},"scopeSpans":[{{"scope":{scope},"spans":[{spans}]}}]}}]}}'
    # "replace": a lone surrogate in one job's error must not keep 511 other spans from the collector.
    return whole.encode("utf-8", "replace")


def text_of(span: OtlpSpan) -> str:
    """The span's JSON. WHY by hand: it takes a third of the time of a dict made and encoded; each span is made so."""
    trace_id, span_id, parent_id, name, kind, start_ns, end_ns, attributes, links, error = span
    parent = f'"parentSpanId":"{parent_id}",' if parent_id else ""
    linked = f',"links":[{",".join(map(_link, links))}]' if links else ""
    status = "" if error is None else f',"status":{{"code":{_ERROR},"message":{_quoted(error[:TEXT_CHARS])}}}'
    return (
        f'{{"traceId":"{trace_id}","spanId":"{span_id}",{parent}"name":{_quoted(name)},"kind":{kind},'
        f'"startTimeUnixNano":"{start_ns}","endTimeUnixNano":"{max(start_ns, end_ns)}",'
        f'"attributes":[{_attributes(attributes)}]{linked}{status}}}'
    )


def _link(link: OtlpLink) -> str:
    attributes = _attributes(link.attributes)
    return f'{{"traceId":"{link.trace_id}","spanId":"{link.span_id}","attributes":[{attributes}]}}'


def _attributes(attributes: Attributes) -> str:
    return ",".join([f'{{"key":{_quoted(name)},"value":{{{_value(value)}}}}}' for name, value in attributes.items()])


def _value(value: str | float | bool) -> str:
    # bool before int: to Python True is an int.
    if isinstance(value, bool):
        return f'"boolValue":{"true" if value else "false"}'
    if isinstance(value, int):
        return f'"intValue":"{value}"'
    if isinstance(value, float) and isfinite(value):  # JSON has no NaN.
        return f'"doubleValue":{value!r}'
    return f'"stringValue":{_quoted(str(value)[:TEXT_CHARS])}'
