"""Clients of Server-Sent Events: a reconnect loses no event, and none is handed on empty.

Each follows the events of one server through a proxy, which cuts the link twice: once before anything was told but a
bookmark, once behind an event. A job is queued while it is cut. Those of Python don't come back by themselves: they are
started again with the last id that they gave.
"""

import contextlib
import json
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.clients import install
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server

NODE_CLIENTS = ("eventsource", "@microsoft/fetch-event-source", "launchdarkly-eventsource")
PYTHON_CLIENTS = ("sseclient-py", "httpx-sse", "aiohttp-sse-client")
NEEDED = {"httpx-sse": ("httpx",)}
NOOP = {"type": "noop", "payload": {}}
LIMIT_S = 60.0


def run() -> list[str]:
    """A line for each client."""
    faults: list[str] = []
    with PrivateRedis() as redis, Server(redis.url) as server:
        _post(server)
        for name in (*(NODE_CLIENTS if install.node_modules(*NODE_CLIENTS) else ()), *PYTHON_CLIENTS):
            found = _faults(name, server)
            print(f"{name.ljust(32)} {'; '.join(found) or 'no event lost, none empty'}", flush=True)
            faults += [f"{name}: {fault}" for fault in found]
    return faults


class Relay:
    """Carries bytes between its port and a server's, until it is told to cut what it carries."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_all(self) -> None:
        links, self._links = self._links, []
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
        self.cut_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target)
                self._links += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


class Follower:
    """One client at work. `told`: what it was handed, over all its links."""

    def __init__(self, name: str, url: str) -> None:
        self._name, self._url = name, url
        self._said = Path(tempfile.mkstemp(prefix="wb-follower-")[1])
        self._process = self._start("")

    def _start(self, last_id: str) -> "subprocess.Popen[bytes]":
        if self._name in NODE_CLIENTS:
            words, folder = ["node", "streams.mjs", self._name, self._url], install.node_modules(*NODE_CLIENTS)
        else:
            python = install.python_with(self._name, *NEEDED.get(self._name, ()))
            words, folder = [str(python), "follow.py", self._name, self._url, last_id], install.FOLDER
        with self._said.open("ab") as said:
            return subprocess.Popen(words, cwd=folder, stdout=said)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._said.read_text(encoding="utf-8").splitlines()]

    def come_back(self) -> None:
        """Start it again where it doesn't come back by itself, as its user would: with the last id that it gave."""
        if self._process.poll() is not None:
            self._process = self._start(next((one["lastId"] for one in reversed(self.told) if one["lastId"]), ""))

    def is_told_of(self, job_id: str) -> bool:
        self.come_back()
        return any(job_id in one["data"] for one in self.told)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._said.unlink()


def _faults(name: str, server: Server) -> list[str]:
    with contextlib.closing(Relay(server.url.removeprefix("http://"))) as proxy:
        follower = Follower(name, f"http://{proxy.address}/api/events")
        try:
            return list(filter(None, [_lost(follower, proxy, server, cut) for cut in ("bookmark", "message")])) + [
                f"was handed {one}" for one in follower.told if not _is_json(one["data"])
            ]
        finally:
            follower.close()


def _lost(follower: Follower, proxy: Relay, server: Server, event: str) -> str:
    """Cut its link when it was handed such an event; what it is not told of what happens meanwhile."""
    if event == "message":
        _post(server)
    try:
        wait_until(lambda: any(one["event"] == event for one in follower.told), f"a {event}", within_s=LIMIT_S)
        proxy.cut_all()
        missed = _post(server)
        wait_until(lambda: follower.is_told_of(missed), "it is told", within_s=LIMIT_S)
    except AssertionError as fault:
        return f"behind a {event}: {fault}, it has {follower.told}"
    return ""


def _post(server: Server) -> str:
    return str(server.request("POST", "/api/jobs", NOOP)[1]["id"])


def _is_json(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(text), dict)
    return False
