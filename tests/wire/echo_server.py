"""A real Listener with a small app, in a thread with a loop of its own, and a raw client for it.

The app echoes what it got; some paths do something else: see EchoApp. Nothing here sleeps to wait: wait_until() looks
for a condition until a deadline.
"""

import asyncio
import functools
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from lib.errors import HttpError
from lib.http1.app import Answer as AppAnswer
from lib.http1.app import OnAnswer
from lib.http1.message import Request, Response, StreamedResponse
from lib.http1.server.limits import Limits
from lib.http1.server.listener import Listener

T = TypeVar("T")

PATIENCE_S = 10.0
BIG_BYTES = 16 * 1024 * 1024


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once `condition` holds; AssertionError after PATIENCE_S."""
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            raise AssertionError(f"did not come about: {what}")
        time.sleep(0.002)


class EchoApp:
    """Answers "METHOD path body". In admit(): /refused is 401, /roomy allows 4 MiB, /admit-raises raises.

    In handle(): /held waits for release(), /until-gone until its client has closed, /blocks blocks the whole loop
    until `unblocked` is set, /big answers BIG_BYTES, /raises raises, /yields lets the loop turn once. Without a task:
    /at-once, /told a turn later, /told/held when `tell` is called, /told/held/awaited then with a coroutine,
    /told/raises with a fault. Bodies under /pieces are streamed: /pieces answers how many bytes came, /pieces/echo
    sends each piece back as it comes, /pieces/ignored answers without taking any, /pieces/slow takes the first when
    released. /made sends BIG_BYTES in pieces, /made/broken raises behind its first."""

    request_type = Request

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.held = asyncio.Event()
        self.unblocked = threading.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.requests: list[Request] = []
        self.tell: Callable[[], None] = lambda: None

    def admit(self, request: Request) -> Response | None:
        request.request_id = f"id-of-{request.path}"
        if request.path == "/admit-raises":
            raise ZeroDivisionError
        if request.path == "/roomy":
            request.body_limit_bytes = 4 * 1024 * 1024
        if request.path.startswith("/pieces"):
            request.streams_body = True
            request.body_limit_bytes = 64 * 1024 * 1024
        return Response(401, b"who?") if request.path == "/refused" else None

    def handle(self, request: Request, on_answer: OnAnswer[Request]) -> AppAnswer | None:
        self.begun.append(request.path)
        self.requests.append(request)
        if request.path == "/at-once":
            return self._plain(request)
        if not request.path.startswith("/told"):
            return self._awaited(request)
        told: AppAnswer = self._awaited(request) if request.path.endswith("/awaited") else self._plain(request)
        if request.path == "/told/raises":
            told = ZeroDivisionError()
        self.tell = functools.partial(on_answer, request, told)
        if not request.path.startswith("/told/held"):
            self.loop.call_soon(self.tell)
        return None

    def _plain(self, request: Request) -> Response:
        self.ended.append(request.path)
        return Response(200, f"{request.method} {request.path} ".encode() + request.body, content_type="text/plain")

    async def _awaited(self, request: Request) -> Response:
        body = f"{request.method} {request.path} ".encode() + request.body
        if request.path == "/held":
            await self.held.wait()
        elif request.path == "/until-gone":
            await self._gone(request)
        elif request.path == "/blocks":
            self.unblocked.wait(PATIENCE_S)
        elif request.path == "/yields":
            await asyncio.sleep(0)
        elif request.path == "/raises":
            raise ZeroDivisionError
        elif request.path == "/big":
            body = bytes(BIG_BYTES)
        elif request.path.startswith(("/pieces", "/made")):
            return await self._in_pieces(request)
        self.ended.append(request.path)
        return Response(200, body, [("X-Echo", request.path)], content_type="text/plain")

    async def _gone(self, request: Request) -> None:
        gone = asyncio.Event()
        request.on_gone = gone.set
        if not request.is_gone:
            await gone.wait()

    async def _in_pieces(self, request: Request) -> Response:
        if request.path == "/pieces/echo":
            return StreamedResponse(200, self._echo(request), content_type="text/plain")
        if request.path.startswith("/made"):
            return StreamedResponse(200, self._made(request), content_type="text/plain")
        if request.path == "/pieces/slow":
            await self.held.wait()
        try:
            count = sum([len(piece) async for piece in self._pieces(request)])
            return Response(200, str(count).encode(), content_type="text/plain")
        except HttpError as error:
            return self.refuse(error, request, "")
        finally:
            self.ended.append(request.path)

    async def _pieces(self, request: Request) -> AsyncGenerator[bytes, None]:
        if request.path != "/pieces/ignored" and request.stream is not None:
            async for piece in request.stream:
                yield piece

    async def _echo(self, request: Request) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in self._pieces(request):
                yield piece
        finally:
            self.ended.append(request.path)

    async def _made(self, request: Request) -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            if request.path == "/made/broken":
                raise ZeroDivisionError
            for _ in range(BIG_BYTES // 65536):
                yield bytes(65536)
        finally:
            self.ended.append(request.path)

    def refuse(self, error: HttpError, request: Request | None, peer: str) -> Response:
        return Response(error.status, error.slug.encode(), error.headers)

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.held.set)


class EchoServer:
    """`with EchoServer(limits) as server:` listens on a free port of the loopback."""

    app: EchoApp
    listener: Listener[Request]
    port: int

    def __init__(
        self, limits: Limits | None = None, *, max_connections: int = 100, sock: socket.socket | None = None
    ) -> None:
        self._limits = limits or Limits(sweep_s=0.02)
        self._max_connections = max_connections
        self._sock = sock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        return self

    async def _start(self) -> None:
        self.app = EchoApp()
        self.listener = Listener(self.app, limits=self._limits, max_connections=self._max_connections)
        await self.listener.start("127.0.0.1", 0, sock=self._sock)
        self.port = self.listener.address[1]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.app.release()
        self.run(self.listener.drain(0.0))
        self.run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _settle(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=PATIENCE_S)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop, and wait for what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def drain_in_background(self, grace_s: float) -> Future[int]:
        return asyncio.run_coroutine_threadsafe(self.listener.drain(grace_s), self._loop)

    def client(self, **options: int) -> "RawClient":
        return RawClient(self.port, **options)


class Answer(NamedTuple):
    """One response as it came; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """A socket that sends what it is told and reads responses one by one."""

    def __init__(self, port: int, *, receive_buffer_bytes: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.sock.settimeout(PATIENCE_S)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, raw: bytes) -> Self:
        self.sock.sendall(raw)
        return self

    def half_close(self) -> Self:
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Close so that the peer gets RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next response. Raises EOFError if the connection ends before it is whole."""
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head = self._take(self._buffer.index(b"\r\n\r\n") + 4)[:-4]
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(status_line.split(" ")[1])
        if headers.get("transfer-encoding") == "chunked" and not to_head:
            return Answer(status, headers, self._chunks())
        length = 0 if to_head else int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._read()
        return Answer(status, headers, self._take(length))

    def _chunks(self) -> bytes:
        body = b""
        while chunk := self.chunk():
            body += chunk
        return body

    def chunk(self) -> bytes:
        """The next chunk of a chunked body; b"" is the last one."""
        while b"\r\n" not in self._buffer:
            self._read()
        size = int(self._take(self._buffer.index(b"\r\n") + 2), 16)
        while len(self._buffer) < size + 2:
            self._read()
        return self._take(size + 2)[:-2]

    def head(self) -> Answer:
        """The next response without its body."""
        return self.answer(to_head=True)

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        try:
            while True:
                self._read()
        except EOFError:
            return bytes(self._buffer)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _read(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"closed after {bytes(self._buffer[:200])!r}")
        self._buffer += data
