"""Keeps a process' signal handlers and descriptors as they are while job modules are imported into it.

Job modules are foreign code: a library that they use may set a signal handler, block a signal, or close descriptors
that it did not open. Called by server.py and worker.py.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lib.errors import ConfigError
from lib.processes.signals import MINDED, STOP_SIGNALS, let_through


@contextmanager
def around_imports(*descriptors: int) -> Iterator[None]:
    """Import job modules in this context. descriptors: what the parent handed to this process.

    In the context Ctrl-C ends the process at once, as SIG_DFL has it, if Python would raise KeyboardInterrupt for it:
    so a KeyboardInterrupt in there is the module's own. Raises ConfigError where a descriptor was closed.
    """
    before = {number: signal.getsignal(number) for number in MINDED}
    if before[signal.SIGINT] is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        _put_back(before)
        _fill_standard_streams()
    if not all(map(_is_open, descriptors)):
        raise ConfigError(
            ["JOB_MODULES: a module closes descriptors that it did not open (os.closerange?), Waybill's own too"]
        )


def _fill_standard_streams() -> None:
    """Open /dev/null as stdin, stdout or stderr where a module has closed it. Else the next file or socket that is
    opened would get that number, and everything that is printed."""
    for number in range(3):
        if not _is_open(number):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _put_back(before: "dict[signal.Signals, signal._HANDLER]") -> None:
    for number, handler in before.items():
        # A module may keep its own handler for a signal that is no stop (faulthandler at SIGUSR1, for example).
        if handler is not None and (number in STOP_SIGNALS or signal.getsignal(number) == signal.SIG_DFL):
            signal.signal(number, handler)
    # With SIGPIPE at its default, the first client that hangs up would end the process.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    let_through()
