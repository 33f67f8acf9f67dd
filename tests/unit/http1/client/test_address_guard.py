"""The guard: what is refused in every spelling, and what a DNS that changes its mind gains."""

import asyncio
import unittest
from collections.abc import Awaitable, Callable

from lib.http1.client.address_guard import Guard, SystemResolver, literal_of
from lib.http1.client.faults import AddressRefused, NameNotFound
from lib.http1.client.special_ranges import parse_allowed

_DISGUISES = """
    127.0.0.1 127.1 2130706433 0x7f.1 0177.0.0.1 ::1 ::ffff:127.0.0.1 0 169.254.169.254 64:ff9b::7f00:1
    2002:7f00:1:: 100.64.0.1 224.0.0.1 fd00:ec2::254 ::127.0.0.1 ::ffff:0:127.0.0.1 fe80::1 fec0::1
    2001:0:7f00:1:: 2001::1 64:ff9b:1::a9fe:a9fe ff02::1 255.255.255.255 198.18.0.1 192.0.0.192
    100.100.100.200 :: 2001:db8::1 2606:4700::5efe:7f00:1 3fff::1 5f00::1 0.0.0.0 100::1 ::a9fe:a9fe
    64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 0x7f000001 017700000001 127.0.1 0x7f.0.0x1 0300.0250.1.1 192.168.257
    10.0xffffff ::ffff:a9fe:a9fe ::ffff:0:0 0:0:0:0:0:ffff:7f00:1 64:ff9b::10.0.0.1 64:ff9b:1:ffff::7f00:1
    fe80::1%1 2620:4f:8000::1 192.88.99.1 2606:4700::200:5efe:10.0.0.1 2001:20::1 ::ffff:100.64.0.1
"""
DISGUISES = _DISGUISES.split()
_PUBLIC = """
    8.8.8.8 1.1.1.1 2606:4700:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::808:808 9.9.9.9
"""
PUBLIC = _PUBLIC.split()


def answers(*turns: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A DNS that gives one answer after the other, as one with a TTL of 0 may."""
    left = list(turns)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0)

    return resolve


class Vetting(unittest.IsolatedAsyncioTestCase):
    async def test_no_disguise_of_a_private_address_passes(self) -> None:
        for text in DISGUISES:
            with self.subTest(text, by="its spelling"), self.assertRaises(AddressRefused):
                await Guard(resolve=answers([text])).vetted(text, 80)
            with self.subTest(text, by="a name"), self.assertRaises(AddressRefused):
                await Guard(resolve=answers([str(literal_of(text) or text)])).vetted("a.example", 80)

    async def test_public_addresses_pass(self) -> None:
        for text in PUBLIC:
            with self.subTest(text):
                self.assertEqual(await Guard().vetted(text, 80), [str(literal_of(text))])

    async def test_localhost_is_refused_by_the_systems_own_resolver(self) -> None:
        with self.assertRaisesRegex(AddressRefused, "may not go to localhost, which is at .*; WEBHOOK_ALLOW_PRIVATE="):
            await Guard().vetted("localhost", 80)

    async def test_the_private_ones_of_several_are_left_out(self) -> None:
        guard = Guard(resolve=answers(["10.0.0.7", "8.8.8.8", "::1", "8.8.8.8", "fe80::1%eth0"]))

        self.assertEqual(await guard.vetted("a.example", 80), ["8.8.8.8"])

    async def test_each_answer_of_the_dns_is_vetted(self) -> None:
        guard = Guard(resolve=answers(["8.8.8.8"], ["127.0.0.1"]))

        self.assertEqual(await guard.vetted("a.example", 80), ["8.8.8.8"])
        with self.assertRaises(AddressRefused):
            await guard.vetted("a.example", 80)

    async def test_what_the_setting_opens_passes(self) -> None:
        guard = Guard(parse_allowed("10.0.0.0/8"), answers(["10.0.0.7", "192.168.0.1"]))

        self.assertEqual(await guard.vetted("a.example", 80), ["10.0.0.7"])

    async def test_an_address_is_known_for_one_without_the_dns(self) -> None:
        guard = Guard(parse_allowed("10.0.0.0/8"))

        self.assertTrue(guard.refuses_literal("127.1"))
        self.assertTrue(guard.refuses_literal("::1"))
        self.assertFalse(guard.refuses_literal("10.0.0.1"))
        self.assertFalse(guard.refuses_literal("localhost"))

    async def test_a_name_without_an_address_is_not_found(self) -> None:
        with self.assertRaisesRegex(NameNotFound, "a.example has no address"):
            await Guard(resolve=answers([])).vetted("a.example", 80)

    async def test_a_name_that_cannot_be_is_not_found(self) -> None:
        with self.assertRaises(NameNotFound):
            await Guard().vetted("a..example", 80)
        with self.assertRaises(NameNotFound):
            await Guard().vetted("a" * 80 + ".invalid", 80)

    async def test_two_who_ask_for_a_name_at_once_share_one_look_up(self) -> None:
        resolver = SystemResolver()

        first, second = await asyncio.gather(resolver("localhost", 80), resolver("localhost", 80))

        self.assertIs(first, second)

    async def test_who_stops_waiting_takes_the_look_up_from_nobody(self) -> None:
        resolver = SystemResolver()
        leaver, stayer = (asyncio.create_task(resolver("localhost", 80)) for _ in range(2))
        await asyncio.sleep(0)

        leaver.cancel()

        self.assertTrue(await stayer)


if __name__ == "__main__":
    unittest.main()
