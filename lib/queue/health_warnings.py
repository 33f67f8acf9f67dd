"""What runners find wrong, for /api/health: sentences in the sorted set `wb:warnings`, each with the ms at which it
lapses.

    "worker on host-1: the mail server refuses the login of SMTP_USER"    1764410060000

A runner adds a sentence and repeats it as long as the fault lasts. The sentences of a runner that died lapse.
"""

from collections.abc import Sequence

from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

MOST_WARNINGS = 50


class HealthWarnings:
    """The sentences of all runners."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys

    async def add(self, sentences: Sequence[str], lapses_s: float) -> None:
        """Have these shown for the next `lapses_s` seconds."""
        at_ms = await now_ms(self._link)
        entries = [item for sentence in sentences for item in (at_ms + round(lapses_s * 1000), sentence)]
        await self._link.call("ZADD", self._keys.warnings, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.warnings, "-inf", at_ms)

    async def remove(self, sentences: Sequence[str]) -> None:
        """Show these no more: the faults were mended."""
        await self._link.call("ZREM", self._keys.warnings, *sentences)

    async def all(self) -> list[str]:
        """The sentences that hold now, sorted; MOST_WARNINGS at most."""
        at_ms = await now_ms(self._link)
        found = await self._link.call("ZRANGEBYSCORE", self._keys.warnings, at_ms, "+inf", "LIMIT", 0, MOST_WARNINGS)
        return sorted(shown_text(sentence) for sentence in found)
