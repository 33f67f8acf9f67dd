"""Lines that wait to be written, and when they are: story 1 in log.py.

Log appends a line and calls `added`, from any thread. A batch then goes to log_output.py: at once (no loop runs in this
thread, the line is an error, BATCH_LINES are reached), or by the running loop, at the end of this turn or
HAND_OVER_PAUSE_S after the last batch.
"""

import threading
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from threading import get_ident

from lib.logs.log_lines import ERROR
from lib.logs.log_output import LogOutput

BATCH_LINES = 250  # Written before the turn ends: a handler that never yields must not fill the memory with lines.
HAND_OVER_PAUSE_S = 0.005  # A batch is six system calls: as much as a small job's own work.
CONSOLE_RETRY_S = 0.05


class LineBuffer:
    """lines: JSON for the file. texts: the same lines for a console that shows text; empty where none does.

    Another thread may append at any moment. So neither list is ever replaced: a batch is cut off its front.
    """

    def __init__(self, output: LogOutput, monotonic: Callable[[], float]) -> None:
        self.lines: list[str] = []
        self.texts: list[str] = []
        self._output = output
        self._monotonic = monotonic
        self._loop: AbstractEventLoop | None = None
        """The loop that will write what waits; None: none will."""
        self._loop_thread = 0
        self._written_s = float("-inf")
        self._guard = threading.RLock()
        """Held by the thread that writes."""
        self._is_writing = False
        self._is_retrying = False

    def added(self, level: int) -> None:
        """A line of `level` was appended: write all lines now, or have the loop write them soon."""
        if level >= ERROR or len(self.lines) >= BATCH_LINES:
            self.flush()
            return
        # Not get_running_loop() for every line: it asks the kernel for the process id.
        if self._loop is None or self._loop_thread != get_ident() or not self._loop.is_running():
            self._schedule()

    def flush(self) -> None:
        """Write everything that waits."""
        with self._guard:
            if self._is_writing:  # A signal handler or a finaliser logs amid a flush: the loop below writes its line.
                return
            self._is_writing = True
            try:
                while self.lines:
                    self._write_batch()
                if self._output.is_behind:
                    self._output.show_rest()
            finally:
                self._is_writing = False

    def close(self) -> None:
        """Write everything, give a slow console a moment, close the file."""
        self.flush()
        with self._guard:
            if self._output.dropped:
                self._write_batch()
            self._output.show_rest(wait_ms=50)
            self._output.close_file()

    def begin_anew(self) -> None:
        """For a forked child: the lines that wait are the parent's to write, and a thread of the parent may have held
        the guard when it forked."""
        self.lines.clear()
        self.texts.clear()
        self._guard = threading.RLock()
        self._is_writing = self._is_retrying = False
        self._loop = None

    def _schedule(self) -> None:
        """Have this thread's running loop write the lines that wait. Where no loop runs, write them now."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._loop, self._loop_thread = loop, get_ident()
        pause_s = self._written_s + HAND_OVER_PAUSE_S - self._monotonic()
        if pause_s <= 0:
            loop.call_soon(self._end_turn)
        else:
            loop.call_later(pause_s, self._end_turn)

    def _end_turn(self) -> None:
        self._loop = None  # Before the lines are written: for a line that comes meanwhile the loop is asked again.
        self._written_s = self._monotonic()
        self.flush()
        if self._output.is_behind and not self._is_retrying:
            self._is_retrying = True
            get_running_loop().call_later(CONSOLE_RETRY_S, self._retry_console)

    def _retry_console(self) -> None:
        self._is_retrying = False
        self._end_turn()

    def _write_batch(self) -> None:
        self._output.write(_cut_off(self.lines), _cut_off(self.texts))


def _cut_off(lines: list[str]) -> list[str]:
    count = len(lines)
    batch = lines[:count]
    del lines[:count]
    return batch
