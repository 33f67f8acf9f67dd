"""POSTs with an Idempotency-Key whose answers are lost, on their way to the client or on Redis' way to the server, and
that are sent again until one is heard: exactly one job each, and every answer names the same one."""

import http.client
import json
import random
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.faults.row import Row
from tests.faults.site import Site
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, Proxy, Request, Verdict


def run(*, is_quick: bool) -> Iterator[Row]:
    count = 200 if is_quick else 1000
    row = Row("POST, answer lost, sent again", runs=count)
    rng = random.Random(5)
    with Site() as site, Proxy(site.url) as redis_proxy:
        server = site.server(url=redis_proxy.url, LOG_LEVEL="INFO")
        with Proxy(server.url, framing="bytes", tcp=True) as http_proxy:
            for number in range(count):
                began_s = time.monotonic()
                _post(site, row, http_proxy, redis_proxy, f"key-{number}", rng)
                row.recover_s.append(time.monotonic() - began_s)
        redis_proxy.judge = lambda request: PASS
        made: Any = site.client.zcard(f"{site.base}all")
        row.demand(made == count, f"{made} jobs of {count} keys")
        site.judge(row, expected="ready")
    yield row


def _post(site: Site, row: Row, http_proxy: Proxy, redis_proxy: Proxy, key: str, rng: random.Random) -> None:
    """One key's POST: the answer is lost once or twice, then heard; and heard once more."""
    body = json.dumps(site.body("nothing")).encode()
    lost = [
        rng.choice(("http reply", "http reply", "redis reply", "redis request")) for _ in range(rng.choice((1, 1, 2)))
    ]
    heard = set()
    for what in lost:
        http_proxy.judge = lambda request: CUT_REPLY if what == "http reply" else PASS  # noqa: B023
        redis_proxy.judge = _Once(CUT_REPLY if what == "redis reply" else CUT_REQUEST) if "redis" in what else _pass
        heard.add(_send(http_proxy, body, key))
    http_proxy.judge = redis_proxy.judge = _pass
    heard |= {_send(http_proxy, body, key), _send(http_proxy, body, key)}
    ids = heard - {""}
    site.accepted += ids
    row.demand(len(ids) == 1, f"{key}: answered with {sorted(ids)} after {lost}")


def _pass(request: Request) -> Verdict:
    return PASS


class _Once:
    """The next script that the server calls goes wrong."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._is_done = False

    def __call__(self, request: Request) -> Verdict:
        if self._is_done or request.words[0] not in (b"EVALSHA", b"EVAL"):
            return PASS
        self._is_done = True
        return self._verdict


def _send(proxy: Proxy, body: bytes, key: str) -> str:
    """The id that it is answered with; "" where no 202 is heard."""
    parts = urlsplit(proxy.url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        link.request("POST", "/api/jobs", body, {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'})
        reply = link.getresponse()
        return str(json.loads(reply.read())["id"]) if reply.status == 202 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        link.close()
