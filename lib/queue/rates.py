"""How many requests a caller has left, counted in Redis: the same number for every process on every host."""

from typing import NamedTuple

from lib.queue.client import Link
from lib.queue.keys import Keys
from lib.queue.scripts import Scripts


class Rate(NamedTuple):
    """So many requests at once, and so many again every per_s."""

    limit: int
    per_s: int


class Taken(NamedTuple):
    """Whether the request is one of those that a caller has; how many are left, and when there will be more."""

    is_allowed: bool
    left: int
    next_in_s: float
    whole_in_s: float


class Rates:
    """The requests of every caller against one rate."""

    def __init__(self, link: Link, keys: Keys, rate: Rate) -> None:
        self._keys = keys
        self._rate = rate
        self._scripts = Scripts(link)

    async def take(self, caller: str) -> Taken:
        """Count one more request. One that is refused does not count. Raises RedisUnavailable."""
        key = self._keys.calls(caller)
        taken, left, next_us, whole_us = await self._scripts.call("count_call", key, self._rate.limit, self._rate.per_s)
        return Taken(bool(taken), left, next_us / 1e6, whole_us / 1e6)
