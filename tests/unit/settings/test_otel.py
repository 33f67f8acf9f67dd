"""OTEL_… settings: where spans go, which traces are kept, and that no token is shown."""

import unittest
from pathlib import Path

from lib.errors import ConfigError
from lib.otlp_post import Collector
from lib.settings.config import Settings, load
from lib.settings.otel import collector_of, export_notice, sampler_of
from lib.tracing import KEEP_ALL, Sampler

URL = "http://collector:4318"
TOKEN = "tops3cret"


def settings(**environ: str) -> Settings:
    return load({f"OTEL_{name}": value for name, value in environ.items()}, Path("/none"))


def faults(**environ: str) -> tuple[str, ...]:
    try:
        settings(**environ)
    except ConfigError as fault:
        return fault.faults
    return ()


def collector(**environ: str) -> Collector:
    found = collector_of(settings(**environ), "waybill-server")
    assert found is not None
    return found


class Where(unittest.TestCase):
    def test_nowhere_unless_it_is_said(self) -> None:
        for environ in ({}, {"SDK_DISABLED": "TRUE", "EXPORTER_OTLP_ENDPOINT": URL}):
            self.assertIsNone(collector_of(settings(**environ), "s"))
            self.assertIsNone(export_notice(settings(**environ)))
            self.assertIs(KEEP_ALL, sampler_of(settings(**environ, TRACES_SAMPLER_ARG="0")))

    def test_the_common_endpoint_has_v1_traces_behind_its_path_and_the_one_for_traces_is_used_as_it_is(self) -> None:
        for endpoint, url in (
            (URL, f"{URL}/v1/traces"),
            (f"{URL}/", f"{URL}/v1/traces"),
            (f"{URL}/otlp?key=1", f"{URL}/otlp/v1/traces?key=1"),
        ):
            self.assertEqual(url, collector(EXPORTER_OTLP_ENDPOINT=endpoint).url)
        own = collector(EXPORTER_OTLP_ENDPOINT=URL, EXPORTER_OTLP_TRACES_ENDPOINT="https://t/api/x")
        self.assertEqual("https://t/api/x", own.url)

    def test_what_goes_with_it(self) -> None:
        found = collector(
            EXPORTER_OTLP_ENDPOINT=URL,
            EXPORTER_OTLP_HEADERS="authorization=Bearer%20a%3Db, x-org = 7",
            EXPORTER_OTLP_TIMEOUT="2500",
            EXPORTER_OTLP_COMPRESSION="gzip",
            EXPORTER_OTLP_CERTIFICATE="ca.pem",
            RESOURCE_ATTRIBUTES="deployment.environment.name=prod,service.name=mine",
        )

        self.assertEqual((("authorization", "Bearer a=b"), ("x-org", "7")), found.headers)
        self.assertEqual((2.5, True, "/none/ca.pem"), (found.timeout_s, found.is_gzip, found.ca_file))
        self.assertEqual("prod", found.resource["deployment.environment.name"])
        self.assertEqual("mine", found.resource["service.name"])
        named = collector(EXPORTER_OTLP_ENDPOINT=URL, SERVICE_NAME="n", RESOURCE_ATTRIBUTES="service.name=mine")
        self.assertEqual("n", named.resource["service.name"])
        plain = collector(EXPORTER_OTLP_ENDPOINT=URL)
        self.assertEqual(("waybill-server", (), 10.0), (plain.resource["service.name"], plain.headers, plain.timeout_s))
        own = collector(EXPORTER_OTLP_ENDPOINT=URL, EXPORTER_OTLP_HEADERS="a=1", EXPORTER_OTLP_TRACES_HEADERS="b=2")
        self.assertEqual((("b", "2"),), own.headers)

    def test_what_is_done_of_another_protocol_is_said(self) -> None:
        told = {
            name: export_notice(settings(EXPORTER_OTLP_ENDPOINT=URL, EXPORTER_OTLP_PROTOCOL=name))
            for name in ("http/json", "http/protobuf", "grpc")
        }
        said = {name: (notice.msg, notice.is_fault) for name, notice in told.items() if notice}

        kept = "parentbased_traceidratio, 1 of the traces that begin here"
        self.assertEqual((f"Spans go to {URL}/v1/traces: {kept}", False), said["http/json"])
        self.assertIn(
            "/v1/traces, as JSON, though OTEL_EXPORTER_OTLP_PROTOCOL is http/protobuf: ", said["http/protobuf"][0]
        )
        self.assertTrue(said["grpc"][1])
        self.assertIsNone(collector_of(settings(EXPORTER_OTLP_ENDPOINT=URL, EXPORTER_OTLP_PROTOCOL="grpc"), "s"))


