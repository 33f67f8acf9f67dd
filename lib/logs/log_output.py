"""Where a batch of lines goes: to the file and to the console. Lines that the file does not take are counted.

Called by line_buffer.py, by one thread at a time. Once the file works again the first line in it says what is missing:
`"event":"log.recovered","msg":"Log file works again; 3 lines were dropped","dropped":3`. Until then the console, which
is all that is left, is told of the trouble once a minute (`log.failed`).
"""

from collections.abc import Callable, Sequence

from lib.logs.console import Console
from lib.logs.log_file import LogFile
from lib.logs.log_lines import ARROW, ARROW_STAND_IN, ERROR, NOTHING, WARNING, LineMaker, Stamp, text_line

COMPLAINT_PAUSE_S = 60.0
_ARROW, _STAND_IN = ARROW.encode(), ARROW_STAND_IN.encode()


class LogOutput:
    """file: None for no file. console: None for no console. is_text: the console shows short texts, else JSON."""

    def __init__(
        self,
        file: LogFile | None,
        console: Console | None,
        *,
        is_text: bool,
        maker: LineMaker,
        stamp: Stamp,
        monotonic: Callable[[], float],
    ) -> None:
        self._file, self._console, self._is_text = file, console, is_text
        self._maker, self._stamp, self._monotonic = maker, stamp, monotonic
        self.dropped = 0
        """Lines that were dropped since the file last took one."""
        self._dropped_total = 0
        self._complained_s = float("-inf")

    @property
    def dropped_total(self) -> int:
        """Lines that are not in the file; where there is no file, lines that the console did not show."""
        return self._dropped_total + (self._console.dropped_total if self._console and self._file is None else 0)

    def count_unmade(self) -> None:
        """A line could not be made: it counts as dropped."""
        self.dropped += 1
        self._dropped_total += 1

    def write(self, lines: Sequence[str], texts: Sequence[str]) -> None:
        """Write whole lines: `lines` in JSON, and `texts`, the same lines for a console that shows text."""
        if self._console:
            self._console.show("".join(texts if self._is_text else lines))
        if self._file is None:
            return
        head = self._recovered_line() if self.dropped else ""
        data = (head + "".join(lines)).encode("utf-8", "backslashreplace").replace(_STAND_IN, _ARROW)
        kept = self._file.append(data)
        lost = data.count(b"\n", kept)
        # `head` told of the dropped lines if it arrived; if it did not, it is no dropped line itself.
        newly = lost if kept or not head else lost - 1
        self.dropped = newly if kept or not head else self.dropped + newly
        self._dropped_total += newly
        if self._file.fault:
            self._complain(self._file.fault)

    @property
    def is_behind(self) -> bool:
        """Whether the console has text left that it had no room for."""
        return self._console is not None and self._console.is_behind

    def show_rest(self, wait_ms: int = 0) -> None:
        """Show what the console had no room for, as far as there is room now, or within `wait_ms` a piece."""
        if self._console:
            self._console.show("", wait_ms)

    def close_file(self) -> None:
        """The next write opens the file again."""
        if self._file:
            self._file.close()

    def begin_anew(self) -> None:
        """For a forked child: forget what the parent has yet to tell, and the parent's open file."""
        self.dropped = 0
        if self._file:
            self._file.begin_anew()
        if self._console:
            self._console.begin_anew()

    def _recovered_line(self) -> str:
        msg, fields = f"Log file works again; {self.dropped} lines were dropped", {"dropped": self.dropped}
        return self._maker.json_line(self._stamp.now(), WARNING, "log.recovered", msg, NOTHING, fields)

    def _complain(self, fault: OSError) -> None:
        now_s = self._monotonic()
        if not self._console or now_s - self._complained_s < COMPLAINT_PAUSE_S:
            return
        self._complained_s = now_s
        advice = "; see LOG_DIR and whose it is" if isinstance(fault, PermissionError) else ""
        stamp, msg = self._stamp.now(), f"Log file in trouble: {fault}{advice} ({self.dropped} lines dropped)"
        fields = {"dropped": self.dropped}
        as_json = self._maker.json_line(stamp, ERROR, "log.failed", msg, NOTHING, fields)
        self._console.show(text_line(stamp, ERROR, msg, fields, {}) if self._is_text else as_json)
