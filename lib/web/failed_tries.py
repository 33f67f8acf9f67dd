"""How often an address has sent a wrong key: TRIES at once get 401, then one every EVERY_S; those between get 429.

The limit keeps the log short, and shows a program that loops with a wrong key what is wrong. It is no defence against
guessing, and none is needed: a key has 256 random bits. A good key is good whatever else came from its address.
Each server process counts in its own memory.
"""

import ipaddress
import math
import time
from collections.abc import Callable

TRIES = 10
EVERY_S = 6.0
MOST_ADDRESSES = 10_000


class FailedTries:
    """The wrong keys of every address. `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Address -> when all its tries will be forgotten. The address with the oldest last try comes first.
        self._forgotten_at: dict[str, float] = {}

    def count(self, peer: str) -> int:
        """Count a wrong key. Returns 0 while the address is within its limit, else the seconds until its next try."""
        address, now_s = address_of(peer), self._clock()
        forgotten_s = max(now_s, self._forgotten_at.pop(address, 0.0)) + EVERY_S
        early_s = forgotten_s - now_s - TRIES * EVERY_S
        # A try that is answered 429 does not make the wait longer.
        self._forgotten_at[address] = forgotten_s if early_s <= 0 else forgotten_s - EVERY_S
        if len(self._forgotten_at) > MOST_ADDRESSES:
            del self._forgotten_at[next(iter(self._forgotten_at))]
        return max(0, math.ceil(early_s))


def address_of(peer: str) -> str:
    """The address that is counted for a client: an IPv4 address whole, of an IPv6 address the first 64 bits, for a host
    may choose the rest itself."""
    if ":" not in peer:
        return peer
    address = ipaddress.IPv6Address(peer)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
