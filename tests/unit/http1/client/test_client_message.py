"""A request as bytes, and what no caller may have written into it."""

import unittest

from lib.http1.client.client_message import Answer, ClientRequest, request_bytes
from lib.http1.client.url import read_url

URL = read_url("https://a.example:8443/hook?x=1")


class RequestBytes(unittest.TestCase):
    def test_a_request_is_written_with_host_and_length(self) -> None:
        fields = [("Content-Type", "application/json"), ("webhook-id", "j1")]

        self.assertEqual(
            request_bytes(ClientRequest("POST", URL, fields, b"{}")),
            b"POST /hook?x=1 HTTP/1.1\r\nHost: a.example:8443\r\nContent-Type: application/json\r\nwebhook-id: j1\r\n"
            b"Accept-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        )

    def test_a_method_that_takes_a_body_has_a_length_of_0_and_others_have_none(self) -> None:
        self.assertIn(b"Content-Length: 0\r\n", request_bytes(ClientRequest("PUT", URL)))
        self.assertNotIn(b"Content-Length", request_bytes(ClientRequest("GET", URL)))
        self.assertIn(b"Content-Length: 1\r\n", request_bytes(ClientRequest("DELETE", URL, (), b"x")))

    def test_what_would_frame_the_request_anew_is_refused(self) -> None:
        for name in ("Host", "Content-Length", "transfer-Encoding", "connection", "Accept-Encoding"):
            with self.subTest(name), self.assertRaises(ValueError):
                request_bytes(ClientRequest("POST", URL, [(name, "1")]))
        for name, value in (("X\r\nY", "a"), ("", "a"), ("X Y", "a"), ("X:", "a"), ("X", "a\r\nY: b"), ("X", "a\nb")):
            with self.subTest(name), self.assertRaises(ValueError):
                request_bytes(ClientRequest("POST", URL, [(name, value)]))
        for value in ("a\0", "\u20ac"):
            with self.assertRaises(ValueError):
                request_bytes(ClientRequest("POST", URL, [("X", value)]))
        with self.assertRaises(ValueError):
            request_bytes(ClientRequest("GET / HTTP/1.1\r\nX:", URL))

    def test_a_field_of_an_answer_is_found(self) -> None:
        answer = Answer(200, [("retry-after", "7"), ("retry-after", "8")], b"", False, "192.0.2.1", 1.0)

        self.assertEqual((answer.field("retry-after"), answer.field("date")), ("7", None))


if __name__ == "__main__":
    unittest.main()
