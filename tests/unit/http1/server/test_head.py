"""The request line and the fields, as lib/http1/server/head.py reads them; every case in every cutting."""

from lib.errors import HttpError
from lib.http1.message import Request
from lib.http1.server.limits import Limits
from lib.http1.server.parser import Parser
from tests.unit.http1.server.http_cuts import CutsTestCase, cuttings

H = b"Host: a\r\n"


class TestRequestLine(CutsTestCase):
    def test_get_is_served(self) -> None:
        request = self.served(b"GET /v1/jobs?limit=5&x=%20 HTTP/1.1\r\n" + H + b"\r\n")

        self.assertEqual((request.method, request.path, request.query), ("GET", "/v1/jobs", "limit=5&x=%20"))
        self.assertEqual((request.version, request.host, request.keep_alive), ("1.1", "a", True))

    def test_anything_but_single_spaces_is_refused(self) -> None:
        for line in (
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET\t/ HTTP/1.1",
            b"GET /\tHTTP/1.1",
            b" GET / HTTP/1.1",
        ):
            self.refused(line + b"\r\n" + H + b"\r\n")
        for line in (b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\t", b"GET /a b HTTP/1.1", b"GET /\x0bHTTP/1.1"):
            self.refused(line + b"\r\n" + H + b"\r\n")

    def test_http_0_9_is_refused(self) -> None:
        self.refused(b"GET /\r\n\r\n")

    def test_versions_that_are_not_digit_dot_digit_are_refused(self) -> None:
        for version in (
            b"HTTP/1.32",
            b"http/1.1",
            b"HTTP/1",
            b"HTTP/1.",
            b"HTTP/11",
            b"HTTP/1.1.1",
            b"HTTPS/1.1",
            b"Http/1.1",
        ):
            self.refused(b"GET / " + version + b"\r\n" + H + b"\r\n")

    def test_other_major_versions_are_not_supported(self) -> None:
        for version in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0"):
            self.assertEqual(self.refused(b"GET / " + version + b"\r\n" + H + b"\r\n", 505), "version-not-supported")

    def test_the_preface_of_http_2_is_not_supported(self) -> None:
        self.refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)

    def test_a_later_minor_version_is_served_as_1_1(self) -> None:
        self.assertEqual(self.served(b"GET / HTTP/1.2\r\n" + H + b"\r\n").version, "1.1")

    def test_unknown_methods_are_501(self) -> None:
        for method in (b"get", b"Get", b"PRI", b"FOO", b"m" * 5000):
            self.assertEqual(self.refused(method + b" / HTTP/1.1\r\n" + H + b"\r\n", 501), "method-unknown")

    def test_a_method_longer_than_the_request_line_may_be_is_501(self) -> None:
        self.assertEqual(self.refused(b"G" * 9000 + b" / HTTP/1.1\r\n" + H + b"\r\n", 501), "method-unknown")

    def test_registered_methods_are_served(self) -> None:
        for method in (
            "GET",
            "HEAD",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "TRACE",
            "QUERY",
            "PROPFIND",
            "VERSION-CONTROL",
        ):
            self.assertEqual(self.served(method.encode() + b" / HTTP/1.1\r\n" + H + b"\r\n").method, method)

    def test_methods_that_are_no_tokens_are_refused(self) -> None:
        for method in (b"GET,POST", b"G@T", b"GET/", b'"GET"', b"G\x80T", b"(GET)", b""):
            self.refused(method + b" / HTTP/1.1\r\n" + H + b"\r\n")

    def test_one_empty_line_before_a_request_is_forgiven_and_two_are_not(self) -> None:
        self.served(b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n")
        self.refused(b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n")
        self.refused(b"\nGET / HTTP/1.1\r\n" + H + b"\r\n")
        self.refused(b"\rGET / HTTP/1.1\r\n" + H + b"\r\n")

    def test_noise_and_tls_are_refused_before_a_line_is_complete(self) -> None:
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.refused(bytes(range(256)) * 256)
        self.refused(b"\xff" * 65536)


class TestTarget(CutsTestCase):
    def test_a_target_over_the_limit_is_414_and_one_at_it_is_served(self) -> None:
        longest = 8192 - len("GET / HTTP/1.1")

        self.assertEqual(self.refused(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414), "uri-too-long")
        self.refused(b"GET /" + b"a" * (longest + 1) + b" HTTP/1.1\r\n" + H + b"\r\n", 414)
        self.served(b"GET /" + b"a" * longest + b" HTTP/1.1\r\n" + H + b"\r\n")

    def test_an_endless_target_is_414_without_waiting_for_its_end(self) -> None:
        self.refused(b"GET /" + b"a" * 9000, 414)

    def test_absolute_form_gives_the_host_and_wins_over_host(self) -> None:
        request = self.served(b"GET http://B:8080/livez?x HTTP/1.1\r\n" + H + b"\r\n")

        self.assertEqual((request.host, request.path, request.query), ("b:8080", "/livez", "x"))
        self.assertEqual(request.headers["host"], "a")

    def test_absolute_form_without_a_path_is_the_root(self) -> None:
        self.assertEqual(self.served(b"GET HTTP://b HTTP/1.1\r\n" + H + b"\r\n").path, "/")
        self.assertEqual(self.served(b"GET https://b?q=1 HTTP/1.1\r\n" + H + b"\r\n").query, "q=1")
        self.assertEqual(self.served(b"OPTIONS http://b HTTP/1.1\r\n" + H + b"\r\n").path, "*")

    def test_absolute_form_needs_a_good_host_field_as_well(self) -> None:
        self.refused(b"GET http://b/ HTTP/1.1\r\n\r\n")
        self.refused(b"GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n")

    def test_absolute_forms_that_are_no_http_url_are_refused(self) -> None:
        for target in (b"ftp://b/", b"http:///", b"http://", b"http://u@b/", b"http://u:p@b/", b"http:/b", b"b/c"):
            self.refused(b"GET " + target + b" HTTP/1.1\r\n" + H + b"\r\n")
        for target in (b"http://b:99999/", b"http://b:x/", b"http://[::1/", b"http://b\\c/", b"http://b/#f"):
            self.refused(b"GET " + target + b" HTTP/1.1\r\n" + H + b"\r\n")

    def test_asterisk_is_for_options_alone(self) -> None:
        self.assertEqual(self.served(b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n").path, "*")
        self.refused(b"GET * HTTP/1.1\r\n" + H + b"\r\n")
        self.refused(b"OPTIONS *x HTTP/1.1\r\n" + H + b"\r\n")

    def test_connect_is_501_and_authority_form_is_for_nobody_else(self) -> None:
        self.refused(b"CONNECT a:443 HTTP/1.1\r\n" + H + b"\r\n", 501)
        self.refused(b"GET a:443 HTTP/1.1\r\n" + H + b"\r\n")

    def test_paths_stay_raw_for_the_router(self) -> None:
        for path in ("/../etc/passwd", "/%2e%2e/", "/..%2f", "/%00", "/%c0%ae", "//b//", "/a;b=c,d", "/:@!$&'()*+"):
            self.assertEqual(self.served(f"GET {path} HTTP/1.1\r\n".encode() + H + b"\r\n").path, path)

    def test_characters_that_need_percent_encoding_are_refused(self) -> None:
        for path in (
            b"/a\\b",
            b'/"',
            b"/<",
            b"/a#b",
            b"/\x7f",
            b"/\xc3\xa9",
            b"/%",
            b"/%1",
            b"/%zz",
            b"/a|b",
            b"/^",
            b"/{}",
        ):
            self.refused(b"GET " + path + b" HTTP/1.1\r\n" + H + b"\r\n")

    def test_a_query_may_hold_what_browsers_send_bare(self) -> None:
        self.assertEqual(self.served(b"GET /?a=[1]|{2}^`\\?/ HTTP/1.1\r\n" + H + b"\r\n").query, "a=[1]|{2}^`\\?/")


class TestHost(CutsTestCase):
    def test_host_is_needed_once_in_1_1(self) -> None:
        self.refused(b"GET / HTTP/1.1\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n")

    def test_hosts_that_are_no_host_are_refused(self) -> None:
        for host in (
            b"a b",
            b"a/b",
            b"u@a",
            b"",
            b" ",
            b"a:b",
            b"a:123456",
            b"a:65536",
            b"[::1",
            b"[::1]x",
            b"[:::]",
            b"a,b c",
        ):
            self.refused(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        for host in (b"a\\b", b"http://a", b"a?b", b"a#b", b"\xc3\xa9", b"::1", b"a:80:80", b"%zz", b":80", b"a\tb"):
            self.refused(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")

    def test_names_and_addresses_with_ports_are_hosts(self) -> None:
        for host in ("a", "A.b-c_d", "127.0.0.1:80", "[::1]", "[2001:db8::1]:8080", "a:", "x%20y", "a:65535"):
            self.assertEqual(self.served(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).host, host.lower())

    def test_http_1_0_needs_no_host_but_a_sent_one_must_be_good(self) -> None:
        self.assertEqual(self.served(b"GET / HTTP/1.0\r\n\r\n").host, "")
        self.refused(b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n")
        self.refused(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")


class TestFields(CutsTestCase):
    def test_bad_bytes_in_the_head_are_refused(self) -> None:
        for bad in (
            b"a: b\nc: d",
            b"a: b\rc",
            b"a: b\x00c",
            b"a: b\x0bc",
            b"a\x00: b",
            b"a: b\x7f",
            b"a: \x1b[0m",
            b"a: b\r",
        ):
            self.refused(b"GET / HTTP/1.1\r\n" + H + bad + b"\r\n\r\n")

    def test_bare_line_feeds_are_refused_although_the_head_never_ends(self) -> None:
        self.refused(b"GET / HTTP/1.1\nHost: a\n\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: a\n\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: a\r\n\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: a\r\n\r")

    def test_folded_and_indented_lines_are_refused(self) -> None:
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"a: b\r\n c\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"a: b\r\n\tc\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\n X: y\r\n" + H + b"\r\n")

    def test_names_that_are_no_tokens_are_refused(self) -> None:
        for line in (
            b"Name : v",
            b"Name\t: v",
            b"no colon",
            b": v",
            b"a b: v",
            b"n\xe9: v",
            b"(a): v",
            b'"a": v',
            b"a/b: v",
        ):
            self.refused(b"GET / HTTP/1.1\r\n" + H + line + b"\r\n\r\n")

    def test_values_lose_their_outer_spaces_and_tabs_and_nothing_else(self) -> None:
        request = self.served(b"GET / HTTP/1.1\r\nHost:a\r\nX:\t \xa0b  c\x85 \t\r\nEmpty:\r\n\r\n")

        self.assertEqual(request.headers, {"host": "a", "x": "\xa0b  c\x85", "empty": ""})

    def test_repeated_lists_are_joined_in_order(self) -> None:
        request = self.served(
            b"GET / HTTP/1.1\r\n" + H + b"Accept: a\r\nCookie: x=1\r\nACCEPT: b\r\ncookie: y=2\r\n\r\n"
        )

        self.assertEqual(request.headers["accept"], "a, b")
        self.assertEqual(request.headers["cookie"], "x=1; y=2")

    def test_repeated_single_fields_are_refused(self) -> None:
        for name in (b"Authorization", b"Content-Type", b"Idempotency-Key", b"Content-Length", b"Transfer-Encoding"):
            self.refused(b"POST / HTTP/1.1\r\n" + H + name + b": 5\r\n" + name.lower() + b": 5\r\n\r\nhello")

    def test_64_fields_are_served_and_65_are_431(self) -> None:
        fields = b"".join(b"x%d: y\r\n" % n for n in range(63))

        self.served(b"GET / HTTP/1.1\r\n" + H + fields + b"\r\n")
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n" + H + fields + b"z: z\r\n\r\n", 431), "headers-too-large")

    def test_16_kib_of_fields_are_served_and_a_byte_more_is_431(self) -> None:
        fill = 16384 - len(H) - len(b"x: \r\n")

        self.served(b"GET / HTTP/1.1\r\n" + H + b"x: " + b"y" * fill + b"\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"x: " + b"y" * (fill + 1) + b"\r\n\r\n", 431)

    def test_17_kib_of_fields_are_431_without_waiting_for_their_end(self) -> None:
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"x: " + b"y" * 17 * 1024, 431)
        self.refused(b"GET / HTTP/1.1\r\n" + H + (b"x: " + b"y" * 1000 + b"\r\n") * 17 + b"\r\n", 431)

    def test_the_first_of_two_faults_decides(self) -> None:
        self.refused(b"get / HTTP/1.1\r\nHost: a\nb\r\n\r\n", 400)
        self.refused(b"GET /" + b"a" * 5000 + b"\x00" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 400)
        self.refused(b"GET /" + b"a" * 9000 + b"\x00 HTTP/1.1\r\n\r\n", 414)
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"x: " + b"y" * 17000 + b"\x00\r\n\r\n", 431)
        self.refused(b"GET / HTTP/1.1\r\n" + H + b"x: \x00" + b"y" * 17000 + b"\r\n\r\n", 400)

    def test_expectations(self) -> None:
        head = b"POST / HTTP/1.%d\r\n" + H + b"Content-Length: 2\r\nExpect: %s\r\n\r\nhi"

        self.assertTrue(self.served(head % (1, b"100-Continue")).expects_continue)
        self.assertFalse(self.served(head % (0, b"100-continue")).expects_continue)
        self.assertFalse(self.served(head % (0, b"foo")).expects_continue)
        for other in (b"foo", b"", b"100-continue, foo", b"100-continued"):
            self.assertEqual(self.refused(head % (1, other), 417), "expectation-failed")

    def test_connection_options_decide_about_the_next_request(self) -> None:
        for minor, option, keeps in (
            (1, b"close", False),
            (1, b"Keep-Alive", True),
            (1, b"x, CLOSE", False),
            (1, b"keep-alive, close", False),
            (1, b"upgrade", True),
            (0, b"keep-alive", True),
            (0, b"close", False),
            (0, b"x", False),
        ):
            request = self.served(b"GET / HTTP/1.%d\r\n" % minor + H + b"Connection: " + option + b"\r\n\r\n")
            self.assertIs(request.keep_alive, keeps, option)
        self.assertFalse(self.served(b"GET / HTTP/1.0\r\n\r\n").keep_alive)


class TestSaidId(CutsTestCase):
    """The X-Request-ID of what is refused, for its answer and its log line."""

    def test_it_is_told_where_the_fields_can_be_read(self) -> None:
        said = b"X-Request-ID:\t my-id \r\n"
        for raw in (
            b"GET / HTTP/1.1\r\n" + H + said + b"Expect: foo\r\n\r\n",
            b"FOO / HTTP/1.1\r\n" + H + said.lower() + b"\r\n",
            b"GET / HTTP/2.0\r\n" + said + H + b"\r\n",
            b"POST / HTTP/1.1\r\n" + H + said + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + said + b"\r\n",
            b'GET /a" HTTP/1.1\r\n' + H + said + b"\r\n",
            b"GET  / HTTP/1.1\r\n" + H + said + b"\r\n",
            b"GET / HTTP/1.1\r\n" + H + said + b"a: b\r\n" * 70 + b"\r\n",
        ):
            self.assertEqual({"my-id"}, self._said(raw), raw)

    def test_it_is_not_guessed(self) -> None:
        said = b"X-Request-ID: my-id\r\n"
        for raw in (
            b"GET / HTTP/1.1\r\n" + H + said + said + b"\r\n",
            b"GET / HTTP/1.1\r\n" + H + said + b" folded\r\n\r\n",
            b"GET /\x01 HTTP/1.1\r\n" + H + said + b"\r\n",
            b"GET / HTTP/1.1\r\n" + H + b"X: x-request-id: my-id\r\n" + H + b"\r\n",
            b"GET / HTTP/1.1\r\n" + H + said + b"a: " + b"b" * 17_000 + b"\r\n\r\n",
        ):
            self.assertEqual({None}, self._said(raw), raw[:80])

    def _said(self, raw: bytes) -> set[str | None]:
        found = set()
        for parts in cuttings(raw) if len(raw) < 1000 else ([raw], [raw[:9000], raw[9000:]]):
            parser = Parser(Limits(), Request)
            with self.assertRaises(HttpError) as refused:
                for part in parts:
                    parser.feed(part)
                    parser.next_head()
            found.add(refused.exception.sent_request_id)
        return found
