"""The listening socket: accepts connections up to a cap, sweeps their deadlines, drains them at the end.

Started by server.py.

WHY an accept loop of our own: the one behind loop.create_server() (Python 3.11) goes on accepting `backlog` times after
EMFILE and logs each failure, a storm of a thousand lines. Ours pauses for a second. It keeps no descriptor in reserve
for EMFILE: the kernel's backlog holds new clients until a descriptor is free, and these clients are then served. With a
reserve they could only have been turned away.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Generic

from lib.errors import TooManyConnections
from lib.http1.app import App, RequestT
from lib.http1.server.common import Common
from lib.http1.server.connection import Connection
from lib.http1.server.limits import Limits
from lib.http1.server.outgoing import DateLine

log = logging.getLogger("waybill.http")

BACKLOG = 2048
# Few, so that processes with the same listening socket get equal shares of the clients.
ACCEPTS_PER_TURN = 16
ACCEPT_PAUSE_S = 1.0
# So many clients over the cap get a 503; any further ones are closed without an answer.
TURNED_AWAY_AT_ONCE = 64


class Listener(Generic[RequestT]):
    """Serves `app` on one listening socket. One per process and loop."""

    def __init__(
        self,
        app: App[RequestT],
        *,
        limits: Limits | None = None,
        max_connections: int = 1000,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits or Limits()
        self._common = Common(app, self._limits, clock, DateLine(wall_clock))
        self._max_connections = max_connections
        self._socket: socket.socket | None = None
        self._accepting: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._accept_pause: asyncio.TimerHandle | None = None

    @property
    def open_connections(self) -> int:
        """How many connections are open, including those of clients that are being turned away."""
        return len(self._common.connections)

    @property
    def address(self) -> tuple[str, int]:
        """(ip, port) of the listening socket. Raises RuntimeError when not started."""
        if self._socket is None:
            raise RuntimeError("not listening")
        ip, port = self._socket.getsockname()[:2]
        return str(ip), int(port)

    async def start(self, host: str = "", port: int = 0, *, sock: socket.socket | None = None) -> None:
        """Listen on host:port, or on `sock`, which is bound already. Raises OSError, as for an address in use."""
        self._loop = asyncio.get_running_loop()
        sock = sock or bind(host, port)
        try:
            sock.setblocking(False)
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._loop.add_reader(self._socket, self._accept)
        self._sweep()

    async def drain(self, grace_s: float) -> int:
        """Stop accepting, close idle connections, let requests under way finish; after `grace_s` close the rest.

        Returns how many connections and requests were cut off. The application's work on these is not cancelled."""
        self._common.is_draining = True
        await self._stop_accepting()
        for connection in tuple(self._common.connections):
            connection.begin_drain()
        await self._wait_until_empty(self._common.clock() + grace_s)
        # Clients that linger have their answers: they are not cut off.
        cut_off = len(self._common.connections) - len(self._common.lingering) + len(self._common.unanswered)
        for connection in tuple(self._common.connections):
            connection.abort()
        # The sockets are closed in connection_lost(), a turn of the loop later.
        await asyncio.sleep(0)
        if self._sweeper is not None:
            self._sweeper.cancel()
        return cut_off

    async def _stop_accepting(self) -> None:
        if self._socket is None:
            return
        # Clients in the kernel's queue believe that they are connected: closing now would reset them.
        self._accept(BACKLOG)
        if self._accept_pause is not None:
            self._accept_pause.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        if self._accepting:
            await asyncio.wait(self._accepting)
        # Two turns of the loop, so that requests which have arrived are read and count as under way.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _wait_until_empty(self, until_s: float) -> None:
        while self._common.connections or self._common.tasks or self._common.unanswered:
            left_s = until_s - self._common.clock()
            if left_s <= 0:
                return
            # Waiting for the sweep would let clients that linger hold up the stop for a second more.
            self._expire()
            if self._common.tasks:
                await asyncio.wait(self._common.tasks, timeout=min(left_s, 0.05))
            else:
                await asyncio.sleep(min(left_s, 0.05))

    # Accepting.

    def _accept(self, most: int = ACCEPTS_PER_TURN) -> None:
        assert self._socket is not None
        for _ in range(most):
            try:
                client, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # EMFILE and its like, or a network error that accept(2) passes on. The socket stays readable, so that
                # to try again at once would be a hot loop.
                self._pause_accepting(error)
                return
            self._adopt(client)

    def _pause_accepting(self, error: OSError) -> None:
        assert self._socket is not None
        log.error(
            "No more connections for %g s: %s; who comes meanwhile waits. Raise the limit of open files, or lower"
            " MAX_CONNECTIONS",
            ACCEPT_PAUSE_S,
            error,
            extra={"event": "listener.paused", "error": str(error), "pause_s": ACCEPT_PAUSE_S},
        )
        self._loop.remove_reader(self._socket)
        self._accept_pause = self._loop.call_later(ACCEPT_PAUSE_S, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket, self._accept)

    def _adopt(self, client: socket.socket) -> None:
        client.setblocking(False)
        common, refusal = self._common, None
        taken = len(common.connections)
        if taken - len(common.lingering) >= self._max_connections:
            if taken >= self._max_connections + TURNED_AWAY_AT_ONCE:
                client.close()
                return
            refusal = TooManyConnections("Try again in a moment.", headers=(("Retry-After", "1"),))
        elif taken >= self._max_connections:
            # A client that is only read to be thrown away must not keep out one that wants to be served.
            common.lingering.close_oldest()
        connection = Connection(self._common, refusal=refusal)
        # Added here and not in connection_made(), which comes some turns later: the cap counts it at once.
        self._common.connections.add(connection)
        task = self._loop.create_task(self._connect(client, connection))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _connect(self, client: socket.socket, connection: Connection[RequestT]) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError:
            # The client was gone before its transport was made; no byte of it was read.
            self._common.connections.discard(connection)
            client.close()

    # Deadlines.

    def _sweep(self) -> None:
        """One timer for all connections: a timer for each request would cost more than parsing the request."""
        self._sweeper = self._loop.call_later(self._limits.sweep_s, self._sweep)
        self._expire()

    def _expire(self) -> None:
        now_s = self._common.clock()
        for connection in tuple(self._common.connections):
            if connection.deadline_s <= now_s:
                connection.expire()


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket bound to host:port, not listening yet. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        # A server that restarts must not wait for the TIME_WAIT of its former connections.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
