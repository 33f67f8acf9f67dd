"""The links that a client keeps, and the addresses that it dials, over real sockets."""

import asyncio
import unittest
from collections.abc import Callable, Sequence

from lib.http1.client.address_guard import Guard
from lib.http1.client.client_message import Answer, ClientRequest
from lib.http1.client.faults import AddressRefused, AnswerTimedOut, LinkLost
from lib.http1.client.http_dial import client_tls
from lib.http1.client.kept_links import KeepLimits
from lib.http1.client.pool import HttpClient
from lib.http1.client.special_ranges import parse_allowed
from tests.wire.receiver import OK_BYTES, Behaviour, Receiver, ReceiverLink, plays

CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


def answers_together(count: int) -> Behaviour:
    """Answers when so many requests are there, and so on."""
    together = asyncio.Barrier(count)

    async def behave(link: ReceiverLink) -> None:
        while True:
            await link.request()
            await together.wait()
            await link.send(OK_BYTES)

    return behave


class LinkCase(unittest.IsolatedAsyncioTestCase):
    def client(
        self, guard: Guard | None = None, clock: Callable[[], float] = lambda: 0.0, keep: KeepLimits | None = None
    ) -> HttpClient:
        guard = guard or Guard(parse_allowed("127.0.0.1"))
        client = HttpClient(guard, tls=client_tls(), clock=clock, keep=keep or KeepLimits())
        self.addAsyncCleanup(client.close)
        return client

    async def send(
        self, client: HttpClient, receiver: Receiver, host: str = "127.0.0.1", *, within_s: float = 20.0
    ) -> Answer:
        request = ClientRequest("POST", receiver.url(host=host), (), b"{}")
        return await client.send(request, deadline_s=asyncio.get_running_loop().time() + within_s)


