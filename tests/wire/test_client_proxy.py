"""Requests through a proxy of the test's own: CONNECT, and the receiver behind it, over real sockets."""

import asyncio
import unittest
from contextlib import suppress

from lib.http1.client.address_guard import Guard
from lib.http1.client.client_message import Answer, ClientRequest
from lib.http1.client.faults import AddressRefused, AnswerTimedOut, LinkLost, NoHttp, TlsRefused
from lib.http1.client.http_dial import client_tls
from lib.http1.client.http_proxy import WebProxy, read_proxy
from lib.http1.client.pool import HttpClient
from lib.http1.client.url import read_url
from tests.certificates import Authority
from tests.wire.receiver import OK_BYTES, Behaviour, Receiver, ReceiverLink, plays

HOST = "hooks.example"
ESTABLISHED = b"HTTP/1.0 200 Connection established\r\n\r\n"


def tunnels_to(receiver: Receiver) -> Behaviour:
    """A proxy for which every name is the receiver's."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def behave(link: ReceiverLink) -> None:
        await link.request()
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        await link.send(ESTABLISHED)
        await asyncio.gather(pump(link.reader, writer), pump(reader, link.writer))

    return behave


class ThroughAProxy(unittest.IsolatedAsyncioTestCase):
    async def send(
        self, proxy: Receiver, url: str, *, ca_file: str | None = None, within_s: float = 20.0, times: int = 1
    ) -> Answer:
        by = read_proxy(f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        client = HttpClient(Guard(), tls=client_tls(ca_file), proxy=by)
        self.addAsyncCleanup(client.close)
        request = ClientRequest("POST", read_url(url), (), b"{}")
        for _ in range(times):
            answer = await client.send(request, deadline_s=asyncio.get_running_loop().time() + within_s)
        return answer

    async def test_a_request_goes_through_a_tunnel_that_is_kept(self) -> None:
        async with Receiver(plays(OK_BYTES)) as receiver, Receiver(tunnels_to(receiver)) as proxy:
            answer = await self.send(proxy, f"http://{HOST}/hook", times=3)

        self.assertEqual((answer.status, answer.body), (200, b"ok"))
        self.assertEqual((proxy.connections, len(receiver.heads)), (1, 3))
        self.assertEqual(
            proxy.heads[0],
            b"CONNECT hooks.example:80 HTTP/1.1\r\nHost: hooks.example:80\r\n"
            b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n",
        )
        self.assertTrue(receiver.heads[0].startswith(b"POST /hook HTTP/1.1\r\nHost: hooks.example\r\n"))
        self.assertNotIn(b"Proxy", receiver.heads[0])

    async def test_tls_is_with_the_receiver_and_the_proxy_is_trusted_with_nothing(self) -> None:
        authority = self.enterContext(Authority())
        good = authority.issue("good", f"DNS:{HOST}")
        async with Receiver(plays(OK_BYTES), tls=good) as receiver, Receiver(tunnels_to(receiver)) as proxy:
            answer = await self.send(proxy, f"https://{HOST}/hook", ca_file=authority.ca_file)
            self.assertEqual(answer.status, 200)

            with self.assertRaisesRegex(TlsRefused, "not valid for 'other.example'"):
                await self.send(proxy, "https://other.example/hook", ca_file=authority.ca_file)

        self.assertEqual(len(receiver.heads), 1)

    async def test_a_refused_address_is_refused_before_the_proxy_is_asked(self) -> None:
        async with Receiver(plays(ESTABLISHED)) as proxy:
            with self.assertRaises(AddressRefused):
                await self.send(proxy, "http://169.254.169.254/latest")

        self.assertEqual(proxy.connections, 0)

    async def test_a_proxy_that_gives_no_tunnel_is_named(self) -> None:
        cases = (
            (plays(b"HTTP/1.1 407 Denied\r\nContent-Length: 5\r\n\r\n"), LinkLost, "the proxy refused .*407"),
            (plays(b"", closes=True), LinkLost, "the proxy closed the link"),
            (plays(b"SOCKS\r\n"), NoHttp, "the proxy answered b'SOCKS"),
            (plays(ESTABLISHED + OK_BYTES), LinkLost, "the proxy sent bytes before"),
        )
        for behaviour, fault, words in cases:
            async with Receiver(behaviour) as proxy:
                with self.subTest(words), self.assertRaisesRegex(fault, words):
                    await self.send(proxy, f"http://{HOST}/")
                await proxy.until(lambda r: r.ended == 1)

    async def test_a_mute_proxy_ends_at_the_deadline(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.reader.read()

        async with Receiver(behave) as proxy:
            with self.assertRaisesRegex(AnswerTimedOut, "the proxy 127.0.0.1"):
                await self.send(proxy, f"http://{HOST}/", within_s=0.3)
            await proxy.until(lambda r: r.ended == 1)


class ReadProxy(unittest.TestCase):
    def test_a_proxy_is_a_host_a_port_and_perhaps_credentials(self) -> None:
        self.assertEqual(read_proxy("http://smokescreen:4750"), WebProxy("smokescreen", 4750))
        self.assertEqual(read_proxy("http://a:b@[::1]:4750/"), WebProxy("::1", 4750, "Basic YTpi"))
        self.assertNotIn("YTpi", repr(read_proxy("http://a:b@[::1]:4750/")))

    def test_all_else_is_refused_without_showing_the_password(self) -> None:
        for text in (
            "https://a:s3cret@b",
            "a:4750",
            "http://a:s3cret@b/path",
            "http://a:s3cret@:4750",
            "http://a@b:s3cret@c",
            "",
        ):
            with self.subTest(text), self.assertRaises(ValueError) as caught:
                read_proxy(text)

            self.assertNotIn("s3cret", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
