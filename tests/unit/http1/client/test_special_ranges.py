"""The table of addresses that are nobody's in public, and the setting that opens some of them."""

import ipaddress
import unittest

from lib.http1.client.special_ranges import AllowedPrivate, is_public, parse_allowed, plain, wrapped

METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "64:ff9b::a9fe:a9fe", "fe80::1"]
NOBODYS = ["0.0.0.0", "0.0.0.1", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "64:ff9b::e000:1"]


class IsPublic(unittest.TestCase):
    def test_both_ends_of_every_range_are_refused_and_their_neighbours_are_not(self) -> None:
        edges = {
            "9.255.255.255 11.0.0.0": "10.0.0.0 10.255.255.255",
            "100.63.255.255 100.128.0.0": "100.64.0.0 100.127.255.255",
            "126.255.255.255 128.0.0.0": "127.0.0.0 127.255.255.255",
            "169.253.255.255 169.255.0.0": "169.254.0.0 169.254.255.255",
            "172.15.255.255 172.32.0.0": "172.16.0.0 172.31.255.255",
            "192.167.255.255 192.169.0.0": "192.168.0.0 192.168.255.255",
            "198.17.255.255 198.20.0.0": "198.18.0.0 198.19.255.255",
            "1.0.0.0 223.255.255.255": "0.255.255.255 224.0.0.0 240.0.0.0",
            "2001:200:: 2001:db7:ffff::": "2001:: 2001:1ff:ffff:: 2001:db8:: 2001:db8:ffff::",
            "2003:: 3ffe:ffff::": "2002:: 1fff:: 4000:: 3fff:: 3fff:fff::",
        }
        for public, special in edges.items():
            for address in public.split():
                self.assertTrue(is_public(ipaddress.ip_address(address)), address)
            for address in special.split():
                self.assertFalse(is_public(ipaddress.ip_address(address)), address)

    def test_a_public_address_passes_in_no_wrap_but_that_of_a_nat64(self) -> None:
        self.assertTrue(is_public(ipaddress.ip_address("64:ff9b::8.8.8.8")))
        for text in (
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b:1::8.8.8.8",
            "2002:808:808::",
            "2606:4700::5efe:8.8.8.8",
        ):
            self.assertFalse(is_public(ipaddress.ip_address(text)), text)

    def test_an_ipv6_address_is_the_ipv4_address_that_it_stands_for(self) -> None:
        cases = {
            "::127.0.0.1": "127.0.0.1",
            "::ffff:0:127.0.0.1": "127.0.0.1",
            "64:ff9b::127.0.0.1": "127.0.0.1",
            "64:ff9b:1::127.0.0.1": "127.0.0.1",
            "2002:7f00:1::": "127.0.0.1",
            "2606:4700::5efe:7f00:1": "127.0.0.1",
            "2606:4700::200:5efe:7f00:1": "127.0.0.1",
            "2606:4700::1": None,
            "::1": None,
            "8.8.8.8": None,
        }
        for text, inner in cases.items():
            with self.subTest(text):
                self.assertEqual(wrapped(ipaddress.ip_address(text)), ipaddress.IPv4Address(inner) if inner else None)
        self.assertEqual(str(plain(ipaddress.ip_address("::ffff:10.0.0.1"))), "10.0.0.1")


class Allowed(unittest.TestCase):
    def allows(self, setting: str, host: str, address: str) -> bool:
        return parse_allowed(setting).allows(host, ipaddress.ip_address(address))

    def test_nothing_is_allowed_by_default(self) -> None:
        self.assertEqual(parse_allowed(" "), AllowedPrivate())
        self.assertFalse(self.allows("", "a", "10.0.0.1"))

    def test_one_opens_private_and_loopback_addresses_alone(self) -> None:
        for address in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd12::1"]:
            self.assertTrue(self.allows("1", "a", address), address)
        for address in [*METADATA, *NOBODYS, "198.18.0.1", "100.64.0.1", "2001:db8::1"]:
            self.assertFalse(self.allows("1", "a", address), address)

    def test_a_network_opens_its_addresses_under_every_name(self) -> None:
        self.assertTrue(self.allows("10.1.0.0/16, fd12::/16", "a", "10.1.2.3"))
        self.assertTrue(self.allows("10.1.0.0/16 fd12::/16", "b", "fd12::1"))
        self.assertTrue(self.allows("10.1.2.3", "b", "10.1.2.3"))
        self.assertFalse(self.allows("10.1.0.0/16", "a", "10.2.0.1"))

    def test_a_name_opens_its_own_private_addresses(self) -> None:
        self.assertTrue(self.allows("orders.internal,redis1", "orders.internal", "10.2.0.1"))
        self.assertTrue(self.allows("Orders.Internal.,redis1", "orders.internal", "10.2.0.1"))
        self.assertFalse(self.allows("orders.internal,redis1", "other.internal", "10.2.0.1"))
        for address in METADATA + NOBODYS:
            self.assertFalse(self.allows("orders.internal", "orders.internal", address), address)

    def test_metadata_are_opened_by_their_one_address_alone(self) -> None:
        for network in ("0.0.0.0/0", "169.254.0.0/16", "169.254.169.254/31"):
            self.assertFalse(self.allows(network, "a", "169.254.169.254"), network)

        self.assertTrue(self.allows("169.254.169.254", "a", "169.254.169.254"))

    def test_nothing_opens_this_host_and_multicast(self) -> None:
        for address in NOBODYS:
            self.assertFalse(self.allows(f"1,0.0.0.0/0,::/0,{address}".removeprefix("1,"), "a", address), address)

    def test_what_is_neither_network_nor_name_is_named(self) -> None:
        for setting, words in {
            "10.0.0.0/33": "10.0.0.0/33",
            "10.0.0.1/8": "host bits",
            "a.example:80": "a.example:80",
            "10.0.0.1,*.internal": r"\*.internal",
            "1,orders.internal": "names 1",
            "10.1": "names 10.1",
        }.items():
            with self.subTest(setting), self.assertRaisesRegex(ValueError, words):
                parse_allowed(setting)


if __name__ == "__main__":
    unittest.main()
