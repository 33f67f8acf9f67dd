"""Requests to receivers that are slow, broken or hostile, over real sockets: each ends at a deadline or a limit."""

import asyncio
import socket
import tracemalloc
import unittest

from lib.http1.client.address_guard import Guard
from lib.http1.client.client_message import Answer, ClientRequest
from lib.http1.client.faults import AnswerTimedOut, HttpClientFault, LinkLost, NoHttp
from lib.http1.client.http_dial import client_tls
from lib.http1.client.pool import HttpClient
from lib.http1.client.special_ranges import parse_allowed
from lib.http1.client.url import read_url
from tests.wire.receiver import OK_BYTES, Behaviour, Receiver, ReceiverLink, plays

ENOUGH_S = 20.0
SHORT_S = 0.3
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class ClientCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.client = HttpClient(Guard(parse_allowed("127.0.0.1")), tls=client_tls())
        self.addAsyncCleanup(self.client.close)

    async def send(self, receiver: Receiver, *, within_s: float = ENOUGH_S, body: bytes = b"{}") -> Answer:
        request = ClientRequest("POST", receiver.url(), [("webhook-id", "j1")], body)
        return await self.client.send(request, deadline_s=asyncio.get_running_loop().time() + within_s)

    async def answered(self, behaviour: Behaviour, *, within_s: float = ENOUGH_S) -> Answer:
        async with Receiver(behaviour) as receiver:
            return await self.send(receiver, within_s=within_s)

    async def refused(
        self, behaviour: Behaviour, fault: type[HttpClientFault], words: str, within_s: float = ENOUGH_S
    ) -> None:
        """The behaviour leads to this fault, and the receiver's link has been ended behind it."""
        async with Receiver(behaviour) as receiver:
            with self.assertRaisesRegex(fault, words):
                await self.send(receiver, within_s=within_s)
            await receiver.until(lambda r: r.ended == r.connections)


def drips(opening: bytes) -> Behaviour:
    """Answers with `opening`, and then with a byte every 20 ms for as long as the client is there."""

    async def behave(link: ReceiverLink) -> None:
        await link.request()
        await link.send(opening)
        while not link.reader.at_eof():
            await link.send(b"y")
            await asyncio.sleep(0.02)

    return behave


