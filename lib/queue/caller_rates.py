"""Counts each caller's requests against RATE_LIMIT, in Redis: one count for all server processes on all hosts."""

from typing import NamedTuple

from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink


class CallerRate(NamedTuple):
    """RATE_LIMIT: `limit` requests at once, and as many come back in every `per_s` seconds."""

    limit: int
    per_s: int


class CountedCall(NamedTuple):
    """What became of one request. left: requests that the caller has now. next_in_s: seconds until there is one more, 0
    if any is left. whole_in_s: seconds until the caller has all of them again."""

    is_allowed: bool
    left: int
    next_in_s: float
    whole_in_s: float


class CallerRates:
    """The requests of every caller, against one rate."""

    def __init__(self, link: RedisLink, keys: RedisKeys, rate: CallerRate) -> None:
        self._keys = keys
        self._rate = rate
        self._scripts = Scripts(link)

    async def count_call(self, caller: str) -> CountedCall:
        """Count one request of the caller; a request that is refused does not count. Raises RedisUnavailable."""
        key = self._keys.calls(caller)
        taken, left, next_us, whole_us = await self._scripts.call("count_call", key, self._rate.limit, self._rate.per_s)
        return CountedCall(bool(taken), left, next_us / 1e6, whole_us / 1e6)
