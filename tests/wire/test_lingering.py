"""Clients that are still sending when they are refused: the answer reaches them, and they cost no more than is allowed.

The clients here send all they have before they read, as many do; over a connection that was closed they would see a
reset and no answer.
"""

import contextlib
import unittest

from lib.http1.server.limits import Limits
from tests.wire.echo_server import EchoServer, RawClient, wait_until

H = b"Host: a\r\n"
BODY_BYTES = 5_000_000
DECLARED = b"Content-Length: %d\r\n\r\n" % BODY_BYTES
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % BODY_BYTES
NEVER = b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n"
SMALL = Limits(sweep_s=0.02, linger_s=0.4, linger_quiet_s=0.2, linger_done_s=0.2, linger_bytes=2_000_000)


def post(path: bytes, rest: bytes) -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + H + rest


TOO_LARGE = post(b"/", DECLARED)


class TestTheAnswerArrives(unittest.TestCase):
    def test_whatever_is_refused_and_however_it_is_framed(self) -> None:
        refused = {
            "before the body": (401, post(b"/refused", DECLARED)),
            "before a chunked body": (401, post(b"/refused", CHUNKED)),
            "too large": (413, TOO_LARGE),
            "too large, chunked": (413, post(b"/", CHUNKED)),
            "too large for a stream": (413, post(b"/pieces", b"Content-Length: 99999999\r\n\r\n")),
            "a body that nobody takes": (200, post(b"/pieces/ignored", DECLARED)),
            "an expectation": (417, post(b"/", b"Expect: x\r\n" + DECLARED)),
            "a body that was not waited for": (401, post(b"/refused", b"Expect: 100-continue\r\n" + DECLARED)),
            "not HTTP": (400, b"nonsense\r\n\r\n"),
            "a head too large": (431, post(b"/", b"X: " + b"y" * 20_000 + b"\r\n" + DECLARED)),
            "a target too long": (414, post(b"/" + b"y" * 9_000, DECLARED)),
            "a method unknown": (501, b"BREW / HTTP/1.1\r\n" + H + DECLARED),
            "HTTP/1.0": (401, post(b"/refused", DECLARED).replace(b"1.1", b"1.0")),
            "a fault of the app": (500, post(b"/admit-raises", DECLARED)),
        }
        server = self.enterContext(EchoServer())
        with self.assertLogs("waybill.http", "ERROR"):
            for what, (status, head) in refused.items():
                with self.subTest(what), server.client() as client:
                    answer = client.send(head).send(NEVER + bytes(BODY_BYTES)).answer()

                    self.assertEqual(answer.status, status)
                    self.assertEqual(client.rest(), b"")
        self.assertNotIn("/never", server.app.begun)

    def test_over_the_cap(self) -> None:
        with EchoServer(max_connections=1) as server, server.client() as first:
            first.send(NEVER).answer()
            with server.client() as second:
                self.assertEqual(second.send(post(b"/", DECLARED) + bytes(BODY_BYTES)).answer().status, 503)

    def test_a_body_that_came_too_slowly_and_then_comes_after_all(self) -> None:
        limits = Limits(sweep_s=0.02, body_grace_s=0.1)
        with EchoServer(limits) as server, server.client() as client:
            client.send(post(b"/pieces", b"Content-Length: 9000000\r\n\r\n"))
            wait_until(lambda: server.app.ended == ["/pieces"], "it has come to its end")

            self.assertEqual(client.send(bytes(BODY_BYTES)).answer().status, 408)


class TestBounds(unittest.TestCase):
    def _refused(self, server: EchoServer) -> RawClient:
        client = self.enterContext(server.client())
        self.assertEqual(client.send(TOO_LARGE).answer().status, 413)
        return client

    def _is_cut_off(self, client: RawClient, *, part_bytes: int) -> None:
        with self.assertRaises(ConnectionError):
            while True:
                client.send(bytes(part_bytes))

    def test_a_client_that_sends_without_end_is_cut_off_at_the_most_bytes(self) -> None:
        with EchoServer(Limits(sweep_s=0.02, linger_bytes=2_000_000)) as server:
            self._is_cut_off(self._refused(server), part_bytes=65536)

    def test_a_client_that_trickles_is_cut_off_at_the_most_time(self) -> None:
        with EchoServer(SMALL) as server:
            self._is_cut_off(self._refused(server), part_bytes=1)

    def test_a_client_that_is_silent_and_does_not_close_is_cut_off(self) -> None:
        with EchoServer(Limits(sweep_s=0.02, linger_quiet_s=0.2)) as server:
            self._refused(server)

            wait_until(lambda: server.listener.open_connections == 0, "it is cut off")

    def test_a_client_that_closes_is_let_go_at_once(self) -> None:
        with EchoServer() as server:
            self._refused(server).half_close()

            wait_until(lambda: server.listener.open_connections == 0, "it is let go")

    def test_nothing_lingers_long_where_no_body_is_due(self) -> None:
        limits = Limits(sweep_s=0.02, linger_quiet_s=60, linger_done_s=0.1)
        expecting = b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"
        for raw in (post(b"/refused", expecting), post(b"/", expecting.replace(b"9", b"9999999")), NEVER):
            with EchoServer(limits) as server, server.client() as client:
                client.send(raw.replace(b"Host", b"Connection: close\r\nHost")).answer()

                wait_until(lambda server=server: server.listener.open_connections == 0, "it is let go")  # type: ignore[misc]

    def test_one_too_many_takes_the_place_of_the_oldest(self) -> None:
        with EchoServer(Limits(sweep_s=0.02, lingering_at_once=2)) as server:
            oldest, *others = (self._refused(server) for _ in range(3))

            self._is_cut_off(oldest, part_bytes=1)

            self.assertEqual(server.listener.open_connections, 2)
            for client in others:
                self.assertEqual(client.send(bytes(1000)).rest(), b"")

    def test_they_make_room_for_who_wants_to_be_served(self) -> None:
        with EchoServer(max_connections=3) as server:
            for _ in range(3):
                self._refused(server)

            with server.client() as one, server.client() as another:
                self.assertEqual([link.send(NEVER).answer().status for link in (one, another)], [200, 200])
                self.assertEqual(server.listener.open_connections, 3)

    def test_who_is_served_is_never_closed_for_another(self) -> None:
        with EchoServer(max_connections=2) as server, server.client() as one, server.client() as another:
            for link in (one, another):
                link.send(NEVER).answer()
            with server.client() as third:
                self.assertEqual(third.answer().status, 503)

            self.assertEqual([link.send(NEVER).answer().status for link in (one, another)], [200, 200])

    def test_they_do_not_hold_up_a_stop_and_are_not_cut_off_by_it(self) -> None:
        with EchoServer(Limits(linger_drain_s=0.2)) as server:
            silent, sending = self._refused(server), self._refused(server)
            draining = server.drain_in_background(60.0)
            with contextlib.suppress(ConnectionError):
                while not draining.done():
                    sending.send(bytes(1000))

            self.assertEqual(draining.result(5), 0)
            self.assertEqual(silent.rest(), b"")
