"""What a process that a job forks (multiprocessing, os.fork) must not have of its runner.

Such a child is a copy of the runner amid its work: with its deafness to signals, with lines and prints that it has yet
to write, on the very sockets over which it speaks to Redis and to its supervisor. From the hooks here it begins as any
Python process does. If it comes back out of its handler, it ends there, as a script does at its end.
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
    """The hooks of one process. WHY its state is the class's: a fork copies a process, so there is one of it."""

    is_child = False
    _log: Log | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _held = threading.local()

    @classmethod
    def watch(cls) -> None:
        """From here on. To be called before the job modules are imported: they may fork."""
        os.register_at_fork(before=cls._before, after_in_parent=cls._in_parent, after_in_child=cls._in_child)

    @classmethod
    def keep_from(cls, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        """The log's unwritten lines and the loop's sockets are this process' own."""
        cls._log, cls._loop = log, loop

    @classmethod
    def end_child(cls, fault: BaseException | None) -> None:
        """At the end of a handler: where a forked child has come back out of it, that child ends, as a script would."""
        if cls.is_child:
            code = exit_code(fault)
            flush()
            os._exit(code)

    @classmethod
    def _before(cls) -> None:
        flush()
        # A signal that the child is sent in its first moment waits until it has its own handlers.
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
        # At its end a child of multiprocessing joins the threads of every executor. One of them may be itself: then it
        # would fail, and its exit code be 1.
        threads: Any = pool_threads._threads_queues
        threads.clear()
        if cls._loop is not None:
            _cut_off(cls._loop)
        signal.pthread_sigmask(signal.SIG_SETMASK, cls._held.before)


def _cut_off(loop: asyncio.AbstractEventLoop) -> None:
    """Put /dev/null in the place of the sockets that the parent's loop waits for, and of what it waits with: the child
    can neither answer Redis in its parent's stead nor change what that waits for."""
    selector: Any = getattr(loop, "_selector", None)  # A loop of another kind may have none.
    if selector is None:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    own = [selector.fileno()] if hasattr(selector, "fileno") else []
    for descriptor in (*own, *[key.fd for key in selector.get_map().values()]):
        with contextlib.suppress(OSError):
            os.dup2(nowhere, descriptor, inheritable=False)
