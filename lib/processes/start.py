"""Children of ours as an asyncio loop has them, and what their ends mean: for the server's parent and the worker's
supervisor. How one is born, spawn.py says.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lib.logs.log import Log
from lib.processes.pipe import Pipe
from lib.processes.spawn import Spawned, spawn

Begun = TypeVar("Begun")

BORN_S = 120.0  # Until its first word: what job modules do when they are imported may take its time.
YOUNG_S = 1.0
FIRST_RESTART_S = 0.25
LONGEST_RESTART_S = 5.0


class Process:
    """A child that the loop can wait for. asyncio's own can't take over a child that was there before the loop.

    leads_group: what it has started and left in its process group ends with it, however it ends.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", *, leads_group: bool = False) -> None:
        self._process = process
        self._leads_group = leads_group
        self.pid = process.pid
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        # A thread each, as asyncio has them: to wait for one child alone, a SIGCHLD or a poll would need a handler
        # that nobody else takes away.
        threading.Thread(target=self._see_off, name=f"child-{self.pid}", daemon=True).start()

    @property
    def returncode(self) -> int | None:
        """None while it lives; negative for a signal."""
        return self._process.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended. Any number of tasks may wait."""
        await self._ended.wait()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL; nothing where it has ended."""
        if self._leads_group and self._process.returncode is None:
            end_group(self.pid)
        self._process.kill()

    def _see_off(self) -> None:
        if self._leads_group:
            # Before it is waited for: until then no other process, and so no other group, can have its number.
            if hasattr(os, "waitid"):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            else:
                self._process.wait()
            end_group(self.pid)
        self._process.wait()
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            self._loop.call_soon_threadsafe(self._ended.set)


def end_group(pid: int) -> None:
    """SIGKILL to all of a process group. PermissionError: on some systems, where only what has ended is left of it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def start(script: Path, *arguments: str, fds: Sequence[int] = ()) -> tuple[Process, Pipe]:
    """Spawn a child; see `spawn`. Raises OSError where the system has no process, thread or descriptor left."""
    return await take_over(spawn(script, *arguments, fds=fds))


async def take_over(spawned: Spawned) -> tuple[Process, Pipe]:
    """A child that was spawned, and our end of its pipe, on the running loop. Raises OSError where the system has no
    thread or descriptor left for it; then the child is ended."""
    try:
        return Process(spawned.process, leads_group=spawned.leads_group), await Pipe.over(spawned.end)
    except (OSError, RuntimeError) as fault:
        # RuntimeError: no thread. A child that nobody hears would work on unseen.
        spawned.end.close()
        if spawned.leads_group:
            end_group(spawned.process.pid)
        spawned.process.kill()
        spawned.process.wait()
        raise OSError(f"there is nothing left to look after it with: {fault}") from fault


async def keep_trying(begin: Callable[[], Awaitable[Begun]], stop: asyncio.Event, log: Log) -> Begun | None:
    """What `begin` gives; again and again while the system has no process, thread or descriptor left for a child: what
    runs here may have used them up, and may give them back. None where `stop` came first."""
    while not stop.is_set():
        try:
            return await begin()
        except OSError as fault:
            not_started(fault, log)
            await pause(stop, LONGEST_RESTART_S)
    return None


def not_started(fault: OSError, log: Log) -> None:
    log.error("process.not_started", f"No process could be started: {fault}; it is tried again")


def pause_before_restart_s(lived_s: float, last_pause_s: float) -> float:
    """0 after a life of some length; else longer each time, for what fails at once will fail again."""
    if lived_s >= YOUNG_S:
        return 0.0
    return min(LONGEST_RESTART_S, max(FIRST_RESTART_S, last_pause_s * 2))


async def pause(stop: asyncio.Event, pause_s: float) -> None:
    """Sleep, but not past `stop`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), pause_s)


def describe_end(code: int) -> str:
    """An exit code, negative for a signal, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
