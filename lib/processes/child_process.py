"""A child process as the asyncio loop of its parent has it: its exit can be waited for, and it can be killed.

For the server's parent and the worker's supervisor. spawn.py starts the process; `take_over` makes a ChildProcess and
a Pipe of what was spawned. When the next one is started, restarts.py says.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from lib.processes.pipe import Pipe
from lib.processes.spawn import Spawned, spawn

FIRST_MESSAGE_S = 120.0
"""How long a child may take until its first message. What job modules do when they are imported may take its time."""


class ChildProcess:
    """A child that the loop can wait for. asyncio's own class can't take over a child that was spawned before the loop.

    leads_group: the child leads a process group. However the child ends, the programs in its group are killed.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", *, leads_group: bool = False) -> None:
        self._process = process
        self._leads_group = leads_group
        self.pid = process.pid
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        # A thread for each child, as asyncio has them. WHY: to wait for this child alone by SIGCHLD would need a signal
        # handler that no job module replaces.
        threading.Thread(target=self._wait_in_thread, name=f"child-{self.pid}", daemon=True).start()

    @property
    def returncode(self) -> int | None:
        """The exit code; negative for a signal (-9: SIGKILL). None while the child lives."""
        return self._process.returncode

    async def wait(self) -> int:
        """The exit code, once the child has ended. Any number of tasks may wait."""
        await self._ended.wait()
        return self._process.wait()

    def kill(self) -> None:
        """Send SIGKILL. Does nothing to a child that has ended."""
        if self._leads_group and self._process.returncode is None:
            kill_group(self.pid)
        self._process.kill()

    def _wait_in_thread(self) -> None:
        if self._leads_group:
            # End the group before the child is reaped: until then no other process can get the child's number, and so
            # no other group can.
            if hasattr(os, "waitid"):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            else:
                self._process.wait()
            kill_group(self.pid)
        self._process.wait()
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            self._loop.call_soon_threadsafe(self._ended.set)


def kill_group(pid: int) -> None:
    """Send SIGKILL to every process of the group that `pid` leads."""
    # PermissionError: some systems raise it where every process of the group has ended already.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def start(script: Path, *arguments: str, fds: Sequence[int] = ()) -> tuple[ChildProcess, Pipe]:
    """Spawn a child (see `spawn`) and take it over. Raises OSError where the system has no process, thread or
    descriptor left."""
    return await take_over(spawn(script, *arguments, fds=fds))


async def take_over(spawned: Spawned) -> tuple[ChildProcess, Pipe]:
    """Have the running loop wait for a spawned child and read its pipe. Raises OSError where the system has no thread
    or descriptor left for that; then the child is killed."""
    try:
        return ChildProcess(spawned.process, leads_group=spawned.leads_group), await Pipe.over(spawned.end)
    except (OSError, RuntimeError) as fault:
        # RuntimeError: no thread. A child whose pipe nobody reads would work on unseen, so it must not live.
        spawned.end.close()
        if spawned.leads_group:
            kill_group(spawned.process.pid)
        spawned.process.kill()
        spawned.process.wait()
        raise OSError(f"there is nothing left to look after it with: {fault}") from fault


def describe_end(code: int) -> str:
    """An exit code in words: "exit code 70"; for a negative one the signal, "killed by SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
