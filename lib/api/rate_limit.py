"""RATE_LIMIT: how many requests a key may send, said on each answer (draft-ietf-httpapi-ratelimit-headers-10).

It covers the operations that need a key, by the key's name; where no keys are set, by address. The counting is in
Redis. Where Redis is away nobody is refused here: the request finds that out for itself.
"""

import math

from lib.api.auth import ANYONE, Caller
from lib.api.failed_tries import address_of
from lib.errors import RateLimited, RedisUnavailable
from lib.queue.rates import Rate, Rates


class RateLimit:
    """Asked by the middleware for every request to an operation that needs a key."""

    def __init__(self, rates: Rates, rate: Rate) -> None:
        self._rates = rates
        self._rate = rate
        self._policy = ("RateLimit-Policy", f'"default";q={rate.limit};w={rate.per_s}')

    async def take(self, caller: Caller, peer: str) -> tuple[tuple[str, str], ...]:
        """Count one more request. Gives the fields for its answer; raises RateLimited, which bears them."""
        try:
            taken = await self._rates.take(address_of(peer) if caller is ANYONE else caller.name)
        except RedisUnavailable:
            return ()
        fields = (self._policy, ("RateLimit", f'"default";r={taken.left};t={math.ceil(taken.whole_in_s)}'))
        if taken.is_allowed:
            return fields
        retry_after_s = max(1, math.ceil(taken.next_in_s))
        raise RateLimited(
            f"you have sent {self._rate.limit} requests and get as many again every {self._rate.per_s} s; "
            f"the next one is free in {retry_after_s} s",
            headers=[("Retry-After", str(retry_after_s)), *fields],
        )
