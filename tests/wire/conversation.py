"""Many raw connections at once, and the answers that came back on each, read as strictly as a client may.

`converse` sends every plan (a list of parts) on a connection of its own and reads until the server closes; `answers`
takes apart what came. Used by the table of cases and by the fuzzer; knows nothing of what is right.
"""

import json
import re
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

PATIENCE_S = 15.0
AT_ONCE = 200
STREAMED = "application/x-ndjson"
# Between parts that few connections send in many rounds, the rounds themselves part the bytes.
MOST_BARRIERS = 3
BARRIER = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]+")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([ -~]*)")


class Answer(NamedTuple):
    """One answer. Field names in lower case; each may stand there once."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def items(self) -> list[Any]:
        """What became of each job of a batch."""
        if self.headers.get("content-type") == STREAMED:
            return [json.loads(line) for line in self.body.split(b"\n") if line]
        return list(self.json()["items"])

    @property
    def ends_early(self) -> int:
        """The status that a streamed answer's last line gives where it broke off; else 0."""
        if self.status != 200 or self.headers.get("content-type") != STREAMED or not self.body:
            return 0
        last = self.items()[-1]
        return int(last["status"]) if last.get("ended_early") else 0


class NotHttp(AssertionError):
    """What the server sent is no row of answers, each whole and properly framed."""


def converse(port: int, plans: Sequence[Sequence[bytes]]) -> list[bytes]:
    """What came back for each plan until the server closed. Raises TimeoutError where it never does."""
    with _link(port) as canary:
        return [
            received
            for start in range(0, len(plans), AT_ONCE)
            for received in _converse(port, plans[start : start + AT_ONCE], canary)
        ]


def answers(received: bytes, *, is_to_head: bool = False) -> list[Answer]:
    """Every answer in `received`; is_to_head: the first final one has no body. Raises NotHttp."""
    found: list[Answer] = []
    has_final = False
    while received:
        answer, received = take(received, is_bodiless=is_to_head and not has_final)
        has_final = has_final or answer.status >= 200
        found.append(answer)
    return found


def take(received: bytes, *, is_bodiless: bool) -> tuple[Answer, bytes]:
    """The first answer in `received`, and what is behind it. Raises NotHttp."""
    head, end, rest = received.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    match = STATUS_LINE.fullmatch(status_line)
    if not end or match is None:
        raise NotHttp(f"no status line, or half a head: {received[:200]!r}")
    status, headers = int(match[1]), _fields(lines)
    if status < 200:
        return Answer(status, headers, b""), rest
    if status == 204:
        if "content-length" in headers or "transfer-encoding" in headers:
            raise NotHttp(f"a 204 with a body's framing: {head!r}")
        return Answer(status, headers, b""), rest
    if headers.get("content-type") == STREAMED and status == 200:
        body, rest = _streamed(headers, rest)
        return Answer(status, headers, body), rest
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not re.fullmatch("[0-9]+", length):
        raise NotHttp(f"not framed by one Content-Length: {head!r}")
    size = 0 if is_bodiless else int(length)
    if len(rest) < size:
        raise NotHttp(f"a body of {len(rest)} bytes, {size} were announced: {head!r}")
    return Answer(status, headers, rest[:size]), rest[size:]


def _streamed(headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes]:
    """A body whose length nobody knew, and what is behind it."""
    if "content-length" in headers:
        raise NotHttp(f"a streamed answer with a Content-Length: {headers}")
    if headers.get("transfer-encoding") != "chunked":
        if headers.get("connection") != "close":
            raise NotHttp(f"nothing says where it ends: {headers}")
        return rest, b""
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found or not re.fullmatch(b"[0-9a-f]{1,8}", size) or len(rest) < int(size, 16) + 2:
            raise NotHttp(f"half a chunk: {size[:100]!r}, {rest[:100]!r}")
        at = int(size, 16)
        if rest[at : at + 2] != b"\r\n":
            raise NotHttp(f"a chunk is not of its size: {rest[at : at + 100]!r}")
        body, rest = body + rest[:at], rest[at + 2 :]
        if not at:
            return body, rest


def _converse(port: int, plans: Sequence[Sequence[bytes]], canary: socket.socket) -> list[bytes]:
    rounds = max(map(len, plans))
    links = [_link(port) for _ in plans]
    try:
        for turn in range(rounds):
            if turn > 0 and rounds <= MOST_BARRIERS:
                _pass_barrier(canary)
            for link, plan in zip(links, plans, strict=True):
                if turn < len(plan):
                    _send(link, plan[turn])
        return [_rest(link) for link in links]
    finally:
        for link in links:
            link.close()


def _pass_barrier(canary: socket.socket) -> None:
    """Once this is answered, the server has read all that was sent to it before."""
    canary.sendall(BARRIER)
    received = b""
    while not received.endswith(b'{"status":"ok"}\n'):
        received += (data := canary.recv(65536))
        if not data:
            raise EOFError(f"the barrier's connection was closed: {received!r}")


def _link(port: int) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def _send(link: socket.socket, part: bytes) -> None:
    try:
        link.sendall(part)
    except ConnectionError:
        # It was refused already, and the server has stopped reading; what it said is still to be read.
        return


def _rest(link: socket.socket) -> bytes:
    received = bytearray()
    while data := _read(link):
        received += data
    return bytes(received)


def _read(link: socket.socket) -> bytes:
    try:
        return link.recv(65536)
    except ConnectionError:
        return b""


def _fields(lines: Sequence[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = FIELD.fullmatch(line)
        if match is None:
            raise NotHttp(f"not a field: {line!r}")
        name = match[1].decode().lower()
        if name in headers:
            raise NotHttp(f"{name} came twice")
        headers[name] = match[2].decode()
    return headers
