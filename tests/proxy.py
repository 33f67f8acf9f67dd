"""A proxy in front of a Redis, or of any other server, that loses the requests and replies that a test chooses.

    with Proxy(redis.url) as proxy:
        proxy.judge = lambda request: CUT_REPLY if request.words[0] == b"EVALSHA" else PASS
        worker = Worker(proxy.url)

`judge` is called for each request, as Request(number=3, connection=1, pid=4711, words=(b"EVALSHA", b"3f0c…", b"1",
b"wb:{q}:")), and returns the request's Verdict. It runs in the connection's own thread, before the request goes on: a
judge that sleeps delays that connection alone.

The proxy reads requests and replies as Redis frames them (RESP), one by one, so that "the third request" and "its
reply" mean the same at every run. With framing="bytes" each piece of bytes that comes counts as one, for an HTTP
request and its answer. For a client on a unix socket `request.pid` is its process.
"""

import contextlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, NamedTuple
from urllib.parse import urlsplit


class Verdict(NamedTuple):
    """What becomes of a request. `then` is called when the request is carried out (its reply is here) or cut."""

    does: Literal["pass", "cut_request", "cut_reply", "swallow_request", "swallow_reply"]
    then: Callable[[], None] | None = None


PIECE_BYTES = 16_384  # Of a reply over a slow link.
PASS = Verdict("pass")
CUT_REQUEST = Verdict("cut_request")  # The request never arrives, and the connection is closed.
CUT_REPLY = Verdict("cut_reply")  # The request is carried out; the connection is closed without its reply.
SWALLOW_REQUEST = Verdict("swallow_request")  # The request never arrives, and the connection stays open in silence.
SWALLOW_REPLY = Verdict("swallow_reply")  # The request is carried out, and the connection stays open in silence.


@dataclass(frozen=True, slots=True)
class Request:
    """number: from 1, over all connections. words: the command's first four, or the piece if framing is "bytes"."""

    number: int
    connection: int
    pid: int
    words: tuple[bytes, ...]


