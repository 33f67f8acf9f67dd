"""Somebody who posts jobs to a server.py, at a rate, and sends again what was not answered 202.

A thread of its own; what was accepted, how each answer read, and how long each took is there to be looked at.
"""

import contextlib
import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
PAUSE_S = 0.05


class Load:
    """url: a function, since a server that was restarted listens elsewhere. body: makes the next job."""

    def __init__(self, url: Callable[[], str], body: Callable[[], dict[str, Any]], *, per_s: float) -> None:
        self._url = url
        self._body = body
        self._per_s = per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._link: http.client.HTTPConnection | None = None
        self.accepted: list[str] = []
        self.answers: Counter[str] = Counter()
        self.slowest_s: dict[str, float] = {}
        self.without_retry_after = 0
        self.accepted_at_s: list[float] = []

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when the job in hand was accepted."""
        self._stop.set()
        self._thread.join()
        self._hang_up()

    def _run(self) -> None:
        next_s = time.monotonic()
        while not self._stop.is_set():
            self._post(self._body(), str(uuid.uuid4()))
            next_s = max(next_s + 1 / self._per_s, time.monotonic() - 1)
            self._stop.wait(max(0.0, next_s - time.monotonic()))

    def _post(self, body: dict[str, Any], key: str) -> None:
        """Until it is accepted; after `stop`, for 30 s at most."""
        gives_up_s = None
        while gives_up_s is None or time.monotonic() < gives_up_s:
            if self._send(body, key):
                return
            if self._stop.is_set() and gives_up_s is None:
                gives_up_s = time.monotonic() + 30
            time.sleep(PAUSE_S)

    def _send(self, body: dict[str, Any], key: str) -> bool:
        began_s = time.monotonic()
        try:
            reply = self._ask(body, key)
            answer = f"{reply.status}"
            content = json.loads(reply.read())
            if reply.status == 503 and not reply.getheader("Retry-After"):
                self.without_retry_after += 1
        except (OSError, http.client.HTTPException, ValueError) as fault:
            answer, content = type(fault).__name__, None
            self._hang_up()
        took_s = time.monotonic() - began_s
        self.answers[answer] += 1
        self.slowest_s[answer] = max(took_s, self.slowest_s.get(answer, 0.0))
        if answer == "202":
            self.accepted.append(content["id"])
            self.accepted_at_s.append(time.monotonic())
        return answer == "202"

    def _ask(self, body: dict[str, Any], key: str) -> http.client.HTTPResponse:
        if self._link is None:
            parts = urlsplit(self._url())
            self._link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}
        self._link.request("POST", "/api/jobs", json.dumps(body).encode(), headers)
        return self._link.getresponse()

    def _hang_up(self) -> None:
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.close()
        self._link = None


def ask(url: str, path: str) -> tuple[int, float, dict[str, str], bytes]:
    """Status (0 where nothing came), seconds, header fields, body."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    began_s = time.monotonic()
    try:
        link.request("GET", path)
        reply = link.getresponse()
        body = reply.read()
        took_s = time.monotonic() - began_s
        return reply.status, took_s, {name.lower(): value for name, value in reply.getheaders()}, body
    except (OSError, http.client.HTTPException):
        return 0, time.monotonic() - began_s, {}, b""
    finally:
        link.close()
