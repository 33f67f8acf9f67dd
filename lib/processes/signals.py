"""What a signal means to a process of ours: a stop, nothing, or, to a child that obeys its pipe alone, nothing at all;
and SIGHUP, to a server without a terminal, that it is to read its keys anew.

Called by whoever stands on top (the server alone, the server's parent, the worker's supervisor) and by their children.
"""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from lib.logs.log import Log

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Each of them would end a process that does not mind it, without a line in the log: some programs reopen their logs at
# SIGUSR1, and whoever takes Waybill for one of these must not lose a worker by it.
IDLE_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
MINDED = (*STOP_SIGNALS, *IDLE_SIGNALS)


def obey(
    loop: "asyncio.AbstractEventLoop",
    stop: Callable[[], object],
    log: "Log",
    *,
    reread: Callable[[], object] | None = None,
) -> None:
    """Have `stop` called at every signal to stop, and the signals that mean nothing here said in the log.

    reread: what SIGHUP is for, where it can't mean that the terminal was closed.
    """
    # Under nohup the terminal may close, and the process is to live on.
    is_hang_up_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP:
            loop.add_signal_handler(number, stop)
        elif reread is not None and (is_hang_up_ignored or not _has_terminal()):
            loop.add_signal_handler(number, reread)
        elif not is_hang_up_ignored:
            loop.add_signal_handler(number, stop)
    for number in IDLE_SIGNALS:
        loop.add_signal_handler(number, _say_ignored, number, log)


def live_through_hang_ups() -> None:
    """Until `obey` says what they are for: without a terminal none is a stop, not even while this process starts."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL and not _has_terminal():
        signal.signal(signal.SIGHUP, do_nothing)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, whose end is told it by a SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def hold() -> None:
    """Until `go_on`, or for good: let no signal end this process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, MINDED)


def go_on() -> None:
    """What came since `hold` is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MINDED)


def obey_the_pipe_alone() -> None:
    """For a child, first of all: mind no signal to stop. It was born with all of them held."""
    for number in (*STOP_SIGNALS, signal.SIGUSR1, signal.SIGUSR2):
        # Not SIG_IGN, which a program that a job starts would inherit: nobody could terminate() that one.
        signal.signal(number, do_nothing)
    go_on()


def do_nothing(*_: object) -> None:
    """The handler of a child that obeys its pipe alone."""


def _say_ignored(number: signal.Signals, log: "Log") -> None:
    msg = f"{number.name} means nothing here and changes nothing; SIGTERM is a stop"
    log.warning("signal.ignored", msg, signal=number.name)
