"""The groups of a queue: a page of them with their numbers, the limits that one group has of its own, its holds.

    await queues.groups.page("email", "", 50)                           # Groups(items=[Group("tenant-42", 3, 2, …)], …)
    await queues.groups.change("email", "tenant-42", {"concurrency": 5})
    await queues.groups.release("email", "tenant-42")

A group begins with its first job; limits may be set for it before. The limits of all groups together are settings of
the queue (queue_settings.py), and are changed with those.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from lib.errors import GroupNotFound, RedisUnavailable
from lib.jobs.group_strikes import GroupStrikes, strikes_from
from lib.jobs.job import NO_KEY, Keyed
from lib.jobs.start_limits import OwnLimits, Rate, concurrency_from, own_limits_from, rate_from
from lib.queue.framing import exact_text, optional_number, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.replays import is_replay
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink

CHANGE_TRIES = 10
_FIELDS = 7
"""How many elements groups.lua answers for each group."""


class Group(NamedTuple):
    """One group at a moment.

    ready, running: how many jobs. limited_by: `concurrency`, `rate`, `hold` or `paused` where none of its jobs may
    start now, else None. until_ms: when a rate or a hold ends, by Redis' clock. concurrency, rate: the limits that
    hold for it, its own or those of the queue's groups. own: what was set for this group alone; None for nothing.
    strikes: how often in a row its jobs got no answer; None where they do. With strikes its concurrency is 1.
    """

    name: str
    ready: int
    running: int
    limited_by: str | None
    until_ms: int | None
    concurrency: int | None
    rate: Rate | None
    own: OwnLimits | None
    strikes: GroupStrikes | None = None

    @property
    def rests_for_strikes(self) -> bool:
        """Whether the group is held for its strikes, and not because a job has asked for that."""
        return self.limited_by == "hold" and self.strikes is not None and self.strikes.until_ms == self.until_ms


class Groups(NamedTuple):
    """A page of groups, by name. end: the name behind which the next page begins; "" for the last page."""

    items: list[Group]
    end: str


class GroupStore:
    """The groups of any queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys, expect_queue: Callable[[str], Awaitable[None]]) -> None:
        """expect_queue: raises QueueNotFound where there is no queue of that name."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._expect_queue = expect_queue

    async def page(self, queue: str, after: str, limit: int) -> Groups:
        """The next groups behind the name `after`, `limit` at most; "" begins with the first. Raises QueueNotFound."""
        await self._expect_queue(queue)
        return await self._page(queue, after, limit)

    async def read(self, queue: str, name: str) -> Group:
        """One group, with no jobs where it has not begun. Raises QueueNotFound."""
        await self._expect_queue(queue)
        return await self._read(queue, name)

    async def change(self, queue: str, name: str, changes: Mapping[str, Any]) -> Group:
        """Give one group limits of its own, of these fields of OwnLimits; the other fields stay. Returns the group.

        Of two changes at the same moment both count. Raises QueueNotFound, and RedisUnavailable where others change the
        group again and again.
        """
        await self._expect_queue(queue)
        for _ in range(CHANGE_TRIES):
            seen = await self._own_text(queue, name)
            own = own_limits_from(seen)._replace(**changes)
            answer = await self._scripts.call("limit_group", self._keys.base(queue), name, own.text, seen)
            if answer != b"changed":
                return await self._read(queue, name)
        raise RedisUnavailable(f"others change the group {name} of the queue {queue} all the time; send it again")

    async def reset(self, queue: str, name: str) -> None:
        """Take the group's own limits away, and end its pause. Raises QueueNotFound or GroupNotFound."""
        await self._expect_queue(queue)
        if await self._scripts.call("limit_group", self._keys.base(queue), name, "") == b"missing":
            raise GroupNotFound(
                f"the group {name} of the queue {queue} has no limits of its own; the queue's `groups` limit it"
            )

    async def release(self, queue: str, name: str, keyed: Keyed = NO_KEY) -> tuple[Group, bool]:
        """End the group's hold and its strikes now. Returns the group, and True if the same request did that before
        under its key.

        Raises QueueNotFound, IdempotencyKeyReused, or GroupNotFound where the group is not held and has no strikes.
        """
        await self._expect_queue(queue)
        answer = await self._scripts.call("release_group", self._keys.base(queue), name, *keyed)
        if answer == b"missing":
            raise GroupNotFound(
                f"the group {name} of the queue {queue} is not held and has no strikes; there is nothing to release"
            )
        return await self._read(queue, name), is_replay(answer.decode())

    async def _own_text(self, queue: str, name: str) -> str:
        """The group's own limits as Redis keeps them; "" for none."""
        return exact_text(await self._link.call("HGET", self._keys.limits(queue), name) or b"")

    async def _read(self, queue: str, name: str) -> Group:
        """One group as a page shows it; with no jobs where it has not begun."""
        page = await self._page(queue, _just_before(name), 1)
        if page.items and page.items[0].name == name:
            return page.items[0]
        text, of_all = await asyncio.gather(self._own_text(queue, name), self._of_all(queue))
        own = own_limits_from(text)
        return _group(name, (b"0", b"0", b"paused" if own.is_paused else b"", b""), own, of_all)

    async def _page(self, queue: str, after: str, limit: int) -> Groups:
        of_all, reply = await asyncio.gather(
            self._of_all(queue), self._scripts.call("groups", self._keys.base(queue), after, limit)
        )
        with understood(queue):
            end, *flat = reply
            rows = zip(*[iter(flat)] * _FIELDS, strict=True)
            items = [
                _group(shown_text(name), numbers, own_limits_from(shown_text(own)), of_all)._replace(
                    strikes=strikes_from(shown_text(strikes))
                )
                for name, *numbers, own, strikes in rows
            ]
        return Groups(items, exact_text(end))

    async def _of_all(self, queue: str) -> OwnLimits:
        """The limits that every group of the queue has, where none are its own."""
        concurrency, rate = await self._link.call("HMGET", self._keys.meta(queue), "group_concurrency", "group_rate")
        return OwnLimits(concurrency_from(shown_text(concurrency or b"")), rate_from(shown_text(rate or b"")))


def _group(name: str, numbers: Any, own: OwnLimits, of_all: OwnLimits) -> Group:
    """numbers: ready, running, limited_by or '', until ms or '', as groups.lua answers them."""
    ready, running, limited_by, until_ms = numbers
    return Group(
        name=name,
        ready=int(ready),
        running=int(running),
        limited_by=shown_text(limited_by) or None,
        until_ms=optional_number(until_ms),
        concurrency=own.concurrency or of_all.concurrency,
        rate=own.rate or of_all.rate,
        own=own if own.text else None,
    )


def _just_before(name: str) -> str:
    r"""A text behind which `name` is the first of all names of groups: "tenant-41\x7f" for "tenant-42".

    Groups are sorted by their bytes, and no name holds \x7f or anything above it.
    """
    return f"{name[:-1]}{chr(ord(name[-1]) - 1)}\x7f"
