"""What runners find wrong, for /api/health: texts in the sorted set `wb:warnings`, each with the ms at which it lapses.

    "worker on host-1: no mail gets out by … [mail_blocked since 2026-11-29T23:40:00.123Z]"    1764410060000

A runner adds a text and repeats it as long as the fault lasts. The texts of a runner that died lapse. Versions before
0.3.0 write sentences without what stands in brackets, and show all texts as they are, so people must be able to read
it.
"""

import re
from collections.abc import Sequence

from lib.jobs.timestamps import milliseconds, timestamp
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms
from lib.warning_codes import KINDS, HealthWarning

MOST_WARNINGS = 50
MOST_READ = 500
"""Each runner of a host has a text of its own for one fault that all of them find."""
_CODED = re.compile(r"(.+) \[([a-z_]{1,40}) since ([0-9TZ:.-]{20,30})\]", re.DOTALL)


class HealthWarnings:
    """The warnings of all runners, and which texts this process has written."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._written: dict[tuple[str, str], str] = {}
        """(code, text) -> the text that stands in Redis, of what this process has added and not removed."""

    async def add(self, warnings: Sequence[HealthWarning], lapses_s: float) -> None:
        """Have these shown for the next `lapses_s` seconds. A warning begins when it is added for the first time."""
        at_ms = await now_ms(self._link)
        entries: list[int | str] = []
        for one in warnings:
            text = self._written.setdefault((one.code, one.text), f"{one.text} [{one.code} since {timestamp(at_ms)}]")
            entries += [at_ms + round(lapses_s * 1000), text]
        await self._link.call("ZADD", self._keys.warnings, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.warnings, "-inf", at_ms)

    async def remove(self, warnings: Sequence[HealthWarning]) -> None:
        """Show these no more: the faults were mended."""
        texts = [self._written.get((one.code, one.text), one.text) for one in warnings]
        await self._link.call("ZREM", self._keys.warnings, *texts)
        for one in warnings:
            self._written.pop((one.code, one.text), None)

    async def all(self) -> list[HealthWarning]:
        """The warnings that hold now, sorted by text; MOST_WARNINGS at most. What several runners tell is one."""
        at_ms = await now_ms(self._link)
        found = await self._link.call("ZRANGEBYSCORE", self._keys.warnings, at_ms, "+inf", "LIMIT", 0, MOST_READ)
        by_text: dict[str, HealthWarning] = {}
        for one in map(_read, map(shown_text, found)):
            known = by_text.get(one.text)
            if known is None or _begins(one) < _begins(known):
                by_text[one.text] = one
        return [by_text[text] for text in sorted(by_text)][:MOST_WARNINGS]


def _begins(one: HealthWarning) -> float:
    return float("inf") if one.since_ms is None else one.since_ms


def _read(text: str) -> HealthWarning:
    """A text out of Redis. What an older version wrote is a `worker` of unknown age, as is a code that is not known."""
    match = _CODED.fullmatch(text)
    if match is None:
        return HealthWarning("worker", text)
    try:
        since_ms = milliseconds(match[3])
    except ValueError:
        return HealthWarning("worker", text)
    return HealthWarning(match[2] if match[2] in KINDS else "worker", match[1], since_ms=since_ms)
