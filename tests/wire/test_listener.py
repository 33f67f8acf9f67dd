"""The listening socket: the cap, exhausted descriptors, draining."""

import errno
import socket
import unittest
from typing import Any

from lib.http1.server.listener import Listener, bind
from tests.wire.echo_server import EchoServer, wait_until

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"


class ExhaustedSocket(socket.socket):
    """Fails to accept as if no descriptor were left, while `is_exhausted`."""

    is_exhausted = False
    failures = 0

    def accept(self) -> tuple[socket.socket, Any]:
        if type(self).is_exhausted:
            type(self).failures += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class TestStart(unittest.TestCase):
    def test_a_port_in_use_is_left_to_the_caller(self) -> None:
        with EchoServer() as server, self.assertRaises(OSError) as raised:
            server.run(Listener(server.app).start("127.0.0.1", server.port))

        self.assertEqual(raised.exception.errno, errno.EADDRINUSE)

    def test_a_given_socket_is_used(self) -> None:
        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]

        with EchoServer(sock=sock) as server, server.client() as client:
            self.assertEqual(server.port, port)
            self.assertEqual(client.send(GET % b"1").answer().status, 200)


class TestCap(unittest.TestCase):
    def test_a_client_over_the_cap_is_told_503_and_closed(self) -> None:
        with EchoServer(max_connections=2) as server, server.client() as first, server.client() as second:
            first.send(GET % b"1").answer()
            second.send(GET % b"2").answer()

            with server.client() as third:
                answer = third.send(GET % b"3").answer()
                self.assertEqual((answer.status, answer.headers["connection"]), (503, "close"))
                self.assertEqual((answer.body, answer.headers["retry-after"]), (b"too-many-connections", "1"))
                self.assertEqual(third.rest(), b"")

            self.assertEqual(first.send(GET % b"4").answer().status, 200)
            self.assertEqual(server.app.begun, ["/1", "/2", "/4"])

    def test_a_place_that_becomes_free_is_taken(self) -> None:
        with EchoServer(max_connections=1) as server:
            with server.client() as first:
                first.send(GET % b"1").answer()
            wait_until(lambda: server.listener.open_connections == 0, "the first is gone")

            with server.client() as second:
                self.assertEqual(second.send(GET % b"2").answer().status, 200)


class TestExhaustion(unittest.TestCase):
    def test_without_descriptors_others_are_served_and_new_clients_wait(self) -> None:
        sock = ExhaustedSocket()
        sock.bind(("127.0.0.1", 0))
        with EchoServer(sock=sock) as server, server.client() as old:
            old.send(GET % b"1").answer()
            ExhaustedSocket.is_exhausted = True
            with self.assertLogs("waybill.http", "ERROR"), server.client() as new:
                new.send(GET % b"2")
                wait_until(lambda: ExhaustedSocket.failures > 0, "accept fails")
                for _ in range(50):
                    self.assertEqual(old.send(GET % b"3").answer().status, 200)
                self.assertLess(ExhaustedSocket.failures, 5)

                ExhaustedSocket.is_exhausted = False

                self.assertEqual(new.answer().body, b"GET /2 ")


class TestDrain(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer())

    def _is_refused(self) -> bool:
        try:
            self.server.client().sock.close()
        except ConnectionError:  # Refused, or reset while it was in the kernel's queue.
            return True
        return False

    def test_idle_connections_are_closed_and_nobody_else_is_let_in(self) -> None:
        with self.server.client() as idle, self.server.client() as silent:
            idle.send(GET % b"1").answer()

            cut_off = self.server.run(self.server.listener.drain(5.0))

            self.assertEqual((cut_off, idle.rest(), silent.rest()), (0, b"", b""))
        with self.assertRaises(ConnectionRefusedError):
            self.server.client()

    def test_a_request_under_way_is_finished_and_its_answer_is_the_last(self) -> None:
        with self.server.client() as busy:
            busy.send((GET % b"held") + (GET % b"2"))
            wait_until(lambda: self.server.app.begun == ["/held"], "the request is handled")
            draining = self.server.drain_in_background(10.0)
            wait_until(self._is_refused, "nobody is let in any more")

            self.server.app.release()

            answer = busy.answer()
            self.assertEqual((answer.body, answer.headers["connection"]), (b"GET /held ", "close"))
            self.assertEqual(busy.rest(), b"")
            busy.sock.close()
            self.assertEqual(draining.result(10), 0)
        self.assertEqual(self.server.app.ended, ["/held"])

    def test_a_request_whose_client_is_gone_is_waited_for(self) -> None:
        client = self.server.client()
        client.send(GET % b"held")
        wait_until(lambda: self.server.app.begun == ["/held"], "the request is handled")
        client.reset()
        wait_until(lambda: self.server.listener.open_connections == 0, "the reset is noticed")
        draining = self.server.drain_in_background(10.0)

        self.server.app.release()

        self.assertEqual(draining.result(10), 0)
        self.assertEqual(self.server.app.ended, ["/held"])

    def test_a_half_sent_request_may_be_finished(self) -> None:
        with self.server.client() as client:
            client.send(GET % b"1").answer()
            client.send((GET % b"2")[:10])
            draining = self.server.drain_in_background(10.0)
            wait_until(self._is_refused, "nobody is let in any more")

            client.send((GET % b"2")[10:])

            self.assertEqual(client.answer().headers["connection"], "close")
            client.sock.close()
            self.assertEqual(draining.result(10), 0)

    def test_after_the_grace_the_rest_is_cut_off(self) -> None:
        with self.server.client() as busy:
            busy.send(GET % b"held")
            wait_until(lambda: self.server.app.begun == ["/held"], "the request is handled")

            cut_off = self.server.run(self.server.listener.drain(0.1))

            self.assertEqual(cut_off, 1)
            self.assertEqual(self.server.listener.open_connections, 0)
