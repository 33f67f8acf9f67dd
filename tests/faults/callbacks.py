"""Webhooks that are ended by callbacks, while runners, workers, servers and Redis are killed: each job is completed by
one callback, and by the one that was answered 200.

The receiver answers each webhook with 202 and calls back a moment later: that the work is done, or that it has failed;
or it forgets to. Sometimes it calls back before it answers. It sends a callback again until it is answered. It notes in
memory what it said and what it was told, and that is compared with Redis in the end.
"""

import contextlib
import http.client
import http.server
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.jobs import registry, submission
from lib.settings import config
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.processes import Server
from tests.traces import new_trace

WITHIN_S = 3
TOO_LATE = (404, 410)
SETTINGS = {"JOB_MODULES": "lib.handlers.webhook", "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}
MODULES = ["lib.handlers.webhook"]


class Said(NamedTuple):
    """One callback. number: of the webhook that it is for, from 0. status: how it was answered in the end."""

    job_id: str
    number: int
    outcome: str
    status: int


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """The runner that had sent the webhook was killed."""


class Receiver:
    """Takes webhooks, and calls back. Each thread ends with its callback."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.said: list[Said] = []
        self.webhooks = 0
        self.is_closed = False
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                time.sleep(receiver.take(self.headers["webhook-id"], self.headers["waybill-callback"]))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *said: object) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.is_closed = True
        self._server.shutdown()
        self._server.server_close()

    def take(self, job_id: str, url: str) -> float:
        """A webhook has come: call back now or soon, or not at all. Returns in how many seconds it is answered: some
        answers are so slow that the runner, or another one, is killed meanwhile."""
        with self._lock:
            number, self.webhooks = self.webhooks, self.webhooks + 1
            outcome = self._rng.choices(("completed", "failed", ""), (7, 2, 1))[0]
            pause_s = self._rng.choice((0, self._rng.uniform(0.01, 1.5)))
            answer_s = self._rng.choice((0.0, 0.0, self._rng.uniform(0.1, 0.8)))
        if outcome and pause_s:
            timer = threading.Timer(pause_s, self._call_back, (job_id, number, url, outcome))
            timer.daemon = True
            timer.start()
        elif outcome:
            self._call_back(job_id, number, url, outcome)
        return answer_s

    def _call_back(self, job_id: str, number: int, url: str, outcome: str) -> None:
        body = {"outcome": outcome, **({"result": number} if outcome == "completed" else {"retry_after_s": 0.1})}
        while not self.is_closed:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                status = _posted(url, body)
                if status == 200 or status in TOO_LATE:
                    with self._lock:
                        self.said.append(Said(job_id, number, outcome, status))
                    return
            time.sleep(0.05)


def _posted(url: str, body: Any) -> int:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.netloc, timeout=3)
    try:
        link.request("POST", parts.path, json.dumps(body), {"content-type": "application/json"})
        return link.getresponse().status
    finally:
        link.close()


class Crew:
    """A server and two workers, of which any may be killed and is replaced. The server keeps its address."""

    def __init__(self, site: Site) -> None:
        self._site = site
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._settings: dict[str, Any] = {
            **SETTINGS,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WORKER_QUEUES": "webhook=10",
        }
        self._port = port
        self.server = self._serve()
        self.workers = [self._work(), self._work()]

    def _serve(self) -> Server:
        return self._site.server(PORT=self._port, **self._settings)

    def _work(self) -> Runners:
        return self._site.worker(**self._settings)

    def suffer(self, rng: random.Random) -> str:
        """Kill one of them, or Redis. Gives what it was."""
        victim = rng.choice(("runner", "runner", "worker", "server", "redis"))
        if victim == "redis":
            self._site.redis.kill()
            time.sleep(rng.uniform(0, 0.5))
            self._site.redis.start()
            return victim
        if victim == "server":
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.wait()
            self.server = self._serve()
            return victim
        at = rng.randrange(len(self.workers))
        if victim == "runner":
            for pid in self.workers[at].runner_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return victim
        os.kill(self.workers[at].pid, signal.SIGKILL)
        self.workers[at] = self._work()
        return victim


def run(*, is_quick: bool) -> Iterator[Row]:
    jobs, kills = (60, 6) if is_quick else (600, 60)
    row = Row(f"{jobs} webhooks ended by callbacks, {kills} kills of runners, workers, servers and Redis", runs=jobs)
    rng = random.Random(11)
    with Site(queue="webhook", aof="always") as site, Receiver(7) as receiver:
        allows = {**SETTINGS, "PUBLIC_URL": "http://127.0.0.1"}
        site.types = registry.load(MODULES, config.load(allows, Path("none")))
        crew, ids = Crew(site), list[str]()
        for number in range(kills):
            ids += _hooks(site, receiver, jobs // kills)
            time.sleep(rng.uniform(0.1, 0.8))
            began_s = time.monotonic()
            crew.suffer(rng)
            if number % 10 == 9:
                site.until_completed(ids, 60)
                row.recover_s.append(time.monotonic() - began_s)
        site.until_completed(ids, 90)
        site.until(lambda: not site.client.zcard(f"{site.base}outside"), "nobody waits for a callback", 10)
        site.judge(row)
        _compare(row, site, receiver, ids)
        late = sum(said.status in TOO_LATE for said in receiver.said)
        row.demand(late or is_quick, "no callback was too late: the kills came at no moment that matters")
        row.note = f"{receiver.webhooks} webhooks, {late} callbacks too late"
    yield row


def _hooks(site: Site, receiver: Receiver, count: int) -> list[str]:
    payload = {"url": f"{receiver.url}/", "body": 1, "completion": "callback", "complete_within_s": WITHIN_S}
    options = {"max_attempts": 100, "backoff": {"base_s": 0.05, "cap_s": 0.2}, "timeout_s": 5}
    body = {"type": "webhook", "payload": payload, **options}
    new = (submission.read(body, site.types, site.ids, request_id="r", trace=new_trace()) for _ in range(count))
    return site.put_all(job for job, _ in new)


def _compare(row: Row, site: Site, receiver: Receiver, ids: list[str]) -> None:
    """Each job has the result of one webhook, whose callback was answered 200, and no other one's was."""
    records = site.records(ids)
    for job_id in ids:
        taken = [said.number for said in receiver.said if said[0] == job_id and said[2:] == ("completed", 200)]
        result = records[job_id].get("result")
        is_right = result is not None and taken == [int(result)]
        row.demand(is_right, f"{job_id} has the result {result}, and 200 had {taken}")
