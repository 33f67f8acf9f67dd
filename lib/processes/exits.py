"""How a process ends into which job modules may have been imported: exit hooks run, what was printed is flushed.

It ends by os._exit: Python itself would wait, without end, for every thread that is no daemon, and a job module may
have left one. What Python does at its end is done here, and takes HOOKS_S at most. The runner's end is runner_exit.py.
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
    """Run `main`, and end this process with the exit code that it gives, or that Python gives for what it raises."""
    try:
        code = main()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException as fault:  # noqa: BLE001  As Python itself: the traceback, and an exit code.
        code = exit_code(fault)
    run_hooks(lambda: _cut_off(code))
    # What Python calls at this point: it waits for threads, and has those of executors end.
    threading._shutdown()  # type: ignore[attr-defined]
    flush()
    os._exit(code)


def run_hooks(cut_off: Callable[[], object]) -> None:
    """Run the exit hooks. cut_off: called in another thread, to end the process, if it has not ended after HOOKS_S."""
    bound = threading.Timer(HOOKS_S, cut_off)
    bound.daemon = True
    with contextlib.suppress(RuntimeError):  # The system has no thread left.
        bound.start()
    atexit._run_exitfuncs()


def exit_code(fault: BaseException | None) -> int:
    """What Python's own would be; a fault that is no exit is printed, as there."""
    if fault is None:
        return 0
    if not isinstance(fault, SystemExit):
        import traceback  # Here: it is seldom needed, and worker.py starts its runners before it imports much.

        traceback.print_exception(fault)
        return 1
    if fault.code is None or isinstance(fault.code, int):
        return (fault.code or 0) & 0xFF
    _say(f"{fault.code}\n")
    return 1


def flush() -> None:
    """What was printed and not written yet. For the last moment before this process is copied or ends."""
    for stream in (sys.stdout, sys.stderr):
        # None where the process has no such stream; ValueError: a job has closed it.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _cut_off(code: int) -> None:
    main = threading.main_thread()
    left = [thread.name for thread in threading.enumerate() if thread is not main and not thread.daemon]
    what = f"threads of the job modules ({', '.join(left)})" if left else "exit hooks of the job modules"
    _say(f"Waybill ends without {what}, which have not ended in {HOOKS_S:g} s\n")
    flush()
    os._exit(code)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
