"""The end of a process that job modules may have been imported into: exit hooks run, printed text is flushed.

The process ends by os._exit. WHY: Python itself waits without end for every thread that is no daemon, and a job module
may have left such a thread. What Python does at its end is done here instead, in HOOKS_S at most. Called by server.py
and worker.py; a runner ends by runner_exit.py.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

HOOKS_S = 2.0


def end_with(main: Callable[[], int]) -> NoReturn:
    """Run `main`, and end this process with the exit code of `main`; if `main` raises, with Python's code for that."""
    try:
        code = main()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException as fault:  # noqa: BLE001  Python prints the traceback of anything as well.
        code = exit_code(fault)
    run_hooks(lambda: _cut_off(code))
    # Python calls this here as well: it waits for threads, and lets those of executors end.
    threading._shutdown()  # type: ignore[attr-defined]
    flush()
    os._exit(code)


def run_hooks(cut_off: Callable[[], object]) -> None:
    """Run the exit hooks (atexit). cut_off: ends the process; called in another thread if HOOKS_S pass before that."""
    bound = threading.Timer(HOOKS_S, cut_off)
    bound.daemon = True
    with contextlib.suppress(RuntimeError):  # The system has no thread left: the hooks run without a limit.
        bound.start()
    atexit._run_exitfuncs()


def exit_code(fault: BaseException | None) -> int:
    """The exit code that Python gives for `fault`. Prints what Python prints: a traceback, or sys.exit's text."""
    if fault is None:
        return 0
    if not isinstance(fault, SystemExit):
        import traceback  # Seldom needed, and worker.py starts its runners before it imports much.

        traceback.print_exception(fault)
        return 1
    if fault.code is None or isinstance(fault.code, int):
        return (fault.code or 0) & 0xFF
    _print_error(f"{fault.code}\n")
    return 1


def flush() -> None:
    """Write what was printed and is still in a buffer, before this process forks or ends."""
    for stream in (sys.stdout, sys.stderr):
        # AttributeError: the stream is None, the process was started without one. ValueError: a job has closed it.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _cut_off(code: int) -> None:
    main = threading.main_thread()
    left = [thread.name for thread in threading.enumerate() if thread is not main and not thread.daemon]
    what = f"threads of the job modules ({', '.join(left)})" if left else "exit hooks of the job modules"
    _print_error(f"Waybill ends without {what}, which have not ended in {HOOKS_S:g} s\n")
    flush()
    os._exit(code)


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
