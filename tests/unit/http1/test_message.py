"""Responses as bytes: framing, HEAD, and that no field can smuggle another."""

import unittest

from lib.http1.message import Response

DATE = "Date: now\r\n"


class TestResponse(unittest.TestCase):
    def test_a_response_is_rendered_whole(self) -> None:
        response = Response(202, b"{}", [("X-Request-ID", "r")])

        self.assertEqual(
            response.render(is_head=False, date=DATE),
            b"HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Type: application/json\r\nX-Request-ID: r\r\n"
            b"Content-Length: 2\r\n\r\n{}",
        )

    def test_head_has_the_fields_of_get_and_no_body(self) -> None:
        response = Response(200, b"hello", content_type="text/plain")

        self.assertEqual(response.render(is_head=True, date=DATE) + b"hello", response.render(is_head=False, date=DATE))

    def test_204_and_304_have_neither_body_nor_length(self) -> None:
        for status in (204, 304):
            rendered = Response(status, headers=[("Allow", "GET")]).render(is_head=False, date=DATE)

            self.assertTrue(rendered.endswith(b"\r\nDate: now\r\nAllow: GET\r\n\r\n"), rendered)

    def test_an_empty_body_has_length_0_and_no_type(self) -> None:
        rendered = Response(404).render(is_head=False, date=DATE)

        self.assertEqual(rendered, b"HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 0\r\n\r\n")

    def test_line_breaks_and_nul_in_fields_raise(self) -> None:
        for bad in ("a\r\nSet-Cookie: x", "a\rb", "a\nb", "a\0b", "\r\n", "a\r\n b"):
            with self.assertRaises(ValueError):
                Response(200, headers=[("X", bad)])
            with self.assertRaises(ValueError):
                Response(200, headers=[(bad, "x")])
            with self.assertRaises(ValueError):
                Response(200, b"x", content_type=bad)
            with self.assertRaises(ValueError):
                Response(200).add_header("X", bad)

    def test_characters_outside_latin_1_raise(self) -> None:
        with self.assertRaises(ValueError):
            Response(200, headers=[("X", "€")])

    def test_fields_of_the_connection_raise(self) -> None:
        for name in ("Content-Length", "transfer-encoding", "Connection", "Date", "Content-Type"):
            with self.assertRaises(ValueError):
                Response(200, headers=[(name, "1")])

    def test_statuses_that_are_not_final_raise(self) -> None:
        for status in (100, 101, 199, 99, 600, 299):
            with self.assertRaises(ValueError):
                Response(status)

    def test_headers_added_later_are_seen_and_sent(self) -> None:
        response = Response(200, headers=[("A", "1")])

        response.add_header("B", "2")

        self.assertEqual(response.headers, (("A", "1"), ("B", "2")))
        self.assertIn(b"\r\nA: 1\r\nB: 2\r\n", response.render(is_head=False, date=DATE))
