"""Clients that are refused while they send 5 MB: how many of 10 see the status, beside Express and nginx.

Needs Node and npm for Node's clients, and takes curl, wget and nginx where they are.
"""

import contextlib
import http.client
import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from lib.settings.api_keys import new_key
from tests.clients import install
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server

BODY_BYTES = 5_000_000
TIMES = 10
JSON, NDJSON = "application/json", "application/x-ndjson"
NODE_PACKAGES = ("axios", "got", "undici", "express")
LIMIT_S = 120.0

Seen = dict[str, list[int | str]]


def run() -> list[str]:
    """A column for each refusal and each peer, a row for each client."""
    columns: dict[str, tuple[int, Seen]] = {}
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(PrivateRedis())
        open_to_all = stack.enter_context(Server(redis.url))
        _, entry = new_key("reader", "read", "", secrets.choice)
        guarded = stack.enter_context(Server(redis.url, API_KEYS=entry))
        columns["413"] = 413, _seen(f"{open_to_all.url}/api/jobs", JSON)
        columns["415"] = 415, _seen(f"{open_to_all.url}/api/jobs", "text/plain")
        columns["404"] = 404, _seen(f"{open_to_all.url}/nowhere", JSON)
        columns["401, NDJSON"] = 401, _seen(f"{guarded.url}/api/jobs/batch", NDJSON)
        for name, peer in (("Express", _express), ("nginx", _nginx)):
            if (url := stack.enter_context(peer())) is not None:
                columns[f"{name} 413"] = 413, _seen(url, JSON)
    _print(columns)
    return [
        f"{client} saw {sorted(set(map(str, seen)))} where the answer was {status}"
        for title, (status, clients) in columns.items()
        if not title.startswith(("Express", "nginx"))
        for client, seen in clients.items()
        if set(seen) != {status}
    ]


def _seen(url: str, kind: str) -> Seen:
    own: dict[str, Callable[[str, str], int]] = {"urllib": _urllib, "http.client": _http_client}
    own |= {name: call for name, call in (("curl", _curl), ("wget", _wget)) if shutil.which(name)}
    found: Seen = {name: [_outcome(call, url, kind) for _ in range(TIMES)] for name, call in own.items()}
    if folder := install.node_modules(*NODE_PACKAGES):
        words = ("node", "refusals.mjs", url, kind, str(BODY_BYTES), str(TIMES))
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=True)
        found |= json.loads(done.stdout)
    return found


def _outcome(call: Callable[[str, str], int], url: str, kind: str) -> int | str:
    try:
        return call(url, kind)
    except OSError as fault:
        return type(fault).__name__


def _urllib(url: str, kind: str) -> int:
    request = urllib.request.Request(url, bytes(BODY_BYTES), {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def _http_client(url: str, kind: str) -> int:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
    with contextlib.closing(link):
        link.request("POST", parts.path, iter([bytes(65536)] * (BODY_BYTES // 65536)), {"Content-Type": kind})
        return link.getresponse().status


def _curl(url: str, kind: str) -> int:
    with _body() as path:
        words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Content-Type: {kind}", "-H", "Expect:"]
        return int(_said([*words, "--data-binary", f"@{path}", url]))


def _wget(url: str, kind: str) -> int:
    with _body() as path:
        words = ["wget", "-S", "-q", "-O", "/dev/null", "-t", "1", f"--header=Content-Type: {kind}"]
        said = _said([*words, f"--post-file={path}", url]).split()
        return int(said[said.index("HTTP/1.1") + 1]) if "HTTP/1.1" in said else 0


def _said(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.stdout + done.stderr


@contextlib.contextmanager
def _body() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(BODY_BYTES))
        file.flush()
        yield Path(file.name)


@contextlib.contextmanager
def _express() -> Iterator[str | None]:
    folder = install.node_modules(*NODE_PACKAGES)
    if folder is None:
        yield None
        return
    with subprocess.Popen(["node", "express.mjs"], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()


@contextlib.contextmanager
def _nginx() -> Iterator[str | None]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="wb-nginx-") as name:
        folder, port = Path(name), _free_port()
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
            f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
            f"server {{ listen 127.0.0.1:{port}; client_max_body_size 1m; location / {{ return 200; }}\n"
            # A proxied place: where nginx itself answers, it looks at no size.
            f"location /up {{ proxy_pass http://127.0.0.1:9; }} }} }}\n",
            encoding="utf-8",
        )
        words = (program, "-p", name, "-c", f"{folder}/nginx.conf")
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: (folder / "pid").exists(), "nginx is there")
                yield f"http://127.0.0.1:{port}/up"
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _print(columns: dict[str, tuple[int, Seen]]) -> None:
    clients = list(dict.fromkeys(client for _, seen in columns.values() for client in seen))
    print(f"of {TIMES} requests of {BODY_BYTES:,} bytes, so many see their answer")
    print("  ".join([" " * 20, *columns]))
    for client in clients:
        cells = [str(seen.get(client, []).count(status)).rjust(len(title)) for title, (status, seen) in columns.items()]
        print("  ".join([client.ljust(20), *cells]))
