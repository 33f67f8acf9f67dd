"""Receivers of webhooks that do not answer, beside one that does: nobody else waits for them.

A host that takes requests and never answers; a host that is down for a while. Each has thousands of webhooks, the good
one a hundred, one each 50 ms. What the good one waits is the time from the answer to a POST until its request comes.
"""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.faults.row import Row, percentile, seconds_text
from tests.faults.site import Site
from tests.processes import Server
from tests.system.oracle import faults

GOOD = 100
EACH_S = 0.05
MOST_WAIT_S = 1.0
AT_ONCE = 10
"""What the queue `webhook` begins with: so many webhooks at once for one host."""
SETTINGS: dict[str, Any] = {"JOB_MODULES": "lib.handlers.webhook", "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}
WORKER: dict[str, Any] = {**SETTINGS, "WORKER_QUEUES": "webhook=20"}
"""The slots that WORKER_QUEUES gives webhooks by default."""


def run(*, is_quick: bool) -> Iterator[Row]:
    yield mute(300 if is_quick else 10_000, timeout_s=10 if is_quick else 30)
    yield down(200 if is_quick else 2000, down_s=4 if is_quick else 20)


class Receiver(http.server.ThreadingHTTPServer):
    """Answers each request with 200; `came_s`: job id -> when its first request came."""

    request_queue_size = 512
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.came_s: dict[str, float] = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                receiver.came_s.setdefault(self.headers["webhook-id"], time.monotonic())
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *said: object) -> None:
                pass

        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


@contextlib.contextmanager
def _mute_host() -> Iterator[tuple[str, list[float]]]:
    """The URL of a host that takes each link and never says a word, and when the links came."""
    came_s: list[float] = []
    links: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    links.append(listening.accept()[0])
                    came_s.append(time.monotonic())

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", came_s
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        for link in links:
            link.close()


def mute(count: int, *, timeout_s: float) -> Row:
    """While it has all its slots, and while it rests and is tried again."""
    row = Row(f"hosts: a mute one with {count:,} webhooks beside a good one")
    with Site(queue="webhook") as site, Receiver() as good, _mute_host() as (mute_url, links_s):
        server = site.server(**SETTINGS)
        _post_many(server, mute_url, count, timeout_s=timeout_s)
        worker = site.worker(**WORKER)
        site.until(lambda: len(links_s) >= AT_ONCE, "the mute host has all its slots")
        waits_s = _good_ones(site, server, good)
        row.demand(len(links_s) == AT_ONCE, f"{len(links_s)} requests at once for one host, and not {AT_ONCE}")
        site.until(lambda: _strikes(server, mute_url), "it rests", within_s=timeout_s + 10)
        waits_s += _good_ones(site, server, good)
        _judge_waits(row, waits_s)
        known = _strikes(server, mute_url)
        probes = len(links_s) - AT_ONCE
        row.demand(probes <= known, f"{probes} requests were sent to it since it rests, for {known} rests")
        worker.kill_all()
        row.violations += [f"oracle: {fault}" for fault in faults(site.client)[:20]]
    return row


def down(count: int, *, down_s: float) -> Row:
    """One probe a rest; all are sent once the host is back."""
    row = Row(f"hosts: one down with {count:,} webhooks, and back")
    with Site(queue="webhook") as site, Receiver() as good:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        server = site.server(**SETTINGS)
        waiting = _post_many(server, url, count, backoff={"base_s": 1, "cap_s": 2})
        site.accepted += waiting
        site.worker(**WORKER)
        site.until(lambda: _strikes(server, url), "it rests")
        began_s = time.monotonic()
        waits_s = _good_ones(site, server, good)
        site.until(lambda: time.monotonic() > began_s + down_s, "it is down for a while", within_s=down_s + 10)
        tried, known = _attempts(site, waiting), _strikes(server, url)
        row.demand(tried < AT_ONCE + known, f"{tried} attempts in {known} rests")
        with Receiver(port) as back:
            back_s = time.monotonic()
            site.until(lambda: len(back.came_s) == count, "all are sent", within_s=120)
            row.recover_s.append(time.monotonic() - back_s)
            site.until_completed(site.accepted)
            waits_s += _good_ones(site, server, good)
        _judge_waits(row, waits_s)
        row.note += f", {tried} attempts in {known} rests"
        row.demand(not _strikes(server, url), "it has strikes, and takes all")
        site.judge(row)
    return row


def _good_ones(site: Site, server: Server, good: Receiver) -> list[float]:
    """What each of a hundred webhooks for the good host has waited."""
    posted_s: dict[str, float] = {}
    next_s = time.monotonic()
    for _ in range(GOOD):
        began_s = time.monotonic()
        (job_id,) = _post(server, [_webhook(good.url)])
        posted_s[job_id] = began_s
        next_s += EACH_S
        time.sleep(max(0.0, next_s - time.monotonic()))  # The pace of the load, and no wait for anything.
    site.until(lambda: posted_s.keys() <= good.came_s.keys(), "the good ones are sent")
    site.accepted += posted_s
    return [good.came_s[job_id] - at_s for job_id, at_s in posted_s.items()]


def _judge_waits(row: Row, waits_s: list[float]) -> None:
    p99_s = percentile(waits_s, 0.99)
    row.runs = len(waits_s)
    row.note = f"the good one's wait p50 {seconds_text(percentile(waits_s, 0.5))}, p99 {seconds_text(p99_s)}"
    row.demand(p99_s < MOST_WAIT_S, f"the good one waits {p99_s:.1f} s (p99)")


def _webhook(url: str, **options: Any) -> dict[str, Any]:
    return {"type": "webhook", "payload": {"url": url, "body": {}}, **options}


def _post_many(server: Server, url: str, count: int, **options: Any) -> list[str]:
    return _post(server, [_webhook(url, **options)] * count)


def _post(server: Server, bodies: list[dict[str, Any]]) -> list[str]:
    """The ids of jobs that the server has taken in, of one batch."""
    lines = "".join(f"{json.dumps(body)}\n" for body in bodies)
    reply = _ask(server, "POST", "/api/jobs/batch", lines.encode(), {"Content-Type": "application/x-ndjson"})
    found = [json.loads(line) for line in reply.splitlines()]
    ids = [line["id"] for line in found if line["status"] == 202]
    assert len(ids) == len(bodies), f"{len(ids)} of {len(bodies)} were taken in: {found[-1]}"
    return ids


def _strikes(server: Server, url: str) -> int:
    group = url.removeprefix("http://").rstrip("/").replace(":", "%3A")
    found = json.loads(_ask(server, "GET", f"/api/queues/webhook/groups/{group}", None, {}))
    return int(found["strikes"]["count"]) if found["strikes"] else 0


def _ask(server: Server, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    parts = urlsplit(server.url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        link.request(method, path, body, headers)
        reply = link.getresponse()
        text = reply.read()
    finally:
        link.close()
    assert reply.status < 300, f"{method} {path}: {reply.status} {text[:500]!r}"
    return text


def _attempts(site: Site, ids: list[str]) -> int:
    """How many attempts these jobs have made."""
    return sum(int(record.get("attempts", 0)) for record in site.records(ids).values())
