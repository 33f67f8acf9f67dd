"""The links to Redis: opened when needed, shared by all calls of a process, every failure translated once.

redis-py's own retries are off: it sends a command again when only the reply was lost, and a BRPOPLPUSH sent twice
strands a job. Who retries is decided above, where it is known what is safe to repeat.

Called by the rest of this room alone; nobody else imports `redis`.
"""

import asyncio
from collections import deque
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from lib.config import without_password
from lib.errors import OutcomeUnknown, RedisUnavailable

Argument = bytes | str | int | float


# The first words of replies by which Redis refuses for now, and nothing was done; all else is a bug of ours.
# https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_REFUSALS = {
    "ASK": "a Cluster slot is moving",
    "BUSY": "Redis is busy with a script of somebody else's",
    "CLUSTERDOWN": "the Cluster is down",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "this Redis is a replica without its master",
    "MISCONF": "Redis can't write to its disk",
    "MOVED": "a Cluster slot has moved",
    "NOAUTH": "Redis asks for a password; see REDIS_URL",
    "NOPERM": "the Redis user may not run Waybill's commands; see prod/redis.conf",
    "NOREPLICAS": "Redis has too few replicas to accept writes",
    "OOM": "Redis is at its maxmemory",
    "READONLY": "this Redis is a replica",
    "TRYAGAIN": "a Cluster slot is moving",
    "UNBLOCKED": "the blocking pop was ended",
    "WRONGPASS": "Redis refuses the password of REDIS_URL",
}


class MissingScript(Exception):
    """Redis does not hold the script of that hash (it was restarted, or SCRIPT FLUSH): send the text."""


class Link(Protocol):
    """What the rest of the room asks of Redis, be it one server, a Sentinel's master or a Cluster."""

    async def call(self, *command: Argument) -> Any:
        """One command, all of whose keys are in one slot.

        Raises RedisUnavailable where it was not carried out, OutcomeUnknown where nobody can know, MissingScript.
        """

    async def block(self, block_s: float, *command: Argument) -> Any:
        """One command that Redis may hold for block_s, on a connection of its own.

        A BRPOPLPUSH is never to be cancelled: the id would be moved, and nobody told.
        """

    async def end_block(self) -> None:
        """Have a `block` that waits right now come back with nothing."""

    async def close(self) -> None: ...


def open_link(url: str, *, timeout_s: float) -> Link:
    """A link to what REDIS_URL names. Nothing is connected yet. A command may take `timeout_s`, connecting included."""
    scheme = urlsplit(url).scheme
    if scheme.endswith("+cluster"):
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
    parts = urlsplit(url)
    options = _options(timeout_s)
    if parts.scheme == "unix":
        options.pop("socket_keepalive")
    if not parts.scheme.endswith("+sentinel"):
        return ConnectionPool.from_url(url, **options)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    auth = {"username": unquote(user) or None, "password": unquote(password) or None}
    service, _, database = parts.path.strip("/").partition("/")
    sentinel = Sentinel(_addresses(hosts, 26379), sentinel_kwargs=_options(timeout_s))  # type: ignore[no-untyped-call]
    options.update(auth, db=int(database or 0), ssl=parts.scheme.startswith("rediss"))
    return SentinelConnectionPool(service, sentinel, **options)  # type: ignore[no-untyped-call]


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    addresses = []
    for host in hosts.split(","):
        parts = urlsplit(f"//{host}")
        addresses.append((parts.hostname or "", parts.port or default_port))
    return addresses


def _translated(fault: BaseException, *, was_sent: bool) -> Exception:
    """What callers are told for an exception of redis-py's."""
    word = str(fault).split(" ", 1)[0].rstrip(":")
    if isinstance(fault, NoScriptError):
        return MissingScript()
    if isinstance(fault, BusyLoadingError):
        return RedisUnavailable(_REFUSALS["LOADING"])
    if isinstance(fault, ReadOnlyError):
        return RedisUnavailable(_REFUSALS["READONLY"])
    if isinstance(fault, AuthenticationError):
        return RedisUnavailable(_REFUSALS["WRONGPASS"])
    if isinstance(fault, ResponseError) and word in _REFUSALS:
        return RedisUnavailable(_REFUSALS[word])
    if isinstance(fault, ConnectionError | TimeoutError | OSError):
        kind = OutcomeUnknown if was_sent else RedisUnavailable
        return kind(f"{'no answer from' if was_sent else 'no connection to'} Redis: {fault}")
    if isinstance(fault, ResponseError):
        # redis-py takes the first word away from some of these ("OOM command not allowed" has none of its own class).
        for refusal, meaning in _REFUSALS.items():
            if refusal in str(fault).split(" ", 2)[:2]:
                return RedisUnavailable(meaning)
    return fault if isinstance(fault, Exception) else RuntimeError(repr(fault))


