"""RATE_LIMIT: how many requests a caller may send. Every answer says how many are left:

    RateLimit-Policy: "default";q=100;w=60       100 requests a minute
    RateLimit: "default";r=97;t=2                97 are left; in 2 s there are 100 again

(draft-ietf-httpapi-ratelimit-headers-10.) The limit covers the operations that need a key. A caller is the name of a
key, or an address where API_KEYS is empty. Redis counts, for all processes; with Redis away nobody is refused here, and
the request itself finds out that Redis is away.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from lib.errors import RateLimited, RedisUnavailable
from lib.web.auth import ANYONE, Caller
from lib.web.failed_tries import address_of


class CallCount(Protocol):
    """The answer of queue/caller_rates.py to one more request of a caller."""

    @property
    def is_allowed(self) -> bool: ...
    @property
    def left(self) -> int: ...
    @property
    def next_in_s(self) -> float: ...
    @property
    def whole_in_s(self) -> float: ...


class RateLimit:
    """The limit of every caller. The middleware asks it for each request to an operation that needs a key."""

    def __init__(self, count_call: Callable[[str], Awaitable[CallCount]], limit: int, per_s: int) -> None:
        """`limit` requests at once, and as many again every `per_s`. count_call: counts a request of a caller."""
        self._count_call = count_call
        self._limit = limit
        self._per_s = per_s
        self._policy = ("RateLimit-Policy", f'"default";q={limit};w={per_s}')

    async def take(self, caller: Caller, peer: str) -> tuple[tuple[str, str], ...]:
        """Count a request. Gives the header fields for its answer; raises RateLimited, with the same fields."""
        try:
            taken = await self._count_call(address_of(peer) if caller is ANYONE else caller.name)
        except RedisUnavailable:
            return ()
        fields = (self._policy, ("RateLimit", f'"default";r={taken.left};t={math.ceil(taken.whole_in_s)}'))
        if taken.is_allowed:
            return fields
        retry_after_s = max(1, math.ceil(taken.next_in_s))
        raise RateLimited(
            f"you have sent {self._limit} requests and get as many again every {self._per_s} s; "
            f"the next one is free in {retry_after_s} s",
            headers=[("Retry-After", str(retry_after_s)), *fields],
        )
