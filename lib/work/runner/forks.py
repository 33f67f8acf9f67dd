"""What a process that a job forks (with multiprocessing or os.fork) must not have of its runner.

A forked child is a copy of the runner amid its work: it ignores signals, holds unwritten log lines and prints, and has
the runner's sockets to Redis and to the supervisor. The hooks here undo that, and the child starts like any Python
process. A child that returns from its handler into the runner's own code ends there, as a script does at its end.
"""

import asyncio
import contextlib
import os
import signal
import threading
from concurrent.futures import thread as pool_threads
from typing import Any

from lib.logs.log import Log
from lib.processes.exits import exit_code, flush
from lib.processes.signals import MINDED, do_nothing


class Forks:
    """The hooks of this process. WHY class attributes, no instance: a process is forked as a whole."""

    is_child = False
    """Whether this process was forked by a job."""
    _log: Log | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _held = threading.local()

    @classmethod
    def watch(cls) -> None:
        """Install the hooks. To be called before the job modules are imported: they may fork."""
        os.register_at_fork(before=cls._before, after_in_parent=cls._in_parent, after_in_child=cls._in_child)

    @classmethod
    def keep_from_child(cls, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        """From now on a child drops the log's unwritten lines and the loop's sockets."""
        cls._log, cls._loop = log, loop

    @classmethod
    def end_child(cls, fault: BaseException | None) -> None:
        """Called where a handler has ended, with what it raised. In a forked child: end the process, with the exit code
        that a script would have."""
        if cls.is_child:
            code = exit_code(fault)
            flush()
            os._exit(code)

    @classmethod
    def _before(cls) -> None:
        flush()
        # A signal that reaches the child in its first moment waits until the child's own handlers are set.
        cls._held.before = signal.pthread_sigmask(signal.SIG_BLOCK, MINDED)

    @classmethod
    def _in_parent(cls) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, cls._held.before)

    @classmethod
    def _in_child(cls) -> None:
        cls.is_child = True
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
        for number in MINDED:
            if signal.getsignal(number) is do_nothing:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if cls._log is not None:
            cls._log.begin_anew()
        # At its end a multiprocessing child joins the threads of every executor. If the handler forked in such a
        # thread, the child would join itself, fail, and exit with 1.
        threads: Any = pool_threads._threads_queues
        threads.clear()
        if cls._loop is not None:
            _cut_off(cls._loop)
        signal.pthread_sigmask(signal.SIG_SETMASK, cls._held.before)


def _cut_off(loop: asyncio.AbstractEventLoop) -> None:
    """Put /dev/null in the place of every descriptor that the parent's loop waits for, and of its epoll descriptor. The
    child can then neither answer Redis in its parent's stead nor change what the parent waits for."""
    selector: Any = getattr(loop, "_selector", None)  # None: a loop of another kind.
    if selector is None:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    own = [selector.fileno()] if hasattr(selector, "fileno") else []
    for descriptor in (*own, *[key.fd for key in selector.get_map().values()]):
        with contextlib.suppress(OSError):
            os.dup2(nowhere, descriptor, inheritable=False)