class _Wire:
    """One connection that all calls share: each is written at once and answered in its turn.

    Calls that are made in one turn of the loop leave in one packet, and their answers come back in one.
    """

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._reader = self._loop.create_task(self._read())
        self.is_broken = False

    def send(self, command: tuple[Argument, ...]) -> "asyncio.Future[Any]":
        """The reply, to be awaited; whoever stops waiting for it changes nothing."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += self._connection.pack_command(*command)
        self._waiting.append((reply, self._loop.time() + self._timeout_s))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._look)
        return reply

    async def close(self) -> None:
        self._reader.cancel()
        self._break(ConnectionError("closed"))
        await self._connection.disconnect(nowait=True)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        # The connection's own send waits for the socket to take everything; here the committers see to it that
        # little is on its way at any time.
        writer = self._connection._writer
        if writer is not None and not self.is_broken:
            writer.write(b"".join(unsent))

    def _look(self) -> None:
        """Once in a while: has the oldest call waited too long? Then nobody can tell the later ones' answers apart."""
        self._watch = None
        if not self._waiting:
            return
        left_s = self._waiting[0][1] - self._loop.time()
        if left_s <= 0:
            self._break(TimeoutError(f"no answer within {self._timeout_s:g} s"))
        else:
            self._watch = self._loop.call_later(left_s, self._look)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    answer = await self._connection.read_response(disconnect_on_error=False)
                except (ResponseError, BusyLoadingError, AuthenticationError) as fault:
                    self._answer_fault(fault)
                else:
                    reply, _ = self._waiting.popleft()
                    if not reply.done():
                        reply.set_result(answer)
        except (RedisError, OSError, IndexError) as fault:
            self._break(fault)

    def _answer_fault(self, fault: RedisError) -> None:
        reply, _ = self._waiting.popleft()
        _refuse(reply, _translated(fault, was_sent=False))
        if isinstance(fault, ReadOnlyError | AuthenticationError):
            # A failover, or a new password: another connection may do better.
            self._break(fault)

    def _break(self, fault: BaseException) -> None:
        """Give the connection up. What was sent on it and not answered may have been done."""
        self.is_broken = True
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            _refuse(self._waiting.popleft()[0], _translated(fault, was_sent=True))
        self._reader.cancel()
        if self._connection._writer is not None:
            self._connection._writer.close()


def _refuse(reply: "asyncio.Future[Any]", fault: Exception) -> None:
    if not reply.done():
        reply.set_exception(fault)
        reply.exception()  # Marked as seen: its caller may have been cancelled.


class _SingleLink:
    """One server, or the master that a Sentinel names: a wire for the calls, a connection of its own for each block."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._wire: _Wire | None = None
        self._opening = asyncio.Lock()
        self._blockable: list[tuple[AbstractConnection, int]] = []
        self._blocked_number: int | None = None

    async def call(self, *command: Argument) -> Any:
        wire = self._wire
        if wire is None or wire.is_broken:
            wire = await self._open()
        return await wire.send(command)

    async def block(self, block_s: float, *command: Argument) -> Any:
        connection: AbstractConnection | None = None
        try:
            # Redis may end a block up to 100 ms late; 2 s more than asked for is a link that is dead.
            async with asyncio.timeout(block_s + 2 + self._timeout_s):
                connection, number = self._blockable.pop() if self._blockable else await self._connect_to_block()
                self._blocked_number = number
                await connection.send_command(*command)
                reply = await connection.read_response()
        except BaseException as fault:
            if connection is not None:
                # Cut or cancelled half-way: the next reply on it would answer the wrong command.
                await connection.disconnect(nowait=True)
            if isinstance(fault, RedisError | OSError):
                raise _translated(fault, was_sent=connection is not None) from fault
            raise
        finally:
            self._blocked_number = None
        self._blockable.append((connection, number))
        return reply

    async def end_block(self) -> None:
        if self._blocked_number is not None:
            await self.call("CLIENT", "UNBLOCK", self._blocked_number, "TIMEOUT")

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.close()
        for connection, _ in self._blockable:
            await connection.disconnect(nowait=True)
        await self._pool.disconnect()

    async def _open(self) -> _Wire:
        """A wire that works. Whoever calls meanwhile waits for the same one. Raises RedisUnavailable."""
        async with self._opening:
            if self._wire is None or self._wire.is_broken:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        self._wire = _Wire(await self._connect(), self._timeout_s)
                except (RedisError, OSError) as fault:
                    raise _translated(fault, was_sent=False) from fault
            return self._wire

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    async def _connect_to_block(self) -> tuple[AbstractConnection, int]:
        """A connection, and its number at the server, by which CLIENT UNBLOCK finds it."""
        connection = await self._connect()
        await connection.send_command("CLIENT", "ID")
        return connection, await connection.read_response()


class _ClusterLink:
    """A Redis Cluster: redis-py knows which node holds which slot, and follows when one moves."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        nodes = [ClusterNode(host, port) for host, port in _addresses(hosts, 6379)]
        self._timeout_s = timeout_s
        self._options: dict[str, Any] = {
            "startup_nodes": nodes,
            "username": unquote(user) or None,
            "password": unquote(password) or None,
            "ssl": parts.scheme.startswith("rediss"),
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": timeout_s,
            "client_name": "waybill",
        }
        self._cluster = RedisCluster(socket_timeout=timeout_s, **self._options)
        self._blocking = RedisCluster(socket_timeout=None, **self._options)

    async def call(self, *command: Argument) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._cluster.execute_command(*command)
        except (RedisError, OSError) as fault:
            # redis-py connects and sends in one go: whether it was sent is not told, so it may have been.
            raise _translated(fault, was_sent=True) from fault

    async def block(self, block_s: float, *command: Argument) -> Any:
        try:
            async with asyncio.timeout(block_s + 2 + self._timeout_s):
                return await self._blocking.execute_command(*command)
        except (RedisError, OSError) as fault:
            raise _translated(fault, was_sent=True) from fault

    async def end_block(self) -> None:
        """Nothing to do: which node's connection blocks is redis-py's own affair; the block ends by itself in 2 s."""

    async def close(self) -> None:
        await self._cluster.aclose()
        await self._blocking.aclose()
