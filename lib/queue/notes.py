"""What one running attempt says, progress, log lines and checkpoints, kept here until Redis is known to have it.

context.py makes one for a job that says anything, and adds to it from any thread. While the job runs lease.py tells
Redis of it now and then; whatever Redis is not known to have when the attempt ends rides in the record of its end, so
that the two are one step: what a job said last is there, or its end is not.

A note that was on its way when the attempt ended comes to Redis twice. Lines have numbers, by which lua/parts/notes.lua
passes over what it has.

Of checkpoints the last one stands. It is handed to the job's next attempt, and dropped when the job completes.
"""

import json
import threading
from collections import deque
from typing import NamedTuple

LINES_KEPT = 200
LINE_CHARS = 2000
DROPPED = "d"
"""The note that a job has no checkpoint any more."""


class Mark(NamedTuple):
    """How much had been said at some moment: so many log lines, how often progress, and how many checkpoints."""

    lines: int
    steps: int
    places: int = 0


class Notes:
    """Of one attempt, which is known by its job's id and its token. Any thread may add to them."""

    def __init__(self, job_id: str, token: int) -> None:
        self.job_id = job_id
        self.token = token
        self.is_on_its_way = False
        """Whether a call that tells Redis of them waits or is in flight. The loop's own."""
        self.is_called = False
        """Whether a thread has asked the loop to look here, and it has not yet: a thousand words need one such call."""
        self._guard = threading.Lock()
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._progress = ""
        self._checkpoint = ""
        self._said = Mark(0, 0)
        self._is_over = False

    def add_line(self, text: str) -> None:
        """Control characters would cut the record in two; each is a space."""
        line = "".join(c if c >= " " else " " for c in plain(text))
        with self._guard:
            if not self._is_over:
                self._lines.append(line)
                self._said = self._said._replace(lines=self._said.lines + 1)

    def set_progress(self, fraction: float, note: str) -> None:
        progress = json.dumps({"fraction": fraction, "note": plain(note)})
        with self._guard:
            if not self._is_over:
                self._progress = progress
                self._said = self._said._replace(steps=self._said.steps + 1)

    def set_checkpoint(self, text: str) -> None:
        """text: JSON, as result.py makes it, or "" for none any more."""
        with self._guard:
            if not self._is_over:
                self._checkpoint = f"c{text}" if text else DROPPED
                self._said = self._said._replace(places=self._said.places + 1)

    def untold(self) -> tuple[str, Mark]:
        """What Redis is not known to have, as parts/notes.lua reads it ("" for nothing), and the mark to be given to
        `told` when it has that."""
        with self._guard:
            return self._text(), self._said

    def told(self, mark: Mark) -> bool:
        """Redis has all up to `mark`. Whether more was said since."""
        with self._guard:
            more = self._said.lines - mark.lines
            while len(self._lines) > more:
                self._lines.popleft()
            if self._said.steps == mark.steps:
                self._progress = ""
            if self._said.places == mark.places:
                self._checkpoint = ""
            return bool(self._lines or self._progress or self._checkpoint)

    def end(self, *, is_done: bool = False) -> str:
        """The attempt has ended: what is to ride with its end. From now on nothing is added, and nothing is left.

        is_done: its job needs no checkpoint any more.
        """
        with self._guard:
            if is_done and self._said.places:
                self._checkpoint = DROPPED
            text = self._text()
            self._is_over = True
            self._lines.clear()
            self._progress = self._checkpoint = ""
            return text

    def calls(self) -> bool:
        """For a thread that has said something: whether it is for it to call the loop."""
        with self._guard:
            has_to = not self.is_called and not self._is_over
            self.is_called = True
            return has_to

    @property
    def size_chars(self) -> int:
        """About how long `untold` is."""
        with self._guard:
            return sum(map(len, self._lines)) + len(self._progress) + len(self._checkpoint)

    def _text(self) -> str:
        if not self._lines and not self._progress and not self._checkpoint:
            return ""
        parts = [str(self._said.lines - len(self._lines)), *(f"l{line}" for line in self._lines)]
        if self._progress:
            parts.append(f"p{self._progress}")
        if self._checkpoint:
            parts.append(self._checkpoint)
        return "\x1d".join(parts)


def plain(text: str) -> str:
    """The text, cut at LINE_CHARS; a plain str, whatever class of a job's own it is of."""
    return str.__getitem__(text, slice(LINE_CHARS))