class Kept(unittest.TestCase):
    def test_each_sampler(self) -> None:
        for name, sampler in (
            ("", Sampler(0.25)),
            ("parentbased_traceidratio", Sampler(0.25)),
            ("traceidratio", Sampler(0.25, obeys_caller=False)),
            ("parentbased_always_on", Sampler(1.0)),
            ("parentbased_always_off", Sampler(0.0)),
            ("always_on", Sampler(1.0, obeys_caller=False)),
            ("always_off", Sampler(0.0, obeys_caller=False)),
        ):
            found = sampler_of(settings(EXPORTER_OTLP_ENDPOINT=URL, TRACES_SAMPLER=name, TRACES_SAMPLER_ARG="0.25"))
            self.assertEqual(sampler, found, name)


class Faults(unittest.TestCase):
    WRONG = (
        ("EXPORTER_OTLP_ENDPOINT", ("collector:4318", "grpc://c", "http://", "http://[c", "http://c:x", "http://c/#a")),
        ("EXPORTER_OTLP_TRACES_ENDPOINT", ("collector", "http://c d", "http://c\x7f", "http://\u00fc")),
        ("EXPORTER_OTLP_HEADERS", ("a", "=1", "a b=1", "a=%0d%0ab", "content-type=x", "a=%00", "a=%E2%82%AC")),
        ("EXPORTER_OTLP_PROTOCOL", ("http", "HTTP/JSON")),
        ("EXPORTER_OTLP_TIMEOUT", ("0", "10s", "600001")),
        ("EXPORTER_OTLP_COMPRESSION", ("zstd",)),
        ("SERVICE_NAME", ("a\x00b",)),
        ("RESOURCE_ATTRIBUTES", ("prod",)),
        ("TRACES_SAMPLER", ("xray", "jaeger_remote", "0.5")),
        ("TRACES_SAMPLER_ARG", ("-0.1", "1.1", "nan", "inf", "endpoint=http://c")),
        ("SDK_DISABLED", ("yes", "1")),
    )

    def test_what_is_not_understood_stops_the_start(self) -> None:
        for name, texts in self.WRONG:
            for text in texts:
                with self.subTest(name, text=text):
                    (fault,) = faults(**{"EXPORTER_OTLP_ENDPOINT": URL, name: text})
                    self.assertTrue(fault.startswith(f"OTEL_{name}: "), fault)

    def test_but_not_where_nothing_is_exported_for_it_may_be_meant_for_others(self) -> None:
        for name, texts in self.WRONG:
            if not name.endswith("ENDPOINT"):
                for text in texts:
                    self.assertEqual((), faults(**{name: text}), name)
        self.assertEqual((), faults(EXPORTER_OTLP_ENDPOINT="nonsense", SDK_DISABLED="true", TRACES_SAMPLER="xray"))

    def test_no_token_is_shown(self) -> None:
        url, header = f"{URL}/x?key={TOKEN}", f"authorization=Bearer%20{TOKEN}"
        found = settings(
            EXPORTER_OTLP_ENDPOINT=url,
            EXPORTER_OTLP_TRACES_ENDPOINT=url,
            EXPORTER_OTLP_HEADERS=header,
            EXPORTER_OTLP_TRACES_HEADERS=header,
        )
        wrong = faults(
            EXPORTER_OTLP_ENDPOINT=f"http://me:{TOKEN}@c",
            EXPORTER_OTLP_TRACES_ENDPOINT=f"ftp://{TOKEN}",
            EXPORTER_OTLP_HEADERS=f"authorization=%0d{TOKEN}",
            EXPORTER_OTLP_TRACES_HEADERS=TOKEN,
        )

        self.assertEqual(4, len(wrong))
        for shown in (repr(found), repr(collector_of(found, "s")), str(export_notice(found)), str(wrong)):
            self.assertNotIn(TOKEN, shown)


if __name__ == "__main__":
    unittest.main()
