"""TLS to receivers whose certificates openssl has made: which are taken, and which are refused without a byte."""

import asyncio
import ssl
import unittest

from lib.http1.client.address_guard import Guard
from lib.http1.client.client_message import Answer, ClientRequest
from lib.http1.client.faults import AnswerTimedOut, LinkLost, TlsRefused
from lib.http1.client.http_dial import client_tls
from lib.http1.client.pool import HttpClient
from lib.http1.client.special_ranges import parse_allowed
from tests.certificates import Authority
from tests.wire.receiver import OK_BYTES, Receiver, ReceiverLink, plays

HOST = "hooks.example"


class Tls(unittest.IsolatedAsyncioTestCase):
    authority: Authority

    @classmethod
    def setUpClass(cls) -> None:
        cls.authority = cls.enterClassContext(Authority())

    def setUp(self) -> None:
        self.logged: list[str] = []

    async def asyncSetUp(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.logged.append(context["message"]))

    async def send(
        self,
        receiver: Receiver,
        host: str = HOST,
        *,
        trusts: bool = True,
        within_s: float = 20.0,
    ) -> Answer:
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        ca_file = self.authority.ca_file if trusts else None
        client = HttpClient(Guard(parse_allowed("127.0.0.1"), resolve), tls=client_tls(ca_file))
        self.addAsyncCleanup(client.close)
        request = ClientRequest("POST", receiver.url(host=host)._replace(scheme="https"), (), b"{}")
        return await client.send(request, deadline_s=asyncio.get_running_loop().time() + within_s)

    async def refused(self, receiver_tls: ssl.SSLContext, words: str, *, trusts: bool = True) -> None:
        async with Receiver(plays(OK_BYTES), tls=receiver_tls) as receiver:
            with self.assertRaisesRegex(TlsRefused, words):
                await self.send(receiver, trusts=trusts)

        self.assertEqual(receiver.heads, [])

    async def test_a_certificate_of_a_trusted_authority_is_taken(self) -> None:
        async with Receiver(plays(OK_BYTES), tls=self.authority.issue("good", f"DNS:{HOST}")) as receiver:
            answer = await self.send(receiver)

        self.assertEqual((answer.status, answer.body, answer.address), (200, b"ok", "127.0.0.1"))
        self.assertEqual(self.logged, [])

    async def test_a_certificate_for_an_address_is_taken(self) -> None:
        async with Receiver(plays(OK_BYTES), tls=self.authority.issue("address", "IP:127.0.0.1")) as receiver:
            self.assertEqual((await self.send(receiver, "127.0.0.1")).status, 200)

    async def test_an_authority_that_nobody_named_is_refused(self) -> None:
        await self.refused(self.authority.issue("unknown", f"DNS:{HOST}"), "unable to get local issuer", trusts=False)

    async def test_a_certificate_of_another_name_is_refused(self) -> None:
        await self.refused(self.authority.issue("other", "DNS:other.example"), f"not valid for '{HOST}'")

    async def test_a_certificate_that_has_run_out_is_refused(self) -> None:
        dates = "-startdate 20200101000000Z -enddate 20200201000000Z"
        await self.refused(self.authority.issue("expired", f"DNS:{HOST}", dates), "expired")

    async def test_a_certificate_that_signs_itself_is_refused(self) -> None:
        await self.refused(self.authority.sign_itself("selfsigned", f"DNS:{HOST}"), "self-signed")

    async def test_tls_before_1_2_is_not_spoken(self) -> None:
        self.assertEqual(client_tls().minimum_version, ssl.TLSVersion.TLSv1_2)
        self.assertEqual((client_tls().verify_mode, client_tls().check_hostname), (ssl.CERT_REQUIRED, True))

    async def test_a_file_without_a_certificate_is_an_error(self) -> None:
        with self.assertRaises(OSError):
            client_tls(str(self.authority.folder / "ca.cnf"))
        with self.assertRaises(OSError):
            client_tls(str(self.authority.folder / "missing.pem"))

    async def test_a_receiver_without_tls_is_refused(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.send(b"220 mail.example ESMTP\r\n")
            await link.reader.read()

        async with Receiver(behave) as receiver:
            with self.assertRaisesRegex(TlsRefused, "wrong version number"):
                await self.send(receiver)

    async def test_a_receiver_that_leaves_in_the_handshake_is_a_lost_link(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.reader.read(1)
            link.reset()

        async with Receiver(behave) as receiver:
            with self.assertRaises(LinkLost):
                await self.send(receiver)

    async def test_a_receiver_that_is_mute_in_the_handshake_ends_at_the_deadline(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.reader.read()

        async with Receiver(behave) as receiver:
            with self.assertRaises(AnswerTimedOut):
                await self.send(receiver, within_s=0.3)
            await receiver.until(lambda r: r.ended == 1)

        self.assertEqual(self.logged, [])

    async def test_who_is_cancelled_in_the_handshake_or_amid_an_answer_cuts_the_link_at_once(self) -> None:
        async def mute(link: ReceiverLink) -> None:
            await link.reader.read(1)
            link.receiver.note(b"it has begun")
            while await link.reader.read(4096):
                pass

        for tls in (None, self.authority.issue("cut", f"DNS:{HOST}")):
            async with Receiver(mute, tls=tls) as receiver:
                sending = asyncio.create_task(self.send(receiver))
                await receiver.until(lambda r: len(r.heads) == 1)

                sending.cancel()

                with self.assertRaises(asyncio.CancelledError):
                    await sending
                await receiver.until(lambda r: r.ended == 1)

        self.assertEqual(self.logged, [])

    async def test_a_body_without_a_length_is_whole_where_tls_ends_in_the_ordinary_way(self) -> None:
        answer_bytes = b"HTTP/1.1 200 OK\r\n\r\nok"
        context = self.authority.issue("ends", f"DNS:{HOST}")
        async with Receiver(plays(answer_bytes, closes=True), tls=context) as receiver:
            answer = await self.send(receiver)

        self.assertEqual((answer.body, answer.is_truncated), (b"ok", False))

    async def test_a_body_that_is_longer_than_64_kib_is_cut_over_tls_too(self) -> None:
        flood = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20)
        async with Receiver(plays(flood), tls=self.authority.issue("flood", f"DNS:{HOST}")) as receiver:
            answer = await self.send(receiver)

        self.assertEqual((answer.status, len(answer.body), answer.is_truncated), (200, 65_536, True))


if __name__ == "__main__":
    unittest.main()
