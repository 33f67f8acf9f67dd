"""Links between two requests: kept open for the next one to the same origin, cut when they are too old.

Used by pool.py, on the loop. The link used last is taken first, so that the others may grow old and go.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from lib.http1.client.exchange import HttpLink

Origin = tuple[str, str, int]  # Scheme, host and port.


class KeepLimits(NamedTuple):
    """age_s: then another address behind the name has its turn. all_links: what a process spares for files open.

    WHY one origin may have half of them: a runner that sends 20 webhooks at a time to one receiver gets many answers in
    one turn of the loop, and puts as many links back before it takes the next. Who kept 10 would cut 10, and dial anew.
    """

    idle_s: float = 30.0
    age_s: float = 300.0
    links_each: int = 100
    all_links: int = 200


class KeptLinks:
    """The open links that no request uses. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float], limits: KeepLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._links: dict[Origin, deque[HttpLink]] = {}
        self._count = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return self._count

    def take(self, origin: Origin) -> HttpLink | None:
        """The link to `origin` that was put back last, if one is open and young enough."""
        links = self._links.get(origin)
        now_s = self._clock()
        while links:
            link = links.pop()
            self._count -= 1
            if self._is_fit(link, now_s):
                return link
            link.cut()
        self._links.pop(origin, None)
        return None

    def put(self, origin: Origin, link: HttpLink) -> None:
        """Keep the link, or cut it: it is too old, or there are enough."""
        link.idle_since_s = now_s = self._clock()
        is_full = self._is_full(origin)
        if is_full:
            # Links that their receivers have closed take up no room.
            self._drop(lambda kept: not self._is_fit(kept, now_s))
            is_full = self._is_full(origin)
        if is_full or self._is_closed or not self._is_fit(link, now_s):
            link.cut()
            return
        self._links.setdefault(origin, deque()).append(link)
        self._count += 1
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._limits.idle_s, self._sweep_up)

    def close(self) -> None:
        """Cut every link, and from now on each one that is put back."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._drop(lambda link: True)

    def _is_full(self, origin: Origin) -> bool:
        return len(self._links.get(origin, ())) >= self._limits.links_each or self._count >= self._limits.all_links

    def _is_fit(self, link: HttpLink, now_s: float) -> bool:
        is_young = now_s - link.opened_s < self._limits.age_s
        return link.is_open and is_young and now_s - link.idle_since_s < self._limits.idle_s

    def _sweep_up(self) -> None:
        """Cut the old links although no request may come for hours."""
        now_s = self._clock()
        self._drop(lambda link: not self._is_fit(link, now_s))
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._limits.idle_s, self._sweep_up) if self._count else None

    def _drop(self, is_old: Callable[[HttpLink], bool]) -> None:
        for origin, links in list(self._links.items()):
            kept = deque[HttpLink]()
            for link in links:
                if is_old(link):
                    link.cut()
                else:
                    kept.append(link)
            self._count -= len(links) - len(kept)
            if kept:
                self._links[origin] = kept
            else:
                del self._links[origin]
