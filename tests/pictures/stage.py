"""The live Waybill that is photographed: Redis, server, worker, an SMTP server, a receiver of webhooks.

with Stage() as stage:
    stage.post("/api/jobs", {"type": "email", …}, request_id="order-4711")
    stage.worker.wait_for("job.finished")
"""

import base64
import contextlib
import http.server
import random
import secrets
import socket
import threading
from collections.abc import Iterator
from typing import Any, Self

from prod.local.processes import free_port
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.smtp_server import SmtpServer

MODULES = "lib.handlers.email,lib.handlers.webhook,tests.pictures.shop"
QUEUES = "email=5,images=4,invoices=3,imports=2,webhook=4,default=2"
PORT = 8000
SCHEDULES: dict[str, dict[str, Any]] = {
    "stock-every-5-min": {
        "every_s": 300,
        "job": {"type": "stock.import", "payload": {"file": "stock-delta.csv", "rows": 400}},
    },
    "cleanup": {"cron": "* * * * *", "job": {"type": "cleanup", "payload": {}}},
    "invoices-of-the-night": {
        "cron": "30 2 * * mon-fri",
        "timezone": "Europe/Berlin",
        "job": {"type": "invoice", "payload": {"order": 0, "total": "0.00"}},
    },
    "newsletter": {
        "cron": "0 9,17 * * *",
        "timezone": "Europe/Berlin",
        "job": {"type": "email", "payload": {"to": "all@shop.example", "subject": "News", "text": "…"}},
    },
    "report-of-the-month": {
        "cron": "0 6 1 * *",
        "timezone": "America/New_York",
        "job": {"type": "report", "payload": {"month": "last"}},
    },
    "thumbnails-again": {
        "cron": "15 */3 * * *",
        "job": {"type": "thumbnail", "payload": {"image": "shoes-17.jpg"}},
    },
}

# The photos of a new shoe: the original is fetched, cut to sizes, checked, and told to the shop.
WORKFLOW: dict[str, Any] = {
    "name": "new shoe",
    "jobs": {
        "original": {"type": "thumbnail", "payload": {"image": "shoes-90.jpg", "width": 4000}},
        **{
            f"size-{width}": {"type": "thumbnail", "payload": {"image": image, "width": width}, "after": ["original"]}
            for width, image in ((160, "shoes-90.jpg"), (320, "shoes-90.jpg"), (640, "shoes-90.jpg"))
        },
        "banner": {
            "type": "thumbnail",
            "payload": {"image": "banner.txt", "width": 1600},
            "after": ["original"],
            "optional": True,
            "max_attempts": 1,
        },
        "stock": {"type": "stock.import", "payload": {"file": "shoes-90.csv", "rows": 300}},
        "catalogue": {
            "type": "invoice",
            "payload": {"order": 90},
            "after": ["size-160", "size-320", "size-640", {"job": "banner", "on": "ended"}, "stock"],
        },
        "newsletter": {
            "type": "email",
            "payload": {"to": "all@shop.example", "subject": "A new shoe", "text": "…"},
            "after": ["catalogue"],
        },
    },
}


class Stage:
    """server, worker, smtp: the processes. hook: the address of the receiver of webhooks."""

    server: Server
    worker: Worker
    smtp: SmtpServer
    hook: str

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.smtp = stack.enter_context(SmtpServer("--no-keep"))
            redis = stack.enter_context(PrivateRedis(aof="everysec"))
            self.hook = f"http://127.0.0.1:{stack.enter_context(_receiver())}/hooks/orders"
            settings: dict[str, object] = {
                "JOB_MODULES": MODULES,
                "SMTP_URL": self.smtp.url(),
                "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
                "WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
                "WORKER_QUEUES": QUEUES,
                "WORKER_PROCESSES": 1,
            }
            self.server = stack.enter_context(Server(redis.url, PORT=_port(), **settings))
            self.worker = stack.enter_context(Worker(redis.url, **settings))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    def start_server_anew(self) -> None:
        """It reads the dashboard's files when it starts: so the pages are those that lie on the disk by now."""
        self.server.stop()
        self.server.start()
        self.server.wait_for("server.started", 2)
        self.server.wait_until_ready()

    def make_schedules(self) -> None:
        for name, schedule in SCHEDULES.items():
            self.ask("PUT", f"/api/schedules/{name}", schedule)

    def post(self, path: str, body: Any, request_id: str = "") -> Any:
        return self.ask("POST", path, body, **({"x_request_id": request_id} if request_id else {}))

    def ask(self, method: str, path: str, body: Any = None, **fields: str) -> Any:
        """The answer's body. Raises AssertionError for an answer that is no success."""
        status, answer, _ = self.server.request(method, path, body, **fields)
        assert status < 300, (method, path, answer)
        return answer


def _port() -> int:
    """The one that the README names, where it is free."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", PORT))
            return PORT
    return free_port()


class _Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Takes a webhook; one in twelve is refused, as by a shop that is being deployed."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(503 if random.random() < 1 / 12 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """The console is the story's."""


@contextlib.contextmanager
def _receiver() -> Iterator[int]:
    """The port at which it listens."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()
