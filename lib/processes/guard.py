"""What a process of ours needs of itself, kept while job modules are imported into it: signals, descriptors.

They are code of somebody else's, and a library that they use may set a handler, block a signal or close descriptors
that it did not open. Called by server.py and worker.py.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lib.errors import ConfigError
from lib.processes.signals import MINDED, STOP_SIGNALS, go_on


@contextmanager
def around_imports(*descriptors: int) -> Iterator[None]:
    """Import job modules in here. descriptors: those that this process was handed.

    Until it has ended, Ctrl-C ends a process that minds it at once, as it does any program: so a KeyboardInterrupt is
    the module's own. Raises ConfigError where a descriptor is gone.
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
    """Where one is closed, the next file or socket that is opened would be given its number, and what is printed."""
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
        # A handler of the module's own for another signal than a stop is its own affair (faulthandler at SIGUSR1).
        if handler is not None and (number in STOP_SIGNALS or signal.getsignal(number) == signal.SIG_DFL):
            signal.signal(number, handler)
    # At its default the first client that hangs up would end the process.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    go_on()
