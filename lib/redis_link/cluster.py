"""A Redis Cluster: which node owns which slot, and a link to each node. Made by link.py.

A key's slot is a number from 0 to 16383, made of the part of the key in braces: `wb:{email}:job:…` lies where `email`
does. The map of slots is read with CLUSTER SLOTS and corrected whenever a node answers MOVED.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import SSLConnection
from redis.crc import key_slot
from redis.exceptions import ResponseError

from lib.errors import RedisUnavailable
from lib.redis_link.redis_wire import Moved
from lib.redis_link.resp import Argument, Command
from lib.redis_link.single import SendsByCall, SingleLink, addresses, as_it_is, key_of, login, options

MOST_MOVES = 5
Node = tuple[str, int]
"""Host and port."""


class ClusterLink(SendsByCall):
    """A link to each node of a Cluster, and the map of which node owns which slot.

    While a slot moves between two nodes (ASK, TRYAGAIN), its commands fail as if Redis were away for a moment: half of
    a queue's keys are on each node, and no script can see both halves.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._seeds = addresses(parts.netloc.rpartition("@")[2], 6379)
        self._timeout_s = timeout_s
        self._options = {**options(timeout_s), **login(parts.netloc)}
        if parts.scheme.startswith("rediss"):
            self._options["connection_class"] = SSLConnection
        self._links: dict[Node, SingleLink] = {}
        self._slots: dict[int, Node] = {}
        self._blocked: SingleLink | None = None

    async def call(self, *command: Argument) -> Any:
        return await self._on_node_of(_slot_of(command), lambda link: link.call(*command))

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        async def block(link: SingleLink) -> Any:
            self._blocked = link
            return await link.block(block_s, *commands, read=read)

        try:
            return await self._on_node_of(_slot_of(commands[0]), block)
        finally:
            self._blocked = None

    async def end_block(self) -> None:
        if self._blocked is not None:
            await self._blocked.end_block()

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        by_slot: dict[int, list[str]] = {}
        for key in keys:
            by_slot.setdefault(_slot_of_key(key), []).append(key)
        return list(by_slot.values())

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()

    async def _on_node_of(self, slot: int | None, ask: Callable[[SingleLink], Awaitable[Any]]) -> Any:
        """Run `ask` on the node that owns `slot`.

        On MOVED, correct the slot map and ask the node named there, MOST_MOVES times at most.
        """
        for _ in range(MOST_MOVES):
            node = await self._node_of(slot)
            try:
                return await ask(self._link_to(node))
            except Moved as moved:
                self._slots[moved.slot] = (moved.node[0] or node[0], moved.node[1])
            except RedisUnavailable:
                # The node may be dead, and a replica may own its slots by now: the next call reads the map anew.
                self._slots.clear()
                raise
        raise RedisUnavailable("a Cluster slot moves faster than it can be followed")

    async def _node_of(self, slot: int | None) -> Node:
        """The node that owns `slot`; any node for None. Raises RedisUnavailable."""
        if not self._slots:
            await self._read_slots()
        node = next(iter(self._slots.values())) if slot is None else self._slots.get(slot)
        if node is None:
            raise RedisUnavailable(f"no node of the Cluster has slot {slot}")
        return node

    async def _read_slots(self) -> None:
        """Fill the slot map from the first node that answers. Raises RedisUnavailable."""
        fault = RedisUnavailable("REDIS_URL names no node")
        for node in [*self._seeds, *self._links]:
            try:
                ranges = await self._link_to(node).call("CLUSTER", "SLOTS")
            except RedisUnavailable as away:
                fault = away
                continue
            except ResponseError as refusal:
                fault = RedisUnavailable(f"{node[0]}:{node[1]} is not a node of a Cluster: {refusal}")
                continue
            for first, last, (host, port, *_), *_replicas in ranges:
                self._slots.update(dict.fromkeys(range(first, last + 1), (host.decode() or node[0], port)))
            return
        raise fault

    def _link_to(self, node: Node) -> SingleLink:
        if node not in self._links:
            pool = ConnectionPool(host=node[0], port=node[1], **self._options)
            self._links[node] = SingleLink(pool, self._timeout_s)
        return self._links[node]


def _slot_of(command: Command) -> int | None:
    """The slot of a command's first key; None for a command without a key, which any node can run."""
    if command[0] in ("PING", "INFO", "TIME"):
        return None
    return _slot_of_key(key_of(command))


def _slot_of_key(key: str) -> int:
    return key_slot(key.encode("utf-8", "surrogateescape"))