@dataclass
class Proxy:
    """target: a URL, unix:// or with a host and a port. tcp: the proxy listens on TCP, and not on a unix socket."""

    target: str
    framing: Literal["redis", "bytes"] = "redis"
    tcp: bool = False
    judge: Callable[[Request], Verdict] = lambda request: PASS
    is_black_hole: bool = False  # Requests that come while this is set are never answered.
    rewrite: Callable[[bytes], bytes] = lambda reply: reply  # What becomes of a reply on its way back.
    reset_at_byte: int | None = None  # A connection is reset in place of this byte of its replies.
    silent_at_byte: int | None = None  # A connection falls silent from this byte of its replies on.
    bytes_per_s: float | None = None  # The speed at which replies come back.
    requests: int = 0
    replies: int = 0
    _links: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Proxy":
        self._folder = tempfile.TemporaryDirectory(prefix="wb-proxy-")
        if self.tcp:
            self._listening = socket.create_server(("127.0.0.1", 0))
            host, port = self._listening.getsockname()
            self.address = f"{host}:{port}"
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self.address = str(Path(self._folder.name) / "s")
            self._listening.bind(self.address)
            self._listening.listen(128)
        scheme = "redis" if self.framing == "redis" else "http"
        self.url = f"{scheme}://{self.address}" if self.tcp else f"unix://{self.address}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._listening.close()
        self.cut_all()
        self._folder.cleanup()

    def cut_all(self) -> None:
        """Close every connection, as a firewall does that is restarted."""
        with self._lock:
            links = list(self._links)
        for link in links:
            _shut(link, socket.SHUT_RDWR)

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            number += 1
            try:
                server = self._dial()
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client, server, number), daemon=True).start()

    def _dial(self) -> socket.socket:
        parts = urlsplit(self.target)
        if parts.scheme == "unix":
            server = socket.socket(socket.AF_UNIX)
            server.connect(parts.path)
            return server
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80))

    def _serve(self, client: socket.socket, server: socket.socket, number: int) -> None:
        """Pass on one connection's requests. A second thread passes on its replies (`_answer`)."""
        pending: SimpleQueue[Verdict] = SimpleQueue()
        with self._lock:
            self._links |= {client, server}
        back = threading.Thread(target=self._answer, args=(client, server, pending), daemon=True)
        back.start()
        with contextlib.suppress(OSError, ValueError), client.makefile("rb") as stream:
            pid = _peer(client)
            while raw := self._read(stream):
                with self._lock:
                    self.requests += 1
                    count = self.requests
                verdict = self.judge(Request(count, number, pid, self._words(raw)))
                if self.is_black_hole or verdict.does in ("cut_request", "swallow_request"):
                    if verdict.then:
                        verdict.then()
                    while verdict.does != "cut_request" and stream.read1(1 << 16):
                        pass
                    break
                pending.put(verdict)
                server.sendall(raw)
        _shut(server, socket.SHUT_RDWR)
        back.join()
        with self._lock:
            self._links -= {client, server}
        client.close()
        server.close()

    def _answer(self, client: socket.socket, server: socket.socket, pending: "SimpleQueue[Verdict]") -> None:
        """Pass on one connection's replies."""
        sent_bytes = 0
        verdict = PASS
        with contextlib.suppress(OSError, ValueError), server.makefile("rb") as stream:
            while raw := self.rewrite(self._read(stream)):
                with self._lock:
                    self.replies += 1
                if self.framing == "redis" or not pending.empty():
                    verdict = pending.get()
                if verdict.then:
                    verdict.then()
                while verdict.does == "swallow_reply" and stream.read1(1 << 16):
                    pass
                if verdict.does in ("cut_reply", "swallow_reply"):
                    break
                room = len(raw) if self.reset_at_byte is None else max(0, self.reset_at_byte - sent_bytes)
                self._send(client, raw[:room], sent_bytes)
                sent_bytes += len(raw)
                if room < len(raw):
                    # With this option a close resets the connection, in place of ending it.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
        # Wakes the thread that reads requests, which closes both sockets.
        _shut(client, socket.SHUT_RD)

    def _send(self, client: socket.socket, raw: bytes, sent_bytes: int) -> None:
        """Send a reply. sent_bytes: of the replies before, on this connection."""
        passed = len(raw) if self.silent_at_byte is None else max(0, self.silent_at_byte - sent_bytes)
        piece = len(raw) if self.bytes_per_s is None else PIECE_BYTES
        for at in range(0, min(passed, len(raw)), piece):
            client.sendall(raw[at : min(at + piece, passed)])
            if self.bytes_per_s is not None:
                time.sleep(PIECE_BYTES / self.bytes_per_s)

    def _read(self, stream: BufferedReader) -> bytes:
        return read_value(stream) if self.framing == "redis" else stream.read1(1 << 20)

    def _words(self, raw: bytes) -> tuple[bytes, ...]:
        # *N\r\n$len\r\nword\r\n…: every second line behind the first is a word, unless a word holds a line break.
        return tuple(raw.split(b"\r\n", 9)[2:9:2]) if self.framing == "redis" else (raw,)


def read_value(stream: BufferedReader) -> bytes:
    """One whole value of RESP2 or RESP3, as b"$2\\r\\nok\\r\\n"; b"" at the end of the stream."""
    line = stream.readline()
    kind, count = line[:1], line[1:].strip()
    if kind in (b"$", b"=", b"!") and count != b"-1":
        return line + stream.read(int(count) + 2)
    if kind in (b"*", b"~", b">", b"%") and count != b"-1":
        return line + b"".join(read_value(stream) for _ in range(int(count) * (2 if kind == b"%" else 1)))
    return line


def _peer(client: socket.socket) -> int:
    """The process at the other end of a unix socket; 0 if the system does not tell it."""
    if client.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return 0
    pid, *_ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def _shut(link: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(how)
