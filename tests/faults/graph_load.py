"""Somebody who asks servers for graphs, and sends again, under the same Idempotency-Key, what was not answered 202."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.faults.graph_errands import Errand

TIMEOUTS_S = (6.0, 20.0)
"""How long one waits for an answer: less, or more, than a server is frozen. The one asks another server meanwhile, the
other is answered by the frozen one, which has gone on with a graph whose jobs have given it up."""
PAUSE_S = 0.1
GIVES_UP_S = 60.0
Answer = tuple[int, Any]


class GraphLoad:
    """Some threads, each of which has one errand at a time. urls: a function each, since a server that was started anew
    listens elsewhere. ledger, folder: as for Errand.body. pause_s: each thread's behind an errand."""

    def __init__(
        self,
        urls: Sequence[Callable[[], str]],
        errands: Iterable[Errand],
        ledger: Path,
        folder: Path,
        *,
        threads: int,
        pause_s: float,
    ) -> None:
        self._urls = list(urls)
        self._ledger = ledger
        self._folder = folder
        self._pause_s = pause_s
        self._waiting: SimpleQueue[Errand] = SimpleQueue()
        for errand in errands:
            self._waiting.put(errand)
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]
        self.accepted: list[Errand] = []
        self.answers: Counter[str] = Counter()
        self.refused: list[str] = []

    def __enter__(self) -> "GraphLoad":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.give_up() if any(fault) else self.join()

    @property
    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        """Wait until each errand was accepted, or given up."""
        for thread in self._threads:
            thread.join()

    def give_up(self) -> None:
        """Ask for no more."""
        while not self._waiting.empty():
            self._next()

    def _next(self) -> Errand | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _run(self, number: int) -> None:
        rng = Random(number)
        while errand := self._next():
            time.sleep(self._pause_s)
            errand.asked_s = time.monotonic()
            body = errand.body(self._ledger, self._folder)
            answer = self._until_answered(rng, "POST", errand.path, body, errand.name, accepts=(202,))
            if answer is None:
                continue
            errand.anchor_id = answer[1]["id"]
            self.accepted.append(errand)
            if errand.is_stopped:
                time.sleep(rng.uniform(0, 1))
                path = f"/api/workflows/{errand.anchor_id}/cancel"
                self._until_answered(rng, "POST", path, None, "", accepts=(200, 202, 409))

    def _until_answered(
        self, rng: Random, method: str, path: str, body: Any, key: str, accepts: Sequence[int]
    ) -> Answer | None:
        """None where it was refused for good, or not accepted for two minutes."""
        gives_up_s = time.monotonic() + GIVES_UP_S
        while time.monotonic() < gives_up_s:
            try:
                status, content = ask(rng.choice(self._urls)(), method, path, body, key, rng.choice(TIMEOUTS_S))
            except (OSError, http.client.HTTPException, ValueError, AssertionError) as fault:
                self.answers[type(fault).__name__] += 1
                time.sleep(PAUSE_S)
                continue
            self.answers[str(status)] += 1
            if status in accepts:
                return status, content
            if status < 500:
                break
            time.sleep(PAUSE_S)
        self.refused.append(f"{method} {path}: {dict(self.answers)}")
        return None


def ask(url: str, method: str, path: str, body: Any = None, key: str = "", timeout_s: float = TIMEOUTS_S[-1]) -> Answer:
    """Status and content. Raises OSError, HTTPException or ValueError where no whole answer came."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    headers = {"Idempotency-Key": f'"{key}"'} if key else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        link.request(method, path, json.dumps(body).encode() if body is not None else None, headers)
        reply = link.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        link.close()
