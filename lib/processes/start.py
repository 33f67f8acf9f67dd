"""Starting processes of our own, and what their ends mean: for the server's parent and for the worker's supervisor.

A child is started anew with this Python, never forked: it shares nothing but what it is handed. Between the two there
is a pipe, and the child obeys that alone: PM2 and Ctrl-C signal a whole tree of processes at once, and it is for the
one on top to say what that means for the others.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.config import child_environment
from lib.processes.pipe import Pipe

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
YOUNG_S = 1.0
FIRST_RESTART_S = 0.25
LONGEST_RESTART_S = 5.0


async def start(script: Path, *arguments: str, fds: Sequence[int] = ()) -> tuple[asyncio.subprocess.Process, Pipe]:
    """A child that runs `script arguments --pipe FD`, and our end of its pipe. fds: what else it is handed."""
    ours, theirs = socket.socketpair()
    with theirs:
        # A child has what is blocked when it is made: a signal to the whole tree must not end it before it can say
        # that it minds none.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(script),
                *arguments,
                "--pipe",
                str(theirs.fileno()),
                pass_fds=(*fds, theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                env=child_environment(),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return process, await Pipe.over(ours)


def obey_the_pipe_alone() -> None:
    """For the child, first of all: mind no signal to stop."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


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
