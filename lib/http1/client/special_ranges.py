"""Which addresses are public, and which others WEBHOOK_ALLOW_PRIVATE opens. Pure.

The table is IANA's registries of special-purpose addresses (RFC 6890 and after), by hand: `is_global` of `ipaddress`
differs between versions of Python, and calls 64:ff9b::7f00:1 (127.0.0.1 behind a NAT64) public.

    ""                                nothing that is private may be dialled
    "1"                               private and loopback addresses may
    "10.0.0.0/8,orders.internal"      these may: networks, and names with whatever private address they have
"""

import ipaddress
import re
from typing import NamedTuple

from lib.http1.client.url import read_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in text.split())


SPECIAL_V4 = _networks("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
""")
# Only 2000::/3 is handed out for global unicast: all else is refused, these ranges within it too.
UNICAST_V6 = _networks("2000::/3")
SPECIAL_V6 = _networks("2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20")

# What "1" and a name in the list open.
PRIVATE = _networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 ::1/128 fc00::/7")
# A cloud's metadata hand out its keys. They and link-local addresses are opened by naming the one address alone.
METADATA = _networks("169.254.0.0/16 fe80::/10 fd00:ec2::/32 100.100.100.200/32 192.0.0.192/32")
# Nothing opens these: "this host", multicast, broadcast.
NEVER = _networks("0.0.0.0/8 224.0.0.0/4 240.0.0.0/4 ::/128 ff00::/8")

# IPv6 ranges whose last 32 bits are an IPv4 address, and 6to4, which has it behind its first 16 bits.
NAT64 = _networks("64:ff9b::/96")
WRAPS = _networks("::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48")
SIX_TO_FOUR = _networks("2002::/16")
ISATAP = {0x0000_5EFE, 0x0200_5EFE}

_NETWORK_LIKE = re.compile(r"[/:]|(?:^|\.)[0-9]+$")


class AllowedPrivate(NamedTuple):
    """WEBHOOK_ALLOW_PRIVATE, read. Nothing is allowed by default."""

    is_all: bool = False
    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    def allows(self, host: str, address: Address) -> bool:
        """Whether the setting opens this address, of this name; not whether it is public anyway."""
        inner = wrapped(address)
        if _is_in(address, NEVER) or (inner is not None and _is_in(inner, NEVER)):
            return False
        matching = [network for network in self.networks if address in network]
        if _is_in(address, METADATA) or (inner is not None and _is_in(inner, METADATA)):
            return any(network.num_addresses == 1 for network in matching)
        return bool(matching) or ((self.is_all or host in self.names) and _is_in(address, PRIVATE))


def parse_allowed(text: str) -> AllowedPrivate:
    """Raises ValueError with the rest of a sentence, "names 10.0.0.0/33, which is no network"."""
    words = [word for word in text.replace(",", " ").split() if word]
    if words == ["1"]:
        return AllowedPrivate(is_all=True)
    networks, names = list[Network](), set[str]()
    for word in words:
        if _NETWORK_LIKE.search(word):
            networks.append(_network(word))
        else:
            names.add(_name(word))
    return AllowedPrivate(False, tuple(networks), frozenset(names))


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word.strip("[]"))
    except ValueError as exc:
        raise ValueError(f"names {word}, which is no network as 10.0.0.0/8 or fd12::/16 is: {exc}") from None


def _name(word: str) -> str:
    try:
        return read_host(word)
    except ValueError:
        raise ValueError(
            f"names {word}, which is neither a network nor a host name; a port or a * has no place"
        ) from None


def is_public(address: Address) -> bool:
    """Whether it is an address that anybody may reach. `plain` has unwrapped an IPv4-mapped one before."""
    if isinstance(address, ipaddress.IPv4Address):
        return not _is_in(address, SPECIAL_V4)
    inner = wrapped(address)
    if inner is not None:
        # A NAT64 takes what is sent to these to the IPv4 address: it reaches what is public there. The other wraps
        # are not in use any more, and refused.
        return _is_in(address, NAT64) and is_public(inner)
    return _is_in(address, UNICAST_V6) and not _is_in(address, SPECIAL_V6)


def plain(address: Address) -> Address:
    """::ffff:10.0.0.1 -> 10.0.0.1, for the system dials the same for both; all others as they are."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address


def wrapped(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, 64:ff9b::7f00:1 for 127.0.0.1; None where there is none."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:
        return None
    number = int(address)
    if _is_in(address, SIX_TO_FOUR):
        return ipaddress.IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if _is_in(address, WRAPS) or (number >> 32 & 0xFFFF_FFFF) in ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    return None


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
