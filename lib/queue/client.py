"""The links to Redis: opened when needed, shared by all calls of a process, every failure translated once.

redis-py's own retries are off: it sends a command again when only the reply was lost, and a BRPOPLPUSH sent twice
strands a job. Who retries is decided above, where it is known what is safe to repeat.

Called by the rest of this room alone; nobody else imports `redis`.
"""

import abc
import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError

from lib.errors import KeysBroken, RedisUnavailable
from lib.queue.resp import Argument, Command
from lib.queue.wire import Hear, Moved, Wire, settle, translated
from lib.setting_kinds import without_password

MOST_MOVES = 5
# In errors that only a stored value can cause: it is of another type, or no number where one is counted.
_BROKEN = ("WRONGTYPE", "is not an integer", "is not a valid float", "would overflow")


def as_it_is(reply: Any) -> Any:
    return reply


class Link(Protocol):
    """What the rest of the room asks of Redis, be it one server, a Sentinel's master or a Cluster."""

    async def call(self, *command: Argument) -> Any:
        """One command, all of whose keys are in one slot.

        Raises RedisUnavailable where it was not carried out, OutcomeUnknown where nobody can know, MissingScript,
        KeysBroken where a key holds what we did not write: a script may have been carried out in part.
        """

    def send(self, command: Command, hear: Hear) -> None:
        """The same, a plain call: `hear` is called with the reply, or with what `call` would have raised."""

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        """Commands in one packet, the first of which Redis may hold for block_s, on a connection of their own.

        Redis runs the others as soon as the first is through. Gives what `read` makes of the last one's reply; it is
        called in the turn of the loop in which that comes. Raises what `call` does for the first that failed, or what
        `read` does. A BRPOPLPUSH is never to be cancelled: the id would be moved, and nobody told.
        """

    async def end_block(self) -> None:
        """Have a `block` that waits right now come back with nothing."""

    async def close(self) -> None: ...


def open_link(url: str, *, timeout_s: float) -> Link:
    """A link to what REDIS_URL names. Nothing is connected yet. A command may take `timeout_s`, connecting included."""
    if urlsplit(url).scheme.endswith("+cluster"):
        return _ClusterLink(url, timeout_s)
    return _SingleLink(_pool(url, timeout_s), timeout_s)


def describe(url: str) -> str:
    """The URL as it may be logged."""
    return without_password(url)


def _options(timeout_s: float) -> dict[str, Any]:
    # Timeouts on single reads are off: `call` sets one around the whole command, which costs a third of the time.
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "client_name": "waybill",
    }


def _pool(url: str, timeout_s: float) -> ConnectionPool:
    """Makes connections as the URL asks for them; who uses which is decided here."""
    parts = urlsplit(url)
    options = _options(timeout_s)
    if parts.scheme == "unix":
        options.pop("socket_keepalive")
    if not parts.scheme.endswith("+sentinel"):
        return ConnectionPool.from_url(url, **options)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2]
    sentinel = Sentinel(_addresses(hosts, 26379), sentinel_kwargs=_options(timeout_s))  # type: ignore[no-untyped-call]
    options.update(_login(parts.netloc), db=int(database or 0), ssl=parts.scheme.startswith("rediss"))
    return SentinelConnectionPool(service, sentinel, **options)  # type: ignore[no-untyped-call]


def _login(netloc: str) -> dict[str, str | None]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    return {"username": unquote(user) or None, "password": unquote(password) or None}


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    addresses = []
    for host in hosts.split(","):
        parts = urlsplit(f"//{host}")
        addresses.append((parts.hostname or "", parts.port or default_port))
    return addresses


class Relays(abc.ABC):
    """A link's `send` by way of its `call`, in a task: there is more to do than to write the command."""

    def __init__(self) -> None:
        self._relays: set[asyncio.Task[None]] = set()

    @abc.abstractmethod
    async def call(self, *command: Argument) -> Any: ...

    def send(self, command: Command, hear: Hear) -> None:
        task = asyncio.get_running_loop().create_task(self._relay(command, hear))
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)

    async def _relay(self, command: Command, hear: Hear) -> None:
        try:
            reply = await self.call(*command)
        except Exception as fault:  # noqa: BLE001  Whatever it is, it is for who asked.
            reply = fault
        hear(reply)


