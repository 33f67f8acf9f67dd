"""Idle connections: what is announced, when they are closed, and what becomes of a request that comes just then."""

import time
import unittest
from collections import Counter

from lib.http1.server.limits import Limits
from tests.wire.echo_server import EchoServer, RawClient

GET = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
AT_THE_EDGE = 300


class TestAnnouncement(unittest.TestCase):
    def test_each_answer_but_the_last_says_how_long_the_connection_may_be_idle(self) -> None:
        last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        old = b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        with EchoServer(Limits(idle_s=75.0)) as server, server.client() as client:
            for raw in (GET, POST, old, GET.replace(b"GET", b"HEAD"), GET.replace(b" /1", b" /refused")):
                headers = client.send(raw).answer(to_head=raw.startswith(b"HEAD")).headers

                self.assertEqual((headers["connection"], headers["keep-alive"]), ("keep-alive", "timeout=75"))
            streamed = client.send(GET.replace(b" /1", b" /made")).answer().headers
            self.assertEqual(streamed["keep-alive"], "timeout=75")

            headers = client.send(last).answer().headers
            self.assertEqual((headers["connection"], headers.get("keep-alive")), ("close", None))

    def test_a_client_that_keeps_to_it_is_never_closed_on(self) -> None:
        limits = Limits(idle_s=0.2, idle_grace_s=0.3, sweep_s=0.01)
        with EchoServer(limits) as server, server.client() as client:
            client.send(GET).answer()
            answered_s = time.monotonic()

            self.assertEqual(client.rest(), b"")

            self.assertGreaterEqual(time.monotonic() - answered_s, limits.idle_s + limits.idle_grace_s - 0.05)


class TestEdge(unittest.TestCase):
    def _end_with_request_unread(self, server: EchoServer, client: RawClient, ending: str) -> None:
        """Call the connection's `ending` when a request has arrived that the loop has not read yet."""
        (connection,) = server.listener._common.connections

        async def end() -> None:
            client.send(POST)
            getattr(connection, ending)()

        server.run(end())

    def test_a_request_that_has_arrived_when_the_idle_time_is_over_is_served(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(GET).answer()

            self._end_with_request_unread(server, client, "expire")

            self.assertEqual(client.answer().body, b"POST /2 hi")

    def test_a_request_that_has_arrived_when_a_stop_begins_is_served(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(GET).answer()

            self._end_with_request_unread(server, client, "begin_drain")

            self.assertEqual(client.answer().body, b"POST /2 hi")

    def test_no_request_at_the_edge_meets_a_reset_and_none_is_served_unanswered(self) -> None:
        limits = Limits(idle_s=0.4, idle_grace_s=0.0, sweep_s=0.01)
        with EchoServer(limits, max_connections=AT_THE_EDGE) as server:
            clients = [self.enterContext(server.client()) for _ in range(AT_THE_EDGE)]
            begun_s = time.monotonic()
            for client in clients:
                client.send(GET)
            for client in clients:
                client.answer()
            # The edge is 0.4 to 0.5 s after the answers, as far as those took.
            first_s, last_s = begun_s + 0.38, time.monotonic() + 0.52

            for number, client in enumerate(clients):
                due_s = first_s + (last_s - first_s) * number / AT_THE_EDGE
                time.sleep(max(0.0, due_s - time.monotonic()))
                client.send(POST)
            ends = Counter(self._end_of(client) for client in clients)

            self.assertEqual(set(ends), {"answered", "closed"}, ends)
            self.assertEqual(Counter(server.app.begun)["/2"], ends["answered"])

    def _end_of(self, client: RawClient) -> str:
        try:
            return "answered" if client.answer().body == b"POST /2 hi" else "odd"
        except EOFError:
            return "closed"
        except ConnectionError:
            return "reset"
