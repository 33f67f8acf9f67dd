"""Clients that are slow, silent or never read, against limits shrunk so that each test takes a part of a second."""

import select
import time
import unittest

from lib.http1.server.limits import Limits
from tests.wire.echo_server import EchoServer, RawClient, wait_until

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


def trickle(client: RawClient, opening: bytes, every_s: float = 0.03) -> float:
    """Send `opening`, then a byte each `every_s` until something comes back; the seconds that took."""
    begun_s = time.monotonic()
    client.send(opening)
    while not select.select([client.sock], [], [], every_s)[0]:
        client.send(b"y")
    return time.monotonic() - begun_s


class TestReadDeadlines(unittest.TestCase):
    limits = Limits(head_s=0.3, body_s=0.6, body_grace_s=0.3, body_rate_bytes_s=200, idle_s=0.2, sweep_s=0.02)

    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer(self.limits))
        self.client = self.enterContext(self.server.client())

    def test_a_head_that_trickles_in_is_408_at_the_total_deadline(self) -> None:
        spent_s = trickle(self.client, HEAD + b"X: ")

        self.assertGreaterEqual(spent_s, self.limits.head_s)
        answer = self.client.answer()
        self.assertEqual((answer.status, answer.body), (408, b"request-timeout"))

    def test_a_head_that_stops_is_408(self) -> None:
        self.client.send(HEAD)

        self.assertEqual(self.client.answer().status, 408)
        self.assertEqual(self.client.rest(), b"")

    def test_a_body_that_stops_is_408(self) -> None:
        self.client.send(HEAD + b"Content-Length: 10\r\n\r\nhello")

        self.assertEqual(self.client.answer().status, 408)
        self.assertEqual(self.server.app.begun, [])

    def test_a_body_slower_than_its_rate_is_408_before_the_total(self) -> None:
        spent_s = trickle(self.client, HEAD + b"Content-Length: 1000\r\n\r\n")

        self.assertGreaterEqual(spent_s, self.limits.body_grace_s)
        self.assertEqual(self.client.answer().status, 408)

    def test_a_body_fast_enough_is_408_at_the_total_all_the_same(self) -> None:
        spent_s = trickle(self.client, HEAD + b"Content-Length: 10000\r\n\r\n" + b"y" * 5000)

        self.assertGreaterEqual(spent_s, self.limits.body_s)
        self.assertEqual(self.client.answer().status, 408)

    def test_a_connection_that_says_nothing_is_closed_silently(self) -> None:
        self.assertEqual(self.client.rest(), b"")

    def test_an_idle_connection_is_closed_silently(self) -> None:
        self.client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.client.answer()

        self.assertEqual(self.client.rest(), b"")

    def test_an_empty_line_after_a_request_does_not_make_408(self) -> None:
        self.client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n")
        self.client.answer()

        self.assertEqual(self.client.rest(), b"")

    def test_a_request_in_the_apps_hands_has_no_deadline(self) -> None:
        self.client.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")

        with self.server.client() as other:
            self.assertEqual(other.rest(), b"")  # A whole deadline has passed.
        self.server.app.release()

        self.assertEqual(self.client.answer().status, 200)


class TestWriteDeadlines(unittest.TestCase):
    limits = Limits(write_s=0.3, idle_s=0.1, sweep_s=0.02)

    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer(self.limits))
        self.client = self.enterContext(self.server.client(receive_buffer_bytes=4096))

    def test_a_client_that_never_reads_is_dropped(self) -> None:
        self.client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: self.server.app.ended == ["/big"], "the answer is written")

        wait_until(lambda: self.server.listener.open_connections == 0, "the connection is dropped")

    def test_a_client_that_never_reads_its_last_answer_is_dropped(self) -> None:
        self.client.send(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").half_close()
        wait_until(lambda: self.server.app.ended == ["/big"], "the answer is written")

        wait_until(lambda: self.server.listener.open_connections == 0, "the connection is dropped")


class TestBackpressure(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer())
        self.client = self.enterContext(self.server.client(receive_buffer_bytes=4096))

    def test_nothing_more_is_answered_until_the_client_has_read(self) -> None:
        self.client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(self.server.app.ended) == 1, "the first answer is written")
        with self.server.client() as other:
            other.send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").answer()

        self.assertEqual(self.server.app.begun, ["/big", "/other"])
        sizes = [len(self.client.answer().body) for _ in range(4)]

        self.assertEqual(sizes[0], sizes[2])
        self.assertEqual(self.server.app.begun, ["/big", "/other", "/big", "/big", "/x"])

    def test_reading_stops_while_too_much_waits_behind_a_request(self) -> None:
        flood = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 4096
        self.client.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        self.client.sock.setblocking(False)

        sent_bytes = 0
        while select.select([], [self.client.sock], [], 0.3)[1] and sent_bytes < 64 * 1024 * 1024:
            sent_bytes += self.client.sock.send(flood)

        # What the kernel's two buffers hold, and not what the client wishes.
        self.assertLess(sent_bytes, 64 * 1024 * 1024)
        self.client.sock.settimeout(10)
        self.server.app.release()
        self.assertEqual([self.client.answer().body for _ in range(3)], [b"GET /held ", b"GET /x ", b"GET /x "])
