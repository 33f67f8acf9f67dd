"""The lines that a job's handler logged, as Redis keeps them: the list `log:<id>`, the last 200 of all attempts. Pure.

    sent the head/1764410003000/2/17

is an element, with `/` for PART (framing.py): the text, when the handler logged it (ms, Redis' clock), the number of
its attempt, and how many lines the job has logged up to this one. parts/notes.lua writes it. The text comes first,
because a server of an older version shows all of it; a worker of an older version writes the text alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lib.queue.framing import PART_BYTE, optional_number, shown_text


class LogLine(NamedTuple):
    """number: 1 for the first line that the job has logged. at_ms, attempt: None where an older version wrote it."""

    number: int
    at_ms: int | None
    attempt: int | None
    text: str


def lines_from(elements: Sequence[bytes]) -> list[LogLine]:
    """The lines in their order, each with a higher number than the one before. elements: all of the list."""
    lines: list[LogLine] = []
    number = _first_number(elements) - 1
    for element in elements:
        text, at, attempt, known = _parts(element)
        number = max(number + 1, optional_number(known) or 0)
        lines.append(LogLine(number, optional_number(at), optional_number(attempt), shown_text(text)))
    return lines


def _parts(element: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    # A text holds no PART: notes.py makes blanks of control characters.
    text, *more = element.split(PART_BYTE)
    return (text, more[0], more[1], more[2]) if len(more) == 3 else (text, b"", b"", b"")


def _first_number(elements: Sequence[bytes]) -> int:
    """The number of the first line: where an older version wrote it, by the first one that has a number."""
    for place, element in enumerate(elements):
        known = optional_number(_parts(element)[3])
        if known is not None:
            return max(1, known - place)
    return 1
