"""A Redis of a test's own: a real server on a unix socket, in a folder that is deleted with it; never the one on 6379.

    with PrivateRedis(aof="always") as redis:
        worker = Worker(redis.url)

A test can stop, kill and freeze the server, and start it again on the same data. The server is in the test's process
group, so that it ends with a test that is killed.
"""

import functools
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import redis

from prod.local import redis_server
from tests.waiting import wait_until as wait_until

START_S = 20.0


@functools.cache
def server_program() -> str:
    """The path of the redis-server or valkey-server that all tests run, the same that `make run` starts."""
    found = redis_server.binary()
    if not found:
        raise RuntimeError("the tests need redis-server or valkey-server, 7.0 or newer; `make test` installs one")
    return found


class PrivateRedis:
    """aof: "no" (a restart begins empty), or the server's appendfsync. options: as on the server's command line.
    environment: variables for the server beside those of the test."""

    def __init__(
        self,
        *,
        aof: Literal["no", "everysec", "always"] = "no",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wb-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        # "s", for on macOS the path of a unix socket has at most 104 bytes.
        self.path = Path(self._folder.name) / "s"
        self.url = f"unix://{self.path}"
        durability = ["--appendonly", "no"] if aof == "no" else ["--appendonly", "yes", "--appendfsync", aof]
        self._arguments = ["--port", "0", "--unixsocket", str(self.path), "--save", "", *durability, *options]
        self._environment = {**os.environ, **(environment or {})}
        self._client: redis.Redis | None = None

    def __enter__(self) -> "PrivateRedis":
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    @property
    def client(self) -> Any:  # redis-py's types say "bytes or str, now or to be awaited" of every answer.
        """A plain client, for a test that looks into Redis. Its answers are bytes."""
        if self._client is None:
            self._client = redis.Redis(unix_socket_path=str(self.path))
        return self._client

    @property
    def clients(self) -> list[Any]:
        """A client for each server, as PrivateCluster has them: here for the one."""
        return [self.client]

    def start(self) -> None:
        """Start the server. Returns when it answers PING, with its data loaded."""
        assert self._process is None or self._process.poll() is not None, "it runs already, and would never be ended"
        self.path.unlink(missing_ok=True)
        with (Path(self._folder.name) / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [server_program(), *self._arguments, "--dir", self._folder.name],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "the private Redis answers", within_s=START_S)

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the server keeps its connections and answers nothing, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill the server and delete its folder."""
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self.kill()
        self._folder.cleanup()

    def _end(self, number: int) -> None:
        assert self._process is not None, "it was not started"
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
        self._process.wait(START_S)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (Path(self._folder.name) / "redis.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the private Redis ended at its start:\n{said[-2000:]}")
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(1)
                link.connect(str(self.path))
                link.sendall(b"PING\r\n")
                return link.recv(64).startswith(b"+PONG")
        except OSError:
            return False
