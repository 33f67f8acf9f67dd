"""Where one request ends and the next begins: framing, limits and order in http1/server/parser.py; in every cutting."""

import time
import unittest
from dataclasses import dataclass, field

from lib.errors import BadRequest, PayloadTooLarge
from lib.http1.message import Request
from lib.http1.server.limits import Limits
from lib.http1.server.parser import KEPT_HEAD_BYTES, Parser
from tests.unit.http1.server.http_cuts import FOLLOWER, CutsTestCase

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


@dataclass(eq=False)
class NotedRequest(Request):
    """A request as an application may have it: `notes` is what the requests with one head share."""

    notes: list[str] = field(default_factory=list, init=False)


class TestContentLength(CutsTestCase):
    def test_a_counted_body_is_served(self) -> None:
        self.assertEqual(self.served(POST + b"Content-Length: 5\r\n\r\nhello").body, b"hello")
        self.assertEqual(self.served(POST + b"Content-Length: 005\r\n\r\nhello").body, b"hello")
        self.assertEqual(self.served(POST + b"Content-Length: 0\r\n\r\n").body, b"")
        self.assertEqual(self.served(POST + b"\r\n").body, b"")

    def test_lengths_that_are_not_one_decimal_number_are_refused(self) -> None:
        arabic = "٥".encode()
        for length in (
            b"+5",
            b"-5",
            b"0x5",
            b"1_0",
            b"5 5",
            b"",
            b"5, 5",
            b"5,5",
            b"5.0",
            b"5e0",
            b"five",
            b"\xa05",
            arabic,
        ):
            self.refused(POST + b"Content-Length: " + length + b"\r\n\r\nhello")

    def test_two_lengths_are_refused_equal_or_not(self) -> None:
        self.refused(POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
        self.refused(POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")

    def test_a_length_over_the_limit_is_413_before_any_of_the_body(self) -> None:
        self.assertEqual(self.refused(POST + b"Content-Length: 1048577\r\n\r\n", 413), "payload-too-large")
        self.refused(POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 413)

    def test_an_unfinished_body_gives_no_request(self) -> None:
        self.assertEqual(self.outcome(POST + b"Content-Length: 10\r\n\r\nhello"), ([], None))

    def test_a_get_inside_a_gets_body_is_a_body(self) -> None:
        hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

        request = self.served(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden)

        self.assertEqual(request.body, hidden)


class TestRepeatedHeads(unittest.TestCase):
    HEAD = POST + b"Content-Length: 2\r\nX-Request-ID: a\r\n\r\n"

    def requests(self, *parts: bytes) -> list[NotedRequest]:
        """What comes out when these are fed one after the other."""
        parser, found = Parser(Limits(), NotedRequest), []
        for part in parts:
            parser.feed(part)
            while (request := parser.next_head()) is not None:
                body = parser.next_body()
                assert body is not None
                request.body = body
                found.append(request)
        return found

    def test_the_same_head_is_the_same_request_with_a_body_of_its_own(self) -> None:
        first, second, third = self.requests(self.HEAD + b"aa", self.HEAD + b"bb" + self.HEAD + b"cc")

        self.assertEqual([b"aa", b"bb", b"cc"], [first.body, second.body, third.body])
        self.assertEqual(vars(first) | {"body": b""}, vars(second) | {"body": b""})
        self.assertIs(first.notes, third.notes)

    def test_what_the_app_did_to_the_former_one_is_not_there(self) -> None:
        parser = Parser(Limits(), Request)
        parser.feed(self.HEAD + b"aa" + self.HEAD + b"bb")
        first = parser.next_head()
        assert first is not None
        first.request_id, first.body_limit_bytes, first.streams_body, first.is_gone = "x", 1, True, True
        first.on_gone = lambda: None
        first.body_limit_bytes = 2
        parser.next_body()

        second = parser.next_head()

        assert second is not None
        self.assertEqual(("", False, False), (second.request_id, second.streams_body, second.is_gone))
        self.assertEqual((None, Limits().body_bytes), (second.on_gone, second.body_limit_bytes))

    def test_a_head_that_only_begins_alike_is_read(self) -> None:
        first, second = self.requests(self.HEAD + b"aa", self.HEAD[:-2] + b"X-Other: b\r\n\r\nbb")

        self.assertNotIn("x-other", first.headers)
        self.assertEqual("b", second.headers["x-other"])
        self.assertIsNot(first.notes, second.notes)

    def test_a_large_head_is_not_kept(self) -> None:
        large = POST + b"X-Large: " + b"x" * KEPT_HEAD_BYTES + b"\r\n\r\n"

        first, second = self.requests(large, large)

        self.assertIsNot(first.notes, second.notes)

    def test_an_empty_line_before_it_is_forgiven_as_before(self) -> None:
        self.assertEqual(2, len(self.requests(self.HEAD + b"aa", b"\r\n" + self.HEAD + b"bb")))


class TestTransferEncoding(CutsTestCase):
    def test_both_framings_are_refused(self) -> None:
        self.refused(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        self.refused(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        self.refused(POST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello")

    def test_codings_that_do_not_end_in_one_chunked_are_refused(self) -> None:
        for coding in (
            b"chunked, gzip",
            b"xchunked",
            b"gzip",
            b"identity",
            b"",
            b"chunked, chunked",
            b"chunked;q=1",
            b"chunked,",
        ):
            self.refused(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n")
        for coding in (b"\x0bchunked", b"\xa0chunked", b'"chunked"', b"chunked x", b"chun ked", b",chunked"):
            self.refused(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n")

    def test_two_lines_of_it_are_refused(self) -> None:
        self.refused(POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.refused(POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_other_codings_before_chunked_are_501(self) -> None:
        self.assertEqual(
            self.refused(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501), "coding-unknown"
        )

    def test_it_is_refused_in_1_0(self) -> None:
        self.refused(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_its_name_is_case_insensitive(self) -> None:
        self.assertEqual(self.served(POST + b"TRANSFER-encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").body, b"hi")


class TestPipelining(CutsTestCase):
    def test_three_requests_come_out_in_order(self) -> None:
        raw = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\nhi\r\n" + FOLLOWER

        requests, end = self.outcome(raw)

        self.assertEqual([request.path for request in requests], ["/1", "/", "/livez"])
        self.assertIsNone(end)

    def test_garbage_behind_a_request_spoils_only_what_follows(self) -> None:
        requests, end = self.outcome(FOLLOWER + b"\x00garbage\r\n\r\n" + FOLLOWER)

        self.assertEqual(len(requests), 1)
        self.assertEqual(end, (400, "bad-request"))


class TestParser(unittest.TestCase):
    def test_after_an_error_the_same_error_comes_again(self) -> None:
        parser = Parser(Limits(), Request)
        parser.feed(b"\x00")
        with self.assertRaises(BadRequest) as first:
            parser.next_head()

        parser.feed(FOLLOWER)
        with self.assertRaises(BadRequest) as second:
            parser.next_head()

        self.assertIs(first.exception, second.exception)

    def test_a_body_over_the_limit_is_refused_only_when_it_is_asked_for(self) -> None:
        parser = Parser(Limits(body_bytes=4), Request)
        parser.feed(POST + b"Content-Length: 5\r\n\r\n")

        request = parser.next_head()

        assert request is not None
        self.assertEqual((request.content_length, request.body_limit_bytes), (5, 4))
        with self.assertRaises(PayloadTooLarge):
            parser.next_body()

    def test_the_limit_of_one_request_can_be_raised(self) -> None:
        parser = Parser(Limits(body_bytes=4), Request)
        parser.feed(POST + b"Content-Length: 5\r\n\r\nhello")
        request = parser.next_head()
        assert request is not None

        request.body_limit_bytes = 5

        self.assertEqual(parser.next_body(), b"hello")

    def test_bytes_fed_one_by_one_take_linear_time(self) -> None:
        # Looking again at all that came before would take minutes here; linear is under two seconds.
        body = b"y" * 1024 * 1024
        raw = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body

        spent_s = self._feed_one_by_one(raw)

        self.assertLess(spent_s, 20)

    def test_a_long_run_of_spaces_takes_linear_time(self) -> None:
        raw = POST + b"x: " + b" " * 15000 + b"y\r\nContent-Length: 0\r\n\r\n"

        self.assertLess(self._feed_one_by_one(raw), 5)

    def _feed_one_by_one(self, raw: bytes) -> float:
        parser = Parser(Limits(), Request)
        begun_s = time.process_time()
        request = body = None
        for offset in range(len(raw)):
            parser.feed(raw[offset : offset + 1])
            request = request or parser.next_head()
            body = parser.next_body() if request else None
        self.assertIsNotNone(body)
        return time.process_time() - begun_s
