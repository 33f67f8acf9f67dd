"""`python -m tests.fuzz [--seconds 60] [--seed N]`: mutated requests at server.py, each answer held against oracle.py.

1. A batch of connections is sent; behind each batch a GET and a POST on fresh connections must be answered at once.
2. On each connection there are as many answers as a strict reader sees requests, and one refusal where it refuses; an
   upload that breaks off is told so in its answer's last line.
3. As many jobs are queued as were answered 202; no traceback, no error in the log, no 5xx but 501, 503 and 505.
4. Every second batch goes to a server with API_KEYS, of which some requests bear a good key; the key is in no log.

Prints counts, and each fault with the bytes that make it. Exit code 1 on any fault. The same seed sends the same bytes.
"""

import argparse
import contextlib
import http.client
import json
import random
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from lib.settings import api_keys
from tests.fuzz import mutate
from tests.fuzz.oracle import CUT, END, REFUSED, Seen, requests_in
from tests.private_redis import PrivateRedis
from tests.processes import Server
from tests.wire.conversation import Answer, NotHttp, take
from tests.wire.http_cases import JOB

BATCH = 100
HANG_S = 20.0
CANARY_S = 5.0
MOST_SHOWN = 20
REQUESTS = 1000  # the last that a connection may bring
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HTTP_REFUSALS = {400, 413, 414, 417, 431, 501, 505}
APP_REFUSALS = {204, 401, 403, 404, 405, 406, 412, 415, 421, 429}
GOOD_5XX = {501, 503, 505}


class Desync(AssertionError):
    """The server and a strict reader do not see the same requests."""


class Tally:
    """What was sent and what came of it."""

    def __init__(self) -> None:
        self.connections = 0
        self.canaries = 0
        self.jobs = 0
        self.statuses: Counter[int] = Counter()
        self.endings: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def fault(self, kind: str, what: str) -> None:
        self.faults[kind] += 1
        if self.faults[kind] <= MOST_SHOWN:
            print(f"{kind.upper()}  {what}", flush=True)


def main() -> int:
    arguments = _arguments()
    source, tally = random.Random(arguments.seed), Tally()
    print(f"seed {arguments.seed}", flush=True)
    key = mutate.KEY.decode()
    entry = f"fuzz:write:{key.split('_')[1]}:{api_keys.digest(key).hex()}"
    with (
        PrivateRedis() as redis,
        Server(redis.url, ALLOWED_HOSTS="*", LOG_MAX_BYTES=0) as server,
        Server(redis.url, ALLOWED_HOSTS="*", LOG_MAX_BYTES=0, API_KEYS=entry) as guarded,
    ):
        ports = [urlsplit(one.url).port or 0 for one in (server, guarded)]
        ends_s = time.monotonic() + arguments.seconds
        while time.monotonic() < ends_s and sum(tally.faults.values()) < MOST_SHOWN:
            for port in ports:
                _batch(port, source, tally)
        _look_back(server, tally)
        _look_back(guarded, tally)
        _count_jobs(server, tally)
    _report(tally)
    return 1 if tally.faults else 0


def _batch(port: int, source: random.Random, tally: Tally) -> None:
    raws = [mutate.request(source) for _ in range(BATCH)]
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(socket.create_connection(("127.0.0.1", port), HANG_S)) for _ in raws]
        plans = [mutate.parts(raw, source) for raw in raws]
        for turn in range(max(map(len, plans))):
            for link, plan in zip(links, plans, strict=True):
                if turn < len(plan):
                    _send(link, plan[turn])
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_WR)
        for raw, link in zip(raws, links, strict=True):
            _judge(raw, link, tally)
    _canary(port, tally)


def _judge(raw: bytes, link: socket.socket, tally: Tally) -> None:
    tally.connections += 1
    try:
        received = _rest(link)
        for answer in _finals(raw, received, tally):
            tally.statuses[answer.status] += 1
            tally.jobs += _jobs_in(answer)
            if answer.status >= 500 and answer.status not in GOOD_5XX:
                tally.fault("5xx", f"{answer} to {raw!r}")
    except TimeoutError:
        tally.fault("hang", repr(raw))
    except (Desync, NotHttp) as fault:
        tally.fault("desync", f"{fault}; sent {raw!r}")


def _jobs_in(answer: Answer) -> int:
    """How many jobs it says were taken in."""
    if answer.status == 202:
        return "idempotency-replayed" not in answer.headers
    if answer.status == 200 and (b'"index":' in answer.body[:20]):
        return sum(item["status"] == 202 for item in answer.items())
    return 0


