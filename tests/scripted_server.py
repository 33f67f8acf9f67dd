"""An HTTP server that gives the answers of a test, in their order, and notes every request.

    with ScriptedServer(answer(503, {"retry-after": "1"}), answer(202, body={"id": "a"})) as server:
        Waybill(server.url).enqueue("email", {})
    server.asked[0].headers["idempotency-key"]

When all answers are given it answers 500, or `otherwise`. HANG_UP in place of an answer closes the connection; a
function makes one of the request (an Asked).
"""

import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(NamedTuple):
    """A request. connection: the client's port. headers: by their names in small letters."""

    at_s: float
    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


HANG_UP = Answer(0, {}, b"")


def answer(status: int, headers: Mapping[str, str] | None = None, *, body: Any = None) -> Answer:
    """body: bytes as they are, anything else as JSON."""
    kind = "application/json" if status < 300 else "application/problem+json"
    text = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return Answer(status, {"content-type": kind, **(headers or {})}, text)


class ScriptedServer:
    """tls: the server's context, for https.

    asked: every request. answered: those that got an answer, each with its status."""

    def __init__(
        self,
        *answers: Answer | Callable[[Asked], Answer],
        tls: ssl.SSLContext | None = None,
        otherwise: Answer | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.answered: list[tuple[Asked, int]] = []
        rest = otherwise or answer(500)
        left = list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_any(handler) -> None:
                body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
                fields = {name.lower(): value for name, value in handler.headers.items()}
                port = handler.client_address[1]
                asked = Asked(time.monotonic(), port, handler.command, handler.path, fields, body)
                self.asked.append(asked)
                given = left.pop(0) if left else rest
                reply = given if isinstance(given, Answer) else given(asked)
                if reply is HANG_UP:
                    handler.close_connection = True
                    return
                self.answered.append((asked, reply.status))
                handler.send_response(reply.status)
                for name, value in {**reply.headers, "content-length": str(len(reply.body))}.items():
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(reply.body)

            do_GET = do_POST = do_PATCH = do_DELETE = do_any

            def log_message(handler, *said: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def deaf_server(reply: bytes) -> Iterator[str]:
    """The URL of a server that reads one byte of a request and sends `reply`. It leaves the rest of the request unread,
    so that its close resets the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listening.accept()
                    link.recv(1)
                    link.sendall(reply)
                    link.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "http://127.0.0.1:{1}".format(*listening.getsockname())
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