def floods(opening: bytes, piece: bytes, most_bytes: int = 50 << 20) -> Behaviour:
    """Answers with `opening`, and then with `piece` over and over, up to 50 MB."""

    async def behave(link: ReceiverLink) -> None:
        await link.request()
        await link.send(opening)
        for _ in range(most_bytes // len(piece)):
            await link.send(piece)
            await asyncio.sleep(0)  # drain() lets nobody else run while the socket takes all.

    return behave


class Ordinary(ClientCase):
    async def test_a_request_is_sent_and_its_answer_returned(self) -> None:
        async with Receiver(plays(OK_BYTES)) as receiver:
            answer = await self.send(receiver)

        self.assertEqual((answer.status, answer.body, answer.is_truncated), (200, b"ok", False))
        self.assertEqual((answer.address, answer.field("content-length")), ("127.0.0.1", "2"))
        self.assertTrue(0 < answer.duration_ms < ENOUGH_S * 1000)
        self.assertEqual(receiver.heads[0].partition(b"\r\n")[0], b"POST /hook HTTP/1.1")
        self.assertIn(b"\r\nHost: 127.0.0.1:%d\r\n" % receiver.port, receiver.heads[0])

    async def test_a_large_body_arrives_whole(self) -> None:
        bodies: list[bytes] = []

        async def behave(link: ReceiverLink) -> None:
            bodies.append(await link.request())
            await link.send(OK_BYTES)

        async with Receiver(behave) as receiver:
            await self.send(receiver, body=b"x" * (8 << 20))

        self.assertEqual(bodies, [b"x" * (8 << 20)])

    async def test_an_answer_that_comes_before_the_request_was_taken_stands(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.reader.readuntil(b"\r\n\r\n")
            await link.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await left.wait()

        left = asyncio.Event()
        async with Receiver(behave) as receiver:
            answer = await self.send(receiver, body=b"x" * (32 << 20))
            self.assertEqual((await self.send(receiver)).status, 413)
            left.set()

        self.assertEqual(receiver.connections, 2)  # What is left of the first body would have been the next request.

        self.assertEqual((answer.status, answer.body), (413, b"no"))

    async def test_a_redirect_is_an_answer_and_is_not_followed(self) -> None:
        redirect = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
        async with Receiver(plays(redirect)) as receiver:
            answer = await self.send(receiver)

        self.assertEqual((answer.status, answer.field("location"), len(receiver.heads)), (307, "/other", 1))

    async def test_nobody_listens(self) -> None:
        async with Receiver(plays(OK_BYTES)) as receiver:
            pass

        with self.assertRaisesRegex(LinkLost, r"127\.0\.0\.1.*refused"):
            await self.send(receiver)


class Slow(ClientCase):
    async def test_a_head_that_drips_ends_at_the_deadline(self) -> None:
        behave = drips(b"HTTP/1.1 200 OK\r\nX: ")
        await self.refused(behave, AnswerTimedOut, "has not ended its answer's head", within_s=SHORT_S)

    async def test_a_body_that_drips_is_an_answer_cut_at_the_deadline(self) -> None:
        for opening in (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
            answer = await self.answered(drips(opening), within_s=SHORT_S)

            self.assertEqual((answer.status, answer.is_truncated), (200, True))
            self.assertEqual(set(answer.body), set(b"y"))

    async def test_a_mute_receiver_ends_at_the_deadline(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.reader.read()

        await self.refused(behave, AnswerTimedOut, "has not answered in time", within_s=SHORT_S)

    async def test_a_receiver_that_takes_no_connection_ends_at_the_deadline(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            # Whoever connects beyond the backlog gets no answer at all from the system.
            waiting = [socket.socket() for _ in range(4)]
            for sock in waiting:
                self.addCleanup(sock.close)
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            request = ClientRequest("POST", read_url(f"http://127.0.0.1:{full.getsockname()[1]}/"))

            with self.assertRaisesRegex(AnswerTimedOut, "has not taken the connection"):
                await self.client.send(request, deadline_s=asyncio.get_running_loop().time() + SHORT_S)

    async def test_a_deadline_that_is_over_sends_nothing(self) -> None:
        async with Receiver(plays(OK_BYTES)) as receiver:
            with self.assertRaises(AnswerTimedOut):
                await self.send(receiver, within_s=-1)

        self.assertEqual(receiver.heads, [])

    async def test_who_is_cancelled_cuts_the_link_at_once(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.request()
            await link.reader.read()

        async with Receiver(behave) as receiver:
            sending = asyncio.create_task(self.send(receiver))
            await receiver.until(lambda r: len(r.heads) == 1)

            sending.cancel()

            with self.assertRaises(asyncio.CancelledError):
                await sending
            await receiver.until(lambda r: r.ended == 1)


class Broken(ClientCase):
    async def test_a_link_that_is_reset_at_byte_n_is_lost_in_the_head_and_an_answer_behind_it(self) -> None:
        head = len(OK_BYTES) - 2
        for count in range(len(OK_BYTES)):

            async def behave(link: ReceiverLink, count: int = count) -> None:
                await link.request()
                await link.send(OK_BYTES[:count])
                link.reset()

            with self.subTest(count):
                if count < head:
                    await self.refused(behave, LinkLost, "broke the link .*answer.*reset")
                else:
                    answer = await self.answered(behave)
                    self.assertEqual((answer.status, answer.is_truncated), (200, True))

    async def test_a_link_that_is_closed_before_the_answer_is_lost(self) -> None:
        await self.refused(plays(b"", closes=True), LinkLost, "closed the link before it answered")
        await self.refused(plays(OK_BYTES[:9], closes=True), LinkLost, "closed the link in the head")

    async def test_what_is_no_http_is_said_at_once(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.send(b"SSH-2.0-OpenSSH_9.2\r\n")
            await link.reader.read()

        await self.refused(behave, NoHttp, "answered b'SSH-2.0-OpenSSH_9.2")

    async def test_both_framings_are_no_http(self) -> None:
        both = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

        await self.refused(plays(both), NoHttp, "framed in two ways")


class Hostile(ClientCase):
    async def test_a_body_of_50_mb_is_cut_at_64_kib_and_memory_stays_flat(self) -> None:
        piece = b"x" * 65_536
        openings = {
            b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n": piece,
            b"HTTP/1.1 200 OK\r\n\r\n": piece,
            CHUNKED: b"10000\r\n" + piece + b"\r\n",
            CHUNKED + b"3200000\r\n": piece,
        }
        for opening, repeated in openings.items():
            with self.subTest(opening):
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)

                answer = await self.answered(floods(opening, repeated))

                self.assertEqual((answer.status, answer.is_truncated, answer.body), (200, True, piece))
                self.assertLess(tracemalloc.get_traced_memory()[1], 4 << 20)
                tracemalloc.stop()

    async def test_a_bomb_of_chunk_extensions_ends_the_body(self) -> None:
        answer = await self.answered(floods(CHUNKED, b"1;" + b"e" * 1000 + b"\r\nx\r\n"))

        self.assertEqual((answer.status, answer.is_truncated), (200, True))
        self.assertLess(len(answer.body), 10)

    async def test_interim_answers_without_end_are_no_http(self) -> None:
        behave = floods(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await self.refused(behave, NoHttp, "more than 20 interim answers")

    async def test_a_head_of_1_mb_is_no_http(self) -> None:
        await self.refused(floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 1 << 20), NoHttp, "more than 65536 bytes")
        await self.refused(floods(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000, 1 << 20), NoHttp, "more than 65536 bytes")

    async def test_a_thousand_fields_are_no_http(self) -> None:
        await self.refused(floods(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", b"x"), NoHttp, "256 header")


if __name__ == "__main__":
    unittest.main()
