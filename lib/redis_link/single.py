"""One Redis server, or the master that a Sentinel names: opened when needed, every failure translated once.

Made by link.py, and by cluster.py for each node. In lib/ this module, cluster.py and redis_wire.py alone import
`redis`.
"""

import abc
import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.redis_link.redis_wire import Hear, RedisWire, settle, translated
from lib.redis_link.resp import Argument, Command

# In errors that only a stored value can cause: it is of another type, or no number where one is counted.
_BROKEN = ("WRONGTYPE", "is not an integer", "is not a valid float", "would overflow")


def as_it_is(reply: Any) -> Any:
    return reply


def options(timeout_s: float) -> dict[str, Any]:
    """Of every connection, whatever the URL says."""
    # Timeouts on single reads are off: `call` sets one around the whole command, which costs a third of the time.
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "client_name": "waybill",
        # Else the client would tell its own version with CLIENT SETINFO: two commands for each connection, which Redis
        # 7.0 does not know and the user of prod/redis.conf may not run.
        "driver_info": None,
    }


def pool_of(url: str, timeout_s: float) -> ConnectionPool:
    """Makes connections as the URL asks for them; who uses which is decided here."""
    parts = urlsplit(url)
    chosen = options(timeout_s)
    if parts.scheme == "unix":
        chosen.pop("socket_keepalive")
    if not parts.scheme.endswith("+sentinel"):
        return ConnectionPool.from_url(url, **chosen)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2]
    sentinel = Sentinel(addresses(hosts, 26379), sentinel_kwargs=options(timeout_s))  # type: ignore[no-untyped-call]
    chosen.update(login(parts.netloc), db=int(database or 0), ssl=parts.scheme.startswith("rediss"))
    return SentinelConnectionPool(service, sentinel, **chosen)  # type: ignore[no-untyped-call]


def login(netloc: str) -> dict[str, str | None]:
    """What the URL says before its @."""
    user, _, password = netloc.rpartition("@")[0].partition(":")
    return {"username": unquote(user) or None, "password": unquote(password) or None}


def addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    """`host:port,host:port` of a URL; IPv6 in brackets."""
    parts = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(part.hostname or "", part.port or default_port) for part in parts]


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


class SingleLink(Relays):
    """One server, or the master that a Sentinel names: a wire for the calls, a connection of its own for each block."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        super().__init__()
        self._pool = pool
        self._timeout_s = timeout_s
        self._wire: RedisWire | None = None
        self._opening: asyncio.Task[RedisWire | Exception] | None = None
        self._blockable: list[tuple[RedisWire, int]] = []
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

    async def _open(self) -> RedisWire:
        """A wire that works. Whoever calls meanwhile waits for the same one, or fails with it. Raises RedisUnavailable.

        WHY they fail together: with Redis frozen an attempt takes timeout_s, and the tenth caller would wait for ten.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._dial())
        opened = await asyncio.shield(self._opening)
        if isinstance(opened, Exception):
            raise opened
        return opened

    async def _dial(self) -> RedisWire | Exception:
        try:
            async with asyncio.timeout(self._timeout_s):
                self._wire = RedisWire(await self._connect(), self._timeout_s)
            return self._wire
        except (RedisError, OSError) as fault:
            return _refused(fault)
        finally:
            self._opening = None

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    async def _blockable_wire(self, block_s: float) -> tuple[RedisWire, int]:
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
            raise _refused(fault) from fault
        # Redis may end a block up to 100 ms late; 2 s more than asked for is a link that is dead.
        return RedisWire(connection, block_s + 2 + self._timeout_s), number


def _refused(fault: Exception) -> Exception:
    """Why there is no connection. What Redis says to us before there is one (a database that it does not have, a
    Sentinel that is none) is for whoever wrote the URL."""
    known = translated(fault, was_sent=False)
    return known if isinstance(known, RedisUnavailable) else RedisUnavailable(f"no connection to Redis: {fault}")


def _settle_read(future: "asyncio.Future[Any]", read: Callable[[Any], Any], reply: Any) -> None:
    """Have a future end with what is read out of a reply, or with the fault."""
    try:
        settle(future, reply if isinstance(reply, Exception) else read(reply))
    except Exception as fault:  # noqa: BLE001  It comes out of `block`.
        settle(future, fault)


def key_of(command: Command) -> str:
    """The first key of a command that has one; a script's is its queue's base."""
    key = command[3] if command[0] in ("EVALSHA", "EVAL") else command[1]
    if command[0] == "XREAD":
        key = command[command.index("STREAMS") + 1]
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def _judged(fault: Exception, command: Command) -> Exception:
    """RedisKeysBroken where Redis complains about what it holds; else the fault as it is, a bug of ours."""
    # Behind "script:" stand a hash and a line, which tell an operator nothing.
    said = str(fault).partition(" script: ")[0]
    if not any(words in said for words in _BROKEN):
        return fault
    return RedisKeysBroken(
        f"Redis holds under {key_of(command)} what Waybill did not write there: {said};"
        " python worker.py --doctor --check says which key it is"
    )
