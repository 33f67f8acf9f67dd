"""How a process of ours is born: this Python, started anew with a script, and a pipe between the two.

Never forked: it shares nothing but what it is handed. It obeys its pipe alone: PM2 and Ctrl-C signal a whole tree of
processes at once, and it is for the one on top to say what that means for the others.

Needs no asyncio, which takes as long to import as Python itself takes to start: worker.py has its runners start before
it imports what it needs itself. start.py takes over what was spawned.
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
    """A child, and our end of its pipe. leads_group: the group's id is its own, and what it starts belongs to it."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    leads_group: bool


def spawn(script: Path, *arguments: str, fds: Sequence[int] = (), leads_group: bool = False) -> Spawned:
    """A child that runs `script arguments --pipe FD`. fds: what else it is handed. leads_group: in a session of its
    own, so that Ctrl-C in a terminal does not reach the programs that it starts, and all of them end with it.

    Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as undo:
        undo.callback(ours.close)
        # A child has what is blocked when it is made: a signal to the whole tree must not end it before it can say
        # that it minds none.
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
