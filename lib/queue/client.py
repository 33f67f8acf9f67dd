"""The links to Redis: opened when needed, one command at a time on each, every failure translated once.

redis-py's own retries are off: it sends a command again when only the reply was lost, and a BRPOPLPUSH sent twice
strands a job. Who retries is decided above, where it is known what is safe to repeat.

Called by the rest of this room alone; nobody else imports `redis`.
"""

import asyncio
import time
import weakref
from typing import Any, Protocol, cast
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
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from lib.config import without_password
from lib.errors import OutcomeUnknown, RedisUnavailable

Argument = bytes | str | int | float

RESTED_S = 1.0

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

    async def pop(self, source: str, destination: str, block_s: float) -> bytes | None:
        """BRPOPLPUSH. Never to be cancelled: the id would be moved, and nobody told."""

    async def end_pop(self) -> None:
        """Have a `pop` that blocks right now answer None."""

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


class _SingleLink:
    """One server, or the master that a Sentinel names: a stack of connections, the last used on top."""

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._idle: list[tuple[AbstractConnection, float]] = []
        self._numbers: weakref.WeakKeyDictionary[AbstractConnection, int] = weakref.WeakKeyDictionary()
        self._popping_id: int | None = None

    async def call(self, *command: Argument) -> Any:
        was_sent = False
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connection()
                was_sent = True
                return await self._exchange(connection, *command)
        except (RedisError, OSError) as fault:
            raise _translated(fault, was_sent=was_sent) from fault

    async def pop(self, source: str, destination: str, block_s: float) -> bytes | None:
        was_sent = False
        try:
            # Redis may end a block up to 100 ms late; 2 s more than asked for is a link that is dead.
            async with asyncio.timeout(block_s + 2 + self._timeout_s):
                connection = await self._connection()
                self._popping_id = await self._number_of(connection)
                was_sent = True
                return cast(bytes | None, await self._exchange(connection, "BRPOPLPUSH", source, destination, block_s))
        except (RedisError, OSError) as fault:
            raise _translated(fault, was_sent=was_sent) from fault
        finally:
            self._popping_id = None

    async def end_pop(self) -> None:
        if self._popping_id is not None:
            await self.call("CLIENT", "UNBLOCK", self._popping_id, "TIMEOUT")

    async def close(self) -> None:
        await self._drop_idle()
        await self._pool.disconnect()

    async def _connection(self) -> AbstractConnection:
        """A connection that nobody uses, by all that is known alive."""
        while self._idle:
            connection, idle_since = self._idle.pop()
            # A link that rested may have been cut by the other end meanwhile, and a command sent on it would have an
            # unknown outcome. The look costs as much as a command, so it is not taken under load.
            if time.monotonic() - idle_since < RESTED_S or await _is_alive(connection):
                return connection
            await connection.disconnect(nowait=True)
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        return cast(AbstractConnection, connection)

    async def _exchange(self, connection: AbstractConnection, *command: Argument) -> Any:
        """One command and its reply. The connection is put back only where it has answered."""
        try:
            await connection.send_command(*command)
            reply = await connection.read_response()
        except ResponseError as fault:
            if isinstance(fault, ReadOnlyError):
                # A failover: the other connections lead to the old master too.
                await connection.disconnect(nowait=True)
                await self._drop_idle()
            else:
                self._idle.append((connection, time.monotonic()))
            raise
        except BaseException:
            # Cut or cancelled half-way: the next reply on it would answer the wrong command.
            await connection.disconnect(nowait=True)
            raise
        self._idle.append((connection, time.monotonic()))
        return reply

    async def _number_of(self, connection: AbstractConnection) -> int:
        """The connection's number at the server, by which CLIENT UNBLOCK finds it."""
        if connection not in self._numbers:
            await connection.send_command("CLIENT", "ID")
            self._numbers[connection] = await connection.read_response()
        return self._numbers[connection]

    async def _drop_idle(self) -> None:
        while self._idle:
            connection, _ = self._idle.pop()
            await connection.disconnect(nowait=True)


async def _is_alive(connection: AbstractConnection) -> bool:
    try:
        return not await connection.can_read_destructive()
    except (RedisError, OSError):
        return False


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
        self._popper = RedisCluster(socket_timeout=None, **self._options)

    async def call(self, *command: Argument) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._cluster.execute_command(*command)
        except (RedisError, OSError) as fault:
            # redis-py connects and sends in one go: whether it was sent is not told, so it may have been.
            raise _translated(fault, was_sent=True) from fault

    async def pop(self, source: str, destination: str, block_s: float) -> bytes | None:
        try:
            async with asyncio.timeout(block_s + 2 + self._timeout_s):
                popped = await self._popper.execute_command("BRPOPLPUSH", source, destination, block_s)
                return cast(bytes | None, popped)
        except MovedError as fault:
            await self._popper.aclose()
            raise _translated(fault, was_sent=True) from fault
        except (RedisError, OSError) as fault:
            raise _translated(fault, was_sent=True) from fault

    async def end_pop(self) -> None:
        """Nothing to do: which node's connection blocks is redis-py's own affair; the block ends by itself in 2 s."""

    async def close(self) -> None:
        await self._cluster.aclose()
        await self._popper.aclose()
