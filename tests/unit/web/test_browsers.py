"""Sec-Fetch-Site and Origin: requests of other sites' pages are refused; and the header fields of every answer."""

import unittest

from lib.errors import CrossSite
from lib.http1.fields import FieldBlock
from lib.http1.message import Request, Response
from lib.web import browsers


def request(method: str, host: str = "localhost:8000", **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/", "/", "", "1.1", fields, host, True, 0, False, False, 1000)


class CrossSiteRequests(unittest.TestCase):
    def test_a_program_says_nothing_and_passes(self) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
            browsers.refuse_cross_site(request(method))

    def test_a_page_of_ones_own_passes(self) -> None:
        for host, origin in (
            ("localhost:8000", "http://localhost:8000"),
            ("waybill.example.com", "https://waybill.example.com"),
            ("waybill.example.com:443", "https://waybill.example.com"),
            ("waybill.example.com", "https://WAYBILL.example.com:443"),
            ("[::1]:8000", "http://[::1]:8000"),
        ):
            browsers.refuse_cross_site(request("POST", host, origin=origin, sec_fetch_site="same-origin"))
            browsers.refuse_cross_site(request("DELETE", host, origin=origin))
        browsers.refuse_cross_site(request("POST", sec_fetch_site="none"))

    def test_any_other_page_is_refused(self) -> None:
        for headers in (
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"sec_fetch_site": "same-origin, cross-site"},
            {"sec_fetch_site": "Same-Origin"},
            {"sec_fetch_site": ""},
            {"origin": "null"},
            {"origin": ""},
            {"origin": "http://evil.example"},
            {"origin": "http://localhost:8001"},
            {"origin": "http://localhost"},
            {"origin": "http://localhost:8000.evil.example"},
            {"origin": "http://localhost:8000, http://evil.example"},
            {"origin": "ftp://localhost:8000"},
            {"origin": "http://localhost:8000/"},
            {"origin": "http://a@localhost:8000"},
            {"origin": "http://evil.example", "sec_fetch_site": "same-origin"},
            {"origin": "http://localhost:8000", "sec_fetch_site": "cross-site"},
        ):
            for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY"):
                with self.subTest(headers, method=method), self.assertRaises(CrossSite):
                    browsers.refuse_cross_site(request(method, **headers))

    def test_without_a_host_there_is_no_origin_of_ones_own(self) -> None:
        for origin in ("http://", "https://", "http://localhost"):
            with self.assertRaises(CrossSite):
                browsers.refuse_cross_site(request("POST", "", origin=origin))

    def test_what_changes_nothing_passes_from_anywhere(self) -> None:
        for method in ("GET", "HEAD", "OPTIONS"):
            browsers.refuse_cross_site(request(method, origin="null", sec_fetch_site="cross-site"))


def fields_of(block: FieldBlock) -> dict[str, str]:
    response = Response(204)
    response.add_block(block)
    return dict(response.headers)


class Fields(unittest.TestCase):
    def test_an_answer_of_the_api_lets_nothing_run_and_nobody_embed_it(self) -> None:
        fields = fields_of(browsers.ANSWER_FIELDS)

        self.assertEqual("default-src 'none'; frame-ancestors 'none'", fields["Content-Security-Policy"])
        self.assertEqual(
            ("nosniff", "no-store", "same-origin", "no-referrer"),
            tuple(
                fields[name]
                for name in (
                    "X-Content-Type-Options",
                    "Cache-Control",
                    "Cross-Origin-Resource-Policy",
                    "Referrer-Policy",
                )
            ),
        )

    def test_a_page_may_use_what_it_names_and_no_more(self) -> None:
        fields = fields_of(browsers.page_fields("script-src 'self'", "connect-src 'self'"))

        self.assertEqual(
            "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'",
            fields["Content-Security-Policy"],
        )
        self.assertEqual("same-origin", fields["Cross-Origin-Opener-Policy"])
        self.assertIn("camera=()", fields["Permissions-Policy"])


if __name__ == "__main__":
    unittest.main()
