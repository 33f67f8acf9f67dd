"""What the OTEL_… settings come to: the collector to which spans go, and which traces are kept.

collector_of(settings, "waybill-server")     Collector('http://127.0.0.1:4318/v1/traces'), or None: nothing is sent
sampler_of(settings)                         Sampler(ratio=0.05, obeys_caller=True)
"""

import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from lib import __version__
from lib.settings.otel_rows import SAMPLERS
from lib.settings.settings_table import Settings
from lib.tracing import KEEP_ALL, Sampler

if TYPE_CHECKING:
    from lib.otlp_post import Collector

SERVER, WORKER = "waybill-server", "waybill-worker"


def is_exporting(settings: Settings) -> bool:
    return _is_wanted(settings) and settings.otel_exporter_otlp_protocol != "grpc"


def collector_of(settings: Settings, service: str) -> "Collector | None":
    """service: the name of this program where OTEL_SERVICE_NAME says nothing. None where no spans are sent."""
    if not is_exporting(settings):
        return None
    from lib.otlp_post import Collector  # Here: it imports http.client, and most deployments set no collector.

    named = dict(settings.otel_resource_attributes)
    resource: dict[str, str | int | float | bool] = {
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        **named,
        "service.name": settings.otel_service_name or named.get("service.name") or service,
    }
    ca_file = settings.otel_exporter_otlp_certificate
    return Collector(
        _url(settings),
        resource,
        settings.otel_exporter_otlp_traces_headers or settings.otel_exporter_otlp_headers,
        settings.otel_exporter_otlp_timeout / 1000,
        settings.otel_exporter_otlp_compression == "gzip",
        str(ca_file) if ca_file else None,
    )


def sampler_of(settings: Settings) -> Sampler:
    """Keeps all traces, and obeys callers, where no spans are sent: others may export spans of the same traces."""
    if not is_exporting(settings):
        return KEEP_ALL
    obeys_caller, ratio = SAMPLERS[settings.otel_traces_sampler]
    return Sampler(settings.otel_traces_sampler_arg if ratio is None else ratio, obeys_caller)


class ExportNotice(NamedTuple):
    """What is logged of the export when a program starts. is_fault: nothing is sent, though a collector is set."""

    msg: str
    is_fault: bool


def export_notice(settings: Settings) -> ExportNotice | None:
    """None where no collector is set."""
    protocol = settings.otel_exporter_otlp_protocol
    if not _is_wanted(settings):
        return None
    shown = _url(settings).partition("?")[0]
    if protocol == "grpc":
        msg = (
            f"No spans are sent to {shown}: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and Waybill speaks OTLP over HTTP "
            "alone; set it to http/json, and the endpoint to the collector's port for HTTP, 4318 mostly"
        )
        return ExportNotice(msg, is_fault=True)
    how = "" if protocol == "http/json" else f", as JSON, though OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}"
    kept = f"{sampler_of(settings).ratio:g} of the traces that begin here"
    return ExportNotice(f"Spans go to {shown}{how}: {settings.otel_traces_sampler}, {kept}", is_fault=False)


def _is_wanted(settings: Settings) -> bool:
    has_endpoint = settings.otel_exporter_otlp_endpoint or settings.otel_exporter_otlp_traces_endpoint
    return bool(has_endpoint) and not settings.otel_sdk_disabled


def _url(settings: Settings) -> str:
    """The endpoint for traces as it is, or the common one with /v1/traces behind its path."""
    if settings.otel_exporter_otlp_traces_endpoint:
        return settings.otel_exporter_otlp_traces_endpoint
    path, mark, query = settings.otel_exporter_otlp_endpoint.partition("?")
    return f"{path.rstrip('/')}/v1/traces{mark}{query}"
