"""One Redis server, or the master that a Sentinel names.

A `SingleLink` has one `RedisWire` that all its calls share, opened with the first call and again after it broke; and a
wire apart for each `block` that waits, for a blocking command would hold up every call behind it. Made by link.py, and
by cluster.py for each node.
"""

import abc
import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.redis_link.redis_wire import OnReply, RedisWire, settle, translated
from lib.redis_link.resp import Argument, Command

# Words of error replies that only a stored value can cause: the value is of another type, or is not a number where a
# script counts.
_BROKEN = ("WRONGTYPE", "is not an integer", "is not a valid float", "would overflow")


def as_it_is(reply: Any) -> Any:
    """The reader of a reply that has nothing to read."""
    return reply


def options(timeout_s: float) -> dict[str, Any]:
    """What redis-py is told for every connection, whatever the URL says."""
    # Timeouts on single reads are off: RedisWire has one for the oldest call, at a third of the cost.
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "client_name": "waybill",
        # With a driver_info redis-py sends CLIENT SETINFO twice for each connection, which Redis 7.0 does not know and
        # the Redis user of prod/redis.conf may not run.
        "driver_info": None,
    }


def pool_of(url: str, timeout_s: float) -> ConnectionPool:
    """redis-py's maker of connections for a URL. It only makes them; SingleLink decides which call uses which."""
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
    """User and password of a URL: `user:p%40ss@host` -> {"username": "user", "password": "p@ss"}."""
    user, _, password = netloc.rpartition("@")[0].partition(":")
    return {"username": unquote(user) or None, "password": unquote(password) or None}


def addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    """Hosts and ports of a URL: `a,b:7001,[::1]:7002` -> [("a", default_port), ("b", 7001), ("::1", 7002)]."""
    parts = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(part.hostname or "", part.port or default_port) for part in parts]


class SendsByCall(abc.ABC):
    """A link whose `send` runs its `call` in a task, for a link that has to await something before it can send."""

    def __init__(self) -> None:
        self._sending: set[asyncio.Task[None]] = set()  # Kept: asyncio itself holds tasks by weak references alone.

    @abc.abstractmethod
    async def call(self, *command: Argument) -> Any: ...

    def send(self, command: Command, on_reply: OnReply) -> None:
        task = asyncio.get_running_loop().create_task(self._call_and_reply(command, on_reply))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _call_and_reply(self, command: Command, on_reply: OnReply) -> None:
        try:
            reply = await self.call(*command)
        except Exception as fault:  # noqa: BLE001  Every fault goes to the caller, as the reply.
            reply = fault
        on_reply(reply)


class SingleLink(SendsByCall):
    """A link to one server: one wire for the calls, and a wire apart for each `block`."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        super().__init__()
        self._pool = pool
        self._timeout_s = timeout_s
        self._wire: RedisWire | None = None
        self._opening: asyncio.Task[RedisWire | Exception] | None = None
        self._blockable: list[tuple[RedisWire, int]] = []
        """Wires for `block` that are free, each with the client id that the server gave it."""
        self._blocked_id: int | None = None

    async def call(self, *command: Argument) -> Any:
        wire = self._wire
        if wire is None or wire.is_broken:
            wire = await self._open()
        try:
            return await wire.call(command)
        except ResponseError as fault:
            raise _judged(fault, command) from fault

    def send(self, command: Command, on_reply: OnReply) -> None:
        wire = self._wire
        if wire is None or wire.is_broken:
            super().send(command, on_reply)
            return
        wire.send(
            command, lambda reply: on_reply(_judged(reply, command) if isinstance(reply, ResponseError) else reply)
        )

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        wire, client_id = await self._blockable_wire(block_s)
        self._blocked_id = client_id
        replies = [asyncio.get_running_loop().create_future() for _ in commands]
        try:
            for command, reply in zip(commands, replies, strict=True):
                wire.send(command, functools.partial(_settle_read, reply, read if reply is replies[-1] else as_it_is))
            with contextlib.suppress(Exception):
                # The last reply comes last. WHY the earlier ones are not awaited in turn: each await is a turn of the
                # loop, and what `read` has started with the last reply (a handler) should run first.
                await replies[-1]
            return [reply.result() for reply in replies][-1]
        except ResponseError as fault:
            raise _judged(fault, commands[0]) from fault
        except asyncio.CancelledError:
            wire.close()  # Left open, Redis would run the commands for nobody.
            raise
        finally:
            self._blocked_id = None
            if not wire.is_broken:
                self._blockable.append((wire, client_id))

    async def end_block(self) -> None:
        if self._blocked_id is not None:
            await self.call("CLIENT", "UNBLOCK", self._blocked_id, "TIMEOUT")

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        return [list(keys)]

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._wire is not None:
            self._wire.close()
        for wire, _ in self._blockable:
            wire.close()
        await self._pool.disconnect()

    async def _open(self) -> RedisWire:
        """Open the wire for calls. Callers that come meanwhile wait for the same attempt. Raises RedisUnavailable.

        WHY one attempt for all: with Redis frozen an attempt takes timeout_s, and the tenth caller would wait ten times
        as long.
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
        """A wire on which no `block` waits, and its client id at the server, which CLIENT UNBLOCK takes."""
        # Redis may end a block up to 100 ms late; if it is 2 s late, the link is dead.
        patience_s = block_s + 2 + self._timeout_s
        while self._blockable:
            wire, client_id = self._blockable.pop()
            if not wire.is_broken:
                wire.timeout_s = patience_s
                return wire, client_id
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connect()
                await connection.send_command("CLIENT", "ID")
                client_id = await connection.read_response()
        except (RedisError, OSError) as fault:
            raise _refused(fault) from fault
        return RedisWire(connection, patience_s), client_id


def _refused(fault: Exception) -> Exception:
    """RedisUnavailable with the reason why no connection came about.

    Redis may refuse the connection itself (no such database, a Sentinel that is none): that reason, too, is for whoever
    wrote REDIS_URL.
    """
    known = translated(fault, was_sent=False)
    return known if isinstance(known, RedisUnavailable) else RedisUnavailable(f"no connection to Redis: {fault}")


def _settle_read(future: "asyncio.Future[Any]", read: Callable[[Any], Any], reply: Any) -> None:
    """End a future with `read(reply)`, or with the fault that stands for the reply or that `read` raised."""
    try:
        settle(future, reply if isinstance(reply, Exception) else read(reply))
    except Exception as fault:  # noqa: BLE001  `block` raises it.
        settle(future, fault)


def key_of(command: Command) -> str:
    """The first key of a command that has one: `GET wb:x` -> wb:x. A script has its queue's base, `wb:{email}:`."""
    key = command[3] if command[0] in ("EVALSHA", "EVAL") else command[1]
    if command[0] == "XREAD":
        key = command[command.index("STREAMS") + 1]
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def _judged(fault: Exception, command: Command) -> Exception:
    """RedisKeysBroken if Redis complains about a stored value; else the fault itself, which is a bug of Waybill's."""
    # Behind " script: " stand a script's hash and line, which mean nothing to an operator.
    complaint = str(fault).partition(" script: ")[0]
    if not any(words in complaint for words in _BROKEN):
        return fault
    return RedisKeysBroken(
        f"Redis holds under {key_of(command)} what Waybill did not write there: {complaint};"
        " python worker.py --doctor --check says which key it is"
    )
