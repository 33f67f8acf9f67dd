"""The programs that jobs start, with `subprocess` or asyncio's own functions, and that must not outlive their attempt.

An attempt that fails or is stopped has its programs killed. WHY: the next attempt would run beside what the last one
left. A program that a completed or snoozed job left running may be meant to go on; it ends with its runner's process
group (runner_exit.py).
"""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def watch_starts(note: Callable[["subprocess.Popen[Any]"], None]) -> None:
    """Have `note` called with every program that this process starts, by the task or thread that starts it. Programs
    that get a session or a process group of their own are left out: they are meant to stand alone.

    WHY Popen.__init__ is replaced: asyncio and nearly every library start programs with this class, and nothing else
    tells who started which.
    """
    popen: Any = subprocess.Popen
    begin = popen.__init__

    @functools.wraps(begin)
    def begin_and_note(program: "subprocess.Popen[Any]", *arguments: Any, **options: Any) -> None:
        begin(program, *arguments, **options)
        if not options.get("start_new_session") and options.get("process_group") is None:
            note(program)

    popen.__init__ = begin_and_note


def kill(programs: Iterable["subprocess.Popen[Any]"]) -> None:
    """Send SIGKILL to the programs that still run, and to all that these have started."""
    for program in programs:
        # Not poll(), which would take the exit code away from asyncio, which waits for it.
        if program.returncode is None:
            for pid in _family(program.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def has_processes() -> bool:
    """Whether processes run that jobs started with multiprocessing."""
    module = sys.modules.get("multiprocessing")  # Not imported here: if no job did, there are no such processes.
    return module is not None and bool(module.active_children())


def _family(pid: int) -> list[int]:
    """A process and all its descendants; the process alone where the system has no /proc."""
    found = [pid]
    for parent in found:  # The list grows while it is walked.
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, path.read_text(encoding="utf-8").split())
    return found