class _SingleLink(Relays):
    """One server, or the master that a Sentinel names: a wire for the calls, a connection of its own for each block."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        super().__init__()
        self._pool = pool
        self._timeout_s = timeout_s
        self._wire: Wire | None = None
        self._opening: asyncio.Task[Wire | Exception] | None = None
        self._blockable: list[tuple[Wire, int]] = []
        self._blocked_number: int | None = None

    async def call(self, *command: Argument) -> Any:
        wire = self._wire
        if wire is None or wire.is_broken:
            wire = await self._open()
        try:
            return await wire.call(command)
        except ResponseError as fault:
            raise _judged(fault, command) from fault

    def send(self, command: Command, hear: Hear) -> None:
        wire = self._wire
        if wire is None or wire.is_broken:
            super().send(command, hear)
            return
        wire.send(command, lambda reply: hear(_judged(reply, command) if isinstance(reply, ResponseError) else reply))

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        wire, number = await self._blockable_wire(block_s)
        self._blocked_number = number
        replies = [asyncio.get_running_loop().create_future() for _ in commands]
        try:
            for command, reply in zip(commands, replies, strict=True):
                wire.send(command, functools.partial(_settle_read, reply, read if reply is replies[-1] else as_it_is))
            with contextlib.suppress(Exception):
                await replies[-1]  # With it all have come. WHY not in turn: what `read` has begun is to go on first.
            return [reply.result() for reply in replies][-1]
        except ResponseError as fault:
            raise _judged(fault, commands[0]) from fault
        except asyncio.CancelledError:
            wire.close()  # Else Redis would go on with what nobody waits for.
            raise
        finally:
            self._blocked_number = None
            if not wire.is_broken:
                self._blockable.append((wire, number))

    async def end_block(self) -> None:
        if self._blocked_number is not None:
            await self.call("CLIENT", "UNBLOCK", self._blocked_number, "TIMEOUT")

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._wire is not None:
            self._wire.close()
        for wire, _ in self._blockable:
            wire.close()
        await self._pool.disconnect()

    async def _open(self) -> Wire:
        """A wire that works. Whoever calls meanwhile waits for the same one, or fails with it. Raises RedisUnavailable.

        WHY they fail together: with Redis frozen an attempt takes timeout_s, and the tenth caller would wait for ten.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._dial())
        opened = await asyncio.shield(self._opening)
        if isinstance(opened, Exception):
            raise opened
        return opened

    async def _dial(self) -> Wire | Exception:
        try:
            async with asyncio.timeout(self._timeout_s):
                self._wire = Wire(await self._connect(), self._timeout_s)
            return self._wire
        except (RedisError, OSError) as fault:
            return translated(fault, was_sent=False)
        finally:
            self._opening = None

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    async def _blockable_wire(self, block_s: float) -> tuple[Wire, int]:
        """One on which nobody waits, and its number at the server, by which CLIENT UNBLOCK finds it."""
        while self._blockable:
            wire, number = self._blockable.pop()
            if not wire.is_broken:
                return wire, number
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connect()
                await connection.send_command("CLIENT", "ID")
                number = await connection.read_response()
        except (RedisError, OSError) as fault:
            raise translated(fault, was_sent=False) from fault
        # Redis may end a block up to 100 ms late; 2 s more than asked for is a link that is dead.
        return Wire(connection, block_s + 2 + self._timeout_s), number


class _ClusterLink(Relays):
    """A Redis Cluster: a link to each node, and a map of who has which slot, mended whenever a node says MOVED.

    A slot that is on its way (ASK, TRYAGAIN) is refused like a Redis that is away for a moment: half of a queue's keys
    are here and half are there, and no script can see both.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._seeds = _addresses(parts.netloc.rpartition("@")[2], 6379)
        self._timeout_s = timeout_s
        self._options = {**_options(timeout_s), **_login(parts.netloc)}
        if parts.scheme.startswith("rediss"):
            self._options["connection_class"] = SSLConnection
        self._links: dict[tuple[str, int], _SingleLink] = {}
        self._slots: dict[int, tuple[str, int]] = {}
        self._blocked: _SingleLink | None = None

    async def call(self, *command: Argument) -> Any:
        return await self._follow(_slot_of(command), lambda link: link.call(*command))

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        async def block(link: _SingleLink) -> Any:
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

    async def _follow(self, slot: int | None, ask: Callable[[_SingleLink], Awaitable[Any]]) -> Any:
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
            for first, last, (host, port, *_), *_replicas in ranges:
                self._slots.update(dict.fromkeys(range(first, last + 1), (host.decode() or node[0], port)))
            return
        raise fault

    def _link_to(self, node: tuple[str, int]) -> _SingleLink:
        if node not in self._links:
            pool = ConnectionPool(host=node[0], port=node[1], **self._options)
            self._links[node] = _SingleLink(pool, self._timeout_s)
        return self._links[node]


def _settle_read(future: "asyncio.Future[Any]", read: Callable[[Any], Any], reply: Any) -> None:
    """Have a future end with what is read out of a reply, or with the fault."""
    try:
        settle(future, reply if isinstance(reply, Exception) else read(reply))
    except Exception as fault:  # noqa: BLE001  It comes out of `block`.
        settle(future, fault)


def _slot_of(command: Command) -> int | None:
    """The slot of a command's key; None where it has none and any node will do."""
    if command[0] in ("PING", "INFO", "TIME"):
        return None
    return key_slot(_key_of(command).encode("utf-8", "surrogateescape"))


def _key_of(command: Command) -> str:
    """The first key of a command that has one; a script's is its queue's base."""
    key = command[3] if command[0] in ("EVALSHA", "EVAL") else command[1]
    if command[0] == "XREAD":
        key = command[command.index("STREAMS") + 1]
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def _judged(fault: Exception, command: Command) -> Exception:
    """KeysBroken where Redis complains about what it holds; else the fault as it is, a bug of ours."""
    # Behind "script:" stand a hash and a line, which tell an operator nothing.
    said = str(fault).partition(" script: ")[0]
    if not any(words in said for words in _BROKEN):
        return fault
    return KeysBroken(
        f"Redis holds under {_key_of(command)} what Waybill did not write there: {said};"
        " python worker.py --doctor --check says which key it is"
    )
