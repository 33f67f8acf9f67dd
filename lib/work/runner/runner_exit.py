"""How a runner's process ends: the exit hooks of its job modules run, output is flushed, and its programs end too.

The process ends by os._exit, because Python's own exit would wait for every handler's thread, and a thread can't be
stopped. So what Python does at exit is done here, all but the wait, and takes HOOKS_S at most.

A runner leads a process group of its own, in which the programs of its jobs are (job_programs.py). A signal to the
group reaches them all.
"""

import os
import signal
import sys
from typing import NoReturn

from lib.logs.log import Log
from lib.processes.exits import HOOKS_S, flush, run_hooks


def print_by_lines() -> None:
    """Flush stdout after each line, also to a file or a pipe: what a job prints is seen at once, and is not lost."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # None: this process has no stdout.
    if reconfigure is not None:
        reconfigure(line_buffering=True)


def exit_runner(log: Log, code: int, *, is_orphaned: bool) -> NoReturn:
    """End this process. No loop runs any more, so an exit hook may run a loop of its own."""
    try:
        run_hooks(lambda: _cut_off_hooks(log, code, is_orphaned))
    except BaseException as fault:
        log.exception("runner.hook_failed", "An exit hook of a job module failed", fault)
    flush()
    _end(log, code, is_orphaned)


def kill_group() -> None:
    """SIGKILL this process and the programs of its jobs. Does nothing if this process does not lead its group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)


def terminate_programs() -> None:
    """SIGTERM to the programs of this runner's jobs. The signal reaches the runner too, which ignores it."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGTERM)


def _cut_off_hooks(log: Log, code: int, is_orphaned: bool) -> None:
    log.warning("runner.hooks_cut_off", f"The exit hooks of the job modules took over {HOOKS_S:g} s and are cut off")
    _end(log, code, is_orphaned)


def _end(log: Log, code: int, is_orphaned: bool) -> NoReturn:
    log.close()
    if is_orphaned:
        kill_group()  # A supervisor would kill the group itself, after it has read the exit code.
    os._exit(code)
