"""How a runner's process ends: the exit hooks of its modules run, what was written is flushed, its programs end too.

It ends by os._exit, for a handler's thread can't be stopped, and Python would wait for it. So what Python does at its
end is done here, but for waiting, and takes HOOKS_S at most.
"""

import os
import signal
import sys
from typing import NoReturn

from lib.logs.log import Log
from lib.processes.exits import HOOKS_S, flush, run_hooks


def print_by_lines() -> None:
    """What jobs print is to be seen when they print it, also where it goes to a file or a pipe."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # None: there is no such stream.
    if reconfigure is not None:
        reconfigure(line_buffering=True)


def leave(log: Log, code: int, *, is_orphaned: bool) -> NoReturn:
    """End this process. No loop runs any more: a hook may run one of its own."""
    try:
        run_hooks(lambda: _cut_off(log, code, is_orphaned))
    except BaseException as fault:
        log.exception("runner.hook_failed", "An exit hook of a job module failed", fault)
    flush()
    _end(log, code, is_orphaned)


def end_group() -> None:
    """Kill this process, and the programs that its jobs have started. Where it leads no group of its own: nothing."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)


def stop_programs() -> None:
    """Ask the programs of this runner's jobs to end; itself, it minds no SIGTERM."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGTERM)


def _cut_off(log: Log, code: int, is_orphaned: bool) -> None:
    log.warning("runner.hooks_cut_off", f"The exit hooks of the job modules took over {HOOKS_S:g} s and are cut off")
    _end(log, code, is_orphaned)


def _end(log: Log, code: int, is_orphaned: bool) -> NoReturn:
    log.close()
    if is_orphaned:
        end_group()  # With a supervisor, it is that one's to do: the exit code is to be heard.
    os._exit(code)
