"""A proxy in front of a Redis (or of anything that talks over a socket) that loses what it is told to lose.

    with Proxy(redis.url) as proxy:
        proxy.judge = lambda request: CUT_REPLY if request.words[0] == b"EVALSHA" else PASS
        worker = Worker(proxy.url)

It reads requests and replies as Redis frames them (RESP), one by one, so that "the third request" and "the reply to
it" mean the same at every run; with framing="bytes" each piece that comes is one (an HTTP request and its answer).
A connection to a unix socket tells its process: `request.pid`. The judge runs in the connection's own thread: what it
does takes place before the request goes on, and a judge that sleeps delays that connection alone.
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
    """What becomes of a request. `then` is called when it is carried out (its reply is here) or cut."""

    does: Literal["pass", "cut_request", "cut_reply", "swallow_request", "swallow_reply"]
    then: Callable[[], None] | None = None


PIECE_BYTES = 16_384  # of a reply over a slow link
PASS = Verdict("pass")
CUT_REQUEST = Verdict("cut_request")  # It never arrives, and the connection is closed.
CUT_REPLY = Verdict("cut_reply")  # It is carried out; the connection is closed and the reply told to nobody.
SWALLOW_REQUEST = Verdict("swallow_request")  # From here on the connection is a black hole.
SWALLOW_REPLY = Verdict("swallow_reply")  # The same, when the request has been carried out.


@dataclass(frozen=True, slots=True)
class Request:
    """number: from 1, over all connections. words: the command's first 4, or the piece itself where there are none."""

    number: int
    connection: int
    pid: int
    words: tuple[bytes, ...]


@dataclass
class Proxy:
    """target: a URL (unix:// or a host and port). The proxy itself listens on a unix socket, or on TCP where asked."""

    target: str
    framing: Literal["redis", "bytes"] = "redis"
    tcp: bool = False
    judge: Callable[[Request], Verdict] = lambda request: PASS
    is_black_hole: bool = False  # Requests that come while this is set are never answered.
    rewrite: Callable[[bytes], bytes] = lambda reply: reply  # What becomes of a reply on its way back.
    reset_at_byte: int | None = None  # Of a connection's replies: a reset instead of the byte of that number.
    silent_at_byte: int | None = None  # From that byte of a connection's replies on, it is a black hole.
    bytes_per_s: float | None = None  # So fast its replies come back.
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
        """Close every connection, as a firewall that is restarted."""
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
        """One connection's requests; its replies are read by a thread beside."""
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
        """One connection's replies."""
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
                    # Closed with this on, the connection is reset and not ended.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
        # Wakes the thread that reads requests; that one closes.
        _shut(client, socket.SHUT_RD)

    def _send(self, client: socket.socket, raw: bytes, sent_bytes: int) -> None:
        """A reply, behind so many bytes of others."""
        heard = len(raw) if self.silent_at_byte is None else max(0, self.silent_at_byte - sent_bytes)
        piece = len(raw) if self.bytes_per_s is None else PIECE_BYTES
        for at in range(0, min(heard, len(raw)), piece):
            client.sendall(raw[at : min(at + piece, heard)])
            if self.bytes_per_s is not None:
                time.sleep(PIECE_BYTES / self.bytes_per_s)

    def _read(self, stream: BufferedReader) -> bytes:
        return read_value(stream) if self.framing == "redis" else stream.read1(1 << 20)

    def _words(self, raw: bytes) -> tuple[bytes, ...]:
        # *N\r\n$len\r\nword\r\n…: every second line behind the first is a word, where none holds a line break itself.
        return tuple(raw.split(b"\r\n", 9)[2:9:2]) if self.framing == "redis" else (raw,)


def read_value(stream: BufferedReader) -> bytes:
    """One whole value of RESP2 or RESP3 as it came; b"" at the end of the stream."""
    line = stream.readline()
    kind, count = line[:1], line[1:].strip()
    if kind in (b"$", b"=", b"!") and count != b"-1":
        return line + stream.read(int(count) + 2)
    if kind in (b"*", b"~", b">", b"%") and count != b"-1":
        return line + b"".join(read_value(stream) for _ in range(int(count) * (2 if kind == b"%" else 1)))
    return line


def _peer(client: socket.socket) -> int:
    """The process at the other end of a unix socket; 0 where that can't be known."""
    if client.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return 0
    pid, *_ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def _shut(link: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(how)