def _finals(raw: bytes, received: bytes, tally: Tally) -> Iterator[Answer]:
    """The final answers, each held against what the oracle sees. Raises Desync or NotHttp."""
    whole = received
    for number, seen in enumerate(requests_in(raw), start=1):
        received = _behind_interim(received)
        if not received and seen.state in (END, CUT):
            tally.endings[seen.state] += 1
            return
        if not received:
            raise Desync(f"an answer is missing behind {whole[-300:]!r}")
        answer, received = take(received, is_bodiless=seen.is_head)
        yield answer
        _check(seen if number < REQUESTS else seen._replace(keeps_alive=False), answer)
        if answer.headers.get("connection") == "close" or answer.ends_early:
            tally.endings["closed" if seen.state is None else seen.state] += 1
            break
    if received:
        raise Desync(f"more answers than requests: {received[:300]!r}")


def _behind_interim(received: bytes) -> bytes:
    """What is behind each 100."""
    while received.startswith(CONTINUE):
        received = received[len(CONTINUE) :]
    return received


def _check(seen: Seen, answer: Answer) -> None:
    """Whether this is an answer that such a request may get."""
    status, closes = answer.status, answer.headers.get("connection") == "close"
    if "x-request-id" not in answer.headers:
        raise Desync(f"no X-Request-ID: {answer}")
    if seen.state == END:
        raise Desync(f"an answer to nothing: {answer}")
    if seen.state in (CUT, REFUSED):
        allowed = HTTP_REFUSALS | APP_REFUSALS if seen.has_head else HTTP_REFUSALS
        allowed = allowed | {422} if seen.is_batch else allowed
        # Where the operation is refused before its body has come, the answer can't say yet that the body will be bad.
        is_early = seen.has_head and status in APP_REFUSALS | ({422} if seen.is_batch else set())
        is_told = (
            answer.ends_early in HTTP_REFUSALS
            if seen.is_batch and status == 200
            else (closes or is_early) and status in allowed
        )
        if not is_told:
            raise Desync(f"{seen} was answered {answer}")
    elif answer.ends_early:
        raise Desync(f"{seen} is said to have broken off: {answer}")
    elif closes and seen.keeps_alive and not (seen.has_body and (status in APP_REFUSALS or seen.is_batch)):
        raise Desync(f"closed without a reason: {seen} was answered {answer}")
    elif not closes and not seen.keeps_alive:
        raise Desync(f"not closed: {seen} was answered {answer}")
    elif answer.body and status == 400 and answer.json()["type"] == "/problems/bad-request":
        raise Desync(f"{seen} was refused: {answer}")


def _canary(port: int, tally: Tally) -> None:
    """Whether others are still served."""
    for method, path, body, wanted in (("GET", "/livez", None, 200), ("POST", "/api/jobs", JOB, 202)):
        tally.canaries += 1
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=CANARY_S)
        try:
            key = {"Authorization": f"Bearer {mutate.KEY.decode()}"}
            link.request(method, path, body, key | ({"Content-Type": "application/json"} if body else {}))
            status = link.getresponse().status
        except (OSError, http.client.HTTPException) as fault:
            tally.fault("canary", f"{method} {path}: {fault!r}")
            continue
        finally:
            link.close()
        tally.statuses[status] += 1
        tally.jobs += status == 202
        if status != wanted:
            tally.fault("canary", f"{method} {path} was answered {status}")


def _look_back(server: Server, tally: Tally) -> None:
    """What the run left behind: log and console."""
    said = server.said()
    if "Traceback" in said or re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", said):
        tally.fault("console", "a traceback, or a control character")
    for path in (server.folder / "logs").glob("app.log*"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            _check_line(line, tally)


def _count_jobs(server: Server, tally: Tally) -> None:
    _, found, _ = server.request("GET", "/api/queues")
    queued = sum(queue["totals"].get("enqueued", 0) for queue in found["items"])
    if queued != tally.jobs:
        tally.fault("jobs", f"{queued} were queued, {tally.jobs} were answered 202")


def _check_line(raw: bytes, tally: Tally) -> None:
    try:
        line = json.loads(raw)
    except ValueError:
        tally.fault("log", f"no JSON: {raw!r}")
        return
    is_leak = mutate.KEY in raw
    if is_leak or not {"ts", "level", "event", "msg"} <= line.keys() or line["level"] == "ERROR" or "traceback" in line:
        tally.fault("log", repr(raw))


def _send(link: socket.socket, part: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        link.sendall(part)


def _rest(link: socket.socket) -> bytes:
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := link.recv(65536):
            received += data
    return bytes(received)


def _report(tally: Tally) -> None:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    endings = ", ".join(f"{ending}: {count}" for ending, count in tally.endings.most_common())
    faults = ", ".join(
        f"{tally.faults[kind]} {kind}" for kind in ("hang", "desync", "canary", "5xx", "jobs", "log", "console")
    )
    print(f"{tally.connections} connections, {sum(tally.statuses.values())} answers, {tally.canaries} canaries")
    print(f"answers by status: {statuses}")
    print(f"connections by how they ended: {endings}")
    print(f"faults: {faults}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to send (default: 60)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of what is sent")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
