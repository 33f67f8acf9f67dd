"""python -m tests.faults.uploads PORT COUNT BYTES: so many clients at once that send all they have before they read.

Each sends a body that is too large, and prints at the end how many saw 413 and how many something else. In a process of
its own, so that the clients beside it, whose times are taken, don't wait for it.
"""

import json
import selectors
import socket
import sys
from collections import Counter

PART = bytes(65536)


class Upload:
    """One client: its socket, what it has yet to send, and what came back."""

    def __init__(self, port: int, body_bytes: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.setblocking(False)
        line = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._head = line + b"Content-Length: %d\r\n\r\n" % body_bytes
        self._left_bytes = body_bytes
        self._received = b""

    def send(self) -> bool:
        """Whether it is time to read."""
        part = self._head or PART[: self._left_bytes]
        sent_bytes = self.sock.send(part)
        if self._head:
            self._head = self._head[sent_bytes:]
        else:
            self._left_bytes -= sent_bytes
        return not self._left_bytes

    def read(self) -> bool:
        """Whether the server has closed."""
        data = self.sock.recv(65536)
        self._received += data
        return not data

    @property
    def status(self) -> str:
        return self._received[9:12].decode() or "closed"


def main() -> None:
    port, count, body_bytes = map(int, sys.argv[1:])
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            upload = Upload(port, body_bytes)
            selector.register(upload.sock, selectors.EVENT_WRITE, upload)
        print(json.dumps(_run(selector)))


def _run(selector: selectors.BaseSelector) -> Counter[str]:
    seen: Counter[str] = Counter()
    while selector.get_map():
        for key, event in selector.select():
            upload: Upload = key.data
            try:
                if event == selectors.EVENT_READ:
                    status = upload.status if upload.read() else ""
                elif upload.send():
                    selector.modify(upload.sock, selectors.EVENT_READ, upload)
                    continue
                else:
                    continue
            except OSError as fault:
                status = type(fault).__name__
            if status:
                seen[status] += 1
                selector.unregister(upload.sock)
                upload.sock.close()
    return seen


if __name__ == "__main__":
    main()
