"""The cheapest honest receiver of webhooks: reads every request to its end, answers 200. In a process of its own.

    python -m tests.bench.webhook_sink REQUESTS WARM

It prints {"port": N}; with request number WARM {"warm": WARM}; and with number REQUESTS {"per_s": N, "bare": N,
"links": N}: the rate from the one to the other, how many requests came without a signature, and over how many
connections. It goes on until its stdin ends. WHY epoll and no asyncio: it shares its cores with those who are measured.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
READ_BYTES = 1 << 16
LIMIT_S = 300.0


class Receiver:
    """requests, warm: as of the command line."""

    def __init__(self, requests: int, warm: int) -> None:
        self._requests, self._warm = requests, warm
        self._taken = self._bare = 0
        self._began_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._poll = select.epoll()
        self._links: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}
        self._opened = 0
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Until stdin ends."""
        for number in (sys.stdin.fileno(), self._listener.fileno()):
            self._poll.register(number, select.EPOLLIN)
        while True:
            for number, _ in self._poll.poll():
                if number == sys.stdin.fileno():
                    return
                if number == self._listener.fileno():
                    self._take_link()
                else:
                    self._read(number)

    def _take_link(self) -> None:
        link, _ = self._listener.accept()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opened += 1
        self._links[link.fileno()] = link
        self._unread[link.fileno()] = b""
        self._poll.register(link.fileno(), select.EPOLLIN)

    def _read(self, number: int) -> None:
        link = self._links[number]
        try:
            data = link.recv(READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            del self._links[number], self._unread[number]
            link.close()
            return
        unread = self._unread[number] + data
        if size_bytes := _size_bytes(unread):
            self._count(unread)
            link.send(ANSWER)
            unread = unread[size_bytes:]
        self._unread[number] = unread

    def _count(self, request: bytes) -> None:
        self._taken += 1
        self._bare += b"\nwebhook-signature: v1," not in request
        if self._taken == self._warm:
            self._began_s = time.perf_counter()
            print(json.dumps({"warm": self._warm}), flush=True)
        if self._taken == self._requests:
            per_s = (self._requests - self._warm) / (time.perf_counter() - self._began_s)
            print(json.dumps({"per_s": per_s, "bare": self._bare, "links": self._opened}), flush=True)


def _size_bytes(unread: bytes) -> int:
    """Of the request that `unread` begins with; 0 while it is not whole."""
    head, end, _ = unread.partition(b"\r\n\r\n")
    if not end:
        return 0
    length = int(head.lower().partition(b"\ncontent-length:")[2].partition(b"\r")[0])
    size_bytes = len(head) + len(end) + length
    return size_bytes if len(unread) >= size_bytes else 0


class WebhookSink:
    """The process, for those who measure. port: where it listens."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid
        self.port = int(self._said()["port"])

    def wait_until_warm(self) -> None:
        assert "warm" in self._said()

    def wait_until_all(self) -> dict[str, float]:
        """What it says when all requests have come."""
        return self._said()

    def _said(self) -> dict[str, float]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], LIMIT_S)[0]:
            raise ValueError(f"the receiver has not got all webhooks in {LIMIT_S:g} s")
        said: dict[str, float] = json.loads(self._process.stdout.readline())
        return said


@contextmanager
def webhook_sink(requests: int, warm: int) -> Iterator[WebhookSink]:
    command = [sys.executable, "-m", "tests.bench.webhook_sink", str(requests), str(warm)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield WebhookSink(process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    receiver = Receiver(int(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"port": receiver.port}), flush=True)
    receiver.serve()
