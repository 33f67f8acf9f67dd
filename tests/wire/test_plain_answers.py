"""Answers that take no task: given at once, or told later by a plain call."""

import unittest

from lib.http1.server.limits import Limits
from tests.wire.echo_server import EchoServer, wait_until


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


class PlainAnswers(unittest.TestCase):
    def setUp(self) -> None:
        self.server = self.enterContext(EchoServer(Limits(sweep_s=0.02, pipelined_requests=4)))
        self.common = self.server.listener._common

    def tell(self) -> None:
        """Have what is held told, on the server's loop."""

        async def tell() -> None:
            self.server.app.tell()

        self.server.run(tell())

    def test_each_kind_is_answered_in_turn_on_one_connection(self) -> None:
        paths = ["/at-once", "/told", "/echo", "/told", "/told/awaited", "/at-once", "/echo"]
        with self.server.client() as client:
            client.send(b"".join(map(get, paths)))

            self.assertEqual([f"GET {path} ".encode() for path in paths], [client.answer().body for _ in paths])

    def test_many_that_are_answered_at_once_let_others_have_their_turn(self) -> None:
        with self.server.client() as client, self.server.client() as other:
            client.send(get("/at-once") * 300)
            other.send(get("/echo"))

            self.assertEqual(200, other.answer().status)
            self.assertEqual({200}, {client.answer().status for _ in range(300)})
            self.assertLess(self.server.app.begun.index("/echo"), 299)

    def test_many_are_all_answered_where_the_client_has_ended_its_side(self) -> None:
        for path in ("/at-once", "/refused"):
            with self.subTest(path), self.server.client() as client:
                client.send(get(path) * 100).half_close()

                self.assertEqual(100, client.rest().count(b"HTTP/1.1 "))

    def test_a_fault_that_is_told_is_500_and_ends_the_connection(self) -> None:
        with self.assertLogs("waybill.http", "ERROR"), self.server.client() as client:
            answer = client.send(get("/told/raises")).answer()

            self.assertEqual((500, "close"), (answer.status, answer.headers["connection"]))
            self.assertEqual(b"", client.rest())

    def test_what_is_told_twice_is_answered_once_and_never_to_the_next(self) -> None:
        with self.server.client() as client:
            client.send(get("/told/held"))
            wait_until(lambda: "/told/held" in self.server.app.ended, "the request is held")
            self.tell()
            self.assertEqual(b"GET /told/held ", client.answer().body)

            client.send(get("/held"))
            wait_until(lambda: "/held" in self.server.app.begun, "the next request is held")
            self.tell()
            self.server.app.release()

            self.assertEqual(b"GET /held ", client.answer().body)
            self.assertEqual(b"GET /echo ", client.send(get("/echo")).answer().body)

    def test_where_the_client_is_gone_nothing_is_left_behind(self) -> None:
        for path in ("/told/held", "/told/held/awaited"):
            with self.subTest(path):
                client = self.server.client()
                client.send(get("/echo")).answer()
                client.send(get(path))
                wait_until(lambda path=path: path in self.server.app.begun, "the request is held")  # type: ignore[misc]
                client.reset()
                wait_until(lambda: len(self.common.unanswered) == 1, "the server knows that the client is gone")

                self.tell()

                wait_until(lambda: not self.common.unanswered and not self.common.tasks, "nothing is left")

    def test_a_drain_waits_for_what_is_still_to_be_told(self) -> None:
        client = self.server.client()
        client.send(get("/told/held"))
        wait_until(lambda: "/told/held" in self.server.app.begun, "the request is held")
        client.reset()
        wait_until(lambda: len(self.common.unanswered) == 1, "the server knows that the client is gone")
        drained = self.server.drain_in_background(10)

        self.assertFalse(drained.done())
        self.tell()

        self.assertEqual(0, drained.result(10))


if __name__ == "__main__":
    unittest.main()
