"""Which schedules the job modules of running workers declare, in the sorted set `wb:declared`.

    "daily-report 3f9a0c12d4e5b678"    1764410060000

is a schedule's name, the digest of what the code says of it (DeclaredSchedule.digest), and the ms of Redis' clock until
which that counts. A runner repeats what its modules declare as long as it lives; what no runner repeats lapses.
"""

from collections.abc import Iterable, Mapping

from lib.errors import RedisKeysBroken
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

    async def standing(self, written: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]] | None:
        """Schedule -> those of its digests that running workers declare. None where nothing is known: no worker runs,
        or somebody broke the key. written: schedule -> the digests that are asked about."""
        pairs = [(name, digest) for name, digests in written.items() for digest in digests]
        found = dict.fromkeys(written, frozenset[str]())
        try:
            at_ms = await now_ms(self._link)
            if not await self._link.call("ZCOUNT", self._keys.runners, at_ms, "+inf"):
                return None
            for at in range(0, len(pairs), AT_ONCE):
                some = pairs[at : at + AT_ONCE]
                scores = await self._link.call("ZMSCORE", self._keys.declared, *(" ".join(pair) for pair in some))
                for (name, digest), until_ms in zip(some, scores, strict=True):
                    if until_ms is not None and float(until_ms) >= at_ms:
                        found[name] |= {digest}
        except RedisKeysBroken:
            return None
        return found
