"""What a handler notes while it runs (progress, log lines, checkpoints), kept here until Redis is known to have it.

context.py makes a `Notes` with the first `ctx.log(…)`, `ctx.progress(…)` or `ctx.checkpoint(…)` of an attempt, and adds
to it from any thread. While the job runs, lease.py sends Redis what is new, now and then. Whatever Redis is not known
to have when the attempt ends goes in the record of that end (`end`): who finds the end finds the last words.

    3/l40 sent the head/l0 sent the body/p{"fraction":0.5,"note":"half"}/c{"row":5}

is the text that is sent, with `/` for PART (framing.py): how many lines came before, then a letter and a text for each
note. `l` is a line of the log, behind the ms for which it was logged when the text was made; `p` the progress, `c` a
checkpoint, `d` that the job has no checkpoint any more. A text that was in flight when the attempt ended comes to Redis
a second time; by the number, Redis skips lines that it has.

Only the last checkpoint stands. The job's next attempt is given it, and it is dropped when the job completes.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from lib.queue.framing import PART

LINES_KEPT = 200
LINE_CHARS = 2000
DROPPED = "d"
"""The note that the job has no checkpoint any more."""


class Mark(NamedTuple):
    """How much an attempt had noted at some moment: how many lines, progresses and checkpoints."""

    lines: int
    progresses: int
    checkpoints: int = 0


class Notes:
    """The notes of one attempt, which Redis knows by the job's id and the claim's token. Any thread may add to them."""

    def __init__(self, job_id: str, token: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.job_id = job_id
        self.token = token
        self.is_on_its_way = False
        """True while a call that sends them waits or is in flight. Only the event loop reads or sets it."""
        self.has_called_loop = False
        """True once a thread has asked the event loop to send them, until it does: a thousand notes need one call."""
        self._guard = threading.Lock()
        self._clock = clock
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES_KEPT)
        """When each line was logged, by the clock, and the line."""
        self._progress = ""
        self._checkpoint = ""
        self._noted = Mark(0, 0)
        self._is_over = False

    def add_line(self, text: str) -> None:
        """Add a line to the job's log. A control character, which would cut the record in two, becomes a space."""
        line = "".join(c if c >= " " else " " for c in plain(text))
        with self._guard:
            if not self._is_over:
                self._lines.append((self._clock(), line))
                self._noted = self._noted._replace(lines=self._noted.lines + 1)

    def set_progress(self, fraction: float, note: str) -> None:
        progress = json.dumps({"fraction": fraction, "note": plain(note)})
        with self._guard:
            if not self._is_over:
                self._progress = progress
                self._noted = self._noted._replace(progresses=self._noted.progresses + 1)

    def set_checkpoint(self, text: str) -> None:
        """text: JSON, as result.py makes it, or "" to drop the checkpoint."""
        with self._guard:
            if not self._is_over:
                self._checkpoint = f"c{text}" if text else DROPPED
                self._noted = self._noted._replace(checkpoints=self._noted.checkpoints + 1)

    def unsent(self) -> tuple[str, Mark]:
        """The text of what Redis is not known to have ("" for nothing), and the mark to give to `sent` once it has."""
        with self._guard:
            return self._text(), self._noted

    def sent(self, mark: Mark) -> bool:
        """Drop all up to `mark`, for Redis has it. True if more was noted since."""
        with self._guard:
            more = self._noted.lines - mark.lines
            while len(self._lines) > more:
                self._lines.popleft()
            if self._noted.progresses == mark.progresses:
                self._progress = ""
            if self._noted.checkpoints == mark.checkpoints:
                self._checkpoint = ""
            return bool(self._lines or self._progress or self._checkpoint)

    def end(self, *, is_done: bool = False) -> str:
        """End the attempt: return the text that goes with its end. From now on nothing can be added.

        is_done: the job is completed, and needs no checkpoint any more.
        """
        with self._guard:
            if is_done and self._noted.checkpoints:
                self._checkpoint = DROPPED
            text = self._text()
            self._is_over = True
            self._lines.clear()
            self._progress = self._checkpoint = ""
            return text

    def must_call_loop(self) -> bool:
        """Asked by a thread that has noted something: True if that thread has to ask the event loop to send it."""
        with self._guard:
            must = not self.has_called_loop and not self._is_over
            self.has_called_loop = True
            return must

    @property
    def size_chars(self) -> int:
        """About how long the text of `unsent` is."""
        with self._guard:
            return sum(len(line) for _, line in self._lines) + len(self._progress) + len(self._checkpoint)

    def _text(self) -> str:
        if not self._lines and not self._progress and not self._checkpoint:
            return ""
        now_s = self._clock() if self._lines else 0.0
        # Rounded down: no line is shown as logged before its attempt began.
        lines = [f"l{int(max(0.0, now_s - at_s) * 1000)} {line}" for at_s, line in self._lines]
        parts = [str(self._noted.lines - len(self._lines)), *lines]
        if self._progress:
            parts.append(f"p{self._progress}")
        if self._checkpoint:
            parts.append(self._checkpoint)
        return PART.join(parts)


def plain(text: str) -> str:
    """The text, cut at LINE_CHARS, as a plain str: a handler may pass a subclass of str with methods of its own."""
    return str.__getitem__(text, slice(LINE_CHARS))
