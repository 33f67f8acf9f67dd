"""A Redis of a test's own: a real server on a unix socket in a folder that goes with it; never the one on 6379.

    with PrivateRedis(aof="always") as redis:
        worker = Worker(redis.url)

It can be stopped, killed, frozen and started again on the same data. It is in the test's process group, so that a
test that is killed takes it along.
"""

import functools
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import redis

from prod.local import redis_server

START_S = 20.0
LOOK_S = 0.01


@functools.cache
def server_program() -> str:
    """The path of the redis-server or valkey-server that all tests run; `make run` would start the same one."""
    found = redis_server.binary()
    if not found:
        raise RuntimeError("the tests need redis-server or valkey-server, 7.0 or newer; `make test` installs one")
    return found


def wait_until(condition: Callable[[], object], what: str, *, within_s: float = 20.0, every_s: float = LOOK_S) -> Any:
    """What `condition` gives, once that is true. Raises AssertionError after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(every_s)
    return value


class PrivateRedis:
    """aof: "no" (a restart begins empty), or the appendfsync that it is run with. options: as on the command line.
    environment: what it is given beside this process' own."""

    def __init__(
        self,
        *,
        aof: Literal["no", "everysec", "always"] = "no",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wb-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        # Short: the name of a unix socket has 104 bytes on macOS.
        self.path = Path(self._folder.name) / "s"
        self.url = f"unix://{self.path}"
        durability = ["--appendonly", "no"] if aof == "no" else ["--appendonly", "yes", "--appendfsync", aof]
        self._arguments = ["--port", "0", "--unixsocket", str(self.path), "--save", "", *durability, *options]
        self._environment = {**os.environ, **(environment or {})}
        self._client: redis.Redis | None = None

    def __enter__(self) -> "PrivateRedis":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    @property
    def client(self) -> Any:  # redis-py's own types say "bytes or str, now or to be awaited" of every answer
        """A plain client for looking in; it answers bytes."""
        if self._client is None:
            self._client = redis.Redis(unix_socket_path=str(self.path))
        return self._client

    @property
    def clients(self) -> list[Any]:
        """One for each server that there is."""
        return [self.client]

    def start(self) -> None:
        """Returns when it answers PING, its data loaded."""
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
        """As an operator does: SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder."""
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
