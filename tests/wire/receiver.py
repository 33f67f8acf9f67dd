"""A receiver of requests that behaves as a test says, on real sockets of this host.

    async with Receiver(OK) as receiver:
        receiver.url("/hook")      "http://127.0.0.1:41234/hook"
        receiver.heads             [b"POST /hook HTTP/1.1\\r\\n…\\r\\n\\r\\n"]: what came, one entry a request
        receiver.connections       how many links it has taken

A behaviour is a coroutine that has read nothing yet of a link: `plays(b"…")` reads a request and answers with these
bytes, as often as the link brings one.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from lib.http1.client.url import Url, read_url

OK_BYTES = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class ReceiverLink:
    """One link, as the receiver sees it."""

    def __init__(self, receiver: "Receiver", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.receiver = receiver
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request's body; its head goes to `receiver.heads`. Raises EOFError once the client has left."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.receiver.note(head)
        length = _LENGTH.search(head)
        return await self.reader.readexactly(int(length[1]) if length else 0)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End the link with a reset, in place of the ordinary close."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[ReceiverLink], Awaitable[None]]


def plays(answer: bytes, *, closes: bool = False) -> Behaviour:
    """Answers each request with these bytes; closes: and then closes the link."""

    async def behave(link: ReceiverLink) -> None:
        while True:
            await link.request()
            await link.send(answer)
            if closes:
                return

    return behave


class Receiver:
    """hosts: the addresses at which it listens, all at one port. connections: links taken; ended: links that ended."""

    def __init__(
        self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, hosts: tuple[str, ...] = ("127.0.0.1",)
    ) -> None:
        self.behaviour = behaviour
        self.hosts = hosts
        self.connections = 0
        self.ended = 0
        self.heads: list[bytes] = []
        self.taken_at: list[str] = []
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Receiver":
        self.port = 0
        for host in self.hosts:
            sock = socket.create_server((host, self.port))
            self.port = sock.getsockname()[1]
            self._servers.append(await asyncio.start_server(self._serve, sock=sock, ssl=self._tls))
        return self

    async def __aexit__(self, *fault: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, target: str = "/hook", host: str = "127.0.0.1") -> Url:
        return read_url(f"{'https' if self._tls else 'http'}://{host}:{self.port}{target}")

    async def until(self, condition: Callable[["Receiver"], bool]) -> None:
        """Wait until the condition is true, which is looked at after each change. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(10):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def note(self, head: bytes) -> None:
        """A request's head has come."""
        self.heads.append(head)
        self._changed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.taken_at.append(writer.get_extra_info("sockname")[0])
        self._changed.set()
        try:
            with suppress(EOFError, OSError, asyncio.CancelledError):
                await self.behaviour(ReceiverLink(self, reader, writer))
        finally:
            writer.close()
            self.ended += 1
            self._changed.set()
            self._tasks.discard(task)
