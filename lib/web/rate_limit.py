"""RATE_LIMIT: how many requests a key may send, said on each answer (draft-ietf-httpapi-ratelimit-headers-10).

It covers the operations that need a key, by the key's name; where no keys are set, by address. The counting is in
Redis. Where Redis is away nobody is refused here: the request finds that out for itself.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from lib.errors import RateLimited, RedisUnavailable
from lib.web.auth import ANYONE, Caller
from lib.web.failed_tries import address_of


class CallCount(Protocol):
    """What counting one request says; `lib/queue/caller_rates.py` does it."""

    @property
    def is_allowed(self) -> bool: ...
    @property
    def left(self) -> int: ...
    @property
    def next_in_s(self) -> float: ...
    @property
    def whole_in_s(self) -> float: ...


class RateLimit:
    """Asked by the middleware for every request to an operation that needs a key."""

    def __init__(self, count_call: Callable[[str], Awaitable[CallCount]], limit: int, per_s: int) -> None:
        """`limit` requests at once, and as many again every `per_s`. count_call: is given whose request it counts."""
        self._count_call = count_call
        self._limit = limit
        self._per_s = per_s
        self._policy = ("RateLimit-Policy", f'"default";q={limit};w={per_s}')

    async def take(self, caller: Caller, peer: str) -> tuple[tuple[str, str], ...]:
        """Count one more request. Gives the fields for its answer; raises RateLimited, which bears them."""
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
