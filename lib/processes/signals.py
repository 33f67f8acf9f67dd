"""What a signal means to each process.

The process on top (a server alone, the server's parent, the worker's supervisor) calls `obey`: SIGINT, SIGTERM and
SIGQUIT are a stop; SIGHUP is a stop where it can mean that the terminal was closed, and makes a server without a
terminal read its API keys anew. A child calls `obey_the_pipe_alone`: no signal means anything to it.
"""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from lib.logs.log import Log

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# At its default each of them ends the process, without a line in the log. Some programs reopen their logs at SIGUSR1,
# and an operator who takes Waybill for one of these must not lose a worker by it.
IDLE_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
MINDED = (*STOP_SIGNALS, *IDLE_SIGNALS)


def obey(
    loop: "asyncio.AbstractEventLoop",
    stop: Callable[[], object],
    log: "Log",
    *,
    reread: Callable[[], object] | None = None,
) -> None:
    """From now on call `stop` at every signal to stop, and log each of IDLE_SIGNALS, which means nothing.

    reread: what SIGHUP calls where no terminal was closed; None: there SIGHUP is a stop as well.
    """
    # nohup ignores SIGHUP: the terminal may close, and the process is to live on.
    is_hang_up_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP:
            loop.add_signal_handler(number, stop)
        elif reread is not None and (is_hang_up_ignored or not _has_terminal()):
            loop.add_signal_handler(number, reread)
        elif not is_hang_up_ignored:
            loop.add_signal_handler(number, stop)
    for number in IDLE_SIGNALS:
        loop.add_signal_handler(number, _log_ignored, number, log)


def live_through_hang_ups() -> None:
    """For a server that starts: without a terminal a SIGHUP is no stop, not even before `obey` is called."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL and not _has_terminal():
        signal.signal(signal.SIGHUP, do_nothing)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, which sends a SIGHUP when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def hold() -> None:
    """Block every signal of MINDED: none ends this process, until `let_through` or for good.

    For good at a process' end: a loop that closes, and an interpreter that ends, take signal handlers away, and a
    second signal to stop would then be the exit code.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, MINDED)


def let_through() -> None:
    """Unblock the signals that `hold` blocked. Signals that came meanwhile are delivered now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MINDED)


def obey_the_pipe_alone() -> None:
    """For a child, first of all: ignore every signal to stop. spawn.py has started it with all of them blocked."""
    for number in (*STOP_SIGNALS, signal.SIGUSR1, signal.SIGUSR2):
        # Not SIG_IGN: a program that a job starts would inherit that, and could not be ended by terminate().
        signal.signal(number, do_nothing)
    let_through()


def do_nothing(*_: object) -> None:
    """The handler of a child that obeys its pipe alone."""


def _log_ignored(number: signal.Signals, log: "Log") -> None:
    msg = f"{number.name} means nothing here and changes nothing; SIGTERM is a stop"
    log.warning("signal.ignored", msg, signal=number.name)
