"""Which schedules the job modules of running workers declare, in the sorted set `wb:declared`.

    "daily-report 3f9a0c12d4e5b678"    1764410060000

is a schedule's name, the digest of what the code says of it (DeclaredSchedule.digest), and the ms of Redis' clock until
which that counts. A runner repeats what its modules declare as long as it lives; what no runner repeats lapses.
"""

from collections.abc import Mapping

from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

AT_ONCE = 500


class Declarations:
    """Those of all workers."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys

    async def repeat(self, digests: Mapping[str, str], lapses_s: float) -> bool:
        """A worker's modules declare these now. Returns whether one of them did not stand there. digests: schedule ->
        digest."""
        added = 0
        at_ms, members = await now_ms(self._link), [" ".join(one) for one in digests.items()]
        until_ms = at_ms + round(lapses_s * 1000)
        for at in range(0, len(members), AT_ONCE):
            entries = [item for member in members[at : at + AT_ONCE] for item in (until_ms, member)]
            added += await self._link.call("ZADD", self._keys.declared, "GT", *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.declared, "-inf", at_ms)
        return added > 0

    async def standing(self) -> dict[str, set[str]] | None:
        """Schedule -> the digests that running workers declare. None where no worker runs: then nothing is known."""
        at_ms = await now_ms(self._link)
        if not await self._link.call("ZCOUNT", self._keys.runners, at_ms, "+inf"):
            return None
        found: dict[str, set[str]] = {}
        for member in await self._link.call("ZRANGEBYSCORE", self._keys.declared, at_ms, "+inf"):
            name, _, digest = shown_text(member).partition(" ")
            found.setdefault(name, set()).add(digest)
        return found
