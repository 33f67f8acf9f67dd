"""Processes that stand and fall together: started in order, watched, and stopped in the order that loses nothing.

1. Each gets a session of its own. Ctrl-C in a terminal reaches every process of the foreground group, Redis too, which
   would be gone before the worker could report what it finished; so only we hear it, and pass it on in order.
2. A signal is counted, not obeyed at once: whoever waits in `until` or `watch` sees it at the next look.
3. When one ends that should not, all others are stopped and its exit status becomes ours.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

from prod.local import LocalError

LOOK_S = 0.05
PATIENCE_S = 10.0  # beyond the grace that the service itself keeps
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(LocalError):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


class Ended(LocalError):
    """One of the crew has ended by itself."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(f"{name} ended by itself ({_ending(status)}).", status if status > 0 else 1)
        self.name = name


class Late(LocalError):
    """What was waited for has not come within its time."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    process: subprocess.Popen[bytes]
    leaves_last: bool


class Crew:
    """Use it as a context: on the way out everything that it started is stopped, whatever happened inside."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._members: list[Member] = []
        self._signals = 0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._handlers = {number: signal.signal(number, self._count) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def start(
        self,
        name: str,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        console: IO[bytes] | None = None,
        keeps_open: int | None = None,
        leaves_last: bool = False,
    ) -> None:
        """Starts one. `keeps_open`: a file descriptor that it inherits; `console`: where its output goes, else ours."""
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            pass_fds=() if keeps_open is None else (keeps_open,),
            start_new_session=True,
        )
        self._members.append(Member(name, process, leaves_last))

    def check(self) -> None:
        """Raises Stopped after a signal, Ended where one of the crew has ended by itself."""
        if self._signals:
            raise Stopped("Stopped.", 130)
        for member in self._members:
            status = member.process.poll()
            if status is not None:
                raise Ended(member.name, status)

    def until(self, condition: Callable[[], bool], limit_s: float, complaint: str) -> None:
        """Waits for a condition while all of the crew live. Raises Late(complaint) after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise Late(complaint)
            time.sleep(LOOK_S)
        self.check()

    def watch(self) -> None:
        """Returns never: raises as `check` does."""
        while True:
            self.check()
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """SIGTERM to server and worker, then to Redis: what they finish in their grace still has to be written down."""
        self.stop_service()
        self._dismiss(self._members)
        self._members.clear()

    def stop_service(self) -> None:
        """The same to all but those that leave last; they may be started again."""
        self._dismiss([member for member in self._members if not member.leaves_last])
        self._members = [member for member in self._members if member.leaves_last]

    def _dismiss(self, members: list[Member]) -> None:
        processes = [member.process for member in members if member.process.poll() is None]
        for process in processes:
            process.terminate()
        heard = self._signals
        deadline = time.monotonic() + self._grace_s + PATIENCE_S
        while processes := [process for process in processes if process.poll() is None]:
            if self._signals > heard or time.monotonic() > deadline:
                heard = self._signals
                self._hurry(processes, is_over=time.monotonic() > deadline)
            time.sleep(LOOK_S)

    def _hurry(self, processes: list[subprocess.Popen[bytes]], *, is_over: bool) -> None:
        """A second Ctrl-C is passed on (the worker then returns its jobs at once); past the deadline it is the end."""
        for process in processes:
            if is_over:
                # Not reaped yet, so the group is still its own; with it go the processes that it started, but for the
                # worker's runners: each leads a group of its own, finds its pipe closed, and leaves.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            else:
                process.terminate()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
