"""What a client sends and what it gets, byte for byte: order, closing, HEAD, Expect, half-close, errors."""

import unittest

from lib.http1.server.limits import Limits
from tests.wire.echo_server import EchoServer, wait_until

H = b"Host: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"


def get(path: bytes, fields: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + H + fields + b"\r\n"


def post(path: bytes, body: bytes, fields: bytes = b"") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + H + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


class DialogueTestCase(unittest.TestCase):
    limits = Limits(sweep_s=0.02)

    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer(self.limits))
        self.app = self.server.app
        self.client = self.enterContext(self.server.client())


class TestOrder(DialogueTestCase):
    def test_three_pipelined_requests_are_answered_in_order(self) -> None:
        self.client.send(get(b"/yields") + post(b"/2", b"body") + get(b"/3"))

        bodies = [self.client.answer().body for _ in range(3)]

        self.assertEqual(bodies, [b"GET /yields ", b"POST /2 body", b"GET /3 "])

    def test_a_hundred_pipelined_requests_are_all_answered(self) -> None:
        self.client.send(b"".join(get(b"/%d" % n) for n in range(100)))

        bodies = [self.client.answer().body for _ in range(100)]

        self.assertEqual(bodies, [b"GET /%d " % n for n in range(100)])

    def test_a_hundred_pipelined_requests_are_all_answered_after_a_half_close(self) -> None:
        self.client.send(b"".join(get(b"/%d" % n) for n in range(100))).half_close()

        self.assertEqual(self.client.rest().count(b"HTTP/1.1 200 OK\r\n"), 100)

    def test_requests_sent_a_byte_at_a_time_are_answered(self) -> None:
        for byte in post(b"/1", b"slow") + get(b"/2"):
            self.client.send(bytes([byte]))

        self.assertEqual([self.client.answer().body for _ in range(2)], [b"POST /1 slow", b"GET /2 "])

    def test_garbage_behind_a_request_is_answered_after_it(self) -> None:
        self.client.send(get(b"/held") + b"G@RBAGE\r\n\r\n" + get(b"/never"))
        self.app.release()

        first, second = self.client.answer(), self.client.answer()

        self.assertEqual((first.status, second.status, second.headers["connection"]), (200, 400, "close"))
        self.assertEqual(self.client.rest(), b"")
        self.assertEqual(self.app.begun, ["/held"])

    def test_a_request_behind_connection_close_is_never_served(self) -> None:
        self.client.send(get(b"/1", b"Connection: close\r\n") + get(b"/2"))

        answer = self.client.answer()

        self.assertEqual((answer.body, answer.headers["connection"]), (b"GET /1 ", "close"))
        self.assertEqual(self.client.rest(), b"")
        self.assertEqual(self.app.begun, ["/1"])

    def test_a_get_in_a_gets_body_is_not_served(self) -> None:
        hidden = get(b"/hidden")
        self.client.send(get(b"/1", b"Content-Length: %d\r\n" % len(hidden)) + hidden + get(b"/2"))

        bodies = [self.client.answer().body for _ in range(2)]

        self.assertEqual(bodies, [b"GET /1 " + hidden, b"GET /2 "])
        self.assertEqual(self.app.begun, ["/1", "/2"])

    def test_head_leaves_the_next_response_aligned(self) -> None:
        self.client.send(get(b"/x"))
        got = self.client.answer()
        self.client.send(get(b"/x").replace(b"GET", b"HEAD") + get(b"/2"))

        headed = self.client.answer(to_head=True)

        self.assertEqual(set(headed.headers), set(got.headers))
        self.assertEqual(headed.headers["content-length"], str(len(b"HEAD /x ")))
        self.assertEqual(self.client.answer().body, b"GET /2 ")


