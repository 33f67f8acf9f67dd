"""The programs that jobs start (subprocess, asyncio's): an attempt that fails or is stopped takes its own along.

WHY: the next attempt would run beside what the last one left. A program that outlives a job that came to its end, or
snoozed, may be meant to; it ends with its runner, as all do that are in the runner's process group.
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


def watch(note: Callable[["subprocess.Popen[Any]"], None]) -> None:
    """Have `note` called with every program that this process starts, by the task or thread that starts it. Not with
    one that is given a session or a process group of its own: that one is meant to stand alone.

    WHY so: asyncio, and nearly every library, starts its programs by this class, and nothing else tells who did.
    """
    popen: Any = subprocess.Popen
    begin = popen.__init__

    @functools.wraps(begin)
    def begin_and_note(program: "subprocess.Popen[Any]", *arguments: Any, **options: Any) -> None:
        begin(program, *arguments, **options)
        if not options.get("start_new_session") and options.get("process_group") is None:
            note(program)

    popen.__init__ = begin_and_note


def end(programs: Iterable["subprocess.Popen[Any]"]) -> None:
    """SIGKILL to those that live, and to what they have started."""
    for program in programs:
        # Not poll(), which would take its exit code from asyncio, which waits for it.
        if program.returncode is None:
            for pid in _family(program.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def are_processes_there() -> bool:
    """Whether jobs have started processes with multiprocessing that have not ended yet."""
    module = sys.modules.get("multiprocessing")  # Not imported where no job has done so.
    return module is not None and bool(module.active_children())


def _family(pid: int) -> list[int]:
    """A process and all below it; itself alone where the system does not tell (there is no /proc)."""
    found = [pid]
    for parent in found:  # It grows.
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, path.read_text(encoding="utf-8").split())
    return found
