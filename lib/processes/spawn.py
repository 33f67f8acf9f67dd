"""Starts a child process: this Python with a script of ours, and a pipe between parent and child.

The child is never a fork of its parent: they share nothing but the descriptors that the parent hands down. The child
obeys its pipe, and no signal. WHY: PM2 and Ctrl-C signal a whole tree of processes at once, and the process on top
decides what that means for its children.

This module needs no asyncio, which takes as long to import as Python itself takes to start: worker.py spawns its
runners before it imports what the supervisor needs. child_process.py takes over what was spawned.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from lib.processes.signals import MINDED
from lib.settings.config import child_environment

EXIT_FAULT = 70  # EX_SOFTWARE of sysexits.h


class Spawned(NamedTuple):
    """A child that was started, and the parent's end of its pipe. leads_group: as in `spawn`."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    leads_group: bool


def spawn(script: Path, *arguments: str, fds: Sequence[int] = (), leads_group: bool = False) -> Spawned:
    """Start a child that runs `script arguments --pipe FD`. fds: further descriptors that it is handed.

    leads_group: the child leads a session and a process group of its own. Then Ctrl-C in a terminal does not reach the
    programs that the child starts, and they can be killed together with the child. Raises OSError.
    """
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as undo:
        undo.callback(ours.close)
        # A child inherits which signals are blocked: a signal to the whole tree must not end it before it has called
        # obey_the_pipe_alone.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, MINDED)
        try:
            process = subprocess.Popen(
                [sys.executable, str(script), *arguments, "--pipe", str(theirs.fileno())],
                pass_fds=(*fds, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                env=child_environment(),
                start_new_session=leads_group,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        undo.pop_all()
    return Spawned(process, ours, leads_group)