class Kept(LinkCase):
    async def test_a_link_is_used_again(self) -> None:
        client = self.client()
        async with Receiver(plays(OK_BYTES)) as receiver:
            for _ in range(3):
                await self.send(client, receiver)

        self.assertEqual((len(receiver.heads), receiver.connections), (3, 1))

    async def test_a_link_is_not_used_again_where_its_answer_says_so(self) -> None:
        for answer in (CLOSES, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", OK_BYTES + b"more"):
            client = self.client()
            async with Receiver(plays(answer)) as receiver:
                await self.send(client, receiver)
                await receiver.until(lambda r: r.ended == 1)
                await self.send(client, receiver)

            self.assertEqual(receiver.connections, 2, answer)

    async def test_a_link_is_for_its_own_host_alone(self) -> None:
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        client = self.client(Guard(parse_allowed("127.0.0.1"), resolve))
        async with Receiver(plays(OK_BYTES)) as receiver:
            for host in ("a.example", "b.example", "a.example"):
                await self.send(client, receiver, host)

        self.assertEqual(receiver.connections, 2)

    async def test_a_link_that_was_idle_for_30_s_or_is_5_min_old_is_not_used_again(self) -> None:
        for steps, connections in (([29], 1), ([31], 2), ([29] * 10, 1), ([29] * 11, 2)):
            self.assertEqual(await self.connections_of(steps), connections, steps)

    async def connections_of(self, steps: Sequence[float]) -> int:
        """How many links a client opens that sends at 0 s, and again after each of `steps` seconds."""
        now_s = 0.0
        client = self.client(clock=lambda: now_s)
        async with Receiver(plays(OK_BYTES)) as receiver:
            await self.send(client, receiver)
            for step in steps:
                now_s += step
                await self.send(client, receiver)
        return receiver.connections

    async def test_idle_links_are_cut_although_nobody_sends(self) -> None:
        now_s = 0.0
        client = self.client(clock=lambda: now_s, keep=KeepLimits(idle_s=0.05))
        async with Receiver(plays(OK_BYTES)) as receiver:
            await self.send(client, receiver)
            now_s = 1.0

            await receiver.until(lambda r: r.ended == 1)

    async def test_of_links_to_one_host_so_many_are_kept(self) -> None:
        client = self.client(keep=KeepLimits(links_each=10))
        async with Receiver(answers_together(15)) as receiver:
            await asyncio.gather(*(self.send(client, receiver) for _ in range(15)))

            await receiver.until(lambda r: r.ended == 5)

    async def test_a_queue_with_20_slots_keeps_a_link_for_each(self) -> None:
        client = self.client()
        async with Receiver(answers_together(20)) as receiver:
            for _ in range(3):
                await asyncio.gather(*(self.send(client, receiver) for _ in range(20)))

        self.assertEqual(receiver.connections, 20)

    async def test_a_process_keeps_so_many_links_in_all(self) -> None:
        client = self.client(keep=KeepLimits(all_links=1))
        async with Receiver(plays(OK_BYTES)) as first, Receiver(plays(OK_BYTES)) as second:
            await self.send(client, first)
            await self.send(client, second)

            await second.until(lambda r: r.ended == 1)
            await self.send(client, first)

        self.assertEqual(first.connections, 1)

    async def test_a_link_that_its_receiver_has_closed_takes_up_no_room(self) -> None:
        client = self.client(keep=KeepLimits(all_links=1))
        async with Receiver(plays(OK_BYTES, closes=True)) as first, Receiver(plays(OK_BYTES)) as second:
            await self.send(client, first)
            await first.until(lambda r: r.ended == 1)
            for _ in range(3):
                await self.send(client, second)

        self.assertEqual(second.connections, 1)

    async def test_a_kept_link_that_closes_before_any_byte_is_replaced_once(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.request()
            await link.send(OK_BYTES)
            if link.receiver.connections == 1:
                await link.request()
                return  # The second request is taken, and the link closed without a byte.
            await link.request()

        client = self.client()
        async with Receiver(behave) as receiver:
            await self.send(client, receiver)
            answer = await self.send(client, receiver)

        self.assertEqual((answer.status, receiver.connections, len(receiver.heads)), (200, 2, 3))

    async def test_a_kept_link_that_answers_a_byte_and_closes_is_not_replaced(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.request()
            await link.send(OK_BYTES)
            await link.request()
            await link.send(b"H")

        client = self.client()
        async with Receiver(behave) as receiver:
            await self.send(client, receiver)
            with self.assertRaises(LinkLost):
                await self.send(client, receiver)

        self.assertEqual((receiver.connections, len(receiver.heads)), (1, 2))

    async def test_a_new_link_that_closes_is_not_replaced(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.request()

        async with Receiver(behave) as receiver:
            with self.assertRaises(LinkLost):
                await self.send(self.client(), receiver)

        self.assertEqual(receiver.connections, 1)

    async def test_a_link_that_was_closed_while_it_was_idle_is_replaced(self) -> None:
        client = self.client()
        async with Receiver(plays(OK_BYTES, closes=True)) as receiver:
            for _ in range(5):
                self.assertEqual((await self.send(client, receiver)).status, 200)

        self.assertEqual((receiver.connections, len(receiver.heads)), (5, 5))

    async def test_an_answer_that_nobody_asked_for_is_no_next_answer(self) -> None:
        async def behave(link: ReceiverLink) -> None:
            await link.request()
            await link.send(OK_BYTES)
            if link.receiver.connections == 1:
                await told.wait()
                await link.send(OK_BYTES.replace(b"ok", b"no"))
            await link.reader.read()

        told = asyncio.Event()
        client = self.client()
        async with Receiver(behave) as receiver:
            await self.send(client, receiver)
            told.set()
            await receiver.until(lambda r: r.ended == 1)

            self.assertEqual((await self.send(client, receiver)).body, b"ok")

    async def test_a_closed_client_keeps_nothing(self) -> None:
        client = self.client()
        async with Receiver(plays(OK_BYTES)) as receiver:
            await self.send(client, receiver)
            await client.close()
            await receiver.until(lambda r: r.ended == 1)

            await self.send(client, receiver)
            await receiver.until(lambda r: r.ended == 2)


class Guarded(LinkCase):
    """127.0.0.2 stands for a public address, and 127.0.0.3 for one that may not be reached."""

    def guarded(self, *turns: list[str]) -> HttpClient:
        left = list(turns)

        async def resolve(host: str, port: int) -> list[str]:
            return left.pop(0)

        return self.client(Guard(parse_allowed("127.0.0.2,127.0.0.9"), resolve))

    def receiver(self, answer: bytes = CLOSES) -> Receiver:
        return Receiver(plays(answer), hosts=("127.0.0.2", "127.0.0.3"))

    async def test_no_byte_goes_to_a_refused_address_beside_a_good_one(self) -> None:
        for addresses in (["127.0.0.2", "127.0.0.3"], ["127.0.0.3", "127.0.0.2"]):
            async with self.receiver() as receiver:
                answer = await self.send(self.guarded(addresses), receiver, "a.example")

            self.assertEqual((answer.address, receiver.taken_at), ("127.0.0.2", ["127.0.0.2"]))

    async def test_a_refused_address_is_not_the_second_choice_of_a_good_one_that_fails(self) -> None:
        async with self.receiver() as receiver:
            with self.assertRaises(LinkLost):
                await self.send(self.guarded(["127.0.0.9", "127.0.0.3"]), receiver, "a.example")

        self.assertEqual(receiver.connections, 0)

    async def test_a_dns_that_changes_its_mind_gains_nothing(self) -> None:
        client = self.guarded(["127.0.0.2"], ["127.0.0.3"])
        async with self.receiver() as receiver:
            answer = await self.send(client, receiver, "a.example")
            with self.assertRaises(AddressRefused) as caught:
                await self.send(client, receiver, "a.example")

        self.assertTrue(caught.exception.is_dead)
        self.assertEqual((answer.address, receiver.taken_at), ("127.0.0.2", ["127.0.0.2"]))

    async def test_a_name_is_looked_up_once_for_a_link(self) -> None:
        client = self.guarded(["127.0.0.2"])  # A second look-up would find no answer in the list.
        async with self.receiver(OK_BYTES) as receiver:
            for _ in range(3):
                await self.send(client, receiver, "a.example")

        self.assertEqual(receiver.taken_at, ["127.0.0.2"])

    async def test_a_literal_address_that_is_refused_gets_no_byte(self) -> None:
        async with self.receiver() as receiver:
            with self.assertRaises(AddressRefused):
                await self.send(self.guarded(), receiver, "127.0.0.3")

        self.assertEqual(receiver.connections, 0)

    async def test_the_second_address_is_dialled_where_the_first_does_not_listen(self) -> None:
        async with self.receiver() as receiver:
            answer = await self.send(self.guarded(["127.0.0.9", "127.0.0.2"]), receiver, "a.example")

        self.assertEqual(answer.address, "127.0.0.2")

    async def test_a_dns_that_does_not_answer_ends_at_the_deadline(self) -> None:
        async def resolve(host: str, port: int) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError

        client = self.client(Guard(resolve=resolve))
        async with self.receiver() as receiver:
            with self.assertRaisesRegex(AnswerTimedOut, "a.example was not looked up in time"):
                await self.send(client, receiver, "a.example", within_s=0.1)


if __name__ == "__main__":
    unittest.main()