class TestClosing(DialogueTestCase):
    limits = Limits(sweep_s=0.02, requests_per_connection=3)

    def test_http_1_0_is_served_and_closed(self) -> None:
        self.client.send(b"GET /old HTTP/1.0\r\n\r\n")

        answer = self.client.answer()

        self.assertEqual((answer.body, answer.headers["connection"]), (b"GET /old ", "close"))
        self.assertNotIn("transfer-encoding", answer.headers)
        self.assertEqual(self.client.rest(), b"")

    def test_http_1_0_stays_open_when_it_asks(self) -> None:
        self.client.send(b"GET /old HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + get(b"/new"))

        old, new = self.client.answer(), self.client.answer()

        self.assertEqual(old.headers["connection"], "keep-alive")
        self.assertEqual(new.body, b"GET /new ")

    def test_the_last_request_a_connection_may_bring_says_close(self) -> None:
        self.client.send(get(b"/") * 4)

        answers = [self.client.answer() for _ in range(3)]

        self.assertEqual(
            [answer.headers.get("connection") for answer in answers], ["keep-alive", "keep-alive", "close"]
        )
        self.assertEqual(self.client.rest(), b"")

    def test_a_client_that_half_closes_still_gets_its_answer(self) -> None:
        self.client.send(post(b"/held", b"x")).half_close()
        wait_until(lambda: self.app.begun == ["/held"], "the request is handled")
        self.app.release()

        self.assertEqual(self.client.answer().body, b"POST /held x")
        self.assertEqual(self.client.rest(), b"")

    def test_a_body_cut_short_by_the_client_is_never_handled(self) -> None:
        self.client.send(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 10\r\n\r\nhello").half_close()

        self.assertEqual(self.client.rest(), b"")
        self.assertEqual(self.app.begun, [])

    def test_a_head_cut_short_by_the_client_is_never_handled(self) -> None:
        self.client.send(b"GET / HTTP/1.1\r\n" + H).half_close()

        self.assertEqual(self.client.rest(), b"")
        self.assertEqual(self.app.begun, [])

    def test_a_client_that_vanishes_does_not_cancel_its_request(self) -> None:
        self.client.send(get(b"/held"))
        wait_until(lambda: self.app.begun == ["/held"], "the request is handled")
        self.client.reset()
        wait_until(lambda: self.server.listener.open_connections == 0, "the reset is noticed")

        self.app.release()

        wait_until(lambda: self.app.ended == ["/held"], "the handler ends")

    def test_a_client_that_is_gone_before_its_last_answer_is_no_failure_of_the_app(self) -> None:
        # The answer meets a closed socket, whose reset comes back before the write side is shut down.
        with self.assertNoLogs("waybill.http"):
            self.client.send(get(b"/blocks", b"Connection: close\r\n"))
            wait_until(lambda: self.app.begun == ["/blocks"], "the request is handled")
            self.client.sock.close()

            self.app.unblocked.set()

            wait_until(lambda: self.server.listener.open_connections == 0, "the connection is gone")

    def test_who_waits_long_is_told_of_a_half_close_and_may_still_be_answered(self) -> None:
        self.client.send(get(b"/until-gone") + get(b"/until-gone"))
        wait_until(lambda: self.app.begun == ["/until-gone"], "the request is handled")

        self.client.half_close()

        self.assertEqual([self.client.answer().body for _ in range(2)], [b"GET /until-gone "] * 2)
        self.assertEqual(self.client.rest(), b"")

    def test_a_client_that_vanishes_gets_none_of_its_pipelined_requests_served(self) -> None:
        self.client.send(get(b"/held") + get(b"/2"))
        wait_until(lambda: self.app.begun == ["/held"], "the request is handled")
        self.client.reset()
        wait_until(lambda: self.server.listener.open_connections == 0, "the reset is noticed")

        self.app.release()

        with self.server.client() as other:
            other.send(get(b"/3")).answer()
        self.assertEqual(self.app.ended, ["/held", "/3"])


class TestExpect(DialogueTestCase):
    HEAD = b"POST %s HTTP/1.%d\r\n" + H + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n"

    def test_100_comes_before_the_body_and_once(self) -> None:
        self.client.send(self.HEAD % (b"/", 1, 4))
        self.assertEqual(self.client.answer().status, 100)
        self.client.send(b"bo")
        self.client.send(b"dy" + get(b"/2"))

        self.assertEqual(self.client.answer().body, b"POST / body")
        self.assertEqual(self.client.answer().body, b"GET /2 ")

    def test_no_100_when_the_body_is_there_already(self) -> None:
        self.client.send(self.HEAD % (b"/", 1, 4) + b"body")

        self.assertEqual(self.client.answer().status, 200)

    def test_a_refused_request_gets_no_100_and_the_connection_closes(self) -> None:
        self.client.send(self.HEAD % (b"/refused", 1, 4))

        answer = self.client.answer()

        self.assertEqual((answer.status, answer.headers["connection"]), (401, "close"))
        self.assertEqual(self.client.rest(), b"")

    def test_a_body_too_large_gets_413_and_no_100(self) -> None:
        self.client.send(self.HEAD % (b"/", 1, 1024 * 1024 + 1))

        self.assertEqual(self.client.answer().status, 413)
        self.assertEqual(self.client.rest(), b"")

    def test_other_expectations_are_417(self) -> None:
        self.client.send((self.HEAD % (b"/", 1, 4)).replace(b"100-continue", b"foo") + b"body" + get(b"/2"))

        self.assertEqual(self.client.answer().status, 417)
        self.assertEqual(self.client.rest(), b"")

    def test_http_1_0_gets_no_100(self) -> None:
        self.client.send(self.HEAD % (b"/", 0, 4))
        self.client.send(b"body")

        self.assertEqual(self.client.answer().status, 200)


class TestRefusals(DialogueTestCase):
    def test_a_refused_request_without_body_keeps_the_connection(self) -> None:
        self.client.send((get(b"/refused") + get(b"/2")) * 2)

        statuses = [self.client.answer().status for _ in range(4)]

        self.assertEqual(statuses, [401, 200, 401, 200])

    def test_a_refused_requests_body_is_read_and_never_served(self) -> None:
        hidden = get(b"/hidden")
        for body in (b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden, CHUNKED % (len(hidden), hidden)):
            for part in (b"POST /refused HTTP/1.1\r\n" + H + body, get(b"/2")):
                self.client.send(part)

            answer = self.client.answer()

            self.assertEqual((answer.status, answer.headers["connection"]), (401, "keep-alive"))
            self.assertEqual(self.client.answer().body, b"GET /2 ")
        self.assertEqual(self.app.begun, ["/2", "/2"])

    def test_a_refused_requests_body_that_comes_late_is_waited_for(self) -> None:
        self.client.send(b"POST /refused HTTP/1.1\r\n" + H + b"Content-Length: 8\r\n\r\n")
        self.assertEqual(self.client.answer().status, 401)

        for byte in b"GET /no " + get(b"/2"):
            self.client.send(bytes([byte]))

        self.assertEqual(self.client.answer().body, b"GET /2 ")

    def test_what_is_wrong_with_a_refused_requests_body_ends_the_connection_without_a_second_answer(self) -> None:
        too_large = CHUNKED % (1024 * 1024 + 1, b"y" * (1024 * 1024 + 1))
        for body in (b"Transfer-Encoding: chunked\r\n\r\nx\r\n", too_large):
            with self.server.client() as client:
                client.send(b"POST /refused HTTP/1.1\r\n" + H + body + get(b"/2")).half_close()

                self.assertEqual(client.answer().status, 401)
                self.assertEqual(client.rest(), b"")
        self.assertEqual(self.app.begun, [])

    def test_the_app_may_allow_one_request_a_larger_body(self) -> None:
        body = b"y" * 2 * 1024 * 1024

        self.client.send(post(b"/roomy", body))

        self.assertEqual(self.client.answer().body, b"POST /roomy " + body)

    def test_a_head_request_that_can_not_be_read_gets_no_body(self) -> None:
        big = b"HEAD / HTTP/1.1\r\n" + H + b"Content-Length: 9999999\r\n\r\n"
        for raw in (b"HEAD / HTTP/1.1\r\n\r\n", b"\r\nHEAD  / HTTP/1.1\r\n\r\n", big):
            with self.server.client() as client:
                head, _, body = client.send(raw).rest().partition(b"\r\n\r\n")

                self.assertRegex(head, b"Content-Length: [1-9]")
                self.assertEqual(body, b"")

    def test_an_answer_to_a_large_refused_body_is_not_eaten_by_a_reset(self) -> None:
        for _ in range(20):
            with self.server.client() as client:
                client.send(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 9999999\r\n\r\n" + b"y" * 60_000)

                self.assertEqual(client.answer().status, 413)
                self.assertEqual(client.rest(), b"")

    def test_a_client_that_never_stops_sending_after_an_error_is_cut_off(self) -> None:
        self.client.send(b"\0")

        with self.assertRaises(ConnectionError):
            while True:
                self.client.send(b"y" * 65536)

    def test_noise_and_tls_hellos_are_answered_400_and_closed(self) -> None:
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), bytes(range(256)) * 200):
            with self.server.client() as client:
                client.send(noise)

                self.assertEqual(client.answer().status, 400)
                self.assertEqual(client.rest(), b"")

    def test_an_exception_in_the_app_is_a_bare_500_logged_once(self) -> None:
        for path in (b"/raises", b"/admit-raises"):
            with self.server.client() as client, self.assertLogs("waybill.http", "ERROR") as logged:
                client.send(get(path) + get(b"/2"))

                answer = client.answer()

                self.assertEqual((answer.status, answer.body, client.rest()), (500, b"", b""))
            (record,) = logged.records
            self.assertEqual(("request.failed", f"id-of-{path.decode()}"), (record.event, record.request_id))  # type: ignore[attr-defined]

    def test_the_app_sees_who_asks_and_when(self) -> None:
        self.client.send(get(b"/1") + get(b"/2"))
        self.client.answer()
        self.client.answer()

        first, second = self.app.requests

        self.assertEqual((first.peer, second.peer), ("127.0.0.1", "127.0.0.1"))
        self.assertGreater(first.received_at, 0)
        self.assertGreaterEqual(second.received_at, first.received_at)
