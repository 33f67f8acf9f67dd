"""Bodies in pieces, both ways: backpressure, deadlines, clients that break off, and what may follow."""

import unittest

from lib.http1.server.limits import Limits
from tests.wire.echo_server import BIG_BYTES, EchoServer, wait_until

POST = b"POST /pieces HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
QUICK = Limits(sweep_s=0.02, body_s=0.3, body_grace_s=0.2, write_s=0.3, linger_s=0.2)


class TestComingIn(unittest.TestCase):
    def test_a_body_over_the_usual_limit_is_taken_and_the_connection_kept(self) -> None:
        with EchoServer() as server, server.client() as client:
            for head in (b"Content-Length: 5000000\r\n\r\n", CHUNKED):
                chunk = bytes(500_000)
                chunks = [chunk] * 10 if head != CHUNKED else [b"7A120\r\n%b\r\n" % chunk] * 10 + [b"0\r\n\r\n"]
                answer = client.send(POST + head).send(b"".join(chunks)).answer()

                self.assertEqual((answer.status, answer.body), (200, b"5000000"))

            self.assertEqual(client.send(NEXT).answer().body, b"GET /next ")

    def test_the_handler_begins_with_the_head_and_the_request_behind_waits_its_turn(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST + b"Content-Length: 4\r\n\r\nab")
            wait_until(lambda: server.app.begun == ["/pieces"], "the handler runs")

            client.send(b"cd" + NEXT)

            self.assertEqual(client.answer().body, b"4")
            self.assertEqual(client.answer().body, b"GET /next ")

    def test_no_more_is_read_than_the_handler_takes(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST.replace(b"/pieces", b"/pieces/slow") + b"Content-Length: 60000000\r\n\r\n")
            client.sock.settimeout(0.3)
            sent = 0
            with self.assertRaises(TimeoutError):
                while True:
                    sent += client.sock.send(bytes(65536))

            server.app.release()

            client.sock.settimeout(10)
            client.send(bytes(60_000_000 - sent))
            self.assertEqual(client.answer().body, b"60000000")

    def test_100_continue_is_sent_when_the_first_piece_is_asked_for(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")

            self.assertEqual(client.answer().status, 100)
            self.assertEqual(client.send(b"hi").answer().body, b"2")

    def test_no_100_continue_comes_behind_the_head_of_an_answer_that_has_begun(self) -> None:
        with EchoServer() as server, server.client() as client:
            fields = b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            client.send(POST.replace(b"/pieces", b"/pieces/echo") + fields + b"ab")
            wait_until(lambda: server.app.begun == ["/pieces/echo"], "the handler runs")

            self.assertEqual(client.send(b"cd").answer().body, b"abcd")

    def test_a_body_that_the_handler_does_not_take_is_thrown_away(self) -> None:
        with EchoServer() as server, server.client() as client:
            head = POST.replace(b"/pieces", b"/pieces/ignored") + b"Content-Length: 9\r\n\r\n"
            for raw in (head + b"GET /evil" + NEXT, head + b"GET", b" /evil" + NEXT):
                client.send(raw)

            answers = [client.answer() for _ in range(4)]

            self.assertEqual([answer.body for answer in answers], [b"0", b"GET /next "] * 2)
            self.assertEqual(server.app.begun, ["/pieces/ignored", "/next"] * 2)

    def test_a_large_body_that_the_handler_does_not_take_ends_the_connection(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST.replace(b"/pieces", b"/pieces/ignored") + b"Content-Length: 2000000\r\n\r\nGET /evil")

            answer = client.answer()

            self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
            self.assertEqual(client.half_close().rest(), b"")
            self.assertEqual(server.app.begun, ["/pieces/ignored"])

    def test_what_is_badly_framed_or_too_large_is_told_to_the_handler_and_ends_the_connection(self) -> None:
        for head, status in (
            (CHUNKED + b"5\r\nhelloX", 400),
            (b"Content-Length: 99999999\r\n\r\n", 413),
            (CHUNKED + b"FFFFFFFF\r\n", 413),
        ):
            with EchoServer() as server, server.client() as client:
                answer = client.send(POST + head).answer()

                self.assertEqual((answer.status, answer.headers["connection"]), (status, "close"))

    def test_a_client_that_ends_early_is_told_so_where_it_still_listens(self) -> None:
        with EchoServer() as server, server.client() as client:
            answer = client.send(POST + b"Content-Length: 9\r\n\r\nhalf").half_close().answer()

            self.assertEqual((answer.status, answer.body), (400, b"bad-request"))

    def test_a_client_that_is_gone_ends_the_handler(self) -> None:
        with EchoServer() as server:
            with server.client() as client:
                client.send(POST + b"Content-Length: 9\r\n\r\nhalf")
                wait_until(lambda: server.app.begun == ["/pieces"], "the handler runs")
                client.reset()

            wait_until(lambda: server.app.ended == ["/pieces"], "the handler has ended")
            self.assertEqual(server.listener.open_connections, 0)

    def test_a_body_that_stalls_is_408(self) -> None:
        with EchoServer(QUICK) as server, server.client() as client:
            answer = client.send(POST + b"Content-Length: 9\r\n\r\nhalf").answer()

            self.assertEqual((answer.status, answer.headers["connection"]), (408, "close"))

    def test_a_body_that_drips_is_408_however_large_it_may_be(self) -> None:
        with EchoServer(QUICK) as server, server.client() as client:
            client.send(POST + b"Content-Length: 50000\r\n\r\n")
            client.sock.settimeout(0.05)
            answer = b""
            while not answer:
                client.send(b"x")
                try:
                    answer = client.sock.recv(100)
                except TimeoutError:
                    continue

            self.assertIn(b" 408 ", answer)


class TestGoingOut(unittest.TestCase):
    def test_an_answer_in_pieces_is_chunked_and_the_connection_kept(self) -> None:
        with EchoServer() as server, server.client() as client:
            answer = client.send(b"GET /made HTTP/1.1\r\nHost: a\r\n\r\n").answer()

            self.assertEqual((answer.status, len(answer.body)), (200, 5 + BIG_BYTES))
            self.assertNotIn("content-length", answer.headers)
            self.assertEqual(client.send(NEXT).answer().body, b"GET /next ")

    def test_http_1_0_gets_it_whole_up_to_the_end_of_the_connection(self) -> None:
        with EchoServer() as server, server.client() as client:
            head, _, body = (
                client.send(b"GET /made HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").rest().partition(b"\r\n\r\n")
            )

            self.assertNotIn(b"chunked", head)
            self.assertIn(b"Connection: close", head)
            self.assertEqual(len(body), 5 + BIG_BYTES)

    def test_head_gets_the_fields_alone(self) -> None:
        with EchoServer() as server, server.client() as client:
            answer = client.send(b"HEAD /made HTTP/1.1\r\nHost: a\r\n\r\n").head()

            self.assertEqual((answer.status, answer.headers["transfer-encoding"]), (200, "chunked"))
            self.assertEqual(client.send(NEXT).answer().body, b"GET /next ")

    def test_an_answer_that_fails_on_its_way_is_seen_to_be_cut(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(b"GET /made/broken HTTP/1.1\r\nHost: a\r\n\r\n").head()

            self.assertEqual(client.chunk(), b"first")
            with self.assertRaises((EOFError, ConnectionError)):
                client.chunk()

    def test_a_reader_that_stops_is_cut_off_and_one_that_is_slow_is_waited_for(self) -> None:
        with EchoServer(QUICK) as server, server.client(receive_buffer_bytes=4096) as client:
            client.send(b"GET /made HTTP/1.1\r\nHost: a\r\n\r\n").head()

            wait_until(lambda: server.app.ended == ["/made"], "the reader that stopped is cut off")

        with EchoServer(QUICK) as server, server.client() as client:
            client.send(b"GET /made HTTP/1.1\r\nHost: a\r\n\r\n").head()
            got = 0
            while chunk := client.chunk():
                got += len(chunk)
            self.assertEqual(got, 5 + BIG_BYTES)

    def test_both_ways_at_once(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST.replace(b"/pieces", b"/pieces/echo") + CHUNKED).head()
            for word in (b"one", b"two", b"three"):
                client.send(b"%x\r\n%b\r\n" % (len(word), word))
                self.assertEqual(client.chunk(), word)
            client.send(b"0\r\n\r\n")

            self.assertEqual(client.chunk(), b"")
            self.assertEqual(client.send(NEXT).answer().body, b"GET /next ")

    def test_an_answer_whose_request_breaks_off_ends_the_connection(self) -> None:
        for bad in (b"x\r\n", b"3\r\nyouX"):
            with EchoServer() as server, server.client() as client:
                client.send(POST.replace(b"/pieces", b"/pieces/echo") + CHUNKED + b"2\r\nhi\r\n").head()
                self.assertEqual(client.chunk(), b"hi")

                client.send(bad + NEXT)

                self.assertNotIn(b"/next", client.rest())
                self.assertEqual(server.app.begun, ["/pieces/echo"])

    def test_a_drain_lets_it_be_finished(self) -> None:
        with EchoServer() as server, server.client() as client:
            client.send(POST.replace(b"/pieces", b"/pieces/echo") + CHUNKED + b"2\r\nhi\r\n").head()
            self.assertEqual(client.chunk(), b"hi")

            draining = server.drain_in_background(10.0)
            client.send(b"3\r\nyou\r\n0\r\n\r\n")

            self.assertEqual((client.chunk(), client.chunk()), (b"you", b""))
            self.assertEqual(draining.result(10), 0)
