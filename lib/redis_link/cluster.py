"""A Redis Cluster: who has which slot, and a link to each node. Made by link.py."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import SSLConnection
from redis.crc import key_slot
from redis.exceptions import ResponseError

from lib.errors import RedisUnavailable
from lib.redis_link.redis_wire import Moved
from lib.redis_link.resp import Argument, Command
from lib.redis_link.single import Relays, SingleLink, addresses, as_it_is, key_of, login, options

MOST_MOVES = 5


class ClusterLink(Relays):
    """A Redis Cluster: a link to each node, and a map of who has which slot, mended whenever a node says MOVED.

    A slot that is on its way (ASK, TRYAGAIN) is refused like a Redis that is away for a moment: half of a queue's keys
    are here and half are there, and no script can see both.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._seeds = addresses(parts.netloc.rpartition("@")[2], 6379)
        self._timeout_s = timeout_s
        self._options = {**options(timeout_s), **login(parts.netloc)}
        if parts.scheme.startswith("rediss"):
            self._options["connection_class"] = SSLConnection
        self._links: dict[tuple[str, int], SingleLink] = {}
        self._slots: dict[int, tuple[str, int]] = {}
        self._blocked: SingleLink | None = None

    async def call(self, *command: Argument) -> Any:
        return await self._follow(_slot_of(command), lambda link: link.call(*command))

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        async def block(link: SingleLink) -> Any:
            self._blocked = link
            return await link.block(block_s, *commands, read=read)

        try:
            return await self._follow(_slot_of(commands[0]), block)
        finally:
            self._blocked = None

    async def end_block(self) -> None:
        if self._blocked is not None:
            await self._blocked.end_block()

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()

    async def _follow(self, slot: int | None, ask: Callable[[SingleLink], Awaitable[Any]]) -> Any:
        """Ask the node that has the slot; where it says that another one has, that one."""
        for _ in range(MOST_MOVES):
            node = await self._node_of(slot)
            try:
                return await ask(self._link_to(node))
            except Moved as moved:
                self._slots[moved.slot] = (moved.node[0] or node[0], moved.node[1])
            except RedisUnavailable:
                # It may be dead, and its slots a replica's by now: the map is asked for anew.
                self._slots.clear()
                raise
        raise RedisUnavailable("a Cluster slot moves faster than it can be followed")

    async def _node_of(self, slot: int | None) -> tuple[str, int]:
        if not self._slots:
            await self._learn()
        node = next(iter(self._slots.values())) if slot is None else self._slots.get(slot)
        if node is None:
            raise RedisUnavailable(f"no node of the Cluster has slot {slot}")
        return node

    async def _learn(self) -> None:
        """Ask any node that answers who has which slot."""
        fault = RedisUnavailable("REDIS_URL names no node")
        for node in [*self._seeds, *self._links]:
            try:
                ranges = await self._link_to(node).call("CLUSTER", "SLOTS")
            except RedisUnavailable as away:
                fault = away
                continue
            except ResponseError as said:
                fault = RedisUnavailable(f"{node[0]}:{node[1]} is not a node of a Cluster: {said}")
                continue
            for first, last, (host, port, *_), *_replicas in ranges:
                self._slots.update(dict.fromkeys(range(first, last + 1), (host.decode() or node[0], port)))
            return
        raise fault

    def _link_to(self, node: tuple[str, int]) -> SingleLink:
        if node not in self._links:
            pool = ConnectionPool(host=node[0], port=node[1], **self._options)
            self._links[node] = SingleLink(pool, self._timeout_s)
        return self._links[node]


def _slot_of(command: Command) -> int | None:
    """The slot of a command's key; None where it has none and any node will do."""
    if command[0] in ("PING", "INFO", "TIME"):
        return None
    return key_slot(key_of(command).encode("utf-8", "surrogateescape"))
