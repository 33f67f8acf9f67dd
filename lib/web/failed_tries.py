"""How often an address has come with a wrong key: so many at once, then one every few seconds, and 429 between.

It spares the log, and tells whoever has a wrong key in a loop that it is wrong. No guess is kept away by it that 256
random bits would not keep away: a good key is looked up first, and is good whatever else came from its address.
In this process's memory; several processes count for themselves.
"""

import ipaddress
import math
import time
from collections.abc import Callable

TRIES = 10
EVERY_S = 6.0
MOST_ADDRESSES = 10_000


class FailedTries:
    """`clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Address -> when all its tries will be forgotten; in the order of the last try, the oldest first.
        self._forgotten_at: dict[str, float] = {}

    def count(self, peer: str) -> int:
        """Note one more. 0 while it is one of those that are let be; else the seconds until the next one is."""
        address, now_s = address_of(peer), self._clock()
        forgotten_s = max(now_s, self._forgotten_at.pop(address, 0.0)) + EVERY_S
        early_s = forgotten_s - now_s - TRIES * EVERY_S
        # A try that is refused does not make the wait longer.
        self._forgotten_at[address] = forgotten_s if early_s <= 0 else forgotten_s - EVERY_S
        if len(self._forgotten_at) > MOST_ADDRESSES:
            del self._forgotten_at[next(iter(self._forgotten_at))]
        return max(0, math.ceil(early_s))


def address_of(peer: str) -> str:
    """Who is counted as one: an IPv4 address, or the /64 of IPv6 that a single host is free to wander in."""
    if ":" not in peer:
        return peer
    address = ipaddress.IPv6Address(peer)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
